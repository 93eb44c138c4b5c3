"""Measures beyond the mean reward: who gains, and how much of the world is shown.

Tables in, tables out; each function says what it needs.
"""

from pgrpo_rec.metrics.breadth import exposure, exposure_over_time, list_diversity
from pgrpo_rec.metrics.fronts import dominated
from pgrpo_rec.metrics.groups import fairness, group_satisfaction
from pgrpo_rec.metrics.inequality import (
    entropy,
    gini_index,
    herfindahl_index,
    jain_index,
    nash_welfare,
)

__all__ = [
    "dominated",
    "entropy",
    "exposure",
    "exposure_over_time",
    "fairness",
    "gini_index",
    "group_satisfaction",
    "herfindahl_index",
    "jain_index",
    "list_diversity",
    "nash_welfare",
]
