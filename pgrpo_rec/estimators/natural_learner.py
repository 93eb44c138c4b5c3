"""The natural learner: keeps the fit of the advantages and samples from its posterior.

Shapes: n visits, K items, P clusters, D = d + 1 features with the constant first.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import (
    FACTORS,
    FORGETTING,
    OwnAnswers,
    adapt,
    measure_deviation,
    predictive_loglik,
)
from pgrpo_rec.estimators.audience import Audience, LearnedClusters
from pgrpo_rec.estimators.learners import Answers
from pgrpo_rec.evidence import NO_COMMON_PART, choose_priors
from pgrpo_rec.natural import (
    FIRST_RIDGE,
    Fit,
    Priors,
    Sums,
    add_answers,
    empty_fit,
    empty_sums,
    read_values,
    refresh,
)
from pgrpo_rec.posterior import probability_of_best

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Natural:
    """Posterior sampling on the least-squares fit of the advantages.

    Parameters
    ----------
    n_items, n_columns : int
        K and D.
    exploration : float
        Factor on the posterior's standard deviation.
    memory : int
        With learned clusters: how many of the last answers are kept, so that the fit can be
        made anew when users change clusters. Without features nothing is kept: the
        clustering's sums suffice.
    adapts : bool
        With learned clusters: add each person's own answers to the cluster's fit.
    """

    def __init__(
        self, n_items: int, n_columns: int, *, exploration: float, memory: int, adapts: bool
    ) -> None:
        self.n_columns = n_columns
        self.adapts = adapts
        self.exploration = exploration
        self.memory = memory
        self.sums: Sums = empty_sums(0, n_items, n_columns)
        self.fit: Fit = empty_fit(0, n_items, n_columns)
        self.priors = Priors(np.full(2, NO_COMMON_PART), np.zeros((0, 2)), np.zeros(0))
        self._stale = np.zeros((0, n_items), dtype=np.bool_)
        self._kept: deque[Answers] = deque()
        self._n_kept = 0
        self._regrouped = False
        self._next_tuning = 64.0
        self._unit = np.zeros((0, 2))
        self._next_measure = 0.0
        self._deviation = np.zeros(0)
        self._predicted = np.zeros(FACTORS.size)

    def probabilities(
        self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None
    ) -> Floats:
        """Return the posterior-sampling probabilities."""
        mean, std = self._read(z, clusters, own)
        return probability_of_best(mean, self.exploration * std, available)

    def values(self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None) -> Floats:
        """Return the expected advantages."""
        return self._read(z, clusters, own)[0]

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Make room for new clusters; sums of regrouped users are gathered by `learn`."""
        n_clusters, n_items = mixing.shape[0], self.sums.heard.shape[1]
        fresh = empty_sums(n_clusters, n_items, self.n_columns)
        self._regrouped = isinstance(audience, LearnedClusters)
        if not self._regrouped:
            for new, old in zip(fresh, self.sums, strict=True):
                new[: old.shape[0]] = old
        weight = mixing / np.maximum(mixing.sum(axis=1, keepdims=True), 1e-300)
        strange = mixing.sum(axis=1) == 0.0
        own = weight @ self.priors.own + np.where(strange[:, None], FIRST_RIDGE, 0.0)
        noise = weight @ self.priors.noise + np.where(strange, 1.0, 0.0)
        self.priors = Priors(self.priors.common, own, noise)
        self.sums = fresh
        self.fit = empty_fit(n_clusters, n_items, self.n_columns)
        self._stale = np.ones((n_clusters, n_items), dtype=np.bool_)

    def learn(self, answers: Answers, audience: Audience) -> None:
        """Fold the answers in; choose ridges anew whenever the answers have doubled."""
        a = answers
        self._keep(answers, audience)
        if self.adapts and not self._regrouped and isinstance(audience, LearnedClusters):
            self._judge(answers, audience)
        if self._regrouped and isinstance(audience, LearnedClusters):
            self._gather(audience)
            self._regrouped = False
        else:
            add_answers(self.sums, a.z, a.clusters, a.actions, a.rewards)
            self._stale[a.clusters, a.actions] = True
        self._refresh(audience)
        if self.adapts and isinstance(audience, LearnedClusters):
            self._measure(audience)
        if self.sums.heard.sum() >= self._next_tuning:
            self._next_tuning *= 2.0
            history = audience.history
            self.priors = choose_priors(self.sums, self.fit, history.mean, history.std, self.priors)
            self._stale[:] = True
            self._refresh(audience)

    def _read(self, z: Floats, clusters: Ints, own: OwnAnswers | None) -> tuple[Floats, Floats]:
        fit = self.fit
        if clusters.size and clusters.max() >= fit.noise.shape[0]:
            fit = self._with_stranger()
        mean, std = read_values(fit, z, clusters)
        if own is not None:
            deviation = self._deviation * FACTORS[self._predicted.argmax()]
            adapt(mean, std, own, clusters, self._unit, deviation, fit.noise)
        return mean, std

    def _judge(self, answers: Answers, audience: LearnedClusters) -> None:
        """Score how well each factor on the measured deviation predicts answers to come."""
        a = answers
        assert a.users is not None
        own = audience.own_answers(a.users)
        rows = np.arange(a.actions.size)
        own.heard[rows, a.actions] -= 1.0  # the clustering has taken these answers in
        own.total[rows, a.actions] -= a.rewards
        heard = predictive_loglik(
            *read_values(self.fit, a.z, a.clusters),
            own,
            a.clusters,
            a.actions,
            a.rewards,
            self._unit,
            self._deviation,
            self.fit.noise,
        )
        self._predicted = FORGETTING * self._predicted + heard

    def _with_stranger(self) -> Fit:
        """Return the fit with one more cluster of which only the common part is known."""
        fit, shape = self.fit, (1, *self.fit.common.shape)
        deviation = np.eye(self.n_columns) / FIRST_RIDGE
        return fit._replace(
            beta=np.concatenate([fit.beta, fit.common[None]]),
            covariance=np.concatenate([fit.covariance, fit.common_inverse[None] + deviation]),
            noise=np.concatenate([fit.noise, np.ones(shape[:2])]),
        )

    def _refresh(self, audience: Audience) -> None:
        history = audience.history
        refresh(self.fit, self.sums, self._stale, history.mean, history.std, self.priors)
        self._stale[:] = False
        std = np.where(history.std > 0.0, history.std, 1.0)
        self._unit = np.column_stack([history.mean, std])

    def _measure(self, audience: LearnedClusters) -> None:
        """Measure anew how far people deviate, when clusters or much else have changed."""
        heard = self.sums.heard.sum()
        if self._deviation.size == self._unit.shape[0] and heard < self._next_measure:
            return
        self._next_measure = 1.2 * heard
        c = audience.clustering
        std = audience.history.std
        self._deviation = measure_deviation(c.count_, c.sum_, c.sumsq_, c.labels_, std)

    def _keep(self, answers: Answers, audience: Audience) -> None:
        if self.n_columns == 1 or not isinstance(audience, LearnedClusters):
            return
        self._kept.append(answers)
        self._n_kept += answers.actions.size
        while self._n_kept > self.memory and len(self._kept) > 1:
            self._n_kept -= self._kept.popleft().actions.size

    def _gather(self, audience: LearnedClusters) -> None:
        """Sum all answers up anew, by the clusters that users are in now."""
        clustering, sums = audience.clustering, self.sums
        if self.n_columns == 1:
            sums.heard[:], sums.moment[:, :, 0], sums.square[:] = clustering.totals()
            sums.gram[:, :, 0, 0] = sums.heard
            return
        for kept in self._kept:
            assert kept.users is not None
            clusters = clustering.predict(kept.users)
            add_answers(sums, kept.z, clusters, kept.actions, kept.rewards)
