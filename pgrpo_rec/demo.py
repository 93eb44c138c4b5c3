"""The demo: P-GRPO next to the bandits people know, on simulated users and on real tastes."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import pandas as pd
from gymnasium.vector import VectorEnv
from rich.console import Console

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec.baselines import EpsilonGreedy, GaussianThompson, LinTS, Oracle, Uniform
from pgrpo_rec.benchmark import Recommender, Scenario, curves_by_group, run, summarise
from pgrpo_rec.datasets import RatingsError, RatingsTable, load_sample_ratings, read_ratings
from pgrpo_rec.estimators.pgrpo import PGRPORecommender
from pgrpo_rec.reports import draw_learning_curves, leaderboard
from pgrpo_rec.reports.verdicts import Comparison, verdicts

N_LANES = 64  # visits a round
MAX_USERS = 2500  # of a ratings table, drawn anew for each seed
MAX_ITEMS = 100  # the most rated
MIN_RATINGS = 16  # of these items, so that there is something to choose from
MANY = 1000  # if so many people rated all items, the others, who chose what to rate, are left out
PAST = 0.5  # of a person's ratings, told to everyone who competes before the first visit
VISITS = 4  # of each person, to items that person was not asked about before
LEARNED = "P-GRPO learned"  # told user ids: learns groups, and follows each person in them
GROUPS, PERSON = "P-GRPO groups", "P-GRPO person"  # the same with only one of the two
KNOWN, RANDOM, ONE = "P-GRPO known", "P-GRPO random", "P-GRPO one group"  # no user ids

COMPARISONS = (
    Comparison("told who is here, over one group", LEARNED, ONE),
    Comparison("learned groups alone, over one group", GROUPS, ONE),
    Comparison("own answers alone, over one group", PERSON, ONE),
    Comparison("groups on top of own answers", LEARNED, PERSON),
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


def recommenders(env: VectorEnv) -> list[Recommender]:
    """Return who competes in a world.

    Known groups only where there are any; groups apart from the person only where a person
    can be shown the same item again.
    """
    world: Any = env.unwrapped
    n = int(world.n_items)
    grpo = {"advantage": "grpo", "group_size": 4, "solver": "adam"}
    left_out = set() if len(np.unique(world.user_types)) > 1 else {KNOWN, RANDOM}
    if getattr(world.scenario, "in_turn", None) is not None:
        left_out |= {GROUPS, PERSON}
    everyone = [
        Recommender(LEARNED, _maker(PGRPORecommender, n), "users"),
        Recommender(GROUPS, _maker(PGRPORecommender, n, user_adaptation=False), "users"),
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
    return Scenario("simulated users", _simulated_world, n_interactions, names)


def _simulated_world(seed: int) -> VectorEnv:
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0",
        num_envs=N_LANES,
        preset="hard",
        n_users=300,
        world_seed=seed,
    )


def real_scenario(table: RatingsTable) -> Scenario:
    """Return the world of a ratings table, whose truth is what people really answered.

    A part of everyone's ratings is the past, a log that all recommenders learn from. Then
    everyone comes once, for a few visits, and is asked nothing twice: what was said of one
    item can only help with others.
    """
    make = partial(_real_world, table)
    world: Any = make(0).unwrapped
    names = tuple(world.group_names)
    return Scenario(table.name, make, world.n_users * world.scenario.visits, names)


def _real_world(table: RatingsTable, seed: int) -> VectorEnv:
    offered = table.restrict(max_items=MAX_ITEMS)
    n_rated = np.bincount(offered.user_index, minlength=offered.n_users)
    least = min(MIN_RATINGS, offered.n_items // 2)
    n_lanes = int(np.clip((n_rated >= least).sum() // 2, 1, N_LANES))
    return gym.make_vec(
        "pgrpo_envs/Ratings-v0",
        num_envs=n_lanes,
        ratings=table,
        max_items=MAX_ITEMS,
        max_users=MAX_USERS,
        complete=bool((n_rated == offered.n_items).sum() >= MANY),
        min_user_ratings=least,
        past=PAST,
        visits=min(VISITS, least - int(PAST * least)),
        in_turn=n_lanes,
        world_seed=seed,
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
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError("the demo draws with Matplotlib: pip install 'pgrpo-rec[plot]'")
    table = load_sample_ratings()
    if plan.ratings is not None:
        table = read_ratings(plan.ratings, duplicates=plan.duplicates)
    return [simulated_scenario(plan.n_interactions), real_scenario(table)]


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
    console.print(scenarios[1].make(0).unwrapped.describe(), highlight=False)  # type: ignore[attr-defined]
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
        curves[~curves["recommender"].isin([GROUPS, PERSON, "epsilon-greedy"])],
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
