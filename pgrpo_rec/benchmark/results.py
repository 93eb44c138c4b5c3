"""What a benchmark leaves in its folder, and how to read it again.

``run.json`` says what was run and by what; four tables hold what came out. ``parts/`` holds the
same, one file a (scenario, recommender, seed), so that a stopped run can go on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

MANIFEST = "run.json"
RESULTS = "results.parquet"
COSTS = "costs.parquet"
TUNING = "tuning.parquet"
FAILURES = "failures.csv"
SUMMARY = "summary.csv"

COLUMNS = {
    RESULTS: [
        "scenario",
        "recommender",
        "seed",
        "bin",
        "user_type",
        "n",
        "reward",
        "regret",
        "span",
    ],
    COSTS: [
        "scenario",
        "recommender",
        "seed",
        "n_interactions",
        "seconds_recommend",
        "seconds_learn",
        "peak_mib",
    ],
    TUNING: ["scenario", "recommender", "setting", "seed", "score", "chosen"],
    FAILURES: ["scenario", "recommender", "seed", "error", "traceback"],
}


@dataclass(frozen=True)
class BenchmarkRun:
    """All that a benchmark found out.

    Parameters
    ----------
    manifest : dict
        Content of ``run.json``: name, command, versions, machine, seeds, scenarios and
        recommenders.
    results : pandas.DataFrame
        ``scenario``, ``recommender``, ``seed``, ``bin`` (0 to 39, time), ``user_type``, ``n``, and
        sums over those n answers of ``reward``, ``regret`` and ``span`` (what the world's best
        item earns more than a random one).
    costs : pandas.DataFrame
        ``scenario``, ``recommender``, ``seed``, ``n_interactions``, ``seconds_recommend``,
        ``seconds_learn``, ``peak_mib``.
    tuning : pandas.DataFrame
        ``scenario``, ``recommender``, ``setting`` (JSON), ``seed``, ``score`` (lower is better),
        ``chosen``.
    failures : pandas.DataFrame
        ``scenario``, ``recommender``, ``seed``, ``error`` (one line), ``traceback``.
    """

    manifest: dict[str, Any]
    results: pd.DataFrame
    costs: pd.DataFrame
    tuning: pd.DataFrame
    failures: pd.DataFrame


def load_run(folder: Path | str) -> BenchmarkRun:
    """Read the folder of a finished benchmark.

    Parameters
    ----------
    folder : pathlib.Path or str

    Returns
    -------
    BenchmarkRun

    Raises
    ------
    ValueError
        If the folder holds no finished benchmark, or one of its files is none of its kind.
    """
    folder = Path(folder)
    file = folder / MANIFEST
    if not file.is_file():
        raise ValueError(f"{folder} is no folder of a benchmark: it has no {MANIFEST}")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no manifest of a benchmark: {error}") from error
    tables = [_read_table(folder / name) for name in (RESULTS, COSTS, TUNING, FAILURES)]
    return BenchmarkRun(manifest, *tables)


def _read_table(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise ValueError(
            f"{file.parent} holds no finished benchmark: {file.name} is missing; "
            f"it was stopped: repeat its command with --resume"
        )
    table = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    missing = [column for column in COLUMNS[file.name] if column not in table]
    if missing:
        raise ValueError(f"{file} lacks the columns {missing}")
    return table
