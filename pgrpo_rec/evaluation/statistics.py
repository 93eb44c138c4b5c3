"""Statistics over seeds: a mean is nothing without its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
N_RESAMPLES = 2000


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return 0.5 * (self.high - self.low)


class Profile(NamedTuple):
    """Share of runs above each threshold, with pointwise intervals; arrays of shape (T,)."""

    share: Floats
    low: Floats
    high: Floats


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


def interquartile_mean(values: ArrayLike, axis: int = -1) -> Any:
    """Return the mean of the middle half: the lowest and highest quarter are left out.

    Less moved by a single lucky or unlucky seed than the mean, and less noisy than the median.

    Parameters
    ----------
    values : array, shape (..., n)
        A quarter of n is rounded down, so of 5 values 3 count.
    axis : int, default=-1

    Returns
    -------
    float or ndarray

    References
    ----------
    Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021.

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import interquartile_mean
    >>> float(interquartile_mean([0.0, 2.0, 4.0, 100.0]))
    3.0
    """
    return stats.trim_mean(np.asarray(values, dtype=np.float64), 0.25, axis=axis)


def iqm_interval(
    *samples: ArrayLike,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the interquartile mean over all runs and its stratified bootstrap interval.

    Parameters
    ----------
    *samples : array, shape (n_seeds,)
        One sample a scenario, one number a seed. Seeds are drawn again inside each scenario
        (its stratum); the mean is taken over the runs of all of them.
    confidence : float in (0, 1), default=0.95
    n_resamples : int, default=2000
    seed : int, default=0
        Of the resampling: the same numbers give the same interval.

    Returns
    -------
    Interval
        Its ``mean`` is the interquartile mean. Without width (NaN bounds) where a
        scenario has a single seed.

    Raises
    ------
    ValueError
        If there is no sample or one is empty.

    References
    ----------
    Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021.
    Efron, Bootstrap methods: another look at the jackknife, 1979 (percentile intervals).

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import iqm_interval
    >>> interval = iqm_interval([0.1, 0.2, 0.3, 0.4], [0.6, 0.7, 0.8, 0.9])
    >>> round(interval.mean, 3), interval.low < interval.mean < interval.high
    (0.5, True)
    """

    def pooled(*drawn: Floats, axis: int = -1) -> Any:
        return interquartile_mean(np.concatenate(drawn, axis=axis), axis)

    return _bootstrap(_strata(samples), pooled, confidence, n_resamples, seed)


