"""Fronts between groups: one recommender under many objectives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pgrpo_rec.benchmark.plan import Recommender, Scenario
from pgrpo_rec.benchmark.runner import N_BINS, UNIT, run
from pgrpo_rec.evaluation.statistics import mean_interval
from pgrpo_rec.fairness import Objective
from pgrpo_rec.metrics import dominated, fairness, group_satisfaction


def pareto_front(
    recommender: Recommender,
    objectives: Mapping[str, str | Objective],
    scenario: Scenario,
    seeds: Iterable[int],
    output: Path,
    *,
    since: float = 0.75,
    n_jobs: int = 1,
    progress: bool = False,
) -> pd.DataFrame:
    """Sweep the objective over groups, and say which outcomes another one beats.

    Parameters
    ----------
    recommender : Recommender
        Its ``make`` is given ``objective=`` beside its other settings.
    objectives : mapping from name to objective
        Weights, exponents or floors to sweep over; see `pgrpo_rec.fairness`.
    scenario : Scenario
        Its world tells what the best and a random item would earn each group.
    seeds : iterable of int
        Shared by all objectives.
    output : pathlib.Path
        Folder for the parts; those already there are read, not run.
    since : float in [0, 1), default=0.75
        Outcomes are measured from this share of the time on, when learning is done.
    n_jobs : int, default=1
    progress : bool, default=False

    Returns
    -------
    pandas.DataFrame
        A row an objective: ``objective``; ``people`` (mean satisfaction, groups by their
        shares) and ``worst`` (of the groups), each with the ends of its 95 % interval over
        seeds (``people_low`` ...); ``group_0`` ..., the mean satisfaction of each group;
        ``n_seeds``; and ``dominated``: whether another objective is at least as good for every
        group and better for one, in the means over seeds.

    Raises
    ------
    ValueError
        If ``since`` is out of range, or an objective is unknown.
    """
    if not 0.0 <= since < 1.0:
        raise ValueError(f"since={since!r} is not possible: it must be at least 0 and under 1")
    swept = [recommender.with_settings(name, {"objective": o}) for name, o in objectives.items()]
    parts = run(swept, [scenario], seeds, output, n_jobs=n_jobs, progress=progress)
    return front_table(parts[parts["bin"] >= since * N_BINS])


def front_table(parts: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `pareto_front` from the parts of its runs."""
    runs = fairness(parts, by=UNIT)
    groups = group_satisfaction(parts, by=UNIT)
    rows = []
    for name, of_name in runs.groupby("recommender", sort=False):
        row: dict[str, object] = {"objective": name}
        for measure in ("people", "worst"):
            mean, low, high = mean_interval(of_name[measure])
            row |= {measure: mean, f"{measure}_low": low, f"{measure}_high": high}
        mine = groups[groups["recommender"] == name].groupby("user_type")["satisfaction"].mean()
        rows.append(row | {f"group_{g}": s for g, s in mine.items()} | {"n_seeds": len(of_name)})
    order = {name: place for place, name in enumerate(parts["recommender"].unique())}
    table = pd.DataFrame(rows).sort_values("objective", key=lambda names: names.map(order))
    points = table[[c for c in table if str(c).startswith("group_")]]
    return table.assign(dominated=dominated(points)).reset_index(drop=True)
