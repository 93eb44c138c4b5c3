r"""Natural steps: the least-squares fit of the advantages, and what it leaves uncertain.

For a softmax policy that is linear in features, the natural gradient is the least-squares
fit of the advantages on the features (Kakade 2001). Here the fit is kept whole, as sums a
cluster and item, so every answer ever heard is used once and not forgotten. Of item k,

.. math::
    A = z \cdot \beta_p + \text{noise}, \qquad
    \beta_p \sim N(\beta_0, s^2 R_p^{-1}), \qquad \beta_0 \sim N(0, s^2 R_0^{-1}),

so a small cluster borrows from all, and a large one speaks for itself (Lindley & Smith
1972). With :math:`G_p = \sum z z^T` and :math:`m_p = \sum z A` the posterior is exact:

.. math::
    W_p = (G_p + R_p)^{-1}, \quad
    C = \Big(R_0 + \sum_p (R_p - R_p W_p R_p)\Big)^{-1}, \quad
    \beta_0 = C \sum_p R_p W_p m_p, \\
    \beta_p = W_p (m_p + R_p \beta_0), \quad
    \mathrm{cov}\,\beta_p = s^2 (W_p + W_p R_p C R_p W_p).

The sums are of raw rewards; a cluster's history :math:`(\mu_p, \sigma_p)` makes advantages of
them at the readout, so they follow the history as it moves, and the units of a cluster's
rewards never matter. The ridges ``R`` (one value for the constant, one for the slopes) and
the noise are chosen by the evidence (`pgrpo_rec.evidence`): a sparse cluster, whose items
differ little in standard deviations, is explored less wildly, and clusters that have nothing
in common share nothing. An item of which nothing is known is expected at advantage 0, the
level of what is shown now; most items are worse, so this is optimism, and it explores.

The policy goes to the posterior-sampling probabilities (`pgrpo_rec.posterior`) of this fit,
sharpened (`pgrpo_rec.estimators.book`).

Shapes: P clusters, K items, D = d + 1 features with the constant first, n visits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import invert, multiply
from pgrpo_rec.readout import NARROWEST, read_linear

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RIDGES = np.geomspace(0.5, 20_000.0, 11)  # candidates, in units of the noise variance
INFINITE = 1e9  # a ridge so large that a coefficient is nothing
FIRST_RIDGE = 4.0  # before anything is known: items differ by half a standard deviation
NOISE_PRIOR = 8.0  # answers that a cluster's noise is worth against an item's own


class Sums(NamedTuple):
    """Sufficient statistics of all answers heard."""

    heard: Floats  # (P, K), number of answers
    gram: Floats  # (P, K, D, D)
    moment: Floats  # (P, K, D), of raw rewards
    square: Floats  # (P, K), of raw rewards


class Priors(NamedTuple):
    """What is assumed of coefficients, in units of the noise: constant, slopes, products."""

    common: Floats  # (3,): ridge of the common part
    own: Floats  # (P, 3): ridge of each cluster's deviation from it
    noise: Floats  # (P,): variance of a cluster's standardised rewards around the fit
    kinds: Ints  # (D,): 0 for the constant, 1 for a feature, 2 for a product of features


class Fit(NamedTuple):
    """The readout: what the advantages are taken to be, in standard deviations."""

    inverse: Floats  # (P, K, D, D): W
    common_inverse: Floats  # (K, D, D): C
    common: Floats  # (K, D): beta_0
    beta: Floats  # (P, K, D)
    covariance: Floats  # (P, K, D, D), without the noise
    noise: Floats  # (P, K): variance of a standardised reward around the fit


def empty_sums(n_clusters: int, n_items: int, n_columns: int) -> Sums:
    """Return sums of nothing."""
    return Sums(
        np.zeros((n_clusters, n_items)),
        np.zeros((n_clusters, n_items, n_columns, n_columns)),
        np.zeros((n_clusters, n_items, n_columns)),
        np.zeros((n_clusters, n_items)),
    )


def first_columns(sums: Sums, n_columns: int) -> Sums:
    """Return the sums of the first columns alone."""
    if n_columns == sums.moment.shape[2]:
        return sums
    gram = np.ascontiguousarray(sums.gram[:, :, :n_columns, :n_columns])
    return sums._replace(gram=gram, moment=np.ascontiguousarray(sums.moment[:, :, :n_columns]))


def empty_fit(n_clusters: int, n_items: int, n_columns: int) -> Fit:
    """Return room for a fit."""
    square = (n_clusters, n_items, n_columns, n_columns)
    return Fit(
        np.zeros(square),
        np.zeros(square[1:]),
        np.zeros(square[1:3]),
        np.zeros(square[:3]),
        np.zeros(square),
        np.ones(square[:2]),
    )


@jit
def add_answers(
    sums: Sums, z: Floats, clusters: Ints, actions: Ints, rewards: Floats, weights: Floats
) -> None:
    """Fold n answers into the sums, each as often as its weight says."""
    for i in range(rewards.size):
        p, k, r, w, x = clusters[i], actions[i], rewards[i], weights[i], z[i]
        gram, moment = sums.gram[p, k], sums.moment[p, k]
        sums.heard[p, k] += w
        sums.square[p, k] += w * r * r
        for j in range(x.size):
            weighted, row = w * x[j], gram[j]
            moment[j] += weighted * r
            for m in range(x.size):
                row[m] += weighted * x[m]


@jit
def weights_left(clusters: Ints, n_clusters: int, kept: float) -> Floats:
    """Return how much of each answer is left, when each visit leaves ``kept`` of a cluster's."""
    left, weights = np.ones(n_clusters), np.empty(clusters.size)
    for i in range(clusters.size - 1, -1, -1):
        weights[i] = left[clusters[i]]
        left[clusters[i]] *= kept
    return weights


