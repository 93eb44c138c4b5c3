"""The whole protocol: tune all as hard, run all on the same seeds, write it all down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from pgrpo_rec.benchmark.execution import Execute, executor
from pgrpo_rec.benchmark.manifest import python_command, surroundings
from pgrpo_rec.benchmark.plan import Recommender, Scenario, Unit
from pgrpo_rec.benchmark.recommenders import find_recommender
from pgrpo_rec.benchmark.results import (
    COLUMNS,
    COSTS,
    FAILURES,
    MANIFEST,
    RESULTS,
    SUMMARY,
    TUNING,
    BenchmarkRun,
    load_run,
)
from pgrpo_rec.benchmark.runner import UNIT, Failure, read_parts, run_units, write_table
from pgrpo_rec.benchmark.scenarios import find_scenario
from pgrpo_rec.benchmark.suits import World
from pgrpo_rec.benchmark.summary import summarise
from pgrpo_rec.benchmark.tuning import as_json, settings_to_try, tune
from pgrpo_rec.evaluation.statistics import iqm_interval

FIRST_TUNE_SEED = 1000
TUNED = ", tuned"  # ends the name of a recommender that runs with what tuning chose
Pair: TypeAlias = "tuple[Scenario, Recommender]"
PLAN = ("seeds", "tune_seeds", "tune_budget", "scenarios", "recommenders", "code")


def run_benchmark(
    recommenders: Sequence[Recommender | str],
    scenarios: Sequence[Scenario | str],
    *,
    output: Path | str,
    seeds: int | Iterable[int] = 20,
    tune_seeds: int = 0,
    tune_budget: int = 9,
    max_interactions: int | None = None,
    n_jobs: int = 1,
    backend: str = "local",
    scheduler: str | None = None,
    resume: bool = False,
    progress: bool = False,
    name: str | None = None,
    command: str | None = None,
) -> BenchmarkRun:
    """Let recommenders compete in scenarios, tuned and as they come, and keep all of it.

    With the same seed all meet the same world and visitors. Tuning uses other seeds (1000 and
    up) and gives every recommender that has a grid the same number of settings, in every
    scenario; those then run twice, with the settings they came with and with the best.

    Parameters
    ----------
    recommenders : sequence of Recommender or str
        Your own, or names of `pgrpo_rec.benchmark.recommenders`.
    scenarios : sequence of Scenario or str
        Your own, or names of `pgrpo_rec.benchmark.scenarios`.
    output : pathlib.Path or str
        Folder for all that comes out; made where it is missing.
    seeds : int or iterable of int, default=20
        A number stands for that many, from 0 on; all below 1000.
    tune_seeds : int, default=0
        How many seeds settings are tried on; 0 for no tuning.
    tune_budget : int, default=9
        Settings tried for each recommender, its own among them; at least 2.
    max_interactions : int, optional
        Answers heard in a run, where the scenario has more; default: as many as it has.
    n_jobs : int, default=1
        Processes of this machine; -1 for all cores.
    backend : {"local", "dask"}, default="local"
    scheduler : str, optional
        Address of Dask's scheduler.
    resume : bool, default=False
        Go on with the run in ``output`` if there is one; parts that are there are kept.
    progress : bool, default=False
        Show a progress bar.
    name : str, optional
        Of the run; default: that of the folder.
    command : str, optional
        What reproduces it; default: the command line of this process.

    Returns
    -------
    BenchmarkRun
        What `load_run` reads from the folder. ``failures`` lists parts that failed; they sink
        no others.

    Raises
    ------
    ValueError
        If an argument is not possible, the folder holds a run and ``resume`` is False, or a
        run that is not this one.
    """
    competing = [find_recommender(rec) if isinstance(rec, str) else rec for rec in recommenders]
    found = [find_scenario(sc) if isinstance(sc, str) else sc for sc in scenarios]
    worlds = [_at_most(max_interactions, scenario) for scenario in found]
    folder = Path(output)
    tuning = tuple(range(FIRST_TUNE_SEED, FIRST_TUNE_SEED + tune_seeds))
    final = tuple(range(seeds)) if isinstance(seeds, int) else tuple(int(s) for s in seeds)
    _check(competing, worlds, final, tune_seeds, tune_budget)
    budget = tune_budget if tuning else 0
    pairs, described = _pair(competing, worlds, final[0])
    manifest = {
        "name": name or folder.resolve().name,
        "command": command or python_command(),
        **surroundings(),
        "seeds": list(final),
        "tune_seeds": list(tuning),
        "tune_budget": budget,
        "scenarios": described,
        "recommenders": [row for rec in competing for row in _describe(rec, budget)],
    }
    with executor(backend, n_jobs=n_jobs, scheduler=scheduler) as execute:
        _begin(manifest, folder, resume)
        _work(pairs, final, tuning, budget, folder, execute, progress)
    return load_run(folder)


def _at_most(limit: int | None, scenario: Scenario) -> Scenario:
    """Shorten a scenario; never lengthen it: where people come once, they would come again."""
    if limit is None:
        return scenario
    if limit < 1:
        raise ValueError(f"max_interactions={limit!r} is not possible: at least 1")
    return replace(scenario, n_interactions=min(limit, scenario.n_interactions))


def _check(
    recommenders: Sequence[Recommender],
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    tune_seeds: int,
    tune_budget: int,
) -> None:
    if not recommenders or not scenarios or not seeds:
        raise ValueError("a benchmark needs a recommender, a scenario and a seed at least")
    if min(seeds) < 0 or max(seeds) >= FIRST_TUNE_SEED:
        raise ValueError(f"seeds must be from 0 to {FIRST_TUNE_SEED - 1}; tuning takes those above")
    if tune_seeds < 0:
        raise ValueError(f"tune_seeds={tune_seeds!r} is not possible: at least 0")
    if tune_budget < 2:
        raise ValueError(f"tune_budget={tune_budget!r} is not possible: at least 2")


def _pair(
    recommenders: Sequence[Recommender], scenarios: Sequence[Scenario], seed: int
) -> tuple[list[Pair], list[dict[str, Any]]]:
    """Return who runs where, and each scenario's lines of the manifest."""
    pairs, lines = [], []
    for scenario in scenarios:
        world = World(scenario, seed)
        reasons = {rec.name: world.why_not(rec) for rec in recommenders}
        left_out = {name: reason for name, reason in reasons.items() if reason}
        pairs += [(scenario, rec) for rec in recommenders if rec.name not in left_out]
        lines.append(
            {
                "name": scenario.name,
                "description": scenario.description,
                "n_interactions": scenario.n_interactions,
                "group_names": list(scenario.group_names),
                "group_shares": world.group_shares,
                "left_out": left_out,
            }
        )
    if not pairs:
        raise ValueError(f"no recommender suits these scenarios: {lines}")
    return pairs, lines


