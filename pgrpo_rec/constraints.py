r"""Constraints on what is shown: no item, and no category, more often than agreed.

The policy's probabilities are projected to those nearest in divergence that keep the cap,

.. math:: \min_{\pi'} KL(\pi' \| \pi) \quad \text{with} \quad
          \sum_{k \in c} \pi'_k \le m \quad \text{for every category } c,

which scales the mass of every category by one factor and cuts it at the cap; items of a
category keep their proportions. The cap holds at every visit, hence on average over the visits
of any person, any group, and all.

Shapes: n visits, K items, C categories.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SPARE = 1e-9  # of the policy is dealt evenly, so that there is something to scale up


def cap_shares(probabilities: Floats, categories: Ints, cap: float, available: Bools) -> Floats:
    """Return the nearest probabilities under which no category exceeds the cap.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, K)
        Rows sum to 1; 0 where not available.
    categories : ndarray of int64, shape (K,), values in [0, C)
        Category of each item; ``np.arange(K)`` for a cap on items.
    cap : float in (0, 1]
    available : ndarray of bool, shape (n, K)

    Returns
    -------
    ndarray of float64, shape (n, K); rows sum to 1.

    Raises
    ------
    ValueError
        If a visit has too few categories available to keep the cap.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.constraints import cap_shares
    >>> policy = np.array([[0.8, 0.1, 0.1]])
    >>> cap_shares(policy, np.arange(3), 0.5, np.ones((1, 3), bool)).round(6)
    array([[0.5 , 0.25, 0.25]])
    """
    member = np.zeros((probabilities.shape[1], int(categories.max()) + 1))
    member[np.arange(categories.size), categories] = 1.0
    offered = available @ member > 0.0
    short = np.flatnonzero(offered.sum(axis=1) * cap < 1.0 - 1e-12)
    if short.size:
        n = int(offered[short[0]].sum())
        raise ValueError(
            f"max_share={cap!r} cannot be kept at visit {short[0]}, where {n} items or categories "
            f"are available: it must be at least 1/{n}"
        )
    evenly = available / available.sum(axis=1, keepdims=True)
    policy = (1.0 - SPARE) * probabilities + SPARE * evenly
    mass = policy @ member
    capped = _fill(mass, cap)
    factor = np.divide(capped, mass, out=np.zeros_like(mass), where=mass > 0.0)
    return policy * (factor @ member.T)


def _fill(mass: Floats, cap: float) -> Floats:
    """Scale each row (summing to 1) by the factor with which, cut at the cap, it sums to 1."""
    largest_first = -np.sort(-mass, axis=1)
    rest = np.cumsum(largest_first[:, ::-1], axis=1)[:, ::-1]  # of all but the j largest
    left = 1.0 - np.arange(mass.shape[1]) * cap  # for that rest, if the j largest are cut
    fits = (rest > 0.0) & (left * largest_first <= cap * (1.0 + 1e-12) * rest)
    first = fits.argmax(axis=1)[:, None]
    factor = left[first] / np.take_along_axis(rest, first, axis=1)
    filled = np.minimum(mass * factor, cap)
    return filled / filled.sum(axis=1, keepdims=True)
