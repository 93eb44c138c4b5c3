r"""Evidence: which ridges and which noise make the answers heard most probable.

The evidence of the hierarchical fit of `pgrpo_rec.natural` is, up to a constant and summed
over items,

.. math::
    \tfrac12 \sum_p \big(\log|R_p| - \log|G_p + R_p| + m_p^T W_p m_p / s_p^2\big)
    + \tfrac12 \big(\log|R_0| + \log|C| + t^T C t / s^2\big), \quad t = \sum_p R_p W_p m_p .

(The fit itself takes the noises of clusters as equal where they tell of the common part.)

Two hypotheses are compared. Either clusters have nothing in common: ``R_0`` is infinite and
each cluster has ridges of its own. Or they do: one pair of ridges for all deviations, one for
the common part. (Ridges of a cluster's own beside a common part are not identified: the
common part would become the largest cluster, and the small ones deviations from it.) Each
ridge is chosen on a grid while the others hold, by turns, then the noise is measured (MacKay
1992).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import invert, quadratic
from pgrpo_rec.natural import (
    RIDGES,
    Fit,
    Priors,
    Sums,
    first_columns,
    pass_on,
    residual_square,
    ridge_of,
    ridged,
    standardised,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_ITEMS = 40  # ridges are chosen on the items that were answered most
N_TURNS = 2
MARGIN = 5.0  # nats that a common part must be worth: wrongly shared, small clusters pay
NO_COMMON_PART = 1e9  # a ridge so large that clusters share nothing
NO_PRODUCTS = 1e9  # a ridge so large that products of features do nothing
RIDGES_OF_PRODUCTS = np.geomspace(2.0, 2_000.0, 4)
ITEMS_FOR_CURVATURE = 8
MARGIN_OF_PRODUCTS = 30.0  # nats; clicks' working responses feign some


def choose_priors(
    sums: Sums,
    fit: Fit,
    mean: Floats,
    std: Floats,
    priors: Priors,
    noise: Floats | None = None,
) -> Priors:
    """Return the ridges and the noise of the better hypothesis.

    Parameters
    ----------
    sums : Sums
    fit : Fit
        Up to date with the sums under ``priors``; the noise is measured around it.
    mean, std : ndarray of float64, shape (P,)
    priors : Priors
        Where the climb begins.
    noise : ndarray of float64, shape (P,), optional
        Known variances; measured without it.
    """
    if noise is None:
        noise = measure_noise(sums, fit, mean, std, priors)
    items = np.argsort(-sums.heard.sum(axis=0), kind="stable")[:MOST_ITEMS]
    items = items[sums.heard[:, items].sum(axis=0) > 0]
    heard = np.flatnonzero(std > 0.0)
    if heard.size == 0:
        return priors

    priors = priors._replace(noise=noise)
    apart = _choose_apart(sums, items, heard, mean, std, priors)
    if heard.size == 1:
        return apart
    together = _choose_together(sums, items, heard, mean, std, priors)
    level = measure_level(sums, fit, mean, std, priors)  # else "all items are worse than what
    gain = evidence(sums, items, heard, level, std, together)  # is shown" would be in common
    gain -= evidence(sums, items, heard, level, std, apart)
    return together if gain > MARGIN else apart


def _choose_apart(
    sums: Sums, items: Ints, heard: Ints, mean: Floats, std: Floats, priors: Priors
) -> Priors:
    """Give every cluster ridges of its own and nothing in common."""
    own = priors.own.copy()
    for p in heard:

        def of_cluster(p: int = p) -> float:
            ridge = ridge_of(own[p], priors.kinds)
            return evidence_alone(sums, items, p, mean[p], std[p], ridge, priors.noise[p])

        for _ in range(N_TURNS):
            if not _climb(own[p], of_cluster):
                break
    return priors._replace(common=np.full(3, NO_COMMON_PART), own=own)


def _choose_together(
    sums: Sums, items: Ints, heard: Ints, mean: Floats, std: Floats, priors: Priors
) -> Priors:
    """Give all clusters one pair of ridges, and a common part."""
    own = np.tile(np.median(priors.own, axis=0), (priors.own.shape[0], 1))
    common = np.minimum(priors.common, own[0])
    own[:, 2], common[2] = priors.own[:, 2], NO_COMMON_PART  # see `choose_curvature`
    trial = priors._replace(common=common, own=own)

    def of_own() -> float:
        return evidence(sums, items, heard, mean, std, trial)

    for _ in range(N_TURNS):
        moved = _climb(own, of_own)
        _, precision, told = heard_from(sums, items, heard, mean, std, trial)
        moved |= _climb(common, partial(evidence_of_common, precision, told, trial))
        if not moved:
            break
    return trial


def _climb(ridges: Floats, value_of: Callable[[], float]) -> bool:
    """Set the ridge of the constant, then that of the slopes, to the best; say if any moved."""
    before = ridges.copy()
    for column in (0, 1):
        best, chosen = -np.inf, RIDGES[0]
        for ridge in RIDGES:
            ridges[..., column] = ridge
            value = value_of()
            if value > best:
                best, chosen = value, ridge
        ridges[..., column] = chosen
    return not np.array_equal(before, ridges)


def measure_noise(sums: Sums, fit: Fit, mean: Floats, std: Floats, priors: Priors) -> Floats:
    """Return each cluster's residual variance, corrected for the coefficients fitted."""
    noise = priors.noise.copy()
    for p in np.flatnonzero(std > 0.0):
        residual, freedom = _residuals(sums, fit, int(p), mean[p], std[p])
        noise[p] = max(residual / max(freedom, 1.0), 1e-6)
    return noise


