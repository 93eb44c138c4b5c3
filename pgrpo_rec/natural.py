r"""Natural steps: the least-squares fit of the advantages, and what it leaves uncertain.

For a softmax policy that is linear in features, the natural gradient is the least-squares
fit of the advantages on the features (Kakade 2001). Here the fit is kept whole, as sums a
cluster and item, so every answer ever heard is used once and not forgotten:

.. math::
    G = \sum z z^T, \quad m = \sum z r, \quad
    \beta = (G + R)^{-1} (m - \mu_p G_{\cdot 0}) / \sigma_p .

The sums are of raw rewards and the group's history :math:`(\mu_p, \sigma_p)` enters at the
readout, so advantages follow the history as it moves, and the units of a group's rewards
never matter. The ridge ``R`` (one value for the constant, one for the slopes, a cluster) and
the noise are chosen by the evidence (MacKay 1992): a sparse group, whose items differ little
in standard deviations, is explored less wildly.

The policy goes to the posterior-sampling probabilities of this fit
(`pgrpo_rec.posterior`).

Shapes: P clusters, K items, D = d + 1 features with the constant first, n visits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RIDGES = np.geomspace(0.5, 2000.0, 13)  # candidate ridges, in units of the noise variance
FIRST_RIDGE = 4.0  # before anything is known: items differ by half a standard deviation
NOISE_PRIOR = 8.0  # answers that a cluster's noise is worth against an item's own


class Sums(NamedTuple):
    """Sufficient statistics of all answers heard."""

    heard: Floats  # (P, K), number of answers
    gram: Floats  # (P, K, D, D)
    moment: Floats  # (P, K, D), of raw rewards
    square: Floats  # (P, K), of raw rewards


class Fit(NamedTuple):
    """The readout: what the advantages are taken to be, in standard deviations."""

    inverse: Floats  # (P, K, D, D), of G + R
    beta: Floats  # (P, K, D)
    noise: Floats  # (P, K), variance of a standardised reward around the fit


def empty_sums(n_clusters: int, n_items: int, n_columns: int) -> Sums:
    """Return sums of nothing."""
    return Sums(
        np.zeros((n_clusters, n_items)),
        np.zeros((n_clusters, n_items, n_columns, n_columns)),
        np.zeros((n_clusters, n_items, n_columns)),
        np.zeros((n_clusters, n_items)),
    )


def empty_fit(n_clusters: int, n_items: int, n_columns: int) -> Fit:
    """Return room for a fit."""
    return Fit(
        np.zeros((n_clusters, n_items, n_columns, n_columns)),
        np.zeros((n_clusters, n_items, n_columns)),
        np.ones((n_clusters, n_items)),
    )


@jit
def add_answers(sums: Sums, z: Floats, clusters: Ints, actions: Ints, rewards: Floats) -> None:
    """Fold n answers into the sums."""
    for i in range(rewards.size):
        p, k, r = clusters[i], actions[i], rewards[i]
        sums.heard[p, k] += 1.0
        sums.square[p, k] += r * r
        for j in range(z.shape[1]):
            sums.moment[p, k, j] += z[i, j] * r
            for m in range(z.shape[1]):
                sums.gram[p, k, j, m] += z[i, j] * z[i, m]


@jit
def invert(matrix: Floats, inverse: Floats) -> float:
    """Invert a small positive definite matrix in place of LAPACK; return its log-determinant."""
    n = matrix.shape[0]
    lower = np.zeros((n, n))
    logdet = 0.0
    for j in range(n):
        for i in range(j, n):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                lower[j, j] = np.sqrt(max(total, 1e-300))
                logdet += 2.0 * np.log(lower[j, j])
            else:
                lower[i, j] = total / lower[j, j]
    for column in range(n):
        x = np.zeros(n)
        for i in range(n):
            total = 1.0 if i == column else 0.0
            for k in range(i):
                total -= lower[i, k] * x[k]
            x[i] = total / lower[i, i]
        for i in range(n - 1, -1, -1):
            total = x[i]
            for k in range(i + 1, n):
                total -= lower[k, i] * x[k]
            x[i] = total / lower[i, i]
        inverse[:, column] = x
    return logdet


@jit
def with_ridge(gram: Floats, bias_ridge: float, slope_ridge: float) -> Floats:
    """Return ``G + R``."""
    matrix = gram.copy()
    matrix[0, 0] += bias_ridge
    for j in range(1, matrix.shape[0]):
        matrix[j, j] += slope_ridge
    return matrix


@jit
def residual_square(gram: Floats, moment: Floats, square: float, beta: Floats) -> float:
    """Return the sum of squared residuals of standardised sums at ``beta``."""
    total = square
    for j in range(beta.size):
        total -= 2.0 * beta[j] * moment[j]
        for m in range(beta.size):
            total += beta[j] * gram[j, m] * beta[m]
    return max(total, 0.0)


@jit
def standardised(sums: Sums, p: int, k: int, mean: float, std: float) -> tuple[Floats, float]:
    """Return moment and square of one item in units of the cluster's history."""
    moment = (sums.moment[p, k] - mean * sums.gram[p, k, 0]) / std
    raw = sums.square[p, k] - 2.0 * mean * sums.moment[p, k, 0] + mean * mean * sums.heard[p, k]
    return moment, max(raw, 0.0) / (std * std)


