"""Experiments: recommenders in scenarios over seeds, tuned alike, resumable, with intervals."""

from pgrpo_rec.benchmark.plan import Recommender, Scenario
from pgrpo_rec.benchmark.protocol import run_benchmark
from pgrpo_rec.benchmark.results import BenchmarkRun, load_run
from pgrpo_rec.benchmark.runner import run
from pgrpo_rec.benchmark.summary import compare, curves_by_group, summarise

__all__ = [
    "BenchmarkRun",
    "Recommender",
    "Scenario",
    "compare",
    "curves_by_group",
    "load_run",
    "run",
    "run_benchmark",
    "summarise",
]
