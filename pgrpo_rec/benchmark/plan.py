"""What an experiment is made of: who competes, and on what."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from pgrpo_rec._random import generator

Told = Literal["nothing", "users", "true groups", "random groups"]


@dataclass(frozen=True)
class Recommender:
    """A recommender and what it is told about who is here.

    Parameters
    ----------
    name : str
        As it appears in tables.
    make : callable (env, seed) -> recommender
        Builds a fresh one. It may look at the world's action space; only an oracle keeps
        the world itself.
    told : {"nothing", "users", "true groups", "random groups"}, default="nothing"
        User ids, from which it may learn groups; the world's true groups; or as many groups
        of the same sizes dealt at random.
    """

    name: str
    make: Callable[[VectorEnv, int], Any]
    told: Told = "nothing"

    def telling(self, env: VectorEnv, seed: int) -> dict[str, Any]:
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
    make : callable (seed) -> gymnasium.vector.VectorEnv
        Builds the world of one seed.
    n_interactions : int
    group_names : tuple of str, optional
        Names of the world's user types, for tables and figures.
    """

    name: str
    make: Callable[[int], VectorEnv]
    n_interactions: int
    group_names: tuple[str, ...] = ()


def true_groups(env: VectorEnv) -> NDArray[np.int64]:
    """Return the true group of every user id; ValueError where the world knows none."""
    groups = getattr(env.unwrapped, "user_types", None)
    if groups is None:
        raise ValueError(f"{env!r} knows no true groups of users")
    return groups


def slug(name: str) -> str:
    """Return a name that is safe in a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
