"""The scale on which the natural learner fits answers: advantages, or log-odds of clicks.

Rewards of a cluster are measured against its history, in standard deviations. Where all of
them take two values and visits have features, the log-odds of the higher value are fitted
instead (`pgrpo_rec.clicks`), until some cluster shows a third value.

Shapes: n visits, K items, P clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.clicks import TwoValues, expected_rates
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.natural import NOISE_PRIOR, Sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_RATE = 1e-4  # that is predicted of a click, or of a miss


class AnswerScale:
    """Knows what answers are fitted as, and leads from that scale to advantages.

    Parameters
    ----------
    with_features : bool
        Whether visits have features: without them clicks are fitted as they are.

    Attributes
    ----------
    two_values : TwoValues
    unit : ndarray of float64, shape (P, 2)
        Mean and standard deviation of each cluster's rewards, as of the last `update`.
    centre : ndarray of float64, shape (P,)
        Level that values are counted from: mean of the rewards, or log-odds of the mean.
    """

    def __init__(self, *, with_features: bool) -> None:
        self._with_features = with_features
        self.two_values = TwoValues()
        self.unit = np.zeros((0, 2))
        self.centre = np.zeros(0)

    @property
    def clicks(self) -> bool:
        """Whether answers are fitted as clicks."""
        return self.two_values.hold and self._with_features

    def update(self, history: RewardHistory) -> tuple[Floats, Floats]:
        """Measure by the histories as they stand; return `level_and_unit`."""
        self.unit = np.column_stack([history.mean, _unit_of(history)])
        self.centre, unit = self.level_and_unit(history)
        return self.centre, unit

    def level_and_unit(self, history: RewardHistory) -> tuple[Floats, Floats]:
        """Return what sums of answers are to be read with, shapes (P,)."""
        if self.clicks:
            mean = history.mean
            return self.two_values.log_odds(mean, history.count), np.ones(mean.size)
        return history.mean, _unit_of(history)

    def to_advantages(self, mean: Floats, std: Floats, clusters: Ints) -> tuple[Floats, Floats]:
        """Turn mean and standard deviation of fitted values into those of advantages, (n, K)."""
        if not self.clicks:
            return mean, std
        places = np.minimum(clusters, self.unit.shape[0] - 1)
        span = np.nan_to_num(self.two_values.high - self.two_values.low)[places]
        low = np.nan_to_num(self.two_values.low)[places]
        level, unit = self.unit[places].T
        rates = expected_rates(self.centre[places][:, None] + mean, std)
        slope = rates * (1.0 - rates) * (span / unit)[:, None]
        return ((low - level) / unit)[:, None] + rates * (span / unit)[:, None], slope * std + 1e-9

    def noise_of_clicks(self, sums: Sums) -> Floats:
        """Return the variance of a standardised click around its item's mean, (P, K)."""
        n = np.maximum(sums.heard, 1.0)
        around = np.maximum(sums.square - sums.moment[:, :, 0] ** 2 / n, 0.0)
        around /= self.unit[:, 1:] ** 2
        noise: Floats = (around + NOISE_PRIOR) / (sums.heard + NOISE_PRIOR)
        return noise

    def loglik(
        self, rewards: Floats, clusters: Ints, mean: Floats, std: Floats, noise: Floats
    ) -> Floats:
        """Return how probable answers were, in nats, shape (n,).

        Parameters
        ----------
        rewards, clusters : ndarray, shape (n,)
        mean, std : ndarray of float64, shape (n,)
            Of the fitted value of each item shown.
        noise : ndarray of float64, shape (n,)
            Variance of an advantage around it; of no meaning for clicks.
        """
        loglik: Floats
        if self.clicks:
            rates = expected_rates(self.centre[clusters] + mean, std)
            rates = np.clip(rates, LEAST_RATE, 1.0 - LEAST_RATE)
            clicked = self.two_values.clicked(rewards, clusters)
            loglik = np.log(np.where(clicked == 1.0, rates, 1.0 - rates))
            return loglik
        level, unit = self.unit[clusters].T
        variance = std**2 + noise
        error = (rewards - level) / unit - mean
        loglik = -0.5 * (np.log(variance) + error**2 / variance)
        return loglik


def _unit_of(history: RewardHistory) -> Floats:
    """Return standard deviations, 1 where a cluster's rewards have not differed yet."""
    return np.where(history.std > 0.0, history.std, 1.0)
