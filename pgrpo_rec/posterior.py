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
Bools = NDArray[np.bool_]

N_NODES = 64  # a panel
FIRST_PANEL = 80.0  # width of the first panel, in widths of the narrowest posterior in play
NEXT_PANEL = 10.0  # each further one is so many times wider: a narrow posterior lies at the
# lower end, since it decides how bad the best value can be; beyond it all is smooth
BELOW = 4.5  # the best value is not under the largest of ``mean - BELOW * std`` ...
ABOVE = 5.5  # ... nor over the largest of ``mean + ABOVE * std``, but once in 100,000 draws
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
    return _probability_of_best(means, stds, available, _NODES, _WEIGHTS)


@jit
def _probability_of_best(
    means: Floats, stds: Floats, available: Bools, nodes: Floats, weights: Floats
) -> Floats:
    result = np.zeros(means.shape)
    rivals = np.empty(means.shape[1], dtype=np.int64)
    hazard = np.empty(means.shape[1])
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
            for node in range(nodes.size):
                s = start + 0.5 * (end - start) * (1.0 + nodes[node])
                product = weights[node] * (end - start)
                for j in range(n_rivals):
                    k = rivals[j]
                    below, density = normal_cdf_and_pdf((s - means[i, k]) / stds[i, k])
                    product *= below
                    hazard[j] = density / (stds[i, k] * below)
                for j in range(n_rivals):
                    result[i, rivals[j]] += hazard[j] * product
            start = end
            width *= NEXT_PANEL
        result[i] /= result[i].sum()
    return result


@jit
def normal_cdf_and_pdf(z: float) -> tuple[float, float]:
    """Return both of the standard normal, by one exponential; error of the first 7.5e-8.

    Polynomial of Abramowitz and Stegun 1964, 26.2.17; never 0, so that one may divide by it.
    """
    density = 0.3989422804014327 * math.exp(-0.5 * z * z)
    t = 1.0 / (1.0 + 0.2316419 * abs(z))
    tail = 1.330274429
    tail = tail * t - 1.821255978
    tail = tail * t + 1.781477937
    tail = tail * t - 0.356563782
    tail = tail * t + 0.319381530
    tail = density * t * tail
    below = 1.0 - tail if z >= 0.0 else tail
    return max(below, 1e-300), density
