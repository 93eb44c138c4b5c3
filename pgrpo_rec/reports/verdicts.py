"""Verdicts: what one recommender brings over another, in words that follow the interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pgrpo_rec.benchmark.summary import compare
from pgrpo_rec.evaluation.statistics import Interval


class Comparison(NamedTuple):
    """Two recommenders, and what the difference between them stands for."""

    what: str
    recommender: str
    rival: str


class Measure(NamedTuple):
    """A column of `pgrpo_rec.benchmark.summary.per_seed`, and whether more of it is better."""

    name: str
    heading: str
    digits: int
    more_is_better: bool


MEASURES = (
    Measure("reward", "reward a visit", 3, True),
    Measure("regret_worst", "worst group's regret", 2, False),
)


def verdicts(
    parts: pd.DataFrame, scenario: str, comparisons: Sequence[Comparison]
) -> RenderableType:
    """Return a table of differences, seed by seed, each with its 95 % interval and a word.

    Parameters
    ----------
    parts : pandas.DataFrame
        As `pgrpo_rec.benchmark.run` returns it.
    scenario : str
    comparisons : sequence of Comparison
        Those of recommenders that did not run are left out.

    Returns
    -------
    rich.table.Table, or rich.text.Text where one seed says nothing of the spread
    """
    of_scenario = parts[parts["scenario"] == scenario]
    if of_scenario["seed"].nunique() < 2:
        return Text("One seed says nothing of the spread: no verdict.")
    ran = set(of_scenario["recommender"])
    table = Table(
        title="Differences, seed by seed, ± 95 %:",
        title_justify="left",
        title_style="",
        box=None,
        padding=(0, 2, 0, 0),
    )
    table.add_column("", min_width=31)
    for measure in MEASURES:
        table.add_column(measure.heading, no_wrap=True)
    for what, recommender, rival in comparisons:
        if {recommender, rival} <= ran:
            told = (
                verdict(compare(parts, scenario, recommender, rival, m.name), m) for m in MEASURES
            )
            table.add_row(f"  {what}", *told)
    return table


def verdict(difference: Interval, measure: Measure) -> str:
    """Return a difference in words: a gain or a loss only where the interval excludes 0.

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import Interval
    >>> from pgrpo_rec.reports.verdicts import MEASURES, verdict
    >>> verdict(Interval(-0.5, -0.6, -0.4), MEASURES[1])
    '-0.50 ±0.10 gain'
    >>> verdict(Interval(0.5, -0.1, 1.1), MEASURES[0])
    '+0.500 ±0.600 unclear'
    """
    said = "unclear"
    if difference.low > 0.0 or difference.high < 0.0:
        said = "gain" if (difference.mean > 0.0) == measure.more_is_better else "loss"
    half = "" if np.isnan(difference.half) else f" ±{difference.half:.{measure.digits}f}"
    return f"{difference.mean:+.{measure.digits}f}{half} {said}"
