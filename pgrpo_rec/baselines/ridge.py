r"""Ridge regression an item, kept up to date answer by answer: what the linear bandits share.

Per cluster and item, on z = (1, x) with ridge :math:`\lambda` and forgetting :math:`\gamma`,

.. math:: A = \lambda I + \sum \gamma^{age} z z^T, \qquad
          \theta = A^{-1} \sum \gamma^{age} z r, \qquad \text{width}^2 = z^T A^{-1} z.

The regression of the constant 1 needs no sums: of :math:`\sum \gamma^{age} z = (A - \lambda I) e_0`
it is :math:`e_0 - \lambda A^{-1} e_0`. By it rewards can be shifted afterwards.

Without forgetting each answer is a change of rank one (Sherman and Morrison 1950); with it the
sums are kept and solved anew, since the ridge itself is not forgotten (Russac, Vernade and
Cappé 2019).

Shapes: n visits, P clusters, K items, D = d + 1 features with the constant first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import invert, multiply
from pgrpo_rec.natural import weights_left

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Regressions(NamedTuple):
    """One regression of the reward a cluster and item."""

    inverse: Floats  # (P, K, D, D)
    theta: Floats  # (P, K, D)

    def of_ones(self, ridge: float) -> Floats:
        """Return the regressions of the constant 1, shape (P, K, D)."""
        ones = -ridge * self.inverse[..., 0]
        ones[..., 0] += 1.0
        return ones


class Sums(NamedTuple):
    """What regressions with forgetting are solved from."""

    gram: Floats  # (P, K, D, D)
    moment: Floats  # (P, K, D)


def empty_regressions(n_clusters: int, n_items: int, n_columns: int, ridge: float) -> Regressions:
    """Return what is known before any answer."""
    shape = (n_clusters, n_items, n_columns)
    identity = np.broadcast_to(np.eye(n_columns) / ridge, (*shape, n_columns))
    return Regressions(identity.copy(), np.zeros(shape))


def empty_sums(n_clusters: int, n_items: int, n_columns: int) -> Sums:
    """Return sums of nothing."""
    shape = (n_clusters, n_items, n_columns)
    return Sums(np.zeros((*shape, n_columns)), np.zeros(shape))


@jit
def add_rows(into: Regressions, z: Floats, clusters: Ints, actions: Ints, rewards: Floats) -> None:
    """Fold n answers in, one rank at a time."""
    n_columns = z.shape[1]
    reach = np.empty(n_columns)
    for i in range(rewards.size):
        p, k = clusters[i], actions[i]
        inverse, theta = into.inverse[p, k], into.theta[p, k]
        multiply(inverse, z[i], reach)
        total, surprise = 1.0, rewards[i]
        for j in range(n_columns):
            total += reach[j] * z[i, j]
            surprise -= theta[j] * z[i, j]
        share = 1.0 / total
        for j in range(n_columns):
            step = reach[j] * share
            theta[j] += step * surprise
            for m in range(n_columns):
                inverse[j, m] -= step * reach[m]


@jit
def add_forgetting(
    into: Regressions,
    sums: Sums,
    z: Floats,
    clusters: Ints,
    actions: Ints,
    rewards: Floats,
    ridge: float,
    discount: float,
) -> None:
    """Let every answer make a cluster forget a little of all before it, then solve anew."""
    n_items, n_columns = sums.gram.shape[1], z.shape[1]
    heard = np.zeros(sums.gram.shape[0], dtype=np.int64)
    for p in clusters:
        heard[p] += 1
    for p in range(heard.size):
        if heard[p] > 0:
            left = discount ** heard[p]
            sums.gram[p] *= left
            sums.moment[p] *= left
    weights = weights_left(clusters, heard.size, discount)
    for i in range(rewards.size):
        p, k, weight = clusters[i], actions[i], weights[i]
        for j in range(n_columns):
            sums.moment[p, k, j] += weight * rewards[i] * z[i, j]
            for m in range(n_columns):
                sums.gram[p, k, j, m] += weight * z[i, j] * z[i, m]
    for p in range(heard.size):
        for k in range(n_items):
            if heard[p] > 0:
                invert(sums.gram[p, k] + ridge * np.eye(n_columns), into.inverse[p, k])
                multiply(into.inverse[p, k], sums.moment[p, k], into.theta[p, k])
