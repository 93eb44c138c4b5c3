"""Twins of the natural solver: one joint Gaussian linear model an item, from all answers."""

import numpy as np
from scipy import stats


class Log:
    """Answers of P clusters about K items, in units and at levels that differ."""

    def __init__(self, seed, n=120, n_columns=3, n_clusters=2, n_items=3, effect=0.7, common=0.0):
        rng = np.random.default_rng(seed)
        self.shape = n_clusters, n_items, n_columns
        self.z = np.hstack([np.ones((n, 1)), rng.normal(size=(n, n_columns - 1))])
        self.clusters = rng.integers(n_clusters, size=n)
        self.actions = rng.integers(n_items, size=n)
        weights = effect * rng.normal(size=self.shape) + common * rng.normal(size=self.shape[1:])
        answers = (weights[self.clusters, self.actions] * self.z).sum(axis=1) + rng.normal(size=n)
        units = 10.0 ** rng.uniform(-2, 2, n_clusters)
        levels = rng.normal(scale=20, size=n_clusters) * units
        self.rewards = levels[self.clusters] + units[self.clusters] * answers
        of = [self.rewards[self.clusters == p] for p in range(n_clusters)]
        self.mean, self.std = np.array([r.mean() for r in of]), np.array([r.std() for r in of])

    def rows(self, p, k):
        """Features and advantages of one cluster and item."""
        mine = (self.clusters == p) & (self.actions == k)
        return self.z[mine], (self.rewards[mine] - self.mean[p]) / self.std[p]

    def item(self, k):
        return [self.rows(p, k) for p in range(self.shape[0])]


def kinds(n_columns):
    """Of a constant and features, no products."""
    return np.array([0, *[1] * (n_columns - 1)])


def ridge(values, n_columns):
    return np.diag([values[0], *[values[1]] * (n_columns - 1)])


def posterior(rows, common, own):
    """Mean (1 + P, D) and covariance of the common part and of every cluster's weights.

    One numpy.linalg.inv of the precision of all of them together.
    """
    n, d = 1 + len(rows), rows[0][0].shape[1]
    precision, moment = np.zeros((n, d, n, d)), np.zeros((n, d))
    precision[0, :, 0] = ridge(common, d)
    for p, (z, advantages) in enumerate(rows, start=1):
        deviation = ridge(own[p - 1], d)
        precision[0, :, 0] += deviation
        precision[p, :, p] += deviation + z.T @ z
        precision[0, :, p] -= deviation
        precision[p, :, 0] -= deviation
        moment[p] = z.T @ advantages
    covariance = np.linalg.inv(precision.reshape(n * d, n * d))
    mean = (covariance @ moment.ravel()).reshape(n, d)
    return mean, covariance.reshape(n, d, n, d)


def log_evidence(rows, common, own, noise):
    """Log-density of the answers of an item, each cluster's in units of its own noise.

    They are normal around 0 with covariance I + Z_p R_p^-1 Z_p' (in a cluster) + Z R_0^-1 Z'.
    """
    d = rows[0][0].shape[1]
    z = np.vstack([z for z, _ in rows])
    of = np.repeat(np.arange(len(rows)), [len(z) for z, _ in rows])
    covariance = np.eye(len(z)) + z @ np.linalg.inv(ridge(common, d)) @ z.T
    for p, pair in enumerate(own):
        mine = np.where(of == p, 1.0, 0.0)
        within = z @ np.linalg.inv(ridge(pair, d)) @ z.T
        covariance += mine[:, None] * mine * within
    scaled = np.concatenate([a / np.sqrt(s) for (_, a), s in zip(rows, noise, strict=True)])
    if scaled.size == 0:
        return 0.0
    jacobian = sum(len(a) * np.log(s) for (_, a), s in zip(rows, noise, strict=True))
    return stats.multivariate_normal.logpdf(scaled, cov=covariance) - 0.5 * jacobian
