"""Per-user sufficient statistics: all that is ever kept of a user's feedback.

For each user and item the count, mean and sum of squared deviations of the rewards
(Welford 1962); sums and sums of squares follow from them, but would lose all digits for
rewards far from zero. Rows are users in the order in which they came.

Shapes: B feedbacks in a batch, U users, K actions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pgrpo_rec._numba import jit


class Statistics(NamedTuple):
    """Reward moments per (user, item): ``counts`` int32, ``mean`` and ``m2`` float64, (U, K)."""

    counts: np.ndarray
    mean: np.ndarray
    m2: np.ndarray


def empty_statistics(n_users: int, n_actions: int) -> Statistics:
    """Return the statistics of users who have said nothing yet."""
    shape = (n_users, n_actions)
    return Statistics(np.zeros(shape, np.int32), np.zeros(shape), np.zeros(shape))


@jit
def fold(
    statistics: Statistics, rows: np.ndarray, columns: np.ndarray, rewards: np.ndarray
) -> None:
    """Add a batch of rewards to the statistics, in place.

    Parameters
    ----------
    statistics : Statistics of U users and K items
    rows : ndarray of int64, shape (B,), values in [0, U)
    columns : ndarray of int64, shape (B,), values in [0, K)
    rewards : ndarray of float64, shape (B,)
    """
    for b in range(rewards.size):
        u, k = rows[b], columns[b]
        statistics.counts[u, k] += 1
        delta = rewards[b] - statistics.mean[u, k]
        statistics.mean[u, k] += delta / statistics.counts[u, k]
        statistics.m2[u, k] += delta * (rewards[b] - statistics.mean[u, k])


def take(statistics: Statistics, rows: np.ndarray | slice) -> Statistics:
    """Return the statistics of some users (a copy for an index array, a view for a slice)."""
    return Statistics(*(moment[rows] for moment in statistics))


def with_room(statistics: Statistics, n_users: int) -> Statistics:
    """Return statistics with at least ``n_users`` rows; capacity doubles, so adding is cheap."""
    capacity, n_actions = statistics.counts.shape
    if n_users <= capacity:
        return statistics
    grown = empty_statistics(max(n_users, 2 * capacity), n_actions)
    for new, old in zip(grown, statistics, strict=True):
        new[:capacity] = old
    return grown


def insert_columns(statistics: Statistics, positions: np.ndarray) -> Statistics:
    """Return statistics with an empty item before each of the old ``positions``."""
    return Statistics(*(np.insert(moment, positions, 0, axis=1) for moment in statistics))


class Shrinkage(NamedTuple):
    """Towards what (``mean``, (K,)) and how much (``weight``, in feedbacks) values are pulled."""

    mean: np.ndarray
    weight: float


def shrinkage(statistics: Statistics) -> Shrinkage:
    """Return the items' means and the empirical-Bayes weight (Efron & Morris 1975).

    The weight is the variance of one user's rewards over the variance between users, from
    the pooled moments.
    """
    counts, mean, m2 = statistics
    item_mean = (counts * mean).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    deviation = np.where(counts > 0, mean - item_mean, 0.0)
    within = m2.sum() / max(np.maximum(counts - 1, 0).sum(), 1)
    total = (counts * deviation**2).sum() - within * (counts > 0).sum()
    between = max(total / max(counts.sum(), 1), 0.01 * within, 1e-300)
    return Shrinkage(item_mean, float(within / between))


def value_vectors(statistics: Statistics, shrunk: Shrinkage) -> np.ndarray:
    r"""Return each user's mean rewards, shrunk towards the item's mean over all users.

    .. math:: v_{uk} = \frac{n_{uk} \bar r_{uk} + c\, m_k}{n_{uk} + c}

    Returns
    -------
    ndarray of float64, shape (U, K)
    """
    deviation = np.where(statistics.counts > 0, statistics.mean - shrunk.mean, 0.0)
    weight = statistics.counts / np.maximum(statistics.counts + shrunk.weight, 1e-300)
    return np.asarray(shrunk.mean + deviation * weight)


@jit
def totals_by_cluster(statistics: Statistics, labels: np.ndarray, totals: np.ndarray) -> None:
    """Add users' number, sum and sum of squares to ``totals`` (3, P, K) of their clusters."""
    counts, mean, m2 = statistics
    for u in range(counts.shape[0]):
        p = labels[u]
        for k in range(counts.shape[1]):
            total = counts[u, k] * mean[u, k]
            totals[0, p, k] += counts[u, k]
            totals[1, p, k] += total
            totals[2, p, k] += m2[u, k] + total * mean[u, k]


@jit
def softmax_row(scores: np.ndarray, u: int) -> float:
    """Turn one row of log scores into probabilities; return the log of their sum."""
    top, total = -np.inf, 0.0
    for p in range(scores.shape[1]):
        top = max(top, scores[u, p])
    for p in range(scores.shape[1]):
        scores[u, p] = math.exp(scores[u, p] - top)
        total += scores[u, p]
    for p in range(scores.shape[1]):
        scores[u, p] /= total
    return top + math.log(total)


@jit
def parameter_cost(distance: float, spread: float, information: float) -> float:
    """Return the cost in evidence of a parameter with a normal prior (Laplace's method)."""
    return (distance / spread) ** 2 + math.log(1.0 + max(information, 0.0) * spread**2)
