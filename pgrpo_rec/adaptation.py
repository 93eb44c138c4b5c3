r"""The single user inside the group: what one person's own answers add to the cluster's fit.

A person's advantage for an item is the cluster's plus a residual of their own,
:math:`\delta_{uk} \sim N(0, \tau^2)`. After n answers with mean :math:`\bar A_{uk}` it is shrunk
by the person's own count (empirical Bayes; Efron & Morris 1973),

.. math:: E[\beta z + \delta] = \beta z + (1 - \kappa)(\bar A_{uk} - \beta z), \quad
          \mathrm{var} = \kappa^2 v + \epsilon \kappa \tau^2, \quad
          \kappa = s^2 / (n \tau^2 + s^2),

so nobody is taken for the average of their group. With :math:`\epsilon = 1` this is the posterior
given :math:`\beta z`. Only a part of what is not known of a person is explored: it is theirs
alone, nobody else gains by it (`docs/groups.md` has what it measures). How well following people
predicts is judged with the same variance.

Shapes: n visits, U users, K items, P clusters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FACTORS = np.array([1.0, 0.25, 0.0])  # of the measured deviation; what predicts best is taken
EXPLORED = 0.25  # epsilon: of the variance left in a person's own residual
EARNED = 20.0  # nats by which it must predict better than the clusters alone do
FORGETTING = 0.99  # a batch, of how well each factor predicted
MIN_PAIRS = 200.0  # pairs of answers to one item by one person, before a deviation is measured


class OwnAnswers(NamedTuple):
    """What the persons of n visits have answered so far, item by item."""

    heard: Floats  # (n, K), number of answers
    total: Floats  # (n, K), of raw rewards


@jit
def shrink(
    mean: float, variance: float, count: float, own: float, deviation: float, noise: float
) -> tuple[float, float]:
    """Return mean and variance of one person's value for one item, as far as it is explored.

    Parameters
    ----------
    mean, variance : float
        Of the cluster's value.
    count, own : float
        Answers of the person and their mean.
    deviation : float
        tau squared.
    noise : float
        Variance of an answer around the cluster's value, people's deviation included.
    """
    within = max(noise - deviation, 0.1 * noise)
    kappa = within / (count * deviation + within)
    left = EXPLORED * kappa * deviation
    return mean + (1.0 - kappa) * (own - mean), kappa * kappa * variance + left


@jit
def answered(own: OwnAnswers, i: int, k: int, centre: float, scale: float) -> float:
    """Return the mean of a person's answers to an item, as an advantage; 0 without any."""
    if own.heard[i, k] <= 0.0:
        return 0.0
    return (own.total[i, k] / own.heard[i, k] - centre) / scale


@jit
def adapt(
    mean: Floats,
    std: Floats,
    own: OwnAnswers,
    clusters: Ints,
    unit: Floats,
    deviation: Floats,
    noise: Floats,
) -> None:
    """Turn the clusters' values into those of the persons who are here.

    Parameters
    ----------
    mean, std : ndarray of float64, shape (n, K)
        Of the clusters' values; written to.
    own : OwnAnswers
    clusters : ndarray of int64, shape (n,)
    unit : ndarray of float64, shape (P, 2)
        Mean and std of each cluster's rewards.
    deviation : ndarray of float64, shape (P,)
    noise : ndarray of float64, shape (P, K)
    """
    for i in range(mean.shape[0]):
        p = clusters[i]
        if p >= deviation.size or deviation[p] == 0.0:
            continue
        for k in range(mean.shape[1]):
            said = answered(own, i, k, unit[p, 0], unit[p, 1])
            mean[i, k], variance = shrink(
                mean[i, k], std[i, k] ** 2, own.heard[i, k], said, deviation[p], noise[p, k]
            )
            std[i, k] = np.sqrt(variance)


@jit
def predictive_loglik(
    mean: Floats,
    std: Floats,
    own: OwnAnswers,
    clusters: Ints,
    actions: Ints,
    rewards: Floats,
    unit: Floats,
    deviation: Floats,
    noise: Floats,
) -> Floats:
    """Return how probable answers were, by each of `FACTORS` on the deviation; shape (3,)."""
    total = np.zeros(FACTORS.size)
    for i in range(actions.size):
        p, k = clusters[i], actions[i]
        if p >= deviation.size:
            continue
        advantage = (rewards[i] - unit[p, 0]) / unit[p, 1]
        said = answered(own, i, k, unit[p, 0], unit[p, 1])
        for f in range(FACTORS.size):
            tau2 = deviation[p] * FACTORS[f]
            expected, variance = shrink(
                mean[i, k], std[i, k] ** 2, own.heard[i, k], said, tau2, noise[p, k]
            )
            variance += max(noise[p, k] - tau2, 0.1 * noise[p, k])
            total[f] -= 0.5 * (np.log(variance) + (advantage - expected) ** 2 / variance)
    return total


def trusted_factor(predicted: Floats) -> float:
    """Return the factor that predicted best, 0 unless it is clear that people deviate.

    Where clusters are whole, a few nats are feigned (six at most on clicks), and following persons
    costs more than it brings. Where people do deviate, or several groups are still one cluster,
    it is tens to hundreds.
    """
    gain = predicted - predicted[FACTORS == 0.0]
    return float(FACTORS[gain.argmax()]) if gain.max() > EARNED else 0.0


def measure_deviation(
    count: NDArray[Any], total: Floats, square: Floats, labels: Ints, std: Floats
) -> Floats:
    r"""Return how far people of each cluster lie from it: tau squared, shape (P,).

    By moments: answers of one person to one item share the residual, so the mean product of
    two of them, counted from the cluster's mean, is :math:`\tau^2`. In units of ``std``, the
    clusters' spread of rewards; 0 while there are few such pairs.

    Parameters
    ----------
    count, total, square : ndarray, shape (U, K)
        Sums of raw rewards.
    labels : ndarray of int64, shape (U,)
    std : ndarray of float64, shape (P,)
    """
    deviation = np.zeros(std.size)
    for p in np.flatnonzero(std > 0.0):
        members = labels == p
        n, sums, squares = count[members], total[members], square[members]
        centre = sums.sum(axis=0) / np.maximum(n.sum(axis=0), 1.0)
        residual = sums - n * centre
        of_singles = squares - 2.0 * centre * sums + centre**2 * n
        pairs = float((n * (n - 1.0)).sum())
        if pairs >= MIN_PAIRS:
            deviation[p] = max(float((residual**2 - of_singles).sum()) / pairs, 0.0)
    return deviation / np.where(std > 0.0, std, 1.0) ** 2
