"""Populations: who the users of a world are.

Users belong to preference groups ("user types") of unequal shares. Each group has a
direction of taste on the unit sphere; ``conflict`` is minus the cosine between a
minority's direction and the majority's, so 0 means unrelated and 1 means opposed. Each
person deviates from the group: ``u = normalise(centroid + deviation * N(0, I))``.

Shapes: P groups, U users, d dimensions of taste.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def draw_user_types(rng: np.random.Generator, n_users: int, shares: tuple[float, ...]) -> Ints:
    """Assign every user a group so that the shares hold as exactly as whole people allow.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_users : int
        U, at least the number of groups.
    shares : tuple of float, length P
        Positive, summing to 1. Every group gets at least one user.

    Returns
    -------
    ndarray of int64, shape (U,)
    """
    borders = np.rint(np.cumsum(shares) * n_users).astype(np.int64)
    counts = np.maximum(np.diff(borders, prepend=0), 1)
    while counts.sum() > n_users:
        counts[counts.argmax()] -= 1  # who made room for the smallest groups
    return rng.permutation(np.repeat(np.arange(len(shares)), counts))


def draw_centroids(
    rng: np.random.Generator, n_groups: int, n_features: int, conflict: float
) -> Floats:
    """Draw each group's direction of taste, shape (P, d); row 0 is the majority's."""
    centroids = normalise(rng.normal(size=(n_groups, n_features)))
    for p in range(1, n_groups):
        across = centroids[p] - (centroids[p] @ centroids[0]) * centroids[0]
        across /= np.linalg.norm(across)
        centroids[p] = -conflict * centroids[0] + np.sqrt(1.0 - conflict**2) * across
    return centroids


def draw_tastes(
    rng: np.random.Generator, centroids: Floats, user_types: Ints, deviation: float
) -> Floats:
    """Draw every person's taste around the group's direction, shape (U, d), unit rows."""
    noise = rng.normal(size=(user_types.size, centroids.shape[1]))
    return normalise(centroids[user_types] + deviation * noise)


def normalise(rows: Floats) -> Floats:
    """Scale rows to length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
