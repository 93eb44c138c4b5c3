"""First guesses for EM: clusters around seeds, and clusters of a smaller fit split in two.

Shapes: U users, K actions, P clusters, F features.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from pgrpo_rec.clustering.statistics import Statistics, shrinkage, value_vectors


def rank_features(statistics: Statistics) -> np.ndarray:
    """Return what starts measure distance by: ranks, so that no scale of rewards is louder.

    Ranks among users of the shrunk value of each item and of the user's mean and spread.

    Returns
    -------
    ndarray of float64, shape (U, K + 2), values in (0, 1)
    """
    count, mean, m2 = statistics
    total = np.maximum(count.sum(axis=1), 1)
    level = (count * mean).sum(axis=1) / total
    square = (m2 + count * (mean - level[:, None]) ** 2).sum(axis=1) / total
    values = value_vectors(statistics, shrinkage(statistics))
    raw = np.column_stack([values, level, square])
    ranks = rankdata(raw, axis=0) / (raw.shape[0] + 1.0)
    ranks[:, -2:] *= np.sqrt(count.shape[1] / 2.0)
    return np.asarray(ranks)


def seeded(features: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Return responsibilities around k-means++ seeds (Arthur & Vassilvitskii 2007)."""
    nearest = np.full(features.shape[0], np.inf)
    labels = np.zeros(features.shape[0], int)
    weights = np.ones(features.shape[0])
    for p in range(number):
        seed = _draw(weights, rng)
        distance = ((features - features[seed]) ** 2).sum(axis=1)
        labels[distance < nearest] = p
        nearest = np.minimum(nearest, distance)
        weights = nearest
    return _softened(labels, number)


def split(features: np.ndarray, resp: np.ndarray, p: int, rng: np.random.Generator) -> np.ndarray:
    """Return responsibilities in which the users of cluster p are shared between two seeds."""
    first, second = (_draw(resp[:, p], rng) for _ in range(2))
    nearer = ((features - features[first]) ** 2 - (features - features[second]) ** 2).sum(axis=1)
    return divided(resp, p, nearer > 0)


def divided(resp: np.ndarray, p: int, beyond: np.ndarray) -> np.ndarray:
    """Return responsibilities in which a new cluster takes most of the users ``beyond`` from p."""
    moved = np.where(beyond, 0.9, 0.1) * resp[:, p]
    grown = np.column_stack([resp, moved])
    grown[:, p] -= moved
    return grown


def _draw(weights: np.ndarray, rng: np.random.Generator) -> int:
    """Draw an index in proportion to the weights (any index if all are 0)."""
    cumulated = np.cumsum(weights + 1e-300)
    place = np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right")
    return int(min(place, weights.size - 1))


def _softened(labels: np.ndarray, number: int) -> np.ndarray:
    """Return responsibilities that leave a tenth to the other clusters."""
    resp = np.full((labels.size, number), 0.1 / number)
    resp[np.arange(labels.size), labels] += 0.9
    return resp