@jit
def ridged(gram: Floats, ridge: Floats) -> Floats:
    """Return the first rows and columns of ``gram``, as many as there are ridges, plus these."""
    n = ridge.size
    total = np.empty((n, n))
    for j in range(n):
        for m in range(n):
            total[j, m] = gram[j, m]
        total[j, j] += ridge[j]
    return total


@jit
def invert_ridged(gram: Floats, ridge: Floats, inverse: Floats) -> None:
    """Write the inverse of ``gram + diag(ridge)``; last columns of infinite ridge cost nothing."""
    n = ridge.size
    while n > 1 and ridge[n - 1] >= INFINITE:
        n -= 1
    invert(ridged(gram, ridge[:n]), inverse)
    for j in range(n, ridge.size):
        inverse[j] = 0.0
        inverse[:, j] = 0.0
        inverse[j, j] = 1.0 / ridge[j]


@jit
def ridge_of(values: Floats, kinds: Ints) -> Floats:
    """Return the diagonal of a ridge: each column's, by its kind."""
    diagonal = np.empty(kinds.size)
    for j in range(kinds.size):
        diagonal[j] = values[kinds[j]]
    return diagonal


def widened(priors: Priors, factor: float) -> Priors:
    """Return priors with the ridges of the constant and of features times a factor.

    Ridges that are infinite stay so, and products of features keep theirs.
    """
    common, own = priors.common.copy(), priors.own.copy()
    for ridges in (common[:2], own[:, :2]):
        ridges[ridges < INFINITE] *= factor
    return priors._replace(common=common, own=own)


@jit
def standardised(sums: Sums, p: int, k: int, mean: float, std: float) -> tuple[Floats, float]:
    """Return moment and square of one item's advantages."""
    moment = np.empty(sums.moment.shape[2])
    for j in range(moment.size):
        moment[j] = (sums.moment[p, k, j] - mean * sums.gram[p, k, 0, j]) / std
    raw = sums.square[p, k] - 2.0 * mean * sums.moment[p, k, 0]
    raw += mean * mean * sums.gram[p, k, 0, 0]
    return moment, max(raw, 0.0) / (std * std)


@jit
def residual_square(gram: Floats, moment: Floats, square: float, beta: Floats) -> float:
    """Return the sum of squared residuals at ``beta``, of as many columns as this has."""
    total, explained = square, np.empty(beta.size)
    multiply(gram, beta, explained)
    for j in range(beta.size):
        total += beta[j] * (explained[j] - 2.0 * moment[j])
    return max(total, 0.0)


@jit
def pass_on(
    inverse: Floats, ridge: Floats, moment: Floats, precision: Floats, told: Floats, unit: float
) -> None:
    """Add what a cluster tells of the common part: precision ``R - R W R``, and ``R W m / unit``.

    Parameters
    ----------
    inverse, ridge, moment : ndarray of float64, shapes (D, D), (D,) and (D,)
        W, the diagonal of R, and m.
    precision, told : ndarray of float64, shapes (D, D) and (D,)
        Added to.
    unit : float
    """
    n = ridge.size
    for j in range(n):
        for m in range(n):
            precision[j, m] -= ridge[j] * inverse[j, m] * ridge[m]
            told[j] += ridge[j] * inverse[j, m] * moment[m] / unit
        precision[j, j] += ridge[j]


