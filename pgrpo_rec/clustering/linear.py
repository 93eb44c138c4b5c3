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

Shapes: n answers, U users, K items, P clusters, D = d + 1 columns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.clustering.memory import Kept
from pgrpo_rec.clustering.statistics import softmax_row
from pgrpo_rec.clustering.users import is_binary
from pgrpo_rec.evidence import NO_COMMON_PART, choose_priors
from pgrpo_rec.natural import (
    FIRST_RIDGE,
    Fit,
    Priors,
    Sums,
    empty_fit,
    empty_sums,
    refresh,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TUNE_AT = (2, 12)  # EM passes before which the ridges are chosen anew
EDGE = 0.1  # expected rates stay so far from 0 and 1, as a share of the cluster's own distance
NEGLIGIBLE = 1e-4  # of an answer in a cluster: not worth adding up
SETTLED = 1e-3  # change of responsibilities, summed over clusters, a user, that does not matter
CERTAIN = 1e-12  # the least that a cluster can be likely: anyone may be placed anew


class LinearParameters(NamedTuple):
    """Of the P clusters: shares and unit of rewards, and the fit of the standardised ones."""

    shares: Floats  # (P,)
    mean: Floats  # (P,)
    std: Floats  # (P,)
    fit: Fit
    priors: Priors


class LinearFit(NamedTuple):
    """``parameters``, responsibilities (U, P), log-likelihood and EM passes."""

    parameters: LinearParameters
    resp: Floats
    loglik: float
    n_iter: int


class Effort(NamedTuple):
    """``n_init`` fresh starts, EM passes at most, change of responsibilities at which EM stops."""

    n_init: int
    max_iter: int
    tol: float


def run_em(
    kept: Kept,
    shape: tuple[int, int],
    resp: Floats,
    priors: Priors | None,
    binary: bool,
    effort: Effort,
) -> LinearFit:
    """Repeat EM passes until the responsibilities change by less than ``tol`` a user."""
    n_users, n_items = shape
    for n_iter in range(1, effort.max_iter + 1):
        parameters = m_step(kept, n_items, resp, priors, tune=n_iter in TUNE_AT)
        priors = parameters.priors
        new, loglik = e_step(kept, n_users, parameters, binary)
        change = np.abs(new - resp).sum() / n_users
        resp = new
        if change < effort.tol and n_iter > TUNE_AT[0]:
            break
    return LinearFit(parameters, resp, loglik, n_iter)


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
    kept: Kept, n_users: int, parameters: LinearParameters, binary: bool
) -> tuple[Floats, float]:
    """Return responsibilities, shape (U, P), and the log-likelihood of all answers."""
    scores = users_loglik(kept, n_users, parameters, binary) + np.log(parameters.shares)
    return scores, float(normalise(scores))


def users_loglik(kept: Kept, n_users: int, parameters: LinearParameters, binary: bool) -> Floats:
    """Return the log density of each user's answers in each cluster, shape (U, P)."""
    total = np.zeros((n_users, parameters.shares.size))
    p = parameters
    add_loglik(total, kept, p.fit.beta, p.fit.covariance, p.fit.noise, p.mean, p.std, binary)
    return total


def predictive(judged: Kept, fit: LinearFit, n_users: int) -> Floats:
    """Return the log density of each user's new answers given the old ones, shape (U,)."""
    new = users_loglik(judged, n_users, fit.parameters, is_binary(judged.rewards))
    return log_mean(fit.resp, new)


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
    total: Floats,
    kept: Kept,
    beta: Floats,
    covariance: Floats,
    noise: Floats,
    mean: Floats,
    std: Floats,
    binary: bool,
) -> None:
    """Add the log predictive density of answers to ``total`` (U, P) of their users."""
    n_columns = kept.z.shape[1]
    for i in range(kept.rewards.size):
        k = kept.actions[i]
        for p in range(total.shape[1]):
            expected = reach = 0.0
            for j in range(n_columns):
                expected += beta[p, k, j] * kept.z[i, j]
                inner = covariance[p, k, j, j] * kept.z[i, j]
                for m in range(j):
                    inner += 2.0 * covariance[p, k, j, m] * kept.z[i, m]
                reach += inner * kept.z[i, j]
            variance = noise[p, k] * (1.0 + max(reach, 0.0))
            total[kept.users[i], p] += log_density(
                kept.rewards[i], expected, variance, mean[p], std[p], binary
            )


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
def normalise(scores: Floats) -> float:
    """Turn rows of log scores into probabilities, in place; return the sum of their logs."""
    loglik = 0.0
    for u in range(scores.shape[0]):
        loglik += softmax_row(scores, u)
    return loglik


def _first_priors(n_clusters: int, n_columns: int, smaller: Priors | None) -> Priors:
    """Return ridges to begin with: what a smaller fit found, else half a deviation an item."""
    ridge = np.full(3, FIRST_RIDGE) if smaller is None else np.median(smaller.own, axis=0)
    common = ridge.copy() if n_clusters > 1 else np.full(3, NO_COMMON_PART)
    kinds = np.minimum(np.arange(n_columns), 1)  # no products of features here
    return Priors(common, np.tile(2.0 * ridge, (n_clusters, 1)), np.ones(n_clusters), kinds)
