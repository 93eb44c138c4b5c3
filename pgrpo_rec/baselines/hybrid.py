r"""Hybrid linear bandits: what items have in common is learned from all of them.

The value of item k at z = (1, x) is :math:`(\beta + \theta_k) \cdot z`, or, with features
:math:`f_k` of the items, :math:`\beta \cdot (z \otimes (1, f_k)) + \theta_k \cdot z`, with one
ridge for what is common and one for what is the item's own. Both are solved at once by blocks
(Li et al. 2010, algorithm 2): with :math:`s` the shared columns,

.. math::
    A_k = \lambda I + \sum z z^T, \quad C_k = \sum z s^T, \quad
    A_0 = \lambda_0 I + \sum s s^T - \sum_k C_k^T A_k^{-1} C_k, \\
    \text{width}^2 = z^T A_k^{-1} z + w^T A_0^{-1} w, \quad w = s - C_k^T A_k^{-1} z .

Shapes: n visits, P clusters, K items, D = d + 1 features with the constant first, S shared
columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.bilinear import joint_columns
from pgrpo_rec.interactions import with_constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class HybridSums(NamedTuple):
    """What the regressions are solved from; ``moment`` of rewards and of ones."""

    gram: Floats  # (P, K, D, D)
    cross: Floats  # (P, K, D, S)
    moment: Floats  # (P, K, D, 2)
    shared_gram: Floats  # (P, S, S)
    shared_moment: Floats  # (P, S, 2)


class Hybrid(NamedTuple):
    """The regressions; coefficients are of rewards and of ones."""

    inverse: Floats  # (P, K, D, D)
    bridge: Floats  # (P, K, D, S), A_k^-1 C_k
    shared_inverse: Floats  # (P, S, S)
    theta: Floats  # (P, K, D, 2)
    beta: Floats  # (P, S, 2)


def empty_hybrid_sums(n_clusters: int, n_items: int, n_columns: int, n_shared: int) -> HybridSums:
    """Return sums of nothing."""
    items = (n_clusters, n_items, n_columns)
    return HybridSums(
        np.zeros((*items, n_columns)),
        np.zeros((*items, n_shared)),
        np.zeros((*items, 2)),
        np.zeros((n_clusters, n_shared, n_shared)),
        np.zeros((n_clusters, n_shared, 2)),
    )


def shared_columns(z: Floats, item_features: Floats) -> Floats:
    """Return z times (1, features) of every item, shape (n, K, S), S = D (m + 1)."""
    return joint_columns(with_constant(item_features), z[:, None])


def solve_hybrid(sums: HybridSums, ridge: float, shared_ridge: float) -> Hybrid:
    """Return the regressions of these sums, clusters one by one in a stack."""
    n_columns, n_shared = sums.cross.shape[2:]
    inverse = np.asarray(np.linalg.inv(sums.gram + ridge * np.eye(n_columns)), dtype=np.float64)
    bridge = inverse @ sums.cross
    crossed = np.swapaxes(sums.cross, 2, 3)
    left = sums.shared_gram - (crossed @ bridge).sum(axis=1) + shared_ridge * np.eye(n_shared)
    shared_inverse = np.asarray(np.linalg.inv(left), dtype=np.float64)
    right = sums.shared_moment - (np.swapaxes(bridge, 2, 3) @ sums.moment).sum(axis=1)
    beta = shared_inverse @ right
    theta = inverse @ (sums.moment - sums.cross @ beta[:, None])
    return Hybrid(inverse, bridge, shared_inverse, theta, beta)


@jit
def add_hybrid(
    sums: HybridSums,
    z: Floats,
    shared: Floats,
    clusters: Ints,
    actions: Ints,
    rewards: Floats,
    weights: Floats,
) -> None:
    """Fold n answers into the sums, each by its weight; ``shared`` is of the item shown, (n, S)."""
    for i in range(rewards.size):
        p, k, weight, reward = clusters[i], actions[i], weights[i], rewards[i]
        for j in range(z.shape[1]):
            x = weight * z[i, j]
            sums.moment[p, k, j, 0] += x * reward
            sums.moment[p, k, j, 1] += x
            for m in range(z.shape[1]):
                sums.gram[p, k, j, m] += x * z[i, m]
            for m in range(shared.shape[1]):
                sums.cross[p, k, j, m] += x * shared[i, m]
        for j in range(shared.shape[1]):
            x = weight * shared[i, j]
            sums.shared_moment[p, j, 0] += x * reward
            sums.shared_moment[p, j, 1] += x
            for m in range(shared.shape[1]):
                sums.shared_gram[p, j, m] += x * shared[i, m]


@jit
def read_hybrid(
    known: Hybrid, theta: Floats, beta: Floats, z: Floats, shared: Floats, clusters: Ints
) -> tuple[Floats, Floats]:
    """Return mean and width of every item's value at n visits, shapes (n, K).

    Parameters
    ----------
    theta, beta : ndarray of float64, shapes (P, K, D) and (P, S)
        Coefficients of what is asked for.
    shared : ndarray of float64, shape (n, K, S)
    """
    n_items, n_columns, n_shared = shared.shape[1], z.shape[1], shared.shape[2]
    mean, width = np.zeros((z.shape[0], n_items)), np.zeros((z.shape[0], n_items))
    rest = np.empty(n_shared)
    for i in range(z.shape[0]):
        p = clusters[i]
        for k in range(n_items):
            value, square = 0.0, 0.0
            for m in range(n_shared):
                rest[m] = shared[i, k, m]
                value += beta[p, m] * shared[i, k, m]
            for j in range(n_columns):
                value += theta[p, k, j] * z[i, j]
                for m in range(n_columns):
                    square += z[i, j] * known.inverse[p, k, j, m] * z[i, m]
                for m in range(n_shared):
                    rest[m] -= known.bridge[p, k, j, m] * z[i, j]
            for j in range(n_shared):
                for m in range(n_shared):
                    square += rest[j] * known.shared_inverse[p, j, m] * rest[m]
            mean[i, k], width[i, k] = value, np.sqrt(max(square, 0.0))
    return mean, width