@jit
def choose_ridge(
    sums: Sums, p: int, mean: float, std: float, noise: float, ridges: Floats
) -> tuple[float, float, float]:
    """Return bias ridge, slope ridge and noise variance of the highest evidence."""
    n_items, n_columns = sums.heard.shape[1], sums.gram.shape[2]
    inverse = np.empty((n_columns, n_columns))
    best = -np.inf
    chosen = (ridges[0], ridges[0], noise)
    n_slopes = ridges.size if n_columns > 1 else 1
    for a in range(ridges.size):
        for b in range(n_slopes):
            evidence, residual, fitted = 0.0, 0.0, 0.0
            prior = np.log(ridges[a]) + (n_columns - 1) * np.log(ridges[b])
            for k in range(n_items):
                if sums.heard[p, k] == 0.0:
                    continue
                moment, square = standardised(sums, p, k, mean, std)
                matrix = with_ridge(sums.gram[p, k], ridges[a], ridges[b])
                logdet = invert(matrix, inverse)
                beta = inverse @ moment
                evidence += 0.5 * (prior - logdet + (moment @ beta) / noise)
                residual += residual_square(sums.gram[p, k], moment, square, beta)
                fitted += n_columns - ridges[a] * inverse[0, 0]
                for j in range(1, n_columns):
                    fitted -= ridges[b] * inverse[j, j]
            if evidence > best:
                best = evidence
                freedom = max(sums.heard[p].sum() - fitted, 1.0)
                chosen = (ridges[a], ridges[b], max(residual / freedom, 1e-6))
    return chosen


@jit
def refresh(
    fit: Fit,
    sums: Sums,
    stale: NDArray[np.bool_],
    mean: Floats,
    std: Floats,
    ridges: Floats,
    noise: Floats,
) -> None:
    """Bring a fit up to date with the sums and the histories.

    Parameters
    ----------
    fit : Fit
        Written to.
    sums : Sums
    stale : ndarray of bool, shape (P, K)
        Where sums or ridges have changed; elsewhere the inverse still holds.
    mean, std : ndarray of float64, shape (P,)
        The clusters' histories; they may move at every call.
    ridges : ndarray of float64, shape (P, 2)
        For the constant and for the slopes, in units of the noise variance.
    noise : ndarray of float64, shape (P,)
        Variance of a cluster's standardised rewards around the fit. An item's own is
        shrunk towards it, worth `NOISE_PRIOR` answers: clicks vary more where they are many.
    """
    for p in range(sums.heard.shape[0]):
        scale = std[p] if std[p] > 0.0 else 1.0
        for k in range(sums.heard.shape[1]):
            if stale[p, k]:
                invert(with_ridge(sums.gram[p, k], ridges[p, 0], ridges[p, 1]), fit.inverse[p, k])
            moment, square = standardised(sums, p, k, mean[p], scale)
            fit.beta[p, k] = fit.inverse[p, k] @ moment
            residual = residual_square(sums.gram[p, k], moment, square, fit.beta[p, k])
            total = residual + NOISE_PRIOR * noise[p]
            fit.noise[p, k] = total / (sums.heard[p, k] + NOISE_PRIOR)


@jit
def read_values(fit: Fit, z: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of every item's advantage, shapes (n, K)."""
    n_items = fit.beta.shape[1]
    mean = np.zeros((z.shape[0], n_items))
    std = np.zeros((z.shape[0], n_items))
    for i in range(z.shape[0]):
        p = clusters[i]
        for k in range(n_items):
            square = 0.0
            for j in range(z.shape[1]):
                mean[i, k] += fit.beta[p, k, j] * z[i, j]
                reach = 0.0
                for m in range(z.shape[1]):
                    reach += fit.inverse[p, k, j, m] * z[i, m]
                square += reach * z[i, j]
            std[i, k] = np.sqrt(max(square * fit.noise[p, k], 1e-18))
    return mean, std
