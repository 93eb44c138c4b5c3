"""Run recommenders on scenarios over seeds; results are written as they come.

Every (scenario, recommender, seed) is one part, a small CSV file of its own. A run that was
stopped goes on where it was: parts that are there are not done again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from pgrpo_rec.benchmark.plan import Recommender, Scenario, slug
from pgrpo_rec.progress import progress_bar
from pgrpo_rec.simulate import simulate

N_BINS = 40  # points of a learning curve
SUMS = ["reward", "regret", "span"]


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
    """
    order = list(product(scenarios, recommenders, seeds))
    paths = [output / _file_name(*unit) for unit in order]
    if len(set(paths)) < len(paths):
        raise ValueError(
            "scenarios, recommenders and seeds must differ in name, beyond case and signs"
        )
    output.mkdir(parents=True, exist_ok=True)
    missing = [(unit, path) for unit, path in zip(order, paths, strict=True) if not path.exists()]
    jobs = (delayed(_run_part)(*unit, path) for unit, path in missing)
    with progress_bar("run", len(missing), show=progress) as move:
        for name in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs):
            move(note=name)
    parts = [pd.read_csv(path) for path in paths]
    return pd.concat(parts, ignore_index=True)


def _file_name(scenario: Scenario, recommender: Recommender, seed: int) -> str:
    return f"{slug(scenario.name)}--{slug(recommender.name)}--{seed}.csv"


def _run_part(scenario: Scenario, recommender: Recommender, seed: int, path: Path) -> str:
    env = scenario.make(seed)
    learner = recommender.make(env, seed)
    told = recommender.telling(env, seed)
    past = getattr(env.unwrapped, "past", None)
    log = simulate(learner, env, scenario.n_interactions, seed=seed, past=past, **told)
    part = bin_log(log)
    part.insert(0, "scenario", scenario.name)
    part.insert(1, "recommender", recommender.name)
    part.insert(2, "seed", seed)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    part.to_csv(draft, index=False)
    draft.replace(path)  # whole or not at all
    return f"{scenario.name}: {recommender.name}"


def bin_log(log: pd.DataFrame, n_bins: int = N_BINS) -> pd.DataFrame:
    """Sum a table of `pgrpo_rec.simulate` over stretches of time and true groups."""
    rounds = log["round"].to_numpy()
    table = log.assign(
        bin=rounds * n_bins // (rounds.max() + 1),
        span=log["best_reward"] - log["uniform_reward"],
        n=np.ones(len(log), dtype=np.int64),
    )
    sums = table.groupby(["bin", "user_type"], as_index=False)[["n", *SUMS]].sum()
    return sums