@jit
def refresh(fit: Fit, sums: Sums, stale: Bools, mean: Floats, std: Floats, priors: Priors) -> None:
    """Bring a fit up to date with the sums and the histories.

    Parameters
    ----------
    fit : Fit
        Written to.
    sums : Sums
    stale : ndarray of bool, shape (P, K)
        Where sums or ridges have changed; elsewhere the inverses still hold.
    mean, std : ndarray of float64, shape (P,)
        The clusters' histories; they may move at every call.
    priors : Priors
        An item's own noise is shrunk towards its cluster's, which is worth `NOISE_PRIOR`
        answers: clicks vary more where there are many.
    """
    n_clusters, n_items, n_columns = sums.moment.shape
    common_ridge = ridge_of(priors.common, priors.kinds)
    apart = priors.common[0] >= INFINITE and priors.common[1] >= INFINITE
    precision = np.empty((n_columns, n_columns))
    told = np.empty(n_columns)
    for k in range(n_items):
        any_stale = False
        precision[:] = 0.0
        told[:] = 0.0
        for p in range(n_clusters):
            ridge = ridge_of(priors.own[p], priors.kinds)
            if stale[p, k]:
                any_stale = True
                invert_ridged(sums.gram[p, k], ridge, fit.inverse[p, k])
            if apart:
                continue
            scale = std[p] if std[p] > 0.0 else 1.0
            moment, _ = standardised(sums, p, k, mean[p], scale)
            pass_on(fit.inverse[p, k], ridge, moment, precision, told, 1.0)
        if any_stale:
            invert_ridged(precision, common_ridge, fit.common_inverse[k])
        multiply(fit.common_inverse[k], told, fit.common[k])
        for p in range(n_clusters):
            _finish(fit, sums, p, k, mean[p], std[p], priors, any_stale, apart)


@jit
def _finish(
    fit: Fit,
    sums: Sums,
    p: int,
    k: int,
    mean: float,
    std: float,
    priors: Priors,
    stale: bool,
    apart: bool,
) -> None:
    """Turn moments into coefficients, once the common part is known."""
    ridge = ridge_of(priors.own[p], priors.kinds)
    inverse = fit.inverse[p, k]
    moment, square = standardised(sums, p, k, mean, std if std > 0.0 else 1.0)
    multiply(inverse, moment + ridge * fit.common[k], fit.beta[p, k])
    if stale:
        fit.covariance[p, k] = inverse
    if stale and not apart:
        _add_common_doubt(fit.covariance[p, k], inverse, ridge, fit.common_inverse[k])
    residual = residual_square(sums.gram[p, k], moment, square, fit.beta[p, k])
    total = residual + NOISE_PRIOR * priors.noise[p]
    fit.noise[p, k] = total / (sums.heard[p, k] + NOISE_PRIOR)


@jit
def _add_common_doubt(
    covariance: Floats, inverse: Floats, ridge: Floats, common_inverse: Floats
) -> None:
    """Add ``W R C R W``: what is not known of the common part."""
    n = ridge.size
    pulled = np.zeros((n, n))  # W R C
    for j in range(n):
        for i in range(n):
            weight = inverse[j, i] * ridge[i]
            for m in range(n):
                pulled[j, m] += weight * common_inverse[i, m]
    for j in range(n):
        for i in range(n):
            weight = pulled[j, i] * ridge[i]
            for m in range(n):
                covariance[j, m] += weight * inverse[i, m]


@jit
def read_values(fit: Fit, z: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of every item's advantage, shapes (n, K)."""
    mean, std = read_linear(fit.beta, fit.covariance, z, clusters)
    for i in range(z.shape[0]):
        for k in range(fit.beta.shape[1]):
            std[i, k] = max(std[i, k] * np.sqrt(fit.noise[clusters[i], k]), NARROWEST)
    return mean, std


@jit
def read_shown(fit: Fit, z: Floats, clusters: Ints, actions: Ints) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the advantage of what was shown, shapes (n,)."""
    n, n_columns = z.shape
    mean, std, reach = np.zeros(n), np.empty(n), np.empty(n_columns)
    for i in range(n):
        p, k = clusters[i], actions[i]
        multiply(fit.covariance[p, k], z[i], reach)
        square = 0.0
        for j in range(n_columns):
            mean[i] += fit.beta[p, k, j] * z[i, j]
            square += reach[j] * z[i, j]
        std[i] = max(np.sqrt(max(square, 0.0) * fit.noise[p, k]), NARROWEST)
    return mean, std
