"""Regressions, and visits to read them at."""

import numpy as np


def regressions(seed, n, n_clusters, n_columns, n_items=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_clusters, n_items, n_columns, n_columns))
    covariance = root @ root.transpose(0, 1, 3, 2)
    beta = rng.normal(size=(n_clusters, n_items, n_columns))
    return beta, covariance, rng.normal(size=(n, n_columns)), rng.integers(n_clusters, size=n)
