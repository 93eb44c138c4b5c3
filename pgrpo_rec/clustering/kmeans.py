"""The simple rival: k-means (Lloyd 1982) on shrunk value vectors.

Shapes: U users, K actions, P clusters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from pgrpo_rec.clustering.statistics import Shrinkage, Statistics, shrinkage, value_vectors


class Centres(NamedTuple):
    """``centres`` (P, K) in the space of value vectors, and how these were shrunk."""

    centres: np.ndarray
    shrunk: Shrinkage


def fit_kmeans(
    statistics: Statistics, n_clusters: int, n_init: int, max_iter: int, seed: int
) -> tuple[Centres, float]:
    """Return the centres of the best of ``n_init`` runs, and its inertia."""
    from sklearn.cluster import KMeans  # slow to import, and few need it

    shrunk = shrinkage(statistics)
    model = KMeans(n_clusters, n_init=n_init, max_iter=max_iter, random_state=seed)
    with threadpool_limits(1):  # sums over threads would depend on their number
        model.fit(value_vectors(statistics, shrunk))
    return Centres(model.cluster_centers_, shrunk), float(model.inertia_)


def nearest(model: Centres, statistics: Statistics) -> np.ndarray:
    """Return responsibilities (U, P): 1 for the nearest centre, 0 elsewhere."""
    vectors = value_vectors(statistics, model.shrunk)
    distance = np.stack([((vectors - centre) ** 2).sum(axis=1) for centre in model.centres])
    return np.eye(model.centres.shape[0])[distance.argmin(axis=0)]


def insert_actions(model: Centres, positions: np.ndarray) -> Centres:
    """Return centres with items nobody has answered yet, equal in all clusters."""
    shrunk = model.shrunk
    mean = np.insert(shrunk.mean, positions, shrunk.mean.mean())
    centres = np.insert(model.centres, positions, shrunk.mean.mean(), axis=1)
    return Centres(centres, shrunk._replace(mean=mean))
