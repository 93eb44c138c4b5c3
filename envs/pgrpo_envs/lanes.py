"""Lanes: where each of n users served at the same time is, and the keys of its randomness."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec._random import lane_key, uniform

# Slots of the counter-based generator; a world numbers its further draws from SLOT_WORLD on.
SLOT_REWARD = 0  # the answer to the shown item (and to candidate 0)
SLOT_CHURN = 1  # whether the user leaves
SLOT_DRIFT = 2  # how the user's taste moves
SLOT_CANDIDATE = 16  # candidate g > 0 answers from slot 16 + g
SLOT_WORLD = 1024
SLOT_USER = 65_536  # which user an episode is about
SLOT_CONTEXT = 70_000  # features of the visit


class Clock(NamedTuple):
    """Where each lane is: step, episode, user, whether it ended, its seed and random keys."""

    t: NDArray[np.int64]
    episode: NDArray[np.int64]
    user: NDArray[np.int64]
    ended: NDArray[np.bool_]
    root: NDArray[np.uint64]  # the seed
    number: NDArray[np.int64]  # among the lanes of that seed
    noise_key: NDArray[np.uint64]
    spawn_key: NDArray[np.uint64]

    @classmethod
    def of(cls, n: int) -> Clock:
        """Return the clock of n lanes that no seed has been given yet."""
        return cls(
            t=np.zeros(n, dtype=np.int64),
            episode=np.full(n, -1, dtype=np.int64),
            user=np.zeros(n, dtype=np.int64),
            ended=np.ones(n, dtype=np.bool_),
            root=np.zeros(n, dtype=np.uint64),
            number=np.zeros(n, dtype=np.int64),
            noise_key=np.zeros(n, dtype=np.uint64),
            spawn_key=np.zeros(n, dtype=np.uint64),
        )


def put_info(info: dict[str, Any], key: str, values: Any, mask: NDArray[np.bool_]) -> None:
    """Add one entry to a vector ``info``: the values and the mask of lanes that have it."""
    n_lanes = np.count_nonzero(mask)
    if n_lanes == 0:
        return
    if isinstance(values, np.ndarray) and n_lanes == mask.size:
        values = values.copy()
    elif isinstance(values, np.ndarray) and key != "final_obs":
        values = np.where(mask.reshape(-1, *[1] * (values.ndim - 1)), values, values.dtype.type(0))
    info[key] = values
    info[f"_{key}"] = mask.copy()


@jit
def seed_lanes(clock, lanes, roots, numbers):
    """Give lanes their seed and number, the key of both, and no episode yet."""
    for i in lanes:
        clock.root[i] = roots[i]
        clock.number[i] = numbers[i]
        clock.noise_key[i] = lane_key(roots[i], numbers[i])
        clock.episode[i] = -1


@jit
def begin_episodes(clock, lanes, n_users):
    """Begin the next episode of some lanes: step 0, and a user drawn from the population."""
    for i in lanes:
        clock.t[i] = 0
        clock.episode[i] += 1
        clock.ended[i] = False
        place = uniform(clock.spawn_key[i], clock.episode[i], 0, SLOT_USER)
        clock.user[i] = int(place * n_users)


@jit
def close_step(clock, horizon, waiting, reward, terminated, truncated, ended):
    """Count the step and tell whose episode ended; waiting lanes heard and ended nothing."""
    for i in range(reward.size):
        clock.t[i] += 1
        real = not waiting[i]
        reward[i] = reward[i] if real else 0.0
        terminated[i] &= real
        truncated[i] = (clock.t[i] >= horizon) & real
        ended[i] = terminated[i] | truncated[i]
        clock.ended[i] = ended[i]


@jit
def first_outside(actions, n_actions):
    """Return the place of the first action out of range, or -1. Kernels check no bounds."""
    for i in range(actions.size):
        if actions[i] < 0 or actions[i] >= n_actions:
            return i
    return -1
