"""Tuning: every recommender gets the same number of settings, on seeds of its own.

The first setting tried is the recommender's own, so tuning can only choose another when it did
better on the tuning seeds. The score is the mean over true groups of the normalised regret; where
a world knows no regret, minus the mean reward.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterSampler

from pgrpo_rec.benchmark.execution import Execute
from pgrpo_rec.benchmark.plan import Recommender, Scenario, Unit
from pgrpo_rec.benchmark.results import COLUMNS, TUNING
from pgrpo_rec.benchmark.runner import Failure, read_parts, run_units
from pgrpo_rec.benchmark.summary import per_seed

_DRAW = 20261125  # seed of the settings drawn from a grid: the same in every run


def settings_to_try(recommender: Recommender, budget: int) -> list[dict[str, Any]]:
    """Return the settings that are tried: its own (an empty change), and draws from its grid.

    Parameters
    ----------
    recommender : Recommender
    budget : int
        How many, the same for all who are tuned; at least 2.

    Raises
    ------
    ValueError
        If its grid has fewer settings than that: it would be tuned less hard than the others.

    Examples
    --------
    >>> from pgrpo_rec.benchmark import Recommender
    >>> from pgrpo_rec.benchmark.tuning import settings_to_try
    >>> rec = Recommender("mine", make=None, grid={"width": [0.1, 0.2, 0.4]})
    >>> len(settings_to_try(rec, 4)), settings_to_try(rec, 4)[0]
    (4, {})
    """
    grid = dict(recommender.grid)
    lists = [values for values in grid.values() if not hasattr(values, "rvs")]
    n_settings = 1
    for values in lists:
        n_settings *= len(values)
    if len(lists) == len(grid) and n_settings < budget - 1:
        raise ValueError(
            f"the grid of {recommender.name!r} has {n_settings} settings, and a budget of {budget} "
            f"needs {budget - 1} beside its own; give it more values or lower the budget"
        )
    drawn = ParameterSampler(grid, budget - 1, random_state=_DRAW)
    return [{}, *drawn]


def tune(
    pairs: Sequence[tuple[Scenario, Recommender]],
    seeds: Sequence[int],
    budget: int,
    folder: Path,
    execute: Execute,
    *,
    progress: bool,
) -> tuple[pd.DataFrame, dict[tuple[str, str], dict[str, Any]], list[Failure]]:
    """Try the settings of all who have a grid, in the scenarios they are paired with.

    Returns
    -------
    table : pandas.DataFrame
        Columns of ``tuning.parquet``; the score is NaN where a setting failed.
    chosen : dict from (scenario, recommender) to settings
        Of those with a setting that failed on no seed.
    failures : list of Failure
    """
    tunable = [pair for pair in pairs if pair[1].grid] if seeds else []
    units = [
        Unit(scenario, _trial(rec, number, settings), seed)
        for scenario, rec in tunable
        for number, settings in enumerate(settings_to_try(rec, budget))
        for seed in seeds
    ]
    failures = run_units(units, folder, execute, title="tune", progress=progress)
    scores = _scores(read_parts(units, folder))
    rows, chosen = [], {}
    for scenario, rec in tunable:
        options = settings_to_try(rec, budget)
        names = [_trial(rec, number, settings).name for number, settings in enumerate(options)]
        by_seed = [
            [scores.get((scenario.name, name, seed), float("nan")) for seed in seeds]
            for name in names
        ]
        means = np.mean(by_seed, axis=1)  # NaN if one failed
        best = None if np.isnan(means).all() else int(np.nanargmin(means))
        if best is not None:
            chosen[scenario.name, rec.name] = options[best]
        for number, values in enumerate(by_seed):
            text = as_json(options[number])
            rows += [
                (scenario.name, rec.name, text, seed, score, number == best)
                for seed, score in zip(seeds, values, strict=True)
            ]
    return pd.DataFrame(rows, columns=COLUMNS[TUNING]), chosen, failures


def _trial(recommender: Recommender, number: int, settings: Mapping[str, Any]) -> Recommender:
    return recommender.with_settings(f"{recommender.name}, setting {number}", settings)


def _scores(parts: pd.DataFrame) -> dict[tuple[str, str, int], float]:
    if parts.empty:
        return {}
    runs = per_seed(parts)
    scores = runs["regret_mean"].fillna(-runs["reward"])
    keys = zip(runs["scenario"], runs["recommender"], runs["seed"], strict=True)
    return dict(zip(keys, scores, strict=True))


def as_json(settings: Mapping[str, Any]) -> str:
    """Return settings as one line of JSON, what JSON does not know as Python writes it."""
    return json.dumps(settings, default=_plain, sort_keys=True)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else repr(value)
