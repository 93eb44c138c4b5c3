"""From parts to tables: per recommender, overall, per group and for the worst group.

Normalised regret is regret divided by what the world's best item earns more than a random
one: 0 is the oracle, 1 is showing anything, and more than 1 is worse than that.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from pgrpo_rec.benchmark.runner import SUMS, UNIT
from pgrpo_rec.evaluation.statistics import Interval, interquartile_mean, mean_interval


def per_seed(parts: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run: mean reward, and normalised regret overall, by group, at worst.

    Parameters
    ----------
    parts : pandas.DataFrame
        As `pgrpo_rec.benchmark.run` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario``, ``recommender``, ``seed``, ``reward``, ``regret`` (all visits),
        ``regret_0`` ..., ``regret_mean`` (every group weighs the same), ``regret_worst``.
    """
    whole = parts.groupby(UNIT, sort=False)[["n", *SUMS]].sum(min_count=1)
    table = pd.DataFrame(
        {"reward": whole["reward"] / whole["n"], "regret": whole["regret"] / whole["span"]}
    )
    groups = parts.groupby([*UNIT, "user_type"], sort=False)[SUMS].sum(min_count=1)
    by_group = (groups["regret"] / groups["span"]).unstack("user_type").sort_index(axis=1)
    by_group = by_group.reindex(table.index)
    for user_type in by_group.columns:
        table[f"regret_{user_type}"] = by_group[user_type]
    table["regret_mean"] = by_group.mean(axis=1)
    table["regret_worst"] = by_group.max(axis=1)
    return table.reset_index()


def summarise(
    parts: pd.DataFrame, interval: Callable[[pd.Series], Interval] = mean_interval
) -> pd.DataFrame:
    """Return averages over seeds of every measure of `per_seed`, and a 95 % interval.

    Parameters
    ----------
    parts : pandas.DataFrame
        As `pgrpo_rec.benchmark.run` returns it.
    interval : callable, default=mean_interval
        Whose bounds are given: those of the mean, or of the interquartile mean
        (`pgrpo_rec.evaluation.statistics.iqm_interval`).

    Returns
    -------
    pandas.DataFrame
        Tidy: ``scenario``, ``recommender``, ``measure``, ``mean``, ``iqm``, ``low``, ``high``,
        ``n_seeds``.
    """
    seeds = per_seed(parts)
    measures = [column for column in seeds.columns if column not in UNIT]
    rows = []
    for (scenario, recommender), runs in seeds.groupby(["scenario", "recommender"], sort=False):
        for measure in measures:
            values = runs[measure].dropna()
            if len(values):
                _, low, high = interval(values)
                averages = (values.mean(), interquartile_mean(values))
                rows.append((scenario, recommender, measure, *averages, low, high, len(values)))
    columns = ["scenario", "recommender", "measure", "mean", "iqm", "low", "high", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)


def compare(
    parts: pd.DataFrame, scenario: str, recommender: str, rival: str, measure: str = "reward"
) -> Interval:
    """Return by how much one recommender exceeds another, seed by seed, with a 95 % interval."""
    seeds = per_seed(parts)
    wide = seeds[seeds["scenario"] == scenario].pivot(
        index="seed", columns="recommender", values=measure
    )
    for name in (recommender, rival):
        if name not in wide:
            raise ValueError(f"{name!r} did not run on {scenario!r}; these did: {list(wide)}")
    return mean_interval(wide[recommender] - wide[rival])


def curves_by_group(parts: pd.DataFrame) -> pd.DataFrame:
    """Return learning curves: the normalised value of what was shown, over time.

    Returns
    -------
    pandas.DataFrame
        ``scenario``, ``recommender``, ``user_type`` ("all" or a number), ``bin``, ``mean``,
        ``low``, ``high``; a value of 0 is a random item, 1 the world's best.
    """
    everyone = parts.groupby([*UNIT, "bin"], sort=False, as_index=False)[SUMS].sum()
    both = pd.concat([everyone.assign(user_type="all"), parts], ignore_index=True)
    both["user_type"] = both["user_type"].astype(str)
    both["value"] = 1.0 - both["regret"] / both["span"]
    key = ["scenario", "recommender", "user_type", "bin"]
    rows = [
        (*names, *mean_interval(values))
        for names, values in both.dropna(subset=["value"]).groupby(key, sort=False)["value"]
    ]
    return pd.DataFrame(rows, columns=[*key, "mean", "low", "high"])
