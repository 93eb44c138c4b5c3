"""Named scenarios: worlds of `pgrpo_envs` that differ in what is hard about them.

The defaults of P-GRPO were chosen while looking at ``clicks`` and ``scales``, on other seeds; the
rest played no part in it.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec.benchmark.plan import Scenario
from pgrpo_rec.datasets import RatingsTable, load_sample_ratings, read_ratings

N_LANES = 64  # visits a round
N_ROUNDS = 1000
GROUPS = ("majority (70 %)", "minority (20 %)", "minority (10 %)")
MAX_USERS = 1000  # of a ratings table, drawn anew for each seed
MAX_ITEMS = 100  # the most rated
MIN_RATINGS = 16  # of these items, so that there is something to choose from
MANY = 1000  # if so many people rated all items, the others, who chose what to rate, are left out
PAST = 0.5  # of a person's ratings, told to everyone who competes before the first visit
VISITS = 4  # of each person, to items that person was not asked about before

# name: world, its preset or dials, rounds, what is hard about it
_WORLDS: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "clicks": (
        "PreferenceBandit-v0",
        {"preset": "clicks"},
        1500,
        "no features; click rates around .3, .1 and .03",
    ),
    "scales": (
        "PreferenceBandit-v0",
        {"preset": "scales"},
        N_ROUNDS,
        "real rewards, linear in features, on scales 5, 1 and 0.2",
    ),
    "logit": (
        "PreferenceBandit-v0",
        {"preset": "logit"},
        N_ROUNDS,
        "clicks, logits linear in features, rare in the small groups",
    ),
    "nonlinear": (
        "PreferenceBandit-v0",
        {"preset": "nonlinear"},
        N_ROUNDS,
        "scales with rewards that no linear model fits",
    ),
    "nonlinear_logit": (
        "PreferenceBandit-v0",
        {"preset": "nonlinear_logit"},
        N_ROUNDS,
        "logit with logits that no linear model fits",
    ),
    "drift": (
        "PreferenceBandit-v0",
        {"preset": "drift", "drift_visits": 200},
        200,
        "logit; the majority's taste is replaced at a third, a minority's turns, the other's stays",
    ),
    "many": (
        "PreferenceBandit-v0",
        {"preset": "many", "n_items": 1000},
        N_ROUNDS,
        "scales with 1,000 items that share 16 item features",
    ),
    "hard": (
        "PreferenceBandit-v0",
        {"preset": "hard", "n_users": 200},
        200,
        "clicks on scales 1, .3 and .1, rare in the small groups; the profile hides the group",
    ),
    "churn": (
        "Recommend-v0",
        {"preset": "churn"},
        N_ROUNDS,
        "visits over time: the lure gets clicks, and whom it does not satisfy leaves",
    ),
}
NAMES = (*_WORLDS, "ratings")


def find_scenario(name: str) -> Scenario:
    """Return a scenario by its name.

    Parameters
    ----------
    name : str
        One of `NAMES`; ``ratings:PATH`` for a ratings table of your own; ``module:name`` for a
        `Scenario` in a module of your own.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> from pgrpo_rec.benchmark.scenarios import find_scenario
    >>> find_scenario("clicks").n_interactions
    96000
    """
    if name in _WORLDS:
        world, dials, rounds, description = _WORLDS[name]
        return Scenario(name, partial(_make, world, dials), N_LANES * rounds, GROUPS, description)
    if name == "ratings":
        return ratings_scenario(load_sample_ratings())
    if name.startswith("ratings:"):
        return ratings_scenario(read_ratings(name.removeprefix("ratings:")))
    return own(name, Scenario, f"{', '.join(NAMES)}, ratings:PATH")


def _make(world: str, dials: dict[str, Any], seed: int) -> VectorEnv:
    return gym.make_vec(f"pgrpo_envs/{world}", num_envs=N_LANES, world_seed=seed, **dials)


def ratings_scenario(table: RatingsTable) -> Scenario:
    """Return the world of a ratings table, whose truth is what people really answered.

    A part of everyone's ratings is the past, a log that all recommenders learn from. Then
    everyone comes once, for a few visits, and is asked nothing twice: what was said of one
    item can only help with others.
    """
    make = partial(_ratings_world, table)
    world: Any = make(0).unwrapped
    return Scenario(
        table.name,
        make,
        world.n_users * world.scenario.visits,
        tuple(world.group_names),
        "ratings replayed: a past that all are told, then nothing is asked twice",
    )


def _ratings_world(table: RatingsTable, seed: int) -> VectorEnv:
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


def own(name: str, kind: type, known: str) -> Any:
    """Return ``module:name`` from a module of the user's own; ValueError if it is no such thing."""
    what = kind.__name__.lower()
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"there is no {what} {name!r}; there are {known}, and module:name")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the {what} {name!r} cannot be imported: {error}") from error
    if not isinstance(found, kind):
        raise ValueError(f"{name} is a {type(found).__name__}, not a {kind.__name__}")
    return found
