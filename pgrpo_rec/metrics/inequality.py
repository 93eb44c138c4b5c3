"""One number from the values of many, groups or items: how equal or spread they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def jain_index(values: ArrayLike) -> float:
    """Return Jain's fairness index: 1 where all have the same, 1/n where one has everything.

    Parameters
    ----------
    values : array, shape (n,)
        What each has; anything below 0 counts as nothing.

    Returns
    -------
    float in [1/n, 1]
        1 where nobody has anything.

    References
    ----------
    Jain, Chiu and Hawe, A quantitative measure of fairness, DEC-TR-301, 1984.

    Examples
    --------
    >>> from pgrpo_rec.metrics import jain_index
    >>> jain_index([1.0, 1.0, 0.0, 0.0])
    0.5
    """
    amounts = _amounts(values)
    square = float((amounts**2).sum())
    return float(amounts.sum()) ** 2 / (amounts.size * square) if square > 0.0 else 1.0


def gini_index(values: ArrayLike) -> float:
    """Return Gini's index: 0 where all have the same, (n - 1)/n where one has everything.

    Parameters
    ----------
    values : array, shape (n,)
        What each has; anything below 0 counts as nothing.

    Returns
    -------
    float in [0, (n - 1)/n]
        Half the mean absolute difference of all pairs, over the mean; 0 where nobody has
        anything.

    References
    ----------
    Gini, Variabilità e mutabilità, 1912.

    Examples
    --------
    >>> from pgrpo_rec.metrics import gini_index
    >>> gini_index([0.0, 0.0, 0.0, 4.0])
    0.75
    """
    amounts = np.sort(_amounts(values))
    total = float(amounts.sum())
    if total == 0.0:
        return 0.0
    ranks = 2.0 * np.arange(1, amounts.size + 1) - amounts.size - 1.0
    return max(float(ranks @ amounts) / (amounts.size * total), 0.0)


def nash_welfare(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the geometric mean: 0 as soon as one has nothing.

    Parameters
    ----------
    values : array, shape (n,)
        What each has; anything below 0 counts as nothing.
    weights : array, shape (n,), optional
        How much each counts, at least 0 and not all 0; alike by default.

    References
    ----------
    Nash, The bargaining problem, Econometrica, 1950.

    Examples
    --------
    >>> from pgrpo_rec.metrics import nash_welfare
    >>> round(nash_welfare([0.25, 1.0]), 12)
    0.5
    """
    amounts = _amounts(values)
    share = np.ones(amounts.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != amounts.shape or (share < 0.0).any() or share.sum() <= 0.0:
        raise ValueError(f"weights must be {amounts.size} numbers of at least 0, not all 0")
    counted = share > 0.0
    with np.errstate(divide="ignore"):
        return float(np.exp(share[counted] @ np.log(amounts[counted]) / share.sum()))


def herfindahl_index(counts: ArrayLike) -> float:
    """Return the sum of squared shares: 1/n where all are shown alike, 1 where one is.

    Parameters
    ----------
    counts : array, shape (n,)
        How often each was shown, not all 0; those never shown may be left out.

    References
    ----------
    Herfindahl, Concentration in the U.S. steel industry, 1950.

    Examples
    --------
    >>> from pgrpo_rec.metrics import herfindahl_index
    >>> herfindahl_index([2, 2])
    0.5
    """
    return float((_shares(counts) ** 2).sum())


def entropy(counts: ArrayLike) -> float:
    """Return the entropy in nats of what was shown: 0 for one item only, log n for all alike.

    Parameters
    ----------
    counts : array, shape (n,)
        How often each was shown, not all 0; those never shown may be left out.

    References
    ----------
    Shannon, A mathematical theory of communication, 1948.

    Examples
    --------
    >>> from pgrpo_rec.metrics import entropy
    >>> round(entropy([1, 1, 1, 1]), 4)
    1.3863
    """
    shares = _shares(counts)
    shares = shares[shares > 0.0]
    return max(float(shares @ -np.log(shares)), 0.0)


def _amounts(values: ArrayLike) -> Floats:
    amounts = np.asarray(values, dtype=np.float64)
    if amounts.ndim != 1 or amounts.size == 0 or not np.isfinite(amounts).all():
        raise ValueError("values must be one or more finite numbers")
    return np.maximum(amounts, 0.0)


def _shares(counts: ArrayLike) -> Floats:
    shown = np.asarray(counts, dtype=np.float64)
    if shown.ndim != 1 or not (shown >= 0.0).all() or not 0.0 < shown.sum() < np.inf:
        raise ValueError("counts must be finite numbers of at least 0, not all 0")
    return shown / shown.sum()
