r"""Clusters of users for real-valued rewards: a Gaussian mixture with people's own effects.

User u of cluster p has a level :math:`b_u` and an effect of their own on every item, so the
mean of n rewards and the squares around it follow

.. math:: \bar r_{uk} \mid b_u \sim
          N\big(m_{pk} + b_u, \tau_{pk}^2 + \sigma_{pk}^2 / n\big), \quad
          b_u \sim N(0, \omega_p^2), \quad M2_{uk} / \sigma_{pk}^2 \sim \chi^2_{n-1}.

Some people rate everything high: without a level of their own, clusters would be drawn
between them and the strict, who may like the very same items best. All variances belong to
the cluster: what is loud for one group may be noise to another. Those of items differ around
a centre of the cluster, for people who agree on one item may not agree on the next. As for
Bernoulli rewards, the maximum depends on the users only through sums over users with equal
counts, so an EM pass (Dempster, Laird & Rubin 1977) reads each user once; the levels are
integrated out in the E step (random effects: Laird & Ware 1982).

Shapes: U users, K actions, P clusters, L = rows of the tables, one segment per item that
starts at ``offsets[k]`` and is as long as the item's largest count plus one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pgrpo_rec._numba import jit
from pgrpo_rec.clustering.random_effects import (
    Sums,
    better_variance,
    mean_information,
    move_mean,
    slopes,
)
from pgrpo_rec.clustering.statistics import Statistics, parameter_cost, softmax_row

LOG_TWO_PI = math.log(2.0 * math.pi)
COUNT_CAP = 1024  # sigma^2 / n of a longer run is taken at this n: tau^2 rules there anyway
VARIANCE_SPREAD = 1.0  # prior standard deviation of items' log variances around the cluster's
CENTRE_SPREAD = 10.0  # the same of the clusters' log variances around that of all rewards
PERSON_USERS = 2.0  # so many users is the prior of the levels' variance worth ...
PERSON_SHARE = 0.05  # ... which expects it at this share of the variance of all rewards


class Parameters(NamedTuple):
    """Of the P clusters.

    ``shares`` (P,); ``means``, ``log_between`` (people) and ``log_within`` (one person's
    rewards) (P, K); the centres of these three over items: ``level``, ``between``,
    ``within`` (P,); ``log_person`` (P,), of people's levels, minus infinity where nobody has
    one; and ``log_unit``, the log variance of all rewards.
    """

    shares: np.ndarray
    means: np.ndarray
    log_between: np.ndarray
    log_within: np.ndarray
    level: np.ndarray
    between: np.ndarray
    within: np.ndarray
    log_person: np.ndarray
    log_unit: float


class Cells(NamedTuple):
    """The data: ``counts``, ``mean``, ``m2`` (U, K) and ``offsets`` (K + 1,) of the tables."""

    counts: np.ndarray
    mean: np.ndarray
    m2: np.ndarray
    offsets: np.ndarray


def prepare(statistics: Statistics, cap: int = COUNT_CAP) -> Cells:
    """Return the moments of users as the EM pass reads them."""
    longest = np.minimum(statistics.counts.max(axis=0, initial=0), cap).astype(np.int64) + 1
    return Cells(*statistics, np.concatenate([[0], np.cumsum(longest)]))


def start(cells: Cells, resp: np.ndarray) -> Parameters:
    """Return parameters fitted to given responsibilities (U, P)."""
    shape = (resp.shape[1], cells.counts.shape[1])
    level, unit = _pooled_moments(cells)
    log_unit = math.log(unit)
    parameters = Parameters(
        np.full(shape[0], 1.0 / shape[0]),
        np.full(shape, level),
        np.full(shape, log_unit - 3.0),
        np.full(shape, log_unit),
        np.full(shape[0], level),
        np.full(shape[0], log_unit - 3.0),
        np.full(shape[0], log_unit),
        np.full(shape[0], -np.inf),
        log_unit,
    )
    for _ in range(4):  # means and variances are raised in turn
        sums = _empty_sums(cells, shape[0])
        _accumulate(parameters, cells, _tables(parameters, cells.offsets), resp, sums)
        parameters = m_step(parameters, cells, resp, sums)
    return parameters


def variants(parameters: Parameters) -> list[Parameters]:
    """Return the same clusters without levels of people, and with.

    EM tells the two apart badly by itself: levels hide groups that differ in level, and
    groups are made of strict and generous people where there are none. So both are tried.
    """
    person = np.full_like(parameters.level, parameters.log_unit + math.log(PERSON_SHARE))
    return [parameters, parameters._replace(log_person=person)]


def e_step(parameters: Parameters, cells: Cells, resp: np.ndarray) -> tuple[float, Sums]:
    """Fill ``resp`` (U, P); return the log-likelihood and the sums for ``m_step``."""
    sums = _empty_sums(cells, resp.shape[1])
    loglik = _e_step(parameters, cells, _tables(parameters, cells.offsets), resp, sums)
    return loglik, sums


def m_step(parameters: Parameters, cells: Cells, resp: np.ndarray, sums: Sums) -> Parameters:
    """Return parameters that raise the expected penalised log-likelihood."""
    shares = (resp.sum(axis=0) + 1.0) / (resp.shape[0] + resp.shape[1])
    means, log_between, log_within, level, between, within, log_person = (
        np.array(part) for part in parameters[1:-1]
    )
    raised = Parameters(
        shares,
        means,
        log_between,
        log_within,
        level,
        between,
        within,
        log_person,
        parameters.log_unit,
    )
    _raise(raised, cells.offsets, sums._replace(second=sums.second.copy()))
    return raised


def log_prior(parameters: Parameters) -> float:
    """Return the penalty that is added to the log-likelihood, up to a constant."""
    value = float(np.log(parameters.shares).sum())
    for p in range(parameters.shares.size):
        value += _centre_value(parameters, p, parameters.between[p], parameters.within[p])
        if parameters.log_person[p] > -np.inf:
            away = parameters.log_person[p] - math.log(PERSON_SHARE) - parameters.log_unit
            value -= 0.5 * PERSON_USERS * (away + math.exp(-away))
    return value


def complexity(parameters: Parameters, cells: Cells, sums: Sums) -> float:
    """Return what the clusters' parameters cost in evidence; see ``mixture.criterion``."""
    return float(_complexity(parameters, cells.offsets, sums))


