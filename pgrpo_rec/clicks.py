r"""Clicks: the fit of the advantages where answers take two values only.

A click's variance is p(1 - p), and rates are bounded: least squares on clicks takes a rare
item for a certain one and a lucky one for a marvel. So the value of an item is fitted on the
scale of log-odds, where a cluster's own rate is the level that advantages are counted from,

.. math:: P(\text{click}) = \sigma(c_p + z \cdot \beta_{pk}), \qquad c_p = \mathrm{logit}\,\mu_p .

The natural step of this model is iteratively reweighted least squares, taken here in one pass:
each answer is replaced by the working response :math:`\eta + (y - \sigma(\eta)) / v` with
weight :math:`v = \sigma(\eta)(1 - \sigma(\eta))`, where :math:`\eta` is the most probable
log-odds of this visit once the answer is known. All answers then are weighted sums, and
everything in `pgrpo_rec.natural` and `pgrpo_rec.evidence` (ridges, what clusters share,
posterior) holds for them as for rewards, with noise 1. The order of values is that of the
rates, so the posterior-sampling probabilities are read on this scale too.

Which of the two values a cluster uses, and in what unit, does not matter.

Shapes: P clusters, K items, D features with the constant first, n visits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import multiply
from pgrpo_rec.natural import Fit, Sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_WEIGHT = 1e-4  # of an answer, so that working responses stay finite
MOST_STEPS = 100  # to the most probable log-odds; some 5 to 10 are needed
PRECISION = 1e-12  # of log-odds


class TwoValues:
    """Watches whether all rewards of each cluster are one of two values.

    Attributes
    ----------
    low, high : ndarray of float64, shape (P,)
        The smaller and the larger reward of each cluster; NaN before the first, and once a
        third value has come: rewards of people are kept no longer than they say something.
    hold : bool
        No cluster has shown a third value.
    """

    def __init__(self) -> None:
        self.low: Floats = np.zeros(0)
        self.high: Floats = np.zeros(0)
        self.hold = True

    def grow(self, n_clusters: int) -> None:
        """Make room for clusters that have answered nothing; or forget some."""
        room = np.full(max(n_clusters - self.low.size, 0), np.nan)
        self.low = np.append(self.low[:n_clusters], room)
        self.high = np.append(self.high[:n_clusters], room)

    def watch(self, rewards: Floats, clusters: Ints) -> Ints:
        """Look at a batch; return the clusters whose only value so far was the higher one."""
        turned: list[int] = []
        for p in np.unique(clusters) if self.hold else ():
            values = np.unique(rewards[clusters == p])
            known = {self.low[p], self.high[p]} - {np.nan}
            values = np.union1d(values, [v for v in known if not np.isnan(v)])
            self.hold = self.hold and values.size <= 2
            if self.low[p] == self.high[p] and values[0] < self.low[p]:
                turned.append(p)
            self.low[p], self.high[p] = values[0], values[-1]
        if not self.hold:
            self.low[:], self.high[:] = np.nan, np.nan
        return np.array(turned, dtype=np.int64)

    def clicked(self, rewards: Floats, clusters: Ints) -> Floats:
        """Return 1 for the higher value and 0 for the lower one."""
        return (rewards > self.low[clusters]).astype(np.float64)

    def log_odds(self, mean: Floats, count: Floats) -> Floats:
        """Return the log-odds of each cluster's own rate, half a click and half a miss added."""
        span = np.nan_to_num(self.high - self.low)
        rate = np.where(span > 0.0, (mean - self.low) / np.where(span > 0.0, span, 1.0), 0.0)
        clicks = np.clip(rate, 0.0, 1.0) * count
        return np.log((clicks + 0.5) / (count - clicks + 0.5))


@jit
def add_clicks(
    sums: Sums,
    fit: Fit,
    z: Floats,
    clusters: Ints,
    actions: Ints,
    clicked: Floats,
    centre: Floats,
    weights: Floats,
) -> None:
    """Fold n answers, 0 or 1, into the sums as working responses, as often as weights say.

    Parameters
    ----------
    sums : Sums
        Written to.
    fit : Fit
        Written to: it moves with every answer, so that each is weighed by what is known then.
    z, clusters, actions, clicked, weights : ndarray
    centre : ndarray of float64, shape (P,)
        Log-odds of each cluster's own rate.
    """
    n_used = fit.beta.shape[2]  # columns of the fit; the sums may have more
    reach = np.empty(n_used)
    for i in range(clicked.size):
        p, k, x = clusters[i], actions[i], z[i]
        beta, covariance = fit.beta[p, k], fit.covariance[p, k]
        gram, moment = sums.gram[p, k], sums.moment[p, k]
        multiply(covariance, x[:n_used], reach)
        mean, variance = centre[p], 0.0
        for j in range(n_used):
            mean += beta[j] * x[j]
            variance += reach[j] * x[j]
        eta = most_probable(mean, variance, clicked[i])
        rate = 1.0 / (1.0 + np.exp(-eta))
        weight = max(rate * (1.0 - rate), LEAST_WEIGHT)
        response = eta + (clicked[i] - rate) / weight
        weight *= weights[i]
        sums.heard[p, k] += weights[i]
        sums.square[p, k] += weight * response * response
        for j in range(x.size):
            weighted, row = weight * x[j], gram[j]
            moment[j] += weighted * response
            for m in range(x.size):
                row[m] += weighted * x[m]
        gain = weight / (1.0 + weight * variance)
        for j in range(n_used):
            beta[j] += gain * (response - mean) * reach[j]
            told, row = gain * reach[j], covariance[j]
            for m in range(n_used):
                row[m] -= told * reach[m]


@jit
def most_probable(mean: float, variance: float, clicked: float) -> float:
    """Return the most probable log-odds after one answer, where they were normal before it.

    The root of ``eta - mean - variance (clicked - sigma(eta))``, by Newton's method where it moves
    by half of the move before at most, within the bracket; else by halves. Alone it may swing
    from one end to the other for ever here.
    """
    low = mean if clicked == 1.0 else mean - variance
    high = mean + variance if clicked == 1.0 else mean
    eta, moved = 0.5 * (low + high), high - low
    for _ in range(MOST_STEPS):
        rate = 1.0 / (1.0 + np.exp(-eta))
        error = eta - mean - variance * (clicked - rate)
        if error > 0.0:
            high = eta
        else:
            low = eta
        step = error / (1.0 + variance * rate * (1.0 - rate))
        if abs(step) <= PRECISION:
            break
        if abs(step) > 0.5 * moved or not low < eta - step < high:
            step = eta - 0.5 * (low + high)
        eta, moved = eta - step, abs(step)
    return eta


def expected_rates(log_odds: Floats, std: Floats) -> Floats:
    """Return the rate expected of normal log-odds (MacKay 1992's approximation)."""
    moderated: Floats = log_odds / np.sqrt(1.0 + np.pi / 8.0 * std**2)
    return 1.0 / (1.0 + np.exp(-moderated))
