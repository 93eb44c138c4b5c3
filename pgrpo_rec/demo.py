"""The demo: P-GRPO next to the bandits people know, on simulated users and on real tastes."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from gymnasium import Env
from gymnasium.vector import VectorEnv
from rich.console import Console

from pgrpo_rec.baselines import EpsilonGreedy, GaussianThompson, LinTS, Oracle, Uniform
from pgrpo_rec.benchmark import Recommender, Scenario, curves_by_group, run, summarise
from pgrpo_rec.benchmark.scenarios import find_scenario, ratings_scenario
from pgrpo_rec.datasets import RatingsError, load_sample_ratings, read_ratings
from pgrpo_rec.estimators.pgrpo import PGRPORecommender
from pgrpo_rec.reports import draw_learning_curves, leaderboard
from pgrpo_rec.reports.verdicts import Comparison, verdicts

LEARNED = "P-GRPO learned"  # told user ids: learns groups, and follows each person in them
PERSON = "P-GRPO person"  # the same in one group: only follows each person
KNOWN, RANDOM, ONE = "P-GRPO known", "P-GRPO random", "P-GRPO one group"  # no user ids

COMPARISONS = (
    Comparison("told user ids, over one group", LEARNED, ONE),
    Comparison("own answers, over one group", PERSON, ONE),
    Comparison("groups, on top of own answers", LEARNED, PERSON),
    Comparison("random groups, over one group", RANDOM, ONE),
)


@dataclass(frozen=True)
class DemoPlan:
    """What a run of the demo does; kept in its folder, so that it can go on after a stop.

    Parameters
    ----------
    ratings : str or None
        File or folder of a ratings table; None for the shipped sample.
    n_seeds : int
    n_interactions : int
        Answers heard by every recommender in the simulated world; in a ratings table everyone
        comes once.
    duplicates : {"error", "last", "mean"}
        What becomes of a second rating of the same item by the same user.
    """

    ratings: str | None
    n_seeds: int
    n_interactions: int
    duplicates: Literal["error", "last", "mean"] = "error"


def recommenders(env: VectorEnv | Env) -> list[Recommender]:
    """Return who competes in a world.

    Known groups only where there are any; the person without groups only where a person can be
    shown the same item again.
    """
    world: Any = env.unwrapped
    n = int(world.n_items)
    grpo = {"advantage": "grpo", "group_size": 4, "solver": "adam"}
    left_out = set() if len(np.unique(world.user_types)) > 1 else {KNOWN, RANDOM}
    if getattr(world.scenario, "in_turn", None) is not None:
        left_out |= {PERSON}
    everyone = [
        Recommender(LEARNED, _maker(PGRPORecommender, n), "users"),
        Recommender(PERSON, _maker(PGRPORecommender, n, n_clusters=1), "users"),
        Recommender(KNOWN, _maker(PGRPORecommender, n), "true groups"),
        Recommender(RANDOM, _maker(PGRPORecommender, n), "random groups"),
        Recommender(ONE, _maker(PGRPORecommender, n)),
        Recommender("GRPO (G=4)", _maker(PGRPORecommender, n, **grpo)),
        Recommender("Thompson sampling", _maker(GaussianThompson, n)),
        Recommender("LinTS", _maker(LinTS, n)),
        Recommender("epsilon-greedy", _maker(EpsilonGreedy, n)),
        Recommender("uniform", _maker(Uniform, n)),
        Recommender("oracle", lambda env, seed: Oracle(env)),
    ]
    return [c for c in everyone if c.name not in left_out]


def _maker(recommender: Any, n_items: int, **arguments: Any) -> Any:
    return partial(_make, recommender, n_items, arguments)


def _make(recommender: Any, n_items: int, arguments: dict[str, Any], env: Any, seed: int) -> Any:
    return recommender(n_items, random_state=seed, **arguments)


def simulated_scenario(n_interactions: int) -> Scenario:
    """Return the simulated world: hidden groups of 70, 20 and 10 % that differ in everything."""
    names = ("majority\n70 %", "minority\n20 %", "minority\n10 %")
    return replace(
        find_scenario("hard"),
        name="simulated users",
        n_interactions=n_interactions,
        group_names=names,
    )


def find_ratings(given: str | None) -> str | None:
    """Return where the ratings are: the argument, else ``PGRPO_DATA``, else None.

    A relative path that does not exist here is looked for under ``PGRPO_DATA``. Where
    ``PGRPO_DATA`` is a folder of several tables and none is chosen, the first readable one
    is taken.
    """
    home = os.environ.get("PGRPO_DATA")
    if given is not None:
        if home and not Path(given).exists() and (Path(home) / given).exists():
            return str(Path(home) / given)
        return given
    if not home:
        return None
    try:
        read_ratings(home)
    except RatingsError:
        for folder in sorted(path for path in Path(home).glob("*") if path.is_dir()):
            if _is_readable(folder):
                return str(folder)
        raise
    return home


def _is_readable(folder: Path) -> bool:
    try:
        read_ratings(folder)
    except RatingsError:
        return False
    return True


def new_run_folder(parent: Path, name: str) -> Path:
    """Make ``parent/name``, or ``parent/name-2`` and so on: an earlier run stays as it is."""
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise ValueError(
                f"the folder {folder} for the results cannot be made ({error.strerror}); "
                "choose another with --output"
            ) from error
        return folder


def save_plan(plan: DemoPlan, folder: Path) -> None:
    """Write the plan into the run's folder."""
    (folder / "plan.json").write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")