def _work(
    pairs: Sequence[Pair],
    seeds: Sequence[int],
    tune_seeds: Sequence[int],
    budget: int,
    folder: Path,
    execute: Execute,
    progress: bool,
) -> None:
    """Tune, run, and write the tables."""
    table, chosen, failures = tune(
        pairs, tune_seeds, budget, folder / "tuning", execute, progress=progress
    )
    write_table(table, folder / TUNING)
    final = []
    for scenario, rec in pairs:
        final.append((scenario, rec))
        if (scenario.name, rec.name) in chosen:
            best = chosen[scenario.name, rec.name]
            final.append((scenario, rec.with_settings(tuned_name(rec), best)))
    units = [Unit(*pair, seed) for pair in final for seed in seeds]
    failures += run_units(units, folder / "parts", execute, title="run", progress=progress)
    write_outcome(read_parts(units, folder / "parts"), failures, folder)


def write_outcome(parts: pd.DataFrame, failures: Sequence[Failure], folder: Path) -> None:
    """Write the tables of a run into its folder."""
    results, costs = parts[COLUMNS[RESULTS]], parts.drop_duplicates(UNIT)[COLUMNS[COSTS]]
    write_table(pd.DataFrame(failures, columns=COLUMNS[FAILURES]), folder / FAILURES)
    write_table(costs, folder / COSTS)
    write_table(summarise(results, iqm_interval), folder / SUMMARY)
    write_table(results, folder / RESULTS)


def tuned_name(recommender: Recommender) -> str:
    """Return the name under which a recommender runs with the settings tuning chose."""
    return recommender.name + TUNED


def _describe(recommender: Recommender, budget: int) -> list[dict[str, Any]]:
    """Return a recommender's lines of the manifest: as it comes and, where tuned, once more."""
    line = {
        "name": recommender.name,
        "family": recommender.family,
        "told": recommender.told,
        "variant": "defaults",
        "settings": json.loads(as_json(recommender.settings)),
    }
    if not (budget and recommender.grid):
        return [line]
    tried = [json.loads(as_json(s)) for s in settings_to_try(recommender, budget)]
    return [
        line,
        {**line, "name": tuned_name(recommender), "variant": "tuned", "tried": tried},
    ]


def _begin(manifest: dict[str, Any], folder: Path, resume: bool) -> None:
    """Write the manifest, or see that the one that is there is of the same run."""
    file = folder / MANIFEST
    if file.is_file():
        if not resume:
            raise ValueError(
                f"{folder} holds a run already: go on with it (resume), or choose another folder"
            )
        _check_same(json.loads(file.read_text(encoding="utf-8")), manifest, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def _check_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """Refuse to mix two plans, or two states of the code, in one table."""
    changed = [key for key in PLAN if before.get(key) != now[key]]
    if changed:
        raise ValueError(
            f"{folder} holds another run, which differs in {', '.join(changed)}: its parts would "
            "mix with these; repeat its arguments (see its run.json) or choose another folder"
        )
