r"""Posterior sampling: how probable it is that an item is the best, given what is known.

Thompson sampling shows item k with the probability that its value is the largest,

.. math:: P(k) = \int \phi_k(s) \prod_{j \ne k} \Phi_j(s)\, ds,

an integral over one number where the items' posteriors are independent normals. So the
propensities of posterior sampling can be computed, and logged, exactly.

The integral runs from the highest lower end of all posteriors: whatever is still in the
running below it has its mass within 12 of its own standard deviations of that point. So
panels that start there and grow geometrically resolve widths of any ratio.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

N_NODES = 64  # a panel
FIRST_PANEL = 80.0  # width of the first panel, in widths of the narrowest posterior in play
NEXT_PANEL = 10.0  # each further one is so many times wider: a narrow posterior lies at the
# lower end, since it decides how bad the best value can be; beyond it all is smooth
BELOW = 4.5  # the best value is not under the largest of ``mean - BELOW * std`` ...
ABOVE = 5.5  # ... nor over the largest of ``mean + ABOVE * std``, but once in 100,000 draws
LEAST = -700.0  # exponent under which a density is taken as constant, before it vanishes
LOG2_E, LN_2 = 1.0 / math.log(2.0), math.log(2.0)
TO_INTEGER = 1.5 * 2.0**52 + 1023.0  # added: rounds to whole numbers, biased as exponents are
DENSITY_AT_MEAN = 1.0 / math.sqrt(2.0 * math.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(N_NODES)


def probability_of_best(means: Floats, stds: Floats, available: Bools) -> Floats:
    """Return the probability that each item's value is the largest of its row.

    Parameters
    ----------
    means, stds : ndarray of float64, shape (n, K)
        Of the independent normal posteriors; ``stds`` above 0.
    available : ndarray of bool, shape (n, K)
        Items that take part.

    Returns
    -------
    ndarray of float64, shape (n, K)
        0 where not available; rows sum to 1. The error of the quadrature (Gauss-Legendre,
        64 nodes a panel) is under 1e-5, however much widths in a row differ.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.posterior import probability_of_best
    >>> probability_of_best(np.zeros((1, 4)), np.ones((1, 4)), np.ones((1, 4), bool)).round(6)
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    plain = np.require(available, requirements=("C", "W"))  # of a view it would be compiled again
    return _probability_of_best(means, stds, plain, _NODES, _WEIGHTS)


@jit
def _probability_of_best(
    means: Floats, stds: Floats, available: Bools, nodes: Floats, weights: Floats
) -> Floats:
    result = np.zeros(means.shape)
    rivals = np.empty(means.shape[1], dtype=np.int64)
    hazard = np.empty((means.shape[1], nodes.size))
    points, product, below = np.empty(nodes.size), np.empty(nodes.size), np.empty(nodes.size)
    powers = np.empty(nodes.size, dtype=np.int64)
    for i in range(means.shape[0]):
        low, high = -np.inf, -np.inf
        for k in range(means.shape[1]):
            if available[i, k]:
                low = max(low, means[i, k] - BELOW * stds[i, k])
                high = max(high, means[i, k] + ABOVE * stds[i, k])
        n_rivals = 0
        for k in range(means.shape[1]):
            if available[i, k] and means[i, k] + ABOVE * stds[i, k] > low:
                rivals[n_rivals] = k
                n_rivals += 1
        narrowest = high - low
        for j in range(n_rivals):
            narrowest = min(narrowest, stds[i, rivals[j]])
        start, width = low, FIRST_PANEL * narrowest
        while start < high:
            end = min(start + width, high)
            for q in range(nodes.size):
                points[q] = start + 0.5 * (end - start) * (1.0 + nodes[q])
                product[q] = weights[q] * (end - start)
            for j in range(n_rivals):
                k = rivals[j]
                normal_at(points, means[i, k], 1.0 / stds[i, k], below, hazard[j], powers)
                for q in range(nodes.size):
                    product[q] *= below[q]
            for j in range(n_rivals):
                result[i, rivals[j]] += inner(hazard[j], product)
            start = end
            width *= NEXT_PANEL
        total = result[i].sum()
        for k in range(means.shape[1]):
            result[i, k] /= total
    return result


@jit
def normal_at(
    points: Floats, mean: float, precision: float, below: Floats, hazard: Floats, powers: Ints
) -> None:
    """Write the distribution function of a normal, and its density over that, at many points.

    Plain loops of arithmetic, which the compiler turns into vector instructions; a call of
    ``exp`` would prevent that. The error is under 1e-7, of the tail's polynomial (Abramowitz
    and Stegun 1964, 26.2.17); the distribution function is never 0.

    Parameters
    ----------
    points : ndarray of float64, shape (q,)
    mean, precision : float
        Precision is one over the standard deviation.
    below, hazard : ndarray of float64, shape (q,)
        Written to.
    powers : ndarray of int64, shape (q,)
        Room to work in.
    """
    floats = powers.view(np.float64)
    for q in range(points.size):
        z = (points[q] - mean) * precision
        floats[q] = max(-0.5 * z * z, LEAST) * LOG2_E + TO_INTEGER
    for q in range(points.size):
        powers[q] = powers[q] << 52  # what was rounded to n is now the float 2^n
    for q in range(points.size):
        z = (points[q] - mean) * precision
        exponent = max(-0.5 * z * z, LEAST) * LOG2_E
        x = (exponent - ((exponent + TO_INTEGER) - TO_INTEGER)) * LN_2  # at most 0.35
        series = 1.0 + x * (1 / 7) * (1.0 + x * (1 / 8))  # exp(x), from its last terms on
        series = 1.0 + x * (1 / 5) * (1.0 + x * (1 / 6) * series)
        series = 1.0 + x * (1.0 + x * (1 / 2) * (1.0 + x * (1 / 3) * (1.0 + x * (1 / 4) * series)))
        density = DENSITY_AT_MEAN * series * floats[q]
        t = 1.0 / (1.0 + 0.2316419 * abs(z))
        tail = 1.330274429
        tail = tail * t - 1.821255978
        tail = tail * t + 1.781477937
        tail = tail * t - 0.356563782
        tail = tail * t + 0.319381530
        tail = density * t * tail
        at_least = max(1.0 - tail if z >= 0.0 else tail, 1e-300)
        below[q] = at_least
        hazard[q] = density * precision / at_least


@jit
def inner(a: Floats, b: Floats) -> float:
    """Return the inner product of two vectors whose length is a multiple of 4."""
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    for q in range(0, a.size, 4):
        one += a[q] * b[q]
        two += a[q + 1] * b[q + 1]
        three += a[q + 2] * b[q + 2]
        four += a[q + 3] * b[q + 3]
    return (one + two) + (three + four)