def measure_level(sums: Sums, fit: Fit, mean: Floats, std: Floats, priors: Priors) -> Floats:
    """Return the reward around which each cluster's items lie, the most probable one."""
    level = mean.copy()
    for p in np.flatnonzero(std > 0.0):
        level[p] += std[p] * _level(
            sums, fit, int(p), mean[p], std[p], ridge_of(priors.own[p], priors.kinds)
        )
    return level


@jit
def _level(sums: Sums, fit: Fit, p: int, mean: float, std: float, ridge: Floats) -> float:
    precision, told = np.zeros((ridge.size, ridge.size)), np.zeros(ridge.size)
    for k in range(sums.heard.shape[1]):
        if sums.heard[p, k] > 0.0:
            moment, _ = standardised(sums, p, k, mean, std)
            pass_on(fit.inverse[p, k], ridge, moment, precision, told, 1.0)
    return told[0] / (precision[0, 0] + 1e-9)


@jit
def _residuals(sums: Sums, fit: Fit, p: int, mean: float, std: float) -> tuple[float, float]:
    residual, freedom = 0.0, 0.0
    for k in range(sums.heard.shape[1]):
        if sums.heard[p, k] > 0.0:
            moment, square = standardised(sums, p, k, mean, std)
            residual += residual_square(sums.gram[p, k], moment, square, fit.beta[p, k])
            freedom += sums.heard[p, k]
            for j in range(moment.size):
                for m in range(moment.size):
                    freedom -= fit.inverse[p, k, j, m] * sums.gram[p, k, j, m]
    return residual, freedom


@jit
def evidence(
    sums: Sums, items: Ints, clusters: Ints, mean: Floats, std: Floats, priors: Priors
) -> float:
    """Return the log evidence of some items and clusters, up to a constant.

    Parameters
    ----------
    sums : Sums
    items, clusters : ndarray of int64
        Which of them to sum over.
    mean, std : ndarray of float64, shape (P,)
        ``std`` of the clusters above 0.
    priors : Priors
    """
    of_clusters, precision, told = heard_from(sums, items, clusters, mean, std, priors)
    return of_clusters + evidence_of_common(precision, told, priors)


@jit
def heard_from(
    sums: Sums, items: Ints, clusters: Ints, mean: Floats, std: Floats, priors: Priors
) -> tuple[float, Floats, Floats]:
    """Return the clusters' part of the evidence, which knows nothing of the common ridges.

    Parameters are those of `evidence`.

    Returns
    -------
    tuple of float, and what the clusters tell of each item's common part: precision, shape
    (items, D, D), and told, shape (items, D)
    """
    n_columns = sums.moment.shape[2]
    inverse = np.empty((n_columns, n_columns))
    precision = np.zeros((items.size, n_columns, n_columns))
    told = np.zeros((items.size, n_columns))
    total = 0.0
    for p in clusters:
        ridge = ridge_of(priors.own[p], priors.kinds)
        of_ridge = sum_of_logs(ridge)
        for i in range(items.size):
            k = items[i]
            if sums.heard[p, k] == 0.0:
                continue
            logdet = invert(ridged(sums.gram[p, k], ridge), inverse)
            moment, _ = standardised(sums, p, k, mean[p], std[p])
            fitted = quadratic(inverse, moment) / priors.noise[p]
            total += 0.5 * (of_ridge - logdet + fitted)
            unit = np.sqrt(priors.noise[p])
            pass_on(inverse, ridge, moment, precision[i], told[i], unit)
    return total, precision, told


