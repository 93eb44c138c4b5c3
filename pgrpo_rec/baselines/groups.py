"""Groups of users whose answers are summed into one regression: what clustering bandits share.

Shapes: U users, P groups, K items, D = d + 1 features with the constant first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import invert, multiply
from pgrpo_rec.baselines.ridge import Regressions, Sums, empty_regressions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def uncertainty(heard: Floats) -> Floats:
    """Return how far a fit of so many answers may be off, up to a factor (Gentile et al. 2014)."""
    return np.sqrt((1.0 + np.log1p(heard)) / (1.0 + heard))


def largest_group(labels: Ints) -> int:
    """Return the label that most users carry."""
    return int(np.bincount(labels).argmax())


def unchanged(new: Ints, old: Ints, n_new: int) -> Ints:
    """Return for each new group the old one with the very same members, or -1; shape (n_new,).

    Parameters
    ----------
    new, old : ndarray of int64, shape (U,)
        Labels of the same users; an old label of -1 was in no group.
    n_new : int
    """
    source = np.full(n_new, -1)
    size_old = np.bincount(old[old >= 0], minlength=1)
    size_new = np.bincount(new, minlength=n_new)
    pairs, size = np.unique(np.stack([new, old]), axis=1, return_counts=True)
    for (p, q), n in zip(pairs.T, size, strict=True):
        if q >= 0 and n == size_new[p] == size_old[q]:
            source[p] = q
    return source


def regroup(
    known: Regressions, sums: Sums, new: Ints, old: Ints, n_new: int, ridge: float
) -> Regressions:
    """Return the regressions of new groups: taken over where nobody moved, else solved anew."""
    n_items, n_columns = sums.moment.shape[1:]
    result = empty_regressions(n_new, n_items, n_columns, ridge)
    source = unchanged(new, old, n_new)
    kept = source >= 0
    for mine, theirs in zip(result, known, strict=True):
        mine[kept] = theirs[source[kept]]
    solve_groups(result, sums, new, kept, ridge)
    return result


@jit
def add_sums(sums: Sums, z: Floats, users: Ints, actions: Ints, rewards: Floats) -> None:
    """Fold n answers into the sums of their user and item."""
    n_columns = z.shape[1]
    for i in range(rewards.size):
        u, k = users[i], actions[i]
        for j in range(n_columns):
            sums.moment[u, k, j] += rewards[i] * z[i, j]
            for m in range(n_columns):
                sums.gram[u, k, j, m] += z[i, j] * z[i, m]


@jit
def solve_groups(
    into: Regressions, sums: Sums, labels: Ints, kept: NDArray[np.bool_], ridge: float
) -> None:
    """Solve the regressions of all groups that are not kept from the sums of their users."""
    n_items, n_columns = sums.moment.shape[1], sums.moment.shape[2]
    total = np.zeros((kept.size, n_items, n_columns, n_columns))
    moment = np.zeros((kept.size, n_items, n_columns))
    for u in range(labels.size):
        if not kept[labels[u]]:
            total[labels[u]] += sums.gram[u]
            moment[labels[u]] += sums.moment[u]
    for p in range(kept.size):
        if not kept[p]:
            for k in range(n_items):
                invert(total[p, k] + ridge * np.eye(n_columns), into.inverse[p, k])
                multiply(into.inverse[p, k], moment[p, k], into.theta[p, k])
