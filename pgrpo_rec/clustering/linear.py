r"""Clusters of users by how they respond to features: a mixture of linear regressions.

In cluster p a reward for item k follows the features z of the visit (the constant first),

.. math:: (r - \mu_p) / \sigma_p = \beta_{pk} \cdot z + \text{noise}, \qquad
          \beta_{pk} \sim N(\beta_{0k}, s_p^2 R_p^{-1}),

the model of `pgrpo_rec.natural`: clusters are shrunk towards what they have in common, by
ridges that the evidence chooses (`pgrpo_rec.evidence`). Groups that like every item equally
well but respond to features in opposite ways are told apart here, and only here.

EM (Dempster, Laird & Rubin 1977) goes over kept answers: per user the sums would take K D^2
numbers. An answer is judged by its predictive density, in which what is not known of a
cluster counts as noise; answers of 0 and 1 by the expected rate, held within (0, 1). The
first guess decides (with a random one nothing is found before users have answered as often
as there are parameters to a cluster): it is spectral. A user's residuals from the pooled
fit, times their features, are summed by item; all users' vectors lie near a plane of P
dimensions, which a singular value decomposition finds long before any one vector says
anything (Vempala & Wang 2004).

The number of clusters is chosen on answers held out: one more must predict them better, by
more than twice the standard error over users.

Shapes: n answers, U users, K items, P clusters, D = d + 1 columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from pgrpo_rec._numba import jit
from pgrpo_rec.clustering.memory import Kept, take_answers
from pgrpo_rec.clustering.starts import seeded, split
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

SHORT_RUN = 6  # EM passes after which starts are compared
TUNE_AT = (2, 12)  # EM passes before which the ridges are chosen anew
SAMPLE_SIZE = 20_000  # answers on which starts are tried and the number is chosen
HELD_OUT = 5  # every so many-th answer of a user is held out to choose the number of clusters
PATIENCE = 2  # numbers of clusters that may fail to be better before the search ends
ERRORS = 2.0  # standard errors by which one more cluster must predict better
LEAST_GAIN = 5.0  # nats over all that is held out: two copies of one cluster gain nothing, surely
EDGE = 0.1  # expected rates stay so far from 0 and 1, as a share of the cluster's own distance
NEGLIGIBLE = 1e-4  # of an answer in a cluster: not worth adding up
SETTLED = 1e-3  # change of responsibilities, summed over clusters, a user, that does not matter
CERTAIN = 1e-12  # the least that a cluster can be likely: anyone may be placed anew
OUTLIER = 4.0  # residuals count no more than this in the first guess


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


def fit_linear(
    kept: Kept,
    n_users: int,
    n_items: int,
    n_clusters: int | None,
    max_clusters: int,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None = None,
) -> tuple[LinearFit, list[tuple[int, float, float]]]:
    """Fit the wanted number of clusters, or the number that predicts best.

    Parameters
    ----------
    kept : Kept
    n_users, n_items : int
    n_clusters : int or None
        None: chosen on answers held out.
    max_clusters : int
    effort : Effort
    rng : Generator
    previous : ndarray, shape (U, P), optional
        Responsibilities to start from, beside the fresh starts.

    Returns
    -------
    tuple of LinearFit and, for each number tried, (number, log-likelihood of the answers held
    out, gain over the best smaller number in standard errors)
    """
    shape = (n_users, n_items)
    sample = _sample(kept, n_users, rng)
    if n_clusters is None:
        chosen, trials = _choose(sample, shape, max_clusters, effort, rng, previous)
    else:
        chosen, trials = _grow_to(n_clusters, sample, shape, effort, rng, previous)[-1], []
    binary = is_binary(kept.rewards)
    resp, _ = e_step(kept, n_users, chosen.parameters, binary)
    return run_em(kept, shape, resp, chosen.parameters.priors, binary, effort), trials


def _sample(kept: Kept, n_users: int, rng: np.random.Generator) -> Kept:
    """Return all answers of as many users as give `SAMPLE_SIZE` answers."""
    if kept.users.size <= SAMPLE_SIZE:
        return kept
    order = rng.permutation(n_users)
    count = np.bincount(kept.users, minlength=n_users)[order]
    within = np.zeros(n_users, dtype=np.bool_)
    within[order[np.cumsum(count) <= max(SAMPLE_SIZE, count[0])]] = True
    return take_answers(kept, within[kept.users])


def _choose(
    kept: Kept,
    shape: tuple[int, int],
    max_clusters: int,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> tuple[LinearFit, list[tuple[int, float, float]]]:
    """Fit 1, 2, ... clusters; return the fit that predicts answers held out, and the table."""
    n_users = shape[0]
    held = _held_out(kept.users, n_users)
    learned, judged = take_answers(kept, ~held), take_answers(kept, held)
    trials: list[tuple[int, float, float]] = []
    fits: list[LinearFit] = []
    best, values = 0, np.zeros((0, n_users))
    for number in range(1, max_clusters + 1):
        fits.append(_next(number, fits, learned, shape, effort, rng, previous))
        value = predictive(judged, fits[-1], n_users)
        values = np.vstack([values, value])
        gain = value - values[best]
        error = max(float(gain.std()) * math.sqrt(n_users), 1e-12)
        trials.append((number, float(value.sum()), float(gain.sum()) / error))
        if number == 1 or (trials[-1][2] > ERRORS and gain.sum() > LEAST_GAIN):
            best = number - 1
        elif number - 1 - best >= PATIENCE:
            break
    return fits[best], trials


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


def spectral_features(
    kept: Kept, shape: tuple[int, int], pooled: LinearFit, number: int, rng: np.random.Generator
) -> Floats:
    """Return what first guesses measure distance by, shape (U, number + 2).

    The users' residuals times features, by item, on the leading singular directions; and the
    users' mean and spread of residuals, for groups may differ in nothing but scale.
    """
    n_users, n_items = shape
    n_columns = kept.z.shape[1]
    residual = _residuals(kept, pooled.parameters)
    count = np.maximum(np.bincount(kept.users, minlength=n_users), 1)
    weight = (np.clip(residual, -OUTLIER, OUTLIER) / np.sqrt(count[kept.users]))[:, None]
    rows = np.repeat(kept.users, n_columns)
    columns = kept.actions[:, None] * n_columns + np.arange(n_columns)
    scale = np.maximum(np.sqrt((kept.z**2).mean(axis=0)), 1e-12)
    values = (weight * kept.z / scale).ravel()
    size = (n_users, n_items * n_columns)
    vectors = coo_array((values, (rows, columns.ravel())), shape=size).tocsr()
    n_directions = min(number, *size)
    with threadpool_limits(1):  # sums over threads would depend on their number
        left, strength, _ = randomized_svd(
            vectors, n_directions, random_state=int(rng.integers(2**31))
        )
    level = np.bincount(kept.users, residual, n_users) / count
    spread = 0.5 * np.log(np.bincount(kept.users, residual**2, n_users) / count + 0.1)
    extra = np.column_stack([level, spread]) * np.sqrt(count)[:, None] / math.sqrt(n_items)
    return np.column_stack([left * strength, extra])


def _residuals(kept: Kept, parameters: LinearParameters) -> Floats:
    """Return the residuals from a fit of one cluster, in standard deviations of the noise."""
    fit = parameters.fit
    expected = np.einsum("nj,nj->n", fit.beta[0, kept.actions], kept.z)
    advantage = (kept.rewards - parameters.mean[0]) / parameters.std[0]
    return np.asarray((advantage - expected) / np.sqrt(fit.noise[0, kept.actions]))


def _held_out(users: Ints, n_users: int) -> NDArray[np.bool_]:
    """Return which answers are held out: every so many-th of a user."""
    order = np.argsort(users, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])[:-1]
    turn = np.empty(users.size, dtype=np.int64)
    turn[order] = np.arange(users.size) - starts[users[order]]
    return turn % HELD_OUT == HELD_OUT - 1


def _first_priors(n_clusters: int, n_columns: int, smaller: Priors | None) -> Priors:
    """Return ridges to begin with: what a smaller fit found, else half a deviation an item."""
    ridge = np.full(3, FIRST_RIDGE) if smaller is None else np.median(smaller.own, axis=0)
    common = ridge.copy() if n_clusters > 1 else np.full(3, NO_COMMON_PART)
    kinds = np.minimum(np.arange(n_columns), 1)  # no products of features here
    return Priors(common, np.tile(2.0 * ridge, (n_clusters, 1)), np.ones(n_clusters), kinds)


def _grow_to(
    number: int,
    kept: Kept,
    shape: tuple[int, int],
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> list[LinearFit]:
    fits: list[LinearFit] = []
    for p in range(1, number + 1):
        fits.append(_next(p, fits, kept, shape, effort, rng, previous))
    return fits


def _next(
    number: int,
    fits: list[LinearFit],
    kept: Kept,
    shape: tuple[int, int],
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> LinearFit:
    """Fit one cluster more than the last fit has: try all starts briefly, then the best."""
    binary = is_binary(kept.rewards)
    if number == 1:
        return run_em(kept, shape, np.ones((shape[0], 1)), None, binary, effort)
    priors = fits[-1].parameters.priors
    short = effort._replace(max_iter=SHORT_RUN)
    runs = [
        run_em(kept, shape, resp, priors, binary, short)
        for resp in _starts(number, fits, kept, shape, effort.n_init, rng, previous)
    ]
    leader = max(runs, key=lambda run: run.loglik)
    return run_em(kept, shape, leader.resp, leader.parameters.priors, binary, effort)


def _starts(
    number: int,
    fits: list[LinearFit],
    kept: Kept,
    shape: tuple[int, int],
    n_init: int,
    rng: np.random.Generator,
    previous: Floats | None,
) -> Iterator[Floats]:
    """Yield responsibilities: the last ones, all clusters seeded afresh, and one split in two."""
    if previous is not None and previous.shape[1] == number:
        yield previous
    features = spectral_features(kept, shape, fits[0], number, rng)
    for _ in range(n_init):
        yield seeded(features, number, rng)
    for p in range(number - 1):
        if number > 2:
            yield split(features, fits[-1].resp, p, rng)
