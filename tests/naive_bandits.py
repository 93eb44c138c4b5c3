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


def probability_of_largest_beta(a, b, n_points=20_000):
    """By a fine grid on log-odds, finest around every item's mode; shape (K,)."""
    spread = np.sqrt(1.0 / a + 1.0 / b)
    whole = np.linspace(-40.0 / min(a.min(), 1.0), 40.0 / min(b.min(), 1.0), n_points)
    near = np.linspace(-9.0, 9.0, n_points // 10) * spread[:, None] + np.log(a / b)[:, None]
    t = np.unique(np.append(whole, near))[:, None]
    upper = special.betainc(b, a, special.expit(-t))
    below = np.where(t > 0.0, 1.0 - upper, special.betainc(a, b, special.expit(t)))
    middle = 0.5 * (below[1:] + below[:-1])
    mass = [
        (np.diff(below[:, k]) * np.delete(middle, k, axis=1).prod(axis=1)).sum()
        for k in range(a.size)
    ]
    return np.array(mass) / np.sum(mass)
