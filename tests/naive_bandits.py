"""Twins of the bandits' kernels in plain NumPy and SciPy: the formulas as written."""

import numpy as np
from scipy import optimize, special


def kl_upper_end(mean, count, budget):
    """Root of the divergence by Brent's method."""

    def excess(q):
        return count * (special.rel_entr(mean, q) + special.rel_entr(1 - mean, 1 - q)) - budget

    top = 1 - 1e-15
    return top if mean >= top or excess(top) <= 0 else optimize.brentq(excess, mean, top)


def spread_over_best(values, available):
    """Every best available item of a row the same share."""
    masked = np.where(available, values, -np.inf)
    best = available & (masked == masked.max(axis=1, keepdims=True))
    return best / best.sum(axis=1, keepdims=True)


def gumbel_best(value, noise):
    """One sum an item over 100,001 points of its own noise."""
    z = np.linspace(-4.0, 36.0, 100_001)
    density = np.exp(-z - np.exp(-z)) * (z[1] - z[0])
    chances = []
    for k in range(len(value)):
        chance = density.copy()
        for j in range(len(value)):
            if j != k:
                under = (value[k] + noise[k] * z - value[j]) / noise[j]
                chance *= np.exp(-np.exp(np.minimum(-under, 700.0)))
        chances.append(chance.sum())
    return np.array(chances)


def last_answers(clusters, actions, rewards, n_clusters, n_items, length):
    """Count, sum and sum of squares of each cluster's last answers."""
    sums = np.zeros((3, n_clusters, n_items))
    for p in range(n_clusters):
        for i in np.flatnonzero(clusters == p)[-length:]:
            sums[:, p, actions[i]] += [1.0, rewards[i], rewards[i] ** 2]
    return sums
