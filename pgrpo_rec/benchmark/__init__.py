"""Experiments: contenders on tasks over seeds, resumable, with intervals."""

from pgrpo_rec.benchmark.plan import Contender, Task
from pgrpo_rec.benchmark.runner import run
from pgrpo_rec.benchmark.summary import compare, curves_by_group, summarise

__all__ = ["Contender", "Task", "compare", "curves_by_group", "run", "summarise"]
