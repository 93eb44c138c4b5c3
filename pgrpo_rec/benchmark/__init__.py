"""Experiments: recommenders on scenarios over seeds, resumable, with intervals."""

from pgrpo_rec.benchmark.plan import Recommender, Scenario
from pgrpo_rec.benchmark.runner import run
from pgrpo_rec.benchmark.summary import compare, curves_by_group, summarise

__all__ = ["Recommender", "Scenario", "compare", "curves_by_group", "run", "summarise"]
