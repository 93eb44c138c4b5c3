r"""Clusters of users by how they respond to features: a mixture of linear regressions.

In cluster p a reward for item k follows the features z of the visit (the constant first),

.. math:: (r - \mu_p) / \sigma_p = \beta_{pk} \cdot z + \text{noise}, \qquad
          \beta_{pk} \sim N(\beta_{0k}, s_p^2 R_p^{-1}),

the model of `pgrpo_rec.natural`: clusters are shrunk towards what they have in common, by
ridges that the evidence chooses (`pgrpo_rec.evidence`). Groups that like every item equally
well but respond to features in opposite ways are told apart here, and only here.

EM (Dempster, Laird & Rubin 1977) goes over kept answers: per user the sums would take K D^2
numbers. An answer is judged by its predictive density, in which what is not known of a
cluster counts as noise; answers of 0 and 1 by the expected rate, held within (0, 1). Where EM
begins, and how many clusters there are, is for `pgrpo_rec.clustering.linear_search`.

A cluster's fit leans towards the people in it, so that everybody seems to belong where they
are: with few answers for each coefficient EM would stay where it begins. So an answer that is in
the fit is judged by the fit without it, where its residual is

.. math:: e / (1 - w\, z^T W_p z - z^T W_p R_p C R_p W_p z),

for its pull on the cluster, by its weight w there, and on the common part of all. The former is
exact (Cook & Weisberg 1982), the latter as if the answer missed all clusters alike.

Shapes: n answers, U users, K items, P clusters, D = d + 1 columns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import quadratic
from pgrpo_rec.clustering.memory import Kept
from pgrpo_rec.clustering.statistics import softmax_row
from pgrpo_rec.evidence import NO_COMMON_PART, choose_priors
from pgrpo_rec.natural import FIRST_RIDGE, Fit, Priors, Sums, empty_fit, empty_sums, refresh
from pgrpo_rec.readout import BLOCK, fill, products, squares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AT_LEAST = 3  # EM passes: ridges are chosen before the second, and one has to follow
EDGE = 0.1  # expected rates stay so far from 0 and 1, as a share of the cluster's own distance
NEGLIGIBLE = 1e-4  # of an answer in a cluster: not worth adding up
SETTLED = 1e-3  # change of responsibilities, summed over clusters, a user, that does not matter
STALLED = 5  # EM passes in a row that may bring nothing: left-out fits need not rise at each
LEAST_RISE = 0.1  # nats that a pass must bring
MOST_PULL = 0.95  # of an answer on its own expectation: beyond, the formula is of no use
CERTAIN = 1e-12  # the least that a cluster can be likely: anyone may be placed anew


class LinearParameters(NamedTuple):
    """Of the P clusters: shares and unit of rewards, and the fit of the standardised ones."""

    shares: Floats  # (P,)
    mean: Floats  # (P,)
    std: Floats  # (P,)
    fit: Fit
    priors: Priors


class LinearFit(NamedTuple):
    """``parameters``, responsibilities (U, P), and how well left-out answers are predicted."""

    parameters: LinearParameters
    resp: Floats
    user_loglik: Floats  # (U,)

    @property
    def loglik(self) -> float:
        """Return the log-likelihood of all answers."""
        return float(self.user_loglik.sum())


class Task(NamedTuple):
    """What clusters are fitted to."""

    kept: Kept
    n_users: int
    n_items: int
    binary: bool


class Effort(NamedTuple):
    """What a search may cost."""

    n_init: int  # fresh starts
    max_iter: int  # EM passes at most
    tol: float  # change of responsibilities a user at which EM stops
    tune_at: tuple[int, ...] = (2, 12)  # EM passes before which the ridges are chosen anew


def run_em(task: Task, resp: Floats, priors: Priors | None, effort: Effort) -> LinearFit:
    """Repeat EM passes until responsibilities settle or the likelihood stalls; return the best."""
    best, stalled = None, 0
    for n_iter in range(1, effort.max_iter + 1):
        tune = n_iter in effort.tune_at
        parameters = m_step(task.kept, task.n_items, resp, priors, tune=tune)
        priors = parameters.priors
        new, user_loglik = e_step(task.kept, resp, parameters, task.binary)
        change = np.abs(new - resp).sum() / task.n_users
        resp, fit = new, LinearFit(parameters, new, user_loglik)
        stalled = 0 if best is None or fit.loglik > best.loglik + LEAST_RISE else stalled + 1
        if best is None or fit.loglik > best.loglik:
            best = fit
        if (change < effort.tol or stalled == STALLED) and n_iter >= AT_LEAST:
            break
    assert best is not None
    return best


def m_step(
    kept: Kept, n_items: int, resp: Floats, priors: Priors | None, *, tune: bool
) -> LinearParameters:
    """Return the fit of the answers, each counted in the clusters its user may be of."""
    n_clusters, n_columns = resp.shape[1], kept.z.shape[1]
    sums = empty_sums(n_clusters, n_items, n_columns)
    add_weighted(sums, kept, resp)
    mean, std = reward_units(sums)
    fit = empty_fit(n_clusters, n_items, n_columns)
    stale = np.ones((n_clusters, n_items), dtype=np.bool_)
    if priors is None or priors.noise.size != n_clusters:
        priors = _first_priors(n_clusters, n_columns, priors)
    refresh(fit, sums, stale, mean, std, priors)
    if tune:
        priors = choose_priors(sums, fit, mean, std, priors)
        refresh(fit, sums, stale, mean, std, priors)
    shares = (resp.sum(axis=0) + 1.0) / (resp.shape[0] + n_clusters)
    return LinearParameters(shares, mean, std, fit, priors)


def e_step(
    kept: Kept, resp: Floats, parameters: LinearParameters, binary: bool
) -> tuple[Floats, Floats]:
    """Return responsibilities, shape (U, P), and the log-likelihood of each user, shape (U,).

    ``resp``: those by which the answers are in the fit; each is judged without itself.
    """
    scores = np.tile(np.log(parameters.shares), (resp.shape[0], 1))
    add_left_out(scores, kept, resp, parameters.fit, parameters.mean, parameters.std, binary)
    return scores, normalise(scores)


def users_loglik(kept: Kept, n_users: int, parameters: LinearParameters, binary: bool) -> Floats:
    """Return the log density of each user's new answers in each cluster, shape (U, P)."""
    total = np.zeros((n_users, parameters.shares.size))
    add_loglik(total, kept, parameters.fit, parameters.mean, parameters.std, binary)
    return total


