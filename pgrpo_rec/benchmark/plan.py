"""What an experiment is made of: who competes, and on what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from gymnasium import Env
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from pgrpo_rec._random import generator

Told = Literal["nothing", "users", "true groups", "random groups"]
Family = Literal[
    "P-GRPO", "policy gradient", "bandit", "clustering bandit", "reference", "peer", "own"
]

Need = Literal["binary rewards", "oracle", "candidates", "item features", "few items"]


@dataclass(frozen=True)
class Recommender:
    """A recommender that competes: how it is made, and what it is told about who is here.

    Parameters
    ----------
    name : str
        As it appears in tables.
    make : callable (env, seed, **settings) -> recommender
        Builds a fresh one, anything with ``recommend`` and ``partial_fit``. It may look at the
        world's action space; only an oracle keeps the world itself.
    told : {"nothing", "users", "true groups", "random groups"}, default="nothing"
        User ids, from which it may learn groups; the world's true groups; or as many groups
        of the same sizes dealt at random.
    family : str, default="own"
        "P-GRPO", "policy gradient", "bandit", "clustering bandit", "reference", "peer", "own".
    settings : mapping, optional
        Keyword arguments of ``make``.
    grid : mapping from name to list or SciPy distribution, optional
        Settings worth trying when it is tuned; without it, it is not tuned.
    needs : tuple of str, optional
        What a world must give it: "binary rewards", 0 and 1; "oracle", ``oracle_action()``;
        "candidates", ``score()``; "item features", ``item_features``; "few items", not so many
        that a regression for each user and item takes minutes a run. A benchmark leaves it out
        elsewhere.

    Examples
    --------
    >>> from pgrpo_rec.baselines import LinTS
    >>> from pgrpo_rec.benchmark import Recommender
    >>> def make(env, seed, **settings):
    ...     return LinTS(env.unwrapped.n_items, random_state=seed, **settings)
    >>> Recommender("LinTS", make, "true groups", grid={"width": [0.1, 0.2, 0.4]}).name
    'LinTS'
    """

    name: str
    make: Callable[..., Any]
    told: Told = "nothing"
    family: Family = "own"
    settings: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()

    def build(self, env: VectorEnv | Env, seed: int) -> Any:
        """Return a fresh recommender for a world."""
        return self.make(env, seed, **self.settings)

    def with_settings(self, name: str, settings: Mapping[str, Any]) -> Self:
        """Return the same under another name, with more settings; nothing left to tune."""
        return replace(self, name=name, settings={**self.settings, **settings}, grid={})

    def telling(self, env: VectorEnv | Env, seed: int) -> dict[str, Any]:
        """Return the arguments by which `simulate` tells it."""
        if self.told == "true groups":
            return {"clusters": true_groups(env)}
        if self.told == "random groups":
            return {"clusters": generator(seed, 7).permutation(true_groups(env))}
        return {"identify": self.told == "users"}


@dataclass(frozen=True)
class Scenario:
    """A world and how many answers are heard in it.

    Parameters
    ----------
    name : str
    make : callable (seed) -> gymnasium.vector.VectorEnv or gymnasium.Env
        Builds the world of one seed.
    n_interactions : int
    group_names : tuple of str, optional
        Names of the world's user types, for tables and figures.
    description : str, optional
        What is hard about it, in one line.
    """

    name: str
    make: Callable[[int], VectorEnv | Env]
    n_interactions: int
    group_names: tuple[str, ...] = ()
    description: str = ""


class Unit(NamedTuple):
    """One run: a recommender in a scenario with a seed. Its results are one part."""

    scenario: Scenario
    recommender: Recommender
    seed: int

    @property
    def file_name(self) -> str:
        """Name of its part."""
        names = (slug(self.scenario.name), slug(self.recommender.name), str(self.seed))
        return "--".join(names) + ".parquet"


def count_items(env: VectorEnv | Env) -> int:
    """Return how many items can be shown in a world, one at a time."""
    space: Any = getattr(env, "single_action_space", env.action_space)
    if not hasattr(space, "n"):
        raise ValueError(f"{env!r} does not take one item at a time: its actions are {space}")
    return int(space.n)


def item_features(env: VectorEnv | Env) -> NDArray[np.float64] | None:
    """Return the observable features of a world's items, (K, m); None where there are none."""
    table = getattr(env.unwrapped, "item_features", None)
    return None if table is None or table.shape[1] == 0 else table


def true_groups(env: VectorEnv | Env) -> NDArray[np.int64]:
    """Return the true group of every user id; ValueError where the world knows none."""
    groups = getattr(env.unwrapped, "user_types", None)
    if groups is None:
        raise ValueError(f"{env!r} knows no true groups of users")
    return groups


def slug(name: str) -> str:
    """Return a name that is safe in a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