def difference_interval(ours: ArrayLike, theirs: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of the differences seed by seed, and Student's interval.

    Two runs with the same seed meet the same world and visitors, so what luck they share
    drops out of their difference.

    Parameters
    ----------
    ours, theirs : array, shape (n_seeds,)
        Of the same seeds, in the same order.
    confidence : float in (0, 1), default=0.95

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import difference_interval
    >>> difference_interval([1.5, 2.5, 9.5], [1.0, 2.0, 9.0])
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    first, second = _pairs([ours], [theirs])[0]
    return mean_interval(first - second, confidence)


def probability_of_improvement(
    ours: Sequence[ArrayLike],
    theirs: Sequence[ArrayLike],
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Interval:
    r"""Return how likely one run of ours is better than one of theirs, a tie counting half.

    .. math:: \frac1M \sum_m \frac1{n^2} \sum_{i, j}
              \left(1[x_{mi} > y_{mj}] + \tfrac12 1[x_{mi} = y_{mj}]\right)

    the mean over M scenarios of Mann and Whitney's statistic. It says how often, not by how
    much. Where seeds are shared, pairs of runs are drawn again together.

    Parameters
    ----------
    ours, theirs : sequences of array, shape (n_seeds,)
        One sample a scenario, of the same seeds in the same order; **higher is better** (of
        regrets give the negative).
    confidence : float in (0, 1), default=0.95
    n_resamples : int, default=2000
    seed : int, default=0

    Returns
    -------
    Interval
        In [0, 1]; one half where neither is better.

    References
    ----------
    Mann and Whitney, On a test of whether one of two random variables is stochastically larger
    than the other, 1947; Agarwal et al., 2021 (the mean over tasks).

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import probability_of_improvement
    >>> probability_of_improvement([[1.0, 2.0, 3.0]], [[1.0, 1.5, 0.0]]).mean
    0.8333333333333334
    """
    pairs = _pairs(ours, theirs)
    places = [np.arange(len(first)) for first, _ in pairs]

    def improvement(*drawn: Any, axis: int = -1) -> Any:
        indices = [np.moveaxis(np.asarray(i, dtype=np.intp), axis, -1) for i in drawn]
        chosen = zip(pairs, indices, strict=True)
        return np.mean([_mann_whitney(x[i], y[i]) for (x, y), i in chosen], axis=0)

    return _bootstrap(places, improvement, confidence, n_resamples, seed)


def performance_profile(
    samples: Sequence[ArrayLike],
    thresholds: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Profile:
    """Return which share of all runs scores above each threshold, with pointwise intervals.

    Parameters
    ----------
    samples : sequence of array, shape (n_seeds,)
        One sample a scenario; higher is better. Every scenario weighs the same.
    thresholds : array, shape (T,)
    confidence : float in (0, 1), default=0.95
    n_resamples : int, default=2000
    seed : int, default=0

    Returns
    -------
    Profile
        ``share``, ``low``, ``high``, each of shape (T,).

    References
    ----------
    Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021;
    Dolan and Moré, Benchmarking optimization software with performance profiles, 2002.

    Examples
    --------
    >>> from pgrpo_rec.evaluation.statistics import performance_profile
    >>> performance_profile([[0.2, 0.4], [0.6, 0.8]], [0.0, 0.5, 1.0]).share.tolist()
    [1.0, 0.5, 0.0]
    """
    strata = _strata(samples)
    points = []
    for threshold in np.asarray(thresholds, dtype=np.float64):

        def share(*drawn: Floats, axis: int = -1, above: float = threshold) -> Any:
            return np.mean([(x > above).mean(axis=axis) for x in drawn], axis=0)

        points.append(_bootstrap(strata, share, confidence, n_resamples, seed))
    return Profile(*np.array(points).reshape(-1, 3).T)


def _mann_whitney(ours: Floats, theirs: Floats) -> Any:
    """Return the share of pairs (i, j) in which ours is higher, ties counting half."""
    x, y = ours[..., :, None], theirs[..., None, :]
    return (0.5 * (x > y) + 0.5 * (x >= y)).mean(axis=(-2, -1))


def _strata(samples: Sequence[ArrayLike]) -> list[Floats]:
    strata = [np.asarray(sample, dtype=np.float64) for sample in samples]
    if not strata or min(sample.size for sample in strata) == 0:
        raise ValueError("samples are empty; every scenario needs at least one seed")
    return strata


def _pairs(ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike]) -> list[tuple[Floats, Floats]]:
    first, second = _strata(ours), _strata(theirs)
    sizes = [[sample.size for sample in strata] for strata in (first, second)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"ours and theirs must be of the same seeds; there are {sizes[0]} and {sizes[1]}"
        )
    return list(zip(first, second, strict=True))


def _bootstrap(
    strata: Sequence[NDArray[Any]],
    statistic: Callable[..., Any],
    confidence: float,
    n_resamples: int,
    seed: int,
) -> Interval:
    """Return a statistic of all strata, and the percentile interval of its resamples."""
    mean = float(statistic(*strata))
    if min(len(sample) for sample in strata) == 1:
        return Interval(mean, float("nan"), float("nan"))
    result = stats.bootstrap(
        strata,
        statistic,
        method="percentile",
        vectorized=True,
        confidence_level=confidence,
        n_resamples=n_resamples,
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return Interval(mean, float(low), float(high))
