r"""Clusters of users for rewards in {0, 1}: an overdispersed Bernoulli mixture.

A user of cluster p likes item k with a rate of their own, around the cluster's rate m:

.. math:: \theta_{uk} \sim \mathrm{Beta}\Big(\frac{\phi_p}{1-m_{pk}}, \frac{\phi_p}{m_{pk}}\Big),
          \qquad E\theta = m_{pk}, \quad
          \mathrm{Var}\,\theta \approx \big(m_{pk}(1-m_{pk})\big)^2 / \phi_p,

so that :math:`\phi_p^{-1/2}` is the deviation of a user on the logit scale, the same for
frequent and rare rewards. Given the cluster, n answers with j ones have the beta-binomial
probability (Griffiths 1973)

.. math:: \prod_{i<j}(a+i) \prod_{i<n-j}(b+i) \Big/ \prod_{i<n}(a+b+i).

Its maximum depends on the users only through *tails*: how many have more than i ones, more
than i zeros, more than i answers. So an EM pass (Dempster, Laird & Rubin 1977) reads each
user once and looks everything up in tables over counts.

Shapes: U users, K actions, P clusters, L = rows of the tables, one segment per item that
starts at ``offsets[k]`` and is as long as the item's largest count plus one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pgrpo_rec._numba import jit
from pgrpo_rec.clustering.beta_binomial import (
    Tables,
    best_centre,
    beta_shapes,
    better_log_shape,
    better_logit,
    logit_slopes,
    shape_slopes,
)
from pgrpo_rec.clustering.statistics import Statistics, parameter_cost, softmax_row

COUNT_CAP = 1024  # more answers of a user to one item are thinned: they place no user better
ITEM_SPREAD = 1.0  # prior standard deviation of item logits around the cluster's level
SHAPE_SPREAD = 1.0  # the same for log shapes: people may agree on one item and not on another
LEVEL = (0.0, 3.0)  # prior mean and standard deviation of a cluster's level,
SHAPE = (3.0, 1.5)  # and of its log shape: exp(-3 / 2) is a deviation of 0.22


class Parameters(NamedTuple):
    """Of the P clusters.

    ``shares`` (P,); ``logits`` of the rates and ``log_shapes`` of people's deviation (P, K);
    the centres of these two over items: ``level`` and ``log_shape`` (P,).
    """

    shares: np.ndarray
    logits: np.ndarray
    log_shapes: np.ndarray
    level: np.ndarray
    log_shape: np.ndarray


class Cells(NamedTuple):
    """The data: ``counts`` and ``hits`` (U, K) int32, ``offsets`` (K + 1,) of the tables."""

    counts: np.ndarray
    hits: np.ndarray
    offsets: np.ndarray


def prepare(statistics: Statistics, cap: int = COUNT_CAP) -> Cells:
    """Return the counts of users as the EM pass reads them, at most ``cap`` a cell."""
    count = np.minimum(statistics.counts, np.int32(cap))
    hits = np.rint(count * statistics.mean).astype(np.int32)
    longest = count.max(axis=0, initial=0).astype(np.int64) + 1
    return Cells(count, hits, np.concatenate([[0], np.cumsum(longest)]))


def empty_tables(cells: Cells, n_clusters: int) -> Tables:
    """Return tables of zeros."""
    shape = (int(cells.offsets[-1]), n_clusters)
    return Tables(np.zeros(shape), np.zeros(shape), np.zeros(shape))


def start(cells: Cells, resp: np.ndarray) -> Parameters:
    """Return parameters fitted to given responsibilities (U, P)."""
    n_clusters, n_actions = resp.shape[1], cells.counts.shape[1]
    rate = (cells.hits.sum() + 0.5) / (cells.counts.sum() + 1.0)
    level = np.full(n_clusters, math.log(rate / (1 - rate)))
    shape = np.full(n_clusters, SHAPE[0])
    logits, log_shapes = (np.repeat(part[:, None], n_actions, axis=1) for part in (level, shape))
    first = Parameters(np.full(n_clusters, 1 / n_clusters), logits, log_shapes, level, shape)
    histogram = empty_tables(cells, n_clusters)
    _accumulate(cells, resp, histogram)
    for _ in range(3):  # from one common level to the clusters' own takes a few Newton steps
        first = m_step(first, cells, resp, histogram)
    return first


def variants(parameters: Parameters) -> list[Parameters]:
    """Return the clusters themselves: there is one model of clicks."""
    return [parameters]


def e_step(parameters: Parameters, cells: Cells, resp: np.ndarray) -> tuple[float, Tables]:
    """Fill ``resp`` (U, P); return the log-likelihood and the histograms for ``m_step``."""
    tables = empty_tables(cells, resp.shape[1])
    _fill_tables(parameters, cells.offsets, tables)
    histogram = empty_tables(cells, resp.shape[1])
    loglik = _e_step(np.log(parameters.shares), cells, tables, resp, histogram)
    return loglik, histogram


def m_step(parameters: Parameters, cells: Cells, resp: np.ndarray, histogram: Tables) -> Parameters:
    """Return parameters that raise the expected penalised log-likelihood."""
    shares = (resp.sum(axis=0) + 1.0) / (resp.shape[0] + resp.shape[1])
    logits, log_shapes, level, log_shape = (np.array(part) for part in parameters[1:])
    raised = Parameters(shares, logits, log_shapes, level, log_shape)
    _raise(raised, cells.offsets, Tables(*(_tails(part, cells.offsets) for part in histogram)))
    return raised


def log_prior(parameters: Parameters) -> float:
    """Return the penalty that is added to the log-likelihood, up to a constant."""
    shares, logits, log_shapes, level, log_shape = parameters
    scores = [
        (logits - level[:, None]) / ITEM_SPREAD,
        (log_shapes - log_shape[:, None]) / SHAPE_SPREAD,
        (level - LEVEL[0]) / LEVEL[1],
        (log_shape - SHAPE[0]) / SHAPE[1],
    ]
    return float(np.log(shares).sum() - 0.5 * sum((score**2).sum() for score in scores))


def complexity(parameters: Parameters, cells: Cells, histogram: Tables) -> float:
    """Return what the clusters' parameters cost in evidence; see ``mixture.criterion``."""
    tails = Tables(*(_tails(part, cells.offsets) for part in histogram))
    return float(_complexity(parameters, cells.offsets, tails))


