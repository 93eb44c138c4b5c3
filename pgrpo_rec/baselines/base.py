"""What the bandits share: one set of sums for each cluster they are told.

Told nothing about groups, a baseline pools everyone; told ``clusters``, it keeps one model
a cluster. It never learns groups by itself: ``users`` are accepted and ignored.

Shapes: P clusters, K items, D = d + 1 features with the constant first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.baselines.window import empty_window, slide
from pgrpo_rec.estimators.audience import Everyone, KnownClusters
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Bandit(BaseRecommender):
    """Base of the baselines: resolves clusters, keeps counts and sums of rewards.

    Attributes
    ----------
    count_, sum_, sumsq_ : ndarray of float64, shape (P, K)
        Of the rewards of each cluster and item.
    """

    discount: float = 1.0  # what each answer of a cluster leaves of the weight of all before
    window: int | None = None  # how many of a cluster's last answers the sums are of

    def _start(self, n_features: int) -> None:
        self._audience: Everyone | KnownClusters | None = None
        self.count_ = np.zeros((0, self.actions_.size))
        self.sum_ = np.zeros((0, self.actions_.size))
        self.sumsq_ = np.zeros((0, self.actions_.size))
        self._recent = empty_window(0, self.window or 1)

    def _as_clusters(self, visits: Visits) -> Visits:
        """Return the visits with that as clusters of which a model each is kept."""
        return visits

    def _meet(self, visits: Visits) -> Everyone | KnownClusters:
        """Fix at the first call whether clusters are told; later calls must tell them alike."""
        if self._audience is None:
            kind = Everyone if visits.clusters is None else KnownClusters
            self._audience = kind(RewardHistory(1 if kind is Everyone else 0))
            self._grow(self._audience.n_clusters)
        if isinstance(self._audience, KnownClusters) != (visits.clusters is not None):
            raise ValueError("clusters must be given at every call or at none; this one differs")
        return self._audience

    def _clusters(self, visits: Visits) -> Ints:
        """Return each visit's cluster, one past the last where it has not been met."""
        visits = self._as_clusters(visits)
        return self._meet(visits).index(visits)

    def _grow(self, n_clusters: int) -> None:
        """Make room for new clusters; called when there are some."""
        for name in ("count_", "sum_", "sumsq_"):
            old = getattr(self, name)
            setattr(self, name, np.vstack([old, np.zeros((n_clusters - len(old), old.shape[1]))]))
        if self.window is not None:
            blank = empty_window(n_clusters - self._recent.heard.size, self.window)
            self._recent = self._recent.followed_by(blank)

    def _learn(self, interactions: Interactions) -> None:
        visits = self._as_clusters(interactions.visits)
        audience = self._meet(visits)
        told = interactions
        if visits is not interactions.visits:
            told = interactions._replace(visits=visits)
        clusters, _ = audience.absorb(told)
        if audience.n_clusters > len(self.count_):
            self._grow(audience.n_clusters)
        if self.discount < 1.0:
            self._fade(np.bincount(clusters, minlength=len(self.count_)))
        sums = (self.count_, self.sum_, self.sumsq_)
        rows = (clusters, interactions.actions, interactions.rewards)
        if self.window is None:
            add_rewards(*sums, *rows)
        else:
            slide(self._recent, *sums, *rows)
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
        return spread_of(self.count_, self.sum_, self.sumsq_)


@jit
def spread_of(count: Floats, total: Floats, square: Floats) -> float:
    """Return the standard deviation of all rewards summed up here, 1 before there is one."""
    n = count.sum()
    if n < 2.0:
        return 1.0
    variance = (square.sum() - total.sum() ** 2 / n) / (n - 1.0)
    return np.sqrt(variance) if variance > 0.0 else 1.0


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


def distinct_visits(clusters: Ints, available: Bools) -> tuple[Ints, Ints]:
    """Return a first visit of every cluster and choice of items, and which one each visit is."""
    keys = np.hstack([clusters.view(np.uint8).reshape(-1, 8), np.packbits(available, axis=1)])
    whole = keys.view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return first, inverse


def means(count: Floats, total: Floats) -> Floats:
    """Return the mean reward of every item, infinite where it was never shown; shape (n, K)."""
    return np.divide(total, count, out=np.full(count.shape, np.inf), where=count > 0.0)


def check_rates(rewards: Floats) -> None:
    """Raise ValueError unless rewards are rates, from 0 to 1."""
    outside = (rewards < 0.0) | (rewards > 1.0)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise ValueError(
            f"y is {rewards[row]} in row {row}; a click rate needs rewards from 0 to 1"
        )


def spread_over_best(values: Floats, available: Bools) -> Floats:
    """Return probabilities that share 1 among the best available items of each row."""
    return share_among_best(values, np.array(available))  # of a view it would be compiled again


@jit
def share_among_best(values: Floats, available: Bools) -> Floats:
    """Share 1 among the best available items of each row, shape (n, K)."""
    shares = np.zeros(values.shape)
    for i in range(values.shape[0]):
        best, n_best = -np.inf, 0
        for k in range(values.shape[1]):
            if available[i, k] and values[i, k] > best:
                best, n_best = values[i, k], 0
            n_best += available[i, k] and values[i, k] == best
        for k in range(values.shape[1]):
            if available[i, k] and values[i, k] == best:
                shares[i, k] = 1.0 / n_best
    return shares
