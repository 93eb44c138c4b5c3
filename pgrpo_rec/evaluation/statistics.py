"""Statistics over seeds: a mean is nothing without its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return 0.5 * (self.high - self.low)


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean over seeds and Student's confidence interval.

    Parameters
    ----------
    values : array, shape (n_seeds,)
        One number a seed. For paired comparisons: the differences.
    confidence : float in (0, 1), default=0.95

    Returns
    -------
    Interval
        Without width (NaN bounds) from a single seed: one run says nothing of its spread.

    References
    ----------
    Student, The probable error of a mean, Biometrika, 1908.

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import mean_interval
    >>> mean, low, high = mean_interval([1.0, 2.0, 3.0])
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (2.0, -0.484, 4.484)
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        raise ValueError("values is empty; a mean needs at least one seed")
    mean = float(sample.mean())
    if sample.size == 1:
        return Interval(mean, float("nan"), float("nan"))
    reach = stats.t.ppf(0.5 + confidence / 2, sample.size - 1)
    half = float(reach * sample.std(ddof=1) / np.sqrt(sample.size))
    return Interval(mean, mean - half, mean + half)
