"""How a benchmark stands, for the terminal: a table a scenario, the best first."""

from __future__ import annotations

import math
import re

import pandas as pd
from rich.console import Group
from rich.table import Table

from pgrpo_rec.benchmark.recommenders import RECOMMENDERS
from pgrpo_rec.benchmark.results import BenchmarkRun
from pgrpo_rec.benchmark.scenarios import NAMES, find_scenario
from pgrpo_rec.benchmark.summary import summarise
from pgrpo_rec.evaluation.statistics import iqm_interval

_MEASURES = {"regret_mean": "groups' mean", "regret_worst": "worst group", "regret": "all"}
LEGEND = (
    "Regret: 0 the oracle, 1 a random item. Interquartile means, 95 % intervals.\n"
    "µs: to recommend and to learn, for each answer."
)


def standings(run: BenchmarkRun) -> list[Table | str]:
    """Return a table a scenario: interquartile means and 95 % intervals, the best first.

    Parameters
    ----------
    run : BenchmarkRun

    Returns
    -------
    list of rich.table.Table or str
        Lines between tables say who was left out, and why.
    """
    summary = summarise(run.results, iqm_interval)
    shown: list[Table | str] = []
    for scenario in run.manifest["scenarios"]:
        name = scenario["name"]
        rows = summary[summary["scenario"] == name]
        failed = run.failures[run.failures["scenario"] == name]
        costs = run.costs[run.costs["scenario"] == name]
        shown.append(_table(name, len(run.manifest["seeds"]), rows, failed, costs))
        reasons = scenario["left_out"].items()
        shown += [f"{who} left out: {reason}" for who, reason in reasons]
    return [*shown, LEGEND]


def list_names() -> Group:
    """Return the named scenarios and recommenders, and what is to say of each."""
    scenarios = _plain_table("scenario", "answers", "what is hard about it")
    for name in NAMES:
        found = find_scenario(name)
        scenarios.add_row(name, f"{found.n_interactions:,}", found.description)
    recommenders = _plain_table("recommender", "family", "told", "tuned")
    for rec in RECOMMENDERS.values():
        recommenders.add_row(rec.name, rec.family, rec.told, "yes" if rec.grid else "")
    return Group(scenarios, "", recommenders)


def _table(
    name: str, n_seeds: int, rows: pd.DataFrame, failed: pd.DataFrame, costs: pd.DataFrame
) -> Table:
    regret_known = (rows["measure"] == "regret_mean").any()
    measures = _MEASURES if regret_known else {"reward": "mean reward"}
    table = _plain_table(title=f"{name}, {n_seeds} seeds")
    table.add_column("", no_wrap=True)
    for title in (*measures.values(), "µs"):
        table.add_column(title, justify="right", no_wrap=True)
    cells = {measure: _cells(rows, measure) for measure in measures}
    for who in _best_first(rows, next(iter(measures))):
        row = (cells[measure][who] for measure in measures)
        table.add_row(who, *row, _microseconds(costs[costs["recommender"] == who]))
    for loser, lost in failed.groupby("recommender", sort=False):
        table.add_row(str(loser), f"failed: {len(lost)} parts")
    return table


def _best_first(rows: pd.DataFrame, measure: str) -> list[str]:
    lead = rows[rows["measure"] == measure]
    lower_is_better = measure != "reward"
    return list(lead.sort_values("iqm", ascending=lower_is_better, kind="stable")["recommender"])


def _cells(rows: pd.DataFrame, measure: str) -> dict[str, str]:
    """Return each recommender's average and interval; few digits, to fit 80 columns."""
    found = rows[rows["measure"] == measure]
    columns = (found[c] for c in ("recommender", "iqm", "low", "high"))
    return {who: _cell(measure, *numbers) for who, *numbers in zip(*columns, strict=True)}


def _cell(measure: str, average: float, low: float, high: float) -> str:
    text = f"{average:.3f}"
    if measure != "regret" and not math.isnan(low):
        text += f" [{low:.2f}, {high:.2f}]"
    return re.sub(r"\b0\.", ".", text)


def _microseconds(costs: pd.DataFrame) -> str:
    """Return the median over seeds of the time an answer took."""
    seconds = costs["seconds_recommend"] + costs["seconds_learn"]
    return f"{1e6 * (seconds / costs['n_interactions']).median():.0f}"


def _plain_table(*columns: str, title: str | None = None) -> Table:
    return Table(
        *columns,
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1, 0, 0),
    )