def log_mean(resp: Floats, loglik: Floats) -> Floats:
    """Return the log of the mean density over clusters, by responsibility, shape (n,)."""
    top = loglik.max(axis=1, keepdims=True)
    mean = (resp * np.exp(loglik - top)).sum(axis=1)
    return np.asarray(top[:, 0] + np.log(np.maximum(mean, 1e-300)))


def move(resp: Floats, loglik: Floats) -> Floats:
    """Return responsibilities (n, P) after new answers of these log densities (n, P)."""
    scores = np.log(np.maximum(resp, CERTAIN)) + loglik
    normalise(scores)
    return scores


def means(parameters: LinearParameters, z: Floats) -> Floats:
    """Return the expected reward of each item in each cluster at features z, shape (P, K)."""
    p = parameters
    return np.asarray(p.mean[:, None] + p.std[:, None] * (p.fit.beta @ z))


def reordered(parameters: LinearParameters, order: Ints) -> LinearParameters:
    """Return the parameters with cluster ``order[p]`` in place p."""
    shares, mean, std, fit, priors = parameters
    return LinearParameters(
        shares[order],
        mean[order],
        std[order],
        fit._replace(
            inverse=fit.inverse[order],
            beta=fit.beta[order],
            covariance=fit.covariance[order],
            noise=fit.noise[order],
        ),
        priors._replace(own=priors.own[order], noise=priors.noise[order]),
    )


def reward_units(sums: Sums) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each cluster's rewards, shapes (P,)."""
    heard = np.maximum(sums.heard.sum(axis=1), 1e-12)
    mean = sums.moment[:, :, 0].sum(axis=1) / heard
    variance = sums.square.sum(axis=1) / heard - mean**2
    return mean, np.sqrt(np.maximum(variance, 1e-12 * (1.0 + mean**2)))


