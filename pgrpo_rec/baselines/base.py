"""What the bandits share: one set of sums for each cluster they are told.

Told nothing about groups, a baseline pools everyone; told ``clusters``, it keeps one model
a cluster. It never learns groups by itself: ``users`` are accepted and ignored.

Shapes: P clusters, K items, D = d + 1 features with the constant first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.estimators.audience import Everyone, KnownClusters
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Bandit(BaseRecommender):
    """Base of the baselines: resolves clusters, keeps counts and sums of rewards.

    Attributes
    ----------
    count_, sum_, sumsq_ : ndarray of float64, shape (P, K)
        Of the rewards of each cluster and item.
    """

    discount: float = 1.0  # what each answer of a cluster leaves of the weight of all before

    def _start(self, n_features: int) -> None:
        self._audience: Everyone | KnownClusters | None = None
        self.count_ = np.zeros((0, self.actions_.size))
        self.sum_ = np.zeros((0, self.actions_.size))
        self.sumsq_ = np.zeros((0, self.actions_.size))

    def _clusters(self, visits: Visits) -> Ints:
        """Return each visit's cluster, one past the last where it has not been met."""
        if self._audience is None:
            kind = Everyone if visits.clusters is None else KnownClusters
            self._audience = kind(RewardHistory(1 if kind is Everyone else 0))
            self._grow(self._audience.n_clusters)
        if isinstance(self._audience, KnownClusters) != (visits.clusters is not None):
            raise ValueError("clusters must be given at every call or at none; this one differs")
        return self._audience.index(visits)

    def _grow(self, n_clusters: int) -> None:
        """Make room for new clusters."""
        for name in ("count_", "sum_", "sumsq_"):
            old = getattr(self, name)
            setattr(self, name, np.vstack([old, np.zeros((n_clusters - len(old), old.shape[1]))]))

    def _learn(self, interactions: Interactions) -> None:
        self._clusters(interactions.visits)
        assert self._audience is not None
        clusters, _ = self._audience.absorb(interactions)
        self._grow(self._audience.n_clusters)
        if self.discount < 1.0:
            self._fade(np.bincount(clusters, minlength=len(self.count_)))
        add_rewards(
            self.count_,
            self.sum_,
            self.sumsq_,
            clusters,
            interactions.actions,
            interactions.rewards,
        )
        self._absorb(interactions, clusters)

    def _fade(self, heard: Ints) -> None:
        """Let the sums of each cluster fade by as many answers as it has heard."""
        left = (self.discount**heard)[:, None]
        for sums in (self.count_, self.sum_, self.sumsq_):
            sums *= left

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        """Take in more than the sums of rewards, where a baseline needs more."""

    def _sums(self, clusters: Ints) -> tuple[Floats, Floats]:
        """Return count and sum of each visit's cluster, (n, K); zeros where not met."""
        blank = np.zeros((1, self.actions_.size))
        return np.vstack([self.count_, blank])[clusters], np.vstack([self.sum_, blank])[clusters]

    def _spread(self) -> float:
        """Return the standard deviation of all rewards so far, 1 before there is one."""
        n = self.count_.sum()
        if n < 2:
            return 1.0
        mean = self.sum_.sum() / n
        variance = (self.sumsq_.sum() - n * mean**2) / (n - 1)
        return float(np.sqrt(variance)) if variance > 0 else 1.0


@jit
def add_rewards(
    count: Floats, total: Floats, square: Floats, clusters: Ints, actions: Ints, rewards: Floats
) -> None:
    """Fold n rewards into the sums of their cluster and item."""
    for i in range(rewards.size):
        p, k = clusters[i], actions[i]
        count[p, k] += 1.0
        total[p, k] += rewards[i]
        square[p, k] += rewards[i] * rewards[i]


def spread_over_best(values: Floats, available: NDArray[np.bool_]) -> Floats:
    """Return probabilities that share 1 among the best available items of each row."""
    masked = np.where(available, values, -np.inf)
    best = masked == masked.max(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)