def load_plan(folder: Path) -> DemoPlan:
    """Read the plan of a run that is to go on."""
    file = folder / "plan.json"
    if not file.is_file():
        raise ValueError(f"{folder} is no run to go on with: it has no plan.json")
    try:
        return DemoPlan(**json.loads(file.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file} is no plan of a run: {error}") from error


def plan_scenarios(plan: DemoPlan) -> list[Scenario]:
    """Return the two worlds of the demo; bad ratings are found out here, before anything runs."""
    for package in ("matplotlib", "pyarrow"):
        if importlib.util.find_spec(package) is None:
            raise ValueError(f"the demo needs {package}: pip install 'pgrpo-rec[plot,benchmark]'")
    table = load_sample_ratings()
    if plan.ratings is not None:
        table = read_ratings(plan.ratings, duplicates=plan.duplicates)
    return [simulated_scenario(plan.n_interactions), ratings_scenario(table)]


def run_demo(
    plan: DemoPlan,
    scenarios: list[Scenario],
    folder: Path,
    *,
    n_jobs: int,
    progress: bool,
    console: Console,
) -> pd.DataFrame:
    """Run the demo into a folder and print its tables; return the summary."""
    console.print(_opening(plan, scenarios))
    real: Any = scenarios[1].make(0).unwrapped
    console.print(real.describe(), highlight=False)
    parts = []
    for scenario in scenarios:
        competing = recommenders(scenario.make(0))
        seeds = range(plan.n_seeds)
        parts.append(
            run(competing, [scenario], seeds, folder / "parts", n_jobs=n_jobs, progress=progress)
        )
    return report(pd.concat(parts, ignore_index=True), scenarios, folder, console)


def report(
    parts: pd.DataFrame, scenarios: list[Scenario], folder: Path, console: Console
) -> pd.DataFrame:
    """Write tables and figure into the folder, print the tables and what they say."""
    summary = summarise(parts)
    curves = curves_by_group(parts)
    summary.to_csv(folder / "summary.csv", index=False)
    curves.to_csv(folder / "curves.csv", index=False)
    for scenario in scenarios:
        title = f"\n{scenario.name}: mean ± 95 % over seeds; regret: 0 oracle, 1 random item"
        console.print(
            leaderboard(summary, scenario.name, group_names=scenario.group_names, title=title)
        )
        console.print(verdicts(parts, scenario.name, COMPARISONS), highlight=False)
    figure = folder / "learning_curves.png"
    draw_learning_curves(
        curves[~curves["recommender"].isin([PERSON, "epsilon-greedy"])],
        group_names={scenario.name: scenario.group_names for scenario in scenarios},
        highlight=(LEARNED, KNOWN, "Thompson sampling", "LinTS"),
        path=figure,
    )
    console.print(f"Tables and the figure are in {folder}/", highlight=False)
    return summary


def _opening(plan: DemoPlan, scenarios: list[Scenario]) -> str:
    real = "a small table generated by this project (--ratings PATH takes your own)"
    if plan.ratings is not None:
        real = plan.ratings
    return (
        f"P-GRPO next to bandits, {plan.n_seeds} seeds\n"
        f"  1. {scenarios[0].name}, {plan.n_interactions} answers: hidden groups of 70, 20 and\n"
        f"     10 % with conflicting tastes, unequal reward scales and base rates\n"
        f"  2. ratings: {real}"
    )