@jit
def add_weighted(sums: Sums, kept: Kept, resp: Floats) -> None:
    """Fold answers into the sums of clusters, by the responsibilities (U, P) of their users."""
    n_columns = kept.z.shape[1]
    for i in range(kept.rewards.size):
        u, k, r = kept.users[i], kept.actions[i], kept.rewards[i]
        for p in range(resp.shape[1]):
            w = resp[u, p]
            if w < NEGLIGIBLE:
                continue
            sums.heard[p, k] += w
            sums.square[p, k] += w * r * r
            for j in range(n_columns):
                weighted = w * kept.z[i, j]
                sums.moment[p, k, j] += weighted * r
                for m in range(j + 1):
                    sums.gram[p, k, j, m] += weighted * kept.z[i, m]
    for p, k in np.ndindex(sums.heard.shape):
        for j in range(n_columns):
            for m in range(j):
                sums.gram[p, k, m, j] = sums.gram[p, k, j, m]


@jit
def add_loglik(
    total: Floats, kept: Kept, fit: Fit, mean: Floats, std: Floats, binary: bool
) -> None:
    """Add the log predictive density of answers that are new to ``total`` (U, P)."""
    for i in range(kept.rewards.size):
        k, z, r = kept.actions[i], kept.z[i], kept.rewards[i]
        for p in range(total.shape[1]):
            variance = fit.noise[p, k] * (1.0 + quadratic(fit.covariance[p, k], z))
            expected = inner(fit.beta[p, k], z)
            total[kept.users[i], p] += log_density(r, expected, variance, mean[p], std[p], binary)


@jit
def add_left_out(
    total: Floats, kept: Kept, resp: Floats, fit: Fit, mean: Floats, std: Floats, binary: bool
) -> None:
    """Add the log predictive density of answers, by the fit without each, to ``total`` (U, P).

    In blocks of answers of one item (`pgrpo_rec.readout`): fast where those are side by side.
    """
    n, n_columns = kept.z.shape
    columns, rows = np.empty((n_columns, BLOCK)), np.arange(n)
    value, room = np.empty(BLOCK), np.empty(BLOCK)
    own, reach = np.empty(BLOCK), np.empty(BLOCK)
    first = 0
    while first < n:
        k = kept.actions[first]
        size = fill(columns, kept.z, kept.actions, rows[first : first + BLOCK])
        for p in range(total.shape[1]):
            products(fit.beta[p, k], columns, size, value)
            squares(fit.inverse[p, k], columns, size, room, own)
            squares(fit.covariance[p, k], columns, size, room, reach)
            for b in range(size):
                u, r = kept.users[first + b], kept.rewards[first + b]
                pull = reach[b] - (1.0 - resp[u, p]) * own[b]
                left = 1.0 - min(pull, MOST_PULL)
                advantage = (r - mean[p]) / std[p]
                expected = advantage - (advantage - value[b]) / left
                variance = fit.noise[p, k] * (1.0 + max(reach[b], 0.0) / left)
                total[u, p] += log_density(r, expected, variance, mean[p], std[p], binary)
        first += size


@jit
def inner(left: Floats, right: Floats) -> float:
    """Return the inner product."""
    total = 0.0
    for j in range(left.size):
        total += left[j] * right[j]
    return total


@jit
def log_density(
    reward: float, expected: float, variance: float, mean: float, std: float, binary: bool
) -> float:
    """Return the log density of one reward; ``expected`` and ``variance`` are standardised."""
    if binary:
        rate = min(max(mean + std * expected, EDGE * mean), 1.0 - EDGE * (1.0 - mean))
        rate = min(max(rate, 1e-6), 1.0 - 1e-6)
        return math.log(rate) if reward > 0.0 else math.log(1.0 - rate)
    distance = (reward - mean) / std - expected
    return -0.5 * (math.log(2.0 * math.pi * variance) + distance * distance / variance) - math.log(
        std
    )


@jit
def normalise(scores: Floats) -> Floats:
    """Turn rows of log scores into probabilities, in place; return the logs of their sums."""
    loglik = np.empty(scores.shape[0])
    for u in range(scores.shape[0]):
        loglik[u] = softmax_row(scores, u)
    return loglik


def _first_priors(n_clusters: int, n_columns: int, smaller: Priors | None) -> Priors:
    """Return ridges to begin with: what a smaller mixture found, else half a deviation an item."""
    ridge = np.full(3, FIRST_RIDGE)
    if smaller is not None and smaller.noise.size > 1:  # one cluster does not differ from itself
        ridge = np.median(smaller.own, axis=0)
    common = ridge.copy() if n_clusters > 1 else np.full(3, NO_COMMON_PART)
    kinds = np.minimum(np.arange(n_columns), 1)  # no products of features here
    return Priors(common, np.tile(2.0 * ridge, (n_clusters, 1)), np.ones(n_clusters), kinds)