@jit
def evidence_of_common(precision: Floats, told: Floats, priors: Priors) -> float:
    """Return the common part's evidence, from what `heard_from` returns."""
    ridge = ridge_of(priors.common, priors.kinds)
    inverse = np.empty((ridge.size, ridge.size))
    of_ridge = sum_of_logs(ridge)
    total = 0.0
    for i in range(told.shape[0]):
        logdet = invert(ridged(precision[i], ridge), inverse)
        total += 0.5 * (of_ridge - logdet + quadratic(inverse, told[i]))
    return total


@jit
def sum_of_logs(values: Floats) -> float:
    """Return the sum of the logarithms."""
    total = 0.0
    for value in values:
        total += np.log(value)
    return total


@jit
def evidence_alone(
    sums: Sums, items: Ints, p: int, mean: float, std: float, ridge: Floats, noise: float
) -> float:
    """Return what `evidence` is of one cluster that has nothing in common with any other."""
    inverse = np.empty((ridge.size, ridge.size))
    of_ridge = sum_of_logs(ridge)
    total = 0.0
    for k in items:
        if sums.heard[p, k] == 0.0:
            continue
        logdet = invert(ridged(sums.gram[p, k], ridge), inverse)
        moment, _ = standardised(sums, p, k, mean, std)
        total += 0.5 * (of_ridge - logdet + quadratic(inverse, moment) / noise)
    return total


def choose_curvature(sums: Sums, mean: Floats, std: Floats, priors: Priors) -> Floats:
    """Return for each cluster the ridge of products of features, infinite where they are noise.

    The other ridges hold. A cluster's noise is not known here but integrated out: what a
    straight fit leaves unexplained would otherwise pass for it.

    Parameters
    ----------
    sums : Sums
        Of all columns, products too.
    mean, std : ndarray of float64, shape (P,)
    priors : Priors
        With the kinds of all columns.

    Returns
    -------
    ndarray of float64, shape (P,)
        `NO_PRODUCTS` where a cluster is as well described without.
    """
    chosen = np.full(std.size, NO_PRODUCTS)
    straight = int((priors.kinds < 2).sum())
    plain = first_columns(sums, straight)
    for p in np.flatnonzero(std > 0.0):
        items = np.argsort(-sums.heard[p], kind="stable")[:ITEMS_FOR_CURVATURE]
        items = items[sums.heard[p, items] > 0.0]
        ridge = ridge_of(priors.own[p], priors.kinds)
        best = MARGIN_OF_PRODUCTS
        best += evidence_of_cluster(plain, items, int(p), mean[p], std[p], ridge[:straight])
        for value in RIDGES_OF_PRODUCTS:
            ridge[straight:] = value
            total = evidence_of_cluster(sums, items, int(p), mean[p], std[p], ridge)
            if total > best:
                best, chosen[p] = total, value
    return chosen


@jit
def evidence_of_cluster(
    sums: Sums, items: Ints, p: int, mean: float, std: float, ridge: Floats
) -> float:
    """Return the log evidence of one cluster by itself, its noise integrated out.

    With 1 / s^2 ~ Gamma(1/2, 1/2): one answer's worth of noise 1 is known before.
    """
    inverse = np.empty((ridge.size, ridge.size))
    of_ridge = sum_of_logs(ridge)
    total, count, left = 0.0, 1.0, 1.0
    for k in items:
        logdet = invert(ridged(sums.gram[p, k], ridge), inverse)
        moment, square = standardised(sums, p, k, mean, std)
        total += 0.5 * (of_ridge - logdet)
        count += sums.heard[p, k]
        left += max(square - quadratic(inverse, moment), 0.0)
    return total - 0.5 * count * np.log(left)
