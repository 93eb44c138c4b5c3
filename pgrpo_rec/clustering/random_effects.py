r"""One item in one cluster: the two variances of a Gaussian random effect, and their steps.

With variance :math:`\tau^2` between people and :math:`\sigma^2` within one person's rewards,
the expected log-likelihood of all users is, up to the means,

.. math:: -\tfrac12 \sum_n \Big( W_n \log v_n + \frac{S_n}{v_n} \Big)
          - \tfrac12 \Big( N \log \sigma^2 + \frac{M}{\sigma^2} \Big),
          \qquad v_n = \tau^2 + \sigma^2 / n,

where :math:`W_n, S_n` are the weight of users with n rewards and the squares of their means
around the cluster's, M and N the squares and degrees of freedom within people (the one-way
random-effects model, Laird & Ware 1982). ``cell`` is (item, cluster, first row, row after
the last) of the sums; ``log_variances`` is (between, within).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pgrpo_rec._numba import jit

BOUND = 18.0  # of log variances, around that of all rewards


class Sums(NamedTuple):
    """Users by count: weight, deviations, squares (L, P); ``within`` (K, P, 2): M and N.

    ``person`` (P, 2): expected squares of people's levels, and how many people.
    """

    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray
    within: np.ndarray
    person: np.ndarray


@jit
def move_mean(
    mean: float,
    prior: tuple[float, float],
    log_variances: tuple[float, float],
    sums: Sums,
    cell: tuple[int, int, int, int],
) -> float:
    """Return the best mean under a normal ``prior`` (mean, sd); make the squares follow it."""
    _, p, low, high = cell
    between, within = math.exp(log_variances[0]), math.exp(log_variances[1])
    weight = 1.0 / prior[1] ** 2
    pull = weight * (prior[0] - mean)
    for row in range(low + 1, high):
        precision = 1.0 / (between + within / (row - low))
        weight += sums.weight[row, p] * precision
        pull += sums.first[row, p] * precision
    step = pull / weight
    for row in range(low + 1, high):
        shift = step**2 * sums.weight[row, p] - 2.0 * step * sums.first[row, p]
        sums.second[row, p] = max(sums.second[row, p] + shift, 0.0)
    return mean + step


@jit
def mean_information(
    log_variances: tuple[float, float], sums: Sums, cell: tuple[int, int, int, int]
) -> float:
    """Return the precision with which the users tell the cluster's mean."""
    _, p, low, high = cell
    between, within = math.exp(log_variances[0]), math.exp(log_variances[1])
    information = 0.0
    for row in range(low + 1, high):
        information += sums.weight[row, p] / (between + within / (row - low))
    return information


@jit
def better_variance(
    which: int,
    log_variances: tuple[float, float],
    prior: tuple[float, float],
    log_unit: float,
    sums: Sums,
    cell: tuple[int, int, int, int],
) -> float:
    """Take a Newton step in one log variance, halved until it does not go down."""
    here, centre, precision = log_variances[which], prior[0], 1.0 / prior[1] ** 2
    value = cell_value(log_variances, sums, cell) - 0.5 * precision * (here - centre) ** 2
    first, second = slopes(which, log_variances, sums, cell)
    first -= precision * (here - centre)
    step = min(max(first / max(abs(second - precision), precision), -2.0), 2.0)
    for _ in range(8):
        new = min(max(here + step, log_unit - BOUND), log_unit + BOUND)
        pair = (new, log_variances[1]) if which == 0 else (log_variances[0], new)
        if cell_value(pair, sums, cell) - 0.5 * precision * (new - centre) ** 2 >= value:
            return new
        step *= 0.5
    return here


@jit
def cell_value(
    log_variances: tuple[float, float], sums: Sums, cell: tuple[int, int, int, int]
) -> float:
    """Return the expected log-likelihood of one cluster and item."""
    k, p, low, high = cell
    between, within = math.exp(log_variances[0]), math.exp(log_variances[1])
    value = -0.5 * (sums.within[k, p, 1] * log_variances[1] + sums.within[k, p, 0] / within)
    for row in range(low + 1, high):
        if sums.weight[row, p] > 0.0:
            variance = between + within / (row - low)
            value -= 0.5 * sums.weight[row, p] * math.log(variance)
            value -= 0.5 * sums.second[row, p] / variance
    return value


@jit
def slopes(
    which: int,
    log_variances: tuple[float, float],
    sums: Sums,
    cell: tuple[int, int, int, int],
) -> tuple[float, float]:
    """Return the first and second derivative of ``cell_value`` in one log variance."""
    k, p, low, high = cell
    between, within = math.exp(log_variances[0]), math.exp(log_variances[1])
    first = second = 0.0
    if which == 1:
        second = -0.5 * sums.within[k, p, 0] / within
        first = -0.5 * sums.within[k, p, 1] - second
    for row in range(low + 1, high):
        part = between if which == 0 else within / (row - low)
        share = part / (between + within / (row - low))
        square = sums.second[row, p] * share / part * share
        first += 0.5 * (square - sums.weight[row, p] * share)
        second += 0.5 * (square - sums.weight[row, p] * share)
        second += 0.5 * sums.weight[row, p] * share**2 - square * share
    return first, second
