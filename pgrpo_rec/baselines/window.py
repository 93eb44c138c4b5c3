"""A sliding window: the last answers of every cluster, so that older ones can be taken back."""

from __future__ import annotations

from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.estimators.parameters import check_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Window(NamedTuple):
    """The last W answers of P clusters, in rings."""

    actions: Ints  # (P, W)
    rewards: Floats  # (P, W)
    heard: Ints  # (P,), answers ever

    def followed_by(self, more: Window) -> Window:
        """Return the rings of these clusters and of more."""
        return Window(
            np.concatenate([self.actions, more.actions]),
            np.concatenate([self.rewards, more.rewards]),
            np.concatenate([self.heard, more.heard]),
        )


def check_window(length: int | None, discount: float) -> None:
    """Raise ValueError unless a window is possible beside this discount."""
    if length is None:
        return
    check_number("window", length, Integral, low=1)
    if discount < 1.0:
        raise ValueError(
            f"window={length!r} is not possible beside discount={discount!r}: one of both"
        )


def empty_window(n_clusters: int, length: int) -> Window:
    """Return rings that hold nothing."""
    shape = (n_clusters, length)
    return Window(np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(n_clusters, dtype=int))


@jit
def slide(
    window: Window,
    count: Floats,
    total: Floats,
    square: Floats,
    clusters: Ints,
    actions: Ints,
    rewards: Floats,
) -> None:
    """Fold n rewards into the sums, and take back what falls out of the window."""
    length = window.actions.shape[1]
    for i in range(rewards.size):
        p, k = clusters[i], actions[i]
        place = window.heard[p] % length
        if window.heard[p] >= length:
            old, reward = window.actions[p, place], window.rewards[p, place]
            count[p, old] -= 1.0
            total[p, old] -= reward
            square[p, old] -= reward * reward
        window.actions[p, place], window.rewards[p, place] = k, rewards[i]
        window.heard[p] += 1
        count[p, k] += 1.0
        total[p, k] += rewards[i]
        square[p, k] += rewards[i] * rewards[i]