def means(parameters: Parameters) -> np.ndarray:
    """Return the expected reward per cluster and item, shape (P, K)."""
    return parameters.means


def positions(parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Return where the clusters are (P, K) and how people vary around it (P,): rewards.

    Levels are left out of both: liking everything less is no taste of its own.
    """
    where = parameters.means - parameters.means.mean(axis=1, keepdims=True)
    return where, np.exp(parameters.log_between).mean(axis=1)


def insert_actions(parameters: Parameters, places: np.ndarray) -> Parameters:
    """Return parameters with items nobody has answered yet, at the clusters' centres."""
    items = (parameters.means, parameters.log_between, parameters.log_within)
    centres = (parameters.level, parameters.between, parameters.within)
    grown = [np.insert(a, places, c[:, None], axis=1) for a, c in zip(items, centres, strict=True)]
    return parameters._replace(means=grown[0], log_between=grown[1], log_within=grown[2])


def _pooled_moments(cells: Cells) -> tuple[float, float]:
    """Return mean and variance of all rewards (the variance never 0)."""
    total = max(int(cells.counts.sum()), 1)
    level = float((cells.counts * cells.mean).sum() / total)
    squares = float(cells.m2.sum() + (cells.counts * (cells.mean - level) ** 2).sum())
    return level, max(squares / total, 1e-12 * max(level**2, 1e-12))


def _empty_sums(cells: Cells, n_clusters: int) -> Sums:
    """Return sums of zeros."""
    weight, first, second = np.zeros((3, int(cells.offsets[-1]), n_clusters))
    within = np.zeros((cells.counts.shape[1], n_clusters, 2))
    return Sums(weight, first, second, within, np.zeros((n_clusters, 2)))


@jit
def _tables(parameters: Parameters, offsets: np.ndarray) -> np.ndarray:
    """Return the log density's constant and its factors of the two squares, (L, P, 3).

    A row is a number of answers to an item; in the last row of an item stand all longer runs.
    """
    n_clusters, n_actions = parameters.means.shape
    tables = np.zeros((offsets[-1], n_clusters, 3))
    for k in range(n_actions):
        for p in range(n_clusters):
            between = math.exp(parameters.log_between[p, k])
            log_within = parameters.log_within[p, k]
            for row in range(offsets[k] + 1, offsets[k + 1]):
                n = row - offsets[k]
                variance = between + math.exp(log_within) / n
                constant = -0.5 * (n * LOG_TWO_PI + math.log(n))
                tables[row, p, 0] = constant - 0.5 * (math.log(variance) + (n - 1) * log_within)
                tables[row, p, 1] = 0.5 / variance
                tables[row, p, 2] = 0.5 * math.exp(-log_within)
    return tables


@jit
def _levels(
    u: int, parameters: Parameters, cells: Cells, tables: np.ndarray, levels: np.ndarray
) -> None:
    """Fill one user's ``levels`` (P, 3): mean and variance of b_u, log of what it lends."""
    levels[:] = 0.0
    for p in range(levels.shape[0]):
        if parameters.log_person[p] == -np.inf:  # nobody has a level of their own
            continue
        precision = pull = 0.0
        for k in range(cells.counts.shape[1]):
            if cells.counts[u, k] > 0:
                row = min(cells.offsets[k] + cells.counts[u, k], cells.offsets[k + 1] - 1)
                precision += 2.0 * tables[row, p, 1]
                pull += 2.0 * tables[row, p, 1] * (cells.mean[u, k] - parameters.means[p, k])
        person = math.exp(parameters.log_person[p])
        levels[p, 1] = person / (1.0 + person * precision)
        levels[p, 0] = levels[p, 1] * pull
        levels[p, 2] = 0.5 * (levels[p, 0] * pull - math.log(1.0 + person * precision))


@jit
def _e_step(
    parameters: Parameters, cells: Cells, tables: np.ndarray, resp: np.ndarray, sums: Sums
) -> float:
    """Per user: log-likelihoods, responsibilities, and their place in the sums."""
    n_users, n_actions = cells.counts.shape
    log_shares = np.log(parameters.shares)
    levels = np.empty((log_shares.size, 3))
    loglik = 0.0
    for u in range(n_users):
        _levels(u, parameters, cells, tables, levels)
        for p in range(log_shares.size):
            resp[u, p] = log_shares[p] + levels[p, 2]
        for k in range(n_actions):
            n = cells.counts[u, k]
            if n > 0:
                row = min(cells.offsets[k] + n, cells.offsets[k + 1] - 1)
                for p in range(log_shares.size):
                    square = (cells.mean[u, k] - parameters.means[p, k]) ** 2
                    distance = tables[row, p, 1] * square + tables[row, p, 2] * cells.m2[u, k]
                    resp[u, p] += tables[row, p, 0] - distance
                longer = n - (row - cells.offsets[k])
                if longer > 0:
                    beyond = longer * LOG_TWO_PI + math.log(n / (n - longer))
                    for p in range(log_shares.size):
                        resp[u, p] -= 0.5 * (beyond + longer * parameters.log_within[p, k])
        loglik += softmax_row(resp, u)
        _add_user(u, parameters.means, levels, cells, resp, sums)
    return loglik


@jit
def _add_user(
    u: int, means: np.ndarray, levels: np.ndarray, cells: Cells, resp: np.ndarray, sums: Sums
) -> None:
    """Count one user, by responsibility, in the sums; what the level explains is taken out."""
    for p in range(resp.shape[1]):
        sums.person[p, 0] += resp[u, p] * (levels[p, 0] ** 2 + levels[p, 1])
        sums.person[p, 1] += resp[u, p]
    for k in range(cells.counts.shape[1]):
        n = cells.counts[u, k]
        if n > 0:
            row = min(cells.offsets[k] + n, cells.offsets[k + 1] - 1)
            for p in range(resp.shape[1]):
                deviation = cells.mean[u, k] - means[p, k] - levels[p, 0]
                sums.weight[row, p] += resp[u, p]
                sums.first[row, p] += resp[u, p] * deviation
                sums.second[row, p] += resp[u, p] * (deviation**2 + levels[p, 1])
            if n > 1:  # one answer says nothing of how a person's answers differ
                for p in range(resp.shape[1]):
                    sums.within[k, p, 0] += resp[u, p] * cells.m2[u, k]
                    sums.within[k, p, 1] += resp[u, p] * (n - 1)


@jit
def _accumulate(
    parameters: Parameters, cells: Cells, tables: np.ndarray, resp: np.ndarray, sums: Sums
) -> None:
    """Count all users in the sums."""
    levels = np.empty((resp.shape[1], 3))
    for u in range(cells.counts.shape[0]):
        _levels(u, parameters, cells, tables, levels)
        _add_user(u, parameters.means, levels, cells, resp, sums)


@jit
def _raise(parameters: Parameters, offsets: np.ndarray, sums: Sums) -> None:
    """Raise the expected log-likelihood in place: means, variances, and their centres in turn."""
    unit = parameters.log_unit
    for p in range(parameters.level.size):
        means, log_between = parameters.means[p], parameters.log_between[p]
        log_within = parameters.log_within[p]
        spread = math.sqrt(math.exp(parameters.between[p]) + math.exp(parameters.within[p]))
        for k in range(means.size):
            cell = (k, p, offsets[k], offsets[k + 1])
            pair = (log_between[k], log_within[k])
            means[k] = move_mean(means[k], (parameters.level[p], spread), pair, sums, cell)
            prior = (parameters.between[p], VARIANCE_SPREAD)
            log_between[k] = better_variance(0, pair, prior, unit, sums, cell)
            pair = (log_between[k], log_within[k])
            prior = (parameters.within[p], VARIANCE_SPREAD)
            log_within[k] = better_variance(1, pair, prior, unit, sums, cell)
        parameters.level[p] = means.mean()
        _move_centres(parameters, p)
        if parameters.log_person[p] > -np.inf:
            squares = sums.person[p, 0] + PERSON_USERS * PERSON_SHARE * math.exp(unit)
            parameters.log_person[p] = math.log(squares / (sums.person[p, 1] + PERSON_USERS))


@jit
def _move_centres(parameters: Parameters, p: int) -> None:
    """Move the centres of the log variances to the items' mean, as far as the prior rises."""
    between, within = parameters.between[p], parameters.within[p]
    value = _centre_value(parameters, p, between, within)
    step = 1.0
    for _ in range(8):
        new_between = between + step * (parameters.log_between[p].mean() - between)
        new_within = within + step * (parameters.log_within[p].mean() - within)
        if _centre_value(parameters, p, new_between, new_within) >= value:
            parameters.between[p], parameters.within[p] = new_between, new_within
            return
        step *= 0.5


@jit
def _centre_value(parameters: Parameters, p: int, between: float, within: float) -> float:
    """Return the log prior of one cluster: items vary as much as single rewards do."""
    n_actions = parameters.means.shape[1]
    variance = math.exp(between) + math.exp(within)
    value = -0.5 * ((parameters.means[p] - parameters.level[p]) ** 2).sum() / variance
    value -= 0.5 * n_actions * math.log(variance)
    squares = ((parameters.log_between[p] - between) ** 2).sum()
    squares += ((parameters.log_within[p] - within) ** 2).sum()
    value -= 0.5 * squares / VARIANCE_SPREAD**2
    unit = parameters.log_unit
    return value - 0.5 * ((between - unit) ** 2 + (within - unit) ** 2) / CENTRE_SPREAD**2


@jit
def _complexity(parameters: Parameters, offsets: np.ndarray, sums: Sums) -> float:
    """Sum the costs of means, log variances and their centres."""
    n_clusters, n_actions = parameters.means.shape
    unit = parameters.log_unit
    cost = 0.0
    for p in range(n_clusters):
        centres = (parameters.between[p], parameters.within[p])
        spread = math.sqrt(math.exp(centres[0]) + math.exp(centres[1]))
        for k in range(n_actions):
            cell = (k, p, offsets[k], offsets[k + 1])
            pair = (parameters.log_between[p, k], parameters.log_within[p, k])
            distance = parameters.means[p, k] - parameters.level[p]
            cost += parameter_cost(distance, spread, mean_information(pair, sums, cell))
            for which in range(2):
                information = -slopes(which, pair, sums, cell)[1]
                cost += parameter_cost(pair[which] - centres[which], VARIANCE_SPREAD, information)
        cost += parameter_cost(0.0, math.exp(0.5 * unit), n_actions / spread**2)
        if parameters.log_person[p] > -np.inf:
            cost += parameter_cost(0.0, 1.0, 0.5 * sums.person[p, 1])
        for centre in centres:
            information = n_actions / VARIANCE_SPREAD**2
            cost += parameter_cost(centre - unit, CENTRE_SPREAD, information)
    return cost
