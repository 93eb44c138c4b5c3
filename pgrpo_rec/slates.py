r"""Slates: lists of items without repetition, as draws from what is left.

A slate of m items drawn by Gumbel top-m is Plackett-Luce (Luce 1959; Plackett 1975): position
s is a draw from the policy over the items not yet placed,

.. math:: \pi(y \mid x) = \prod_{s=1}^m
          \frac{\pi(y_s \mid x)}{\sum_{k \notin y_{<s}} \pi(k \mid x)}.

So a slate is learned from as m rows of the same visit, each with the items placed above it
unavailable, and the surrogate of `pgrpo_rec.objectives` over those rows has the Plackett-Luce
gradient, with the importance ratio of each position clipped by itself. (A product over
positions would be the exact ratio, and explodes with m; Oosterhuis 2021 has forms that are
cheaper where rewards are additive.)

Shapes: n visits, K items, m positions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def left_over(slates: Ints, available: Bools) -> Bools:
    """Return what may be placed at each position: not what stands above it.

    Parameters
    ----------
    slates : ndarray of int64, shape (n, m), no item twice in a row
    available : ndarray of bool, shape (n, K)

    Returns
    -------
    ndarray of bool, shape (n * m, K), the positions of a visit next to each other

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.slates import left_over
    >>> left_over(np.array([[2, 0]]), np.ones((1, 3), dtype=bool)).astype(int)
    array([[1, 1, 1],
           [1, 1, 0]])
    """
    n, m = slates.shape
    left = np.repeat(available[:, None, :], m, axis=1)
    visits = np.arange(n)
    for above in range(m - 1):
        for below in range(above + 1, m):
            left[visits, below, slates[:, above]] = False
    return left.reshape(n * m, -1)


@jit
def position_probabilities(probabilities: Floats, slates: Ints) -> Floats:
    """Return the probability of every position given the ones above it.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, K)
        Of single items; rows need not sum to 1.
    slates : ndarray of int64, shape (n, m), no item twice in a row

    Returns
    -------
    ndarray of float64, shape (n, m); the product of a row is the slate's probability
    """
    chances = np.empty(slates.shape)
    for i in range(slates.shape[0]):
        for s in range(slates.shape[1]):
            left = 0.0  # summed anew: a difference would be rounding where a policy is sure
            for k in range(probabilities.shape[1]):
                placed = False
                for above in range(s):
                    placed = placed or slates[i, above] == k
                if not placed:
                    left += probabilities[i, k]
            chances[i, s] = probabilities[i, slates[i, s]] / left if left > 0.0 else 0.0
    return chances