def means(parameters: Parameters) -> np.ndarray:
    """Return the expected reward per cluster and item, shape (P, K)."""
    return 1.0 / (1.0 + np.exp(-parameters.logits))


def positions(parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Return where the clusters are (P, K) and how people vary around it (P,).

    As probabilities, not logits: where everybody always answers the same, people of one
    cluster are infinitely far apart in logits, and two clusters may still want opposites.
    """
    shape, odds = np.exp(parameters.log_shapes), np.exp(parameters.logits)
    total = shape * (2.0 + odds + 1.0 / odds)
    mean = odds / (1.0 + odds)
    return mean, (mean * (1.0 - mean) / (1.0 + total)).mean(axis=1)


def insert_actions(parameters: Parameters, places: np.ndarray) -> Parameters:
    """Return parameters with items nobody has answered yet, at the clusters' levels."""
    level, shape = parameters.level[:, None], parameters.log_shape[:, None]
    return parameters._replace(
        logits=np.insert(parameters.logits, places, level, axis=1),
        log_shapes=np.insert(parameters.log_shapes, places, shape, axis=1),
    )


@jit
def _fill_tables(parameters: Parameters, offsets: np.ndarray, tables: Tables) -> None:
    """Write the logarithms of the three rising products of the beta-binomial law."""
    n_clusters, n_actions = parameters.logits.shape
    for k in range(n_actions):
        for p in range(n_clusters):
            a, b = beta_shapes(parameters.logits[p, k], parameters.log_shapes[p, k])
            for i in range(offsets[k] + 1, offsets[k + 1]):
                j = i - 1 - offsets[k]
                tables.hit[i, p] = tables.hit[i - 1, p] + math.log(a + j)
                tables.miss[i, p] = tables.miss[i - 1, p] + math.log(b + j)
                tables.total[i, p] = tables.total[i - 1, p] + math.log(a + b + j)


@jit
def _e_step(
    log_shares: np.ndarray, cells: Cells, tables: Tables, resp: np.ndarray, histogram: Tables
) -> float:
    """Per user: log-likelihoods, responsibilities, and their place in the histograms."""
    n_users, n_actions = cells.counts.shape
    n_clusters = log_shares.size
    loglik = 0.0
    for u in range(n_users):
        resp[u] = log_shares
        for k in range(n_actions):
            n, j = cells.counts[u, k], cells.hits[u, k]
            if n > 0:
                start = cells.offsets[k]
                for p in range(n_clusters):
                    resp[u, p] += tables.hit[start + j, p] + tables.miss[start + n - j, p]
                    resp[u, p] -= tables.total[start + n, p]
        loglik += softmax_row(resp, u)
        _add_user(u, cells, resp, histogram)
    return loglik


@jit
def _add_user(u: int, cells: Cells, resp: np.ndarray, histogram: Tables) -> None:
    """Count one user, by responsibility, in the three histograms."""
    for k in range(cells.counts.shape[1]):
        n, j = cells.counts[u, k], cells.hits[u, k]
        if n > 0:
            start = cells.offsets[k]
            for p in range(resp.shape[1]):
                histogram.hit[start + j, p] += resp[u, p]
                histogram.miss[start + n - j, p] += resp[u, p]
                histogram.total[start + n, p] += resp[u, p]


@jit
def _accumulate(cells: Cells, resp: np.ndarray, histogram: Tables) -> None:
    """Count all users in the histograms."""
    for u in range(cells.counts.shape[0]):
        _add_user(u, cells, resp, histogram)


@jit
def _tails(histogram: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return, per item, the weight of users whose count exceeds i (and 0 at the end)."""
    tails = np.zeros_like(histogram)
    for k in range(offsets.size - 1):
        for i in range(offsets[k + 1] - 2, offsets[k] - 1, -1):
            for p in range(histogram.shape[1]):
                tails[i, p] = tails[i + 1, p] + histogram[i + 1, p]
    return tails


@jit
def _raise(parameters: Parameters, offsets: np.ndarray, tails: Tables) -> None:
    """Raise the expected log-likelihood in place: rates, deviations, and their centres in turn."""
    for p in range(parameters.level.size):
        logits, log_shapes = parameters.logits[p], parameters.log_shapes[p]
        item_prior = (parameters.level[p], ITEM_SPREAD)
        shape_prior = (parameters.log_shape[p], SHAPE_SPREAD)
        for k in range(logits.size):
            bounds = (p, offsets[k], offsets[k + 1])
            cell = (logits[k], log_shapes[k])
            logits[k] = better_logit(cell, item_prior, tails, bounds)
            cell = (logits[k], log_shapes[k])
            log_shapes[k] = better_log_shape(cell, shape_prior, tails, bounds)
        parameters.level[p] = best_centre(logits, ITEM_SPREAD, LEVEL)
        parameters.log_shape[p] = best_centre(log_shapes, SHAPE_SPREAD, SHAPE)


@jit
def _complexity(parameters: Parameters, offsets: np.ndarray, tails: Tables) -> float:
    """Sum the costs of logits, log shapes and their centres."""
    n_clusters, n_actions = parameters.logits.shape
    cost = 0.0
    for p in range(n_clusters):
        level, shape = parameters.level[p], parameters.log_shape[p]
        for k in range(n_actions):
            bounds = (p, offsets[k], offsets[k + 1])
            logit, log_shape = parameters.logits[p, k], parameters.log_shapes[p, k]
            information = -logit_slopes(logit, log_shape, tails, bounds)[1]
            cost += parameter_cost(logit - level, ITEM_SPREAD, information)
            information = -shape_slopes(logit, log_shape, tails, bounds)[1]
            cost += parameter_cost(log_shape - shape, SHAPE_SPREAD, information)
        cost += parameter_cost(level - LEVEL[0], LEVEL[1], n_actions / ITEM_SPREAD**2)
        cost += parameter_cost(shape - SHAPE[0], SHAPE[1], n_actions / SHAPE_SPREAD**2)
    return cost
