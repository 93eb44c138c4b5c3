"""Following: how far single persons are followed away from their cluster, as far as it pays.

Shapes: n answers, K items, P clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import (
    FACTORS,
    FORGETTING,
    measure_deviation,
    predictive_loglik,
    trusted_factor,
)
from pgrpo_rec.estimators.audience import LearnedClusters
from pgrpo_rec.estimators.learners import Answers

Floats = NDArray[np.float64]

GROWTH = 1.2  # of the feedback from one measurement to the next


class Following:
    """Measures how far people deviate, and whether following them has predicted better."""

    def __init__(self) -> None:
        self._deviation = np.zeros(0)
        self._predicted = np.zeros(FACTORS.size)
        self._next_measure = 0.0

    @property
    def trusted(self) -> Floats:
        """Variance of persons around each cluster's values, as far as it is believed, (P,)."""
        return self._deviation * trusted_factor(self._predicted)

    def judge(
        self,
        answers: Answers,
        audience: LearnedClusters,
        mean: Floats,
        std: Floats,
        unit: Floats,
        noise: Floats,
    ) -> None:
        """Score how well each factor on the measured deviation predicts answers to come.

        Parameters
        ----------
        answers : Answers
        audience : LearnedClusters
            Which has taken these answers in.
        mean, std : ndarray of float64, shape (n, K)
            What the clusters' fit says of advantages, without these answers.
        unit, noise : ndarray of float64, shapes (P, 2) and (P, K)
            As of `pgrpo_rec.adaptation.adapt`.
        """
        a = answers
        assert a.users is not None
        own, rows = audience.own_answers(a.users), np.arange(a.actions.size)
        own.heard[rows, a.actions] -= 1.0
        own.total[rows, a.actions] -= a.rewards
        heard = predictive_loglik(
            mean, std, own, a.clusters, a.actions, a.rewards, unit, self._deviation, noise
        )
        self._predicted = FORGETTING * self._predicted + heard

    def measure(self, heard: float, audience: LearnedClusters) -> None:
        """Measure the deviation anew, when clusters or much else have changed.

        Parameters
        ----------
        heard : float
            Answers so far.
        audience : LearnedClusters
        """
        std = audience.history.std
        if self._deviation.size == std.size and heard < self._next_measure:
            return
        self._next_measure = GROWTH * heard
        c = audience.clustering
        self._deviation = measure_deviation(c.count_, c.sum_, c.sumsq_, c.labels_, std)
