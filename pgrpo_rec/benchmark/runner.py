"""Run recommenders on scenarios over seeds; results are written as they come.

Every (scenario, recommender, seed) is one part, a small Parquet file of its own. A run that was
stopped goes on where it was: parts that are there are not done again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pgrpo_rec.benchmark.costs import Meter, PeakMemory
from pgrpo_rec.benchmark.execution import Execute, Failed, executor
from pgrpo_rec.benchmark.plan import Recommender, Scenario, Unit
from pgrpo_rec.benchmark.results import COLUMNS, COSTS, RESULTS
from pgrpo_rec.progress import progress_bar
from pgrpo_rec.simulate import simulate

N_BINS = 40  # points of a learning curve
SUMS = ["reward", "regret", "span"]
UNIT = ["scenario", "recommender", "seed"]
_WARM_UP = 2  # rounds
_WARM_UP_PAST = 2_000  # answers of a past: enough to look for groups once
_warm: set[tuple[str, str]] = set()  # scenario and recommender whose code this process has compiled


class Failure(NamedTuple):
    """A part that could not be had, in the columns of ``failures.csv``."""

    scenario: str
    recommender: str
    seed: int
    error: str
    traceback: str


def run(
    recommenders: Sequence[Recommender],
    scenarios: Sequence[Scenario],
    seeds: Iterable[int],
    output: Path,
    *,
    n_jobs: int = 1,
    progress: bool = False,
) -> pd.DataFrame:
    """Let every recommender do every scenario with every seed.

    Seeds are shared: with the same seed all recommenders meet the same world and the same
    visitors, so differences between them may be taken seed by seed.

    Parameters
    ----------
    recommenders, scenarios : sequences
    seeds : iterable of int
    output : pathlib.Path
        Folder for the parts; those already there are read, not run.
    n_jobs : int, default=1
        Processes, through joblib.
    progress : bool, default=False

    Returns
    -------
    pandas.DataFrame
        Columns ``scenario``, ``recommender``, ``seed``, ``bin`` (0 to 39, time), ``user_type``,
        ``n`` and sums over those n answers of ``reward``, ``regret`` and ``span`` (what the world's
        best item earns more than a random one). In the order of scenarios, recommenders, seeds.

    Raises
    ------
    ValueError
        If two parts would have the same file name.
    RuntimeError
        If a part failed; all others are done and kept.
    """
    units = [Unit(*unit) for unit in product(scenarios, recommenders, seeds)]
    with executor(n_jobs=n_jobs) as execute:
        failures = run_units(units, output, execute, title="run", progress=progress)
    if failures:
        first = failures[0]
        raise RuntimeError(
            f"{len(failures)} of {len(units)} parts failed; the first, {first.recommender} on "
            f"{first.scenario} with seed {first.seed}: {first.error}\n{first.traceback}"
        )
    return read_parts(units, output)[COLUMNS[RESULTS]]


def run_units(
    units: Sequence[Unit], folder: Path, execute: Execute, *, title: str, progress: bool
) -> list[Failure]:
    """Do the parts that are not yet in the folder; return those that failed, in order."""
    if find_spec("pyarrow") is None:
        raise ValueError("parts are Parquet files: pip install 'pgrpo-rec[benchmark]'")
    paths = [folder / unit.file_name for unit in units]
    if len(set(paths)) < len(paths):
        raise ValueError(
            "scenarios, recommenders and seeds must differ in name, beyond case and signs"
        )
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(u, path) for u, path in zip(units, paths, strict=True) if not path.exists()]
    failed: dict[int, Failure] = {}
    with progress_bar(title, len(missing), show=progress) as move:
        for number, outcome in execute(run_part, [(unit,) for unit, _ in missing]):
            unit, path = missing[number]
            note = f"{unit.scenario.name}: {unit.recommender.name}"
            if isinstance(outcome, Failed):
                names = (unit.scenario.name, unit.recommender.name, unit.seed)
                failed[number] = Failure(*names, *outcome)
                note += " failed"
            else:
                write_table(outcome, path)
            move(note=note)
    return [failed[number] for number in sorted(failed)]


def read_parts(units: Iterable[Unit], folder: Path) -> pd.DataFrame:
    """Return the parts that are there as one table, in the order of the units."""
    paths = [folder / unit.file_name for unit in units]
    parts = [pd.read_parquet(path) for path in paths if path.exists()]
    if not parts:
        return pd.DataFrame(columns=list(dict.fromkeys([*COLUMNS[RESULTS], *COLUMNS[COSTS]])))
    return pd.concat(parts, ignore_index=True)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all."""
    draft = path.with_suffix(f".{os.getpid()}.draft")
    if path.suffix == ".csv":
        table.to_csv(draft, index=False)
    else:
        table.to_parquet(draft, index=False)
    draft.replace(path)


def run_part(unit: Unit) -> pd.DataFrame:
    """Return a unit's part: sums over time and true groups; its costs stand in every row."""
    scenario, recommender, seed = unit
    key = (scenario.name, recommender.name)
    if key not in _warm:  # compiling is no cost of the method
        _serve(unit, None)
        _warm.add(key)
    with PeakMemory() as memory:
        log, meter = _serve(unit, scenario.n_interactions)
    part = bin_log(log)
    part.insert(0, "scenario", scenario.name)
    part.insert(1, "recommender", recommender.name)
    part.insert(2, "seed", seed)
    return part.assign(
        n_interactions=len(log),
        seconds_recommend=meter.seconds_recommend,
        seconds_learn=meter.seconds_learn,
        peak_mib=memory.mib,
    )


def _serve(unit: Unit, n_interactions: int | None) -> tuple[pd.DataFrame, Meter]:
    """Simulate a unit from the start; a few rounds where no number is given."""
    scenario, recommender, seed = unit
    env = scenario.make(seed)
    meter = Meter(recommender.build(env, seed))
    past = getattr(env.unwrapped, "past", None)
    if n_interactions is None:
        n_interactions = min(scenario.n_interactions, _WARM_UP * getattr(env, "num_envs", 1))
        past = None if past is None else past.head(_WARM_UP_PAST)
    told = recommender.telling(env, seed)
    return simulate(meter, env, n_interactions, seed=seed, past=past, **told), meter


def bin_log(log: pd.DataFrame, n_bins: int = N_BINS) -> pd.DataFrame:
    """Sum a table of `pgrpo_rec.simulate` over stretches of time and true groups.

    Where the world knows no groups, everyone is of group 0; where it knows no regret, the sums
    are NaN.
    """
    rounds = log["round"].to_numpy()
    table = log.assign(
        bin=rounds * n_bins // (rounds.max() + 1),
        user_type=log["user_type"].clip(lower=0),
        span=log["best_reward"] - log["uniform_reward"],
        n=np.ones(len(log), dtype=np.int64),
    )
    groups = table.groupby(["bin", "user_type"], as_index=False)
    return groups[["n", *SUMS]].sum(min_count=1)
