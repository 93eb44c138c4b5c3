"""Tables for the terminal: narrow enough for 80 columns with three groups."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.table import Table


def leaderboard(
    summary: pd.DataFrame,
    scenario: str,
    *,
    group_names: Sequence[str] = (),
    title: str | None = None,
) -> Table:
    """Return one scenario's table, recommenders in rows, as mean ± half the 95 % interval.

    Parameters
    ----------
    summary : pandas.DataFrame
        As `pgrpo_rec.benchmark.summarise` returns it.
    scenario : str
    group_names : sequence of str, optional
        Names of user types 0, 1, ...
    title : str, optional
    """
    rows = summary[summary["scenario"] == scenario]
    measures = [m for m in dict.fromkeys(rows["measure"]) if m != "regret_mean"]  # of those shown
    table = Table(
        title=title or scenario,
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", no_wrap=True)
    for measure in measures:
        table.add_column(_header(measure, group_names), justify="right", no_wrap=True)
    for recommender, cells in rows.groupby("recommender", sort=False):
        by_measure = cells.set_index("measure")
        table.add_row(
            str(recommender),
            *(_cell(by_measure.loc[m], m) if m in by_measure.index else "" for m in measures),
        )
    return table


def _header(measure: str, group_names: Sequence[str]) -> str:
    fixed = {"reward": "mean\nreward", "regret": "regret\nall", "regret_worst": "worst\ngroup"}
    if measure in fixed:
        return fixed[measure]
    number = int(measure.removeprefix("regret_"))
    return group_names[number] if number < len(group_names) else f"group\n{number}"


def _cell(row: pd.Series, measure: str) -> str:
    digits = 3 if measure == "reward" else 2
    half = 0.5 * (row["high"] - row["low"])
    mean = f"{row['mean']:.{digits}f}"
    return mean if pd.isna(half) else f"{mean} ±{half:.{digits}f}".replace("±0.", "±.")
