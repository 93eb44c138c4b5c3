"""What the clustering keeps of feedback, and how it fits clusters to it.

Shapes: n feedbacks, U users, K items, P clusters.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.clustering import kmeans, linear
from pgrpo_rec.clustering.concomitant import UserFeatures, gains, tilt
from pgrpo_rec.clustering.labels import find
from pgrpo_rec.clustering.linear_search import fit_linear
from pgrpo_rec.clustering.memory import AnswerMemory, Kept
from pgrpo_rec.clustering.mixture import (
    FAMILIES,
    TRIAL,
    Budget,
    Search,
    fit_mixture,
    match_labels,
    reordered,
)
from pgrpo_rec.clustering.statistics import Statistics
from pgrpo_rec.clustering.users import UserStatistics
from pgrpo_rec.estimators.clustering_door import ClusteringDoor
from pgrpo_rec.interactions import with_constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KEPT_SHARE = 0.9  # of ``max_users``, when some are forgotten: room for new ones


class ClusteringFits(ClusteringDoor):
    """State of `PreferenceClustering`, whose verbs are the only way in."""

    max_clusters: int
    n_init: int
    max_iter: int
    min_feedback: int
    memory: int
    random_state: Seed
    _parameters: Any
    _centres: kmeans.Centres | None

    @property
    def _kind(self) -> str:
        return "bernoulli" if self._of.binary else "gaussian"

    @property
    def _family(self) -> Any:
        return FAMILIES[self._kind]

    def _begin(self, catalogue: NDArray[Any], n_features: int) -> None:
        self._n_features = n_features
        self._memory = AnswerMemory(self.memory) if n_features else None
        self._about: UserFeatures | None = None
        self._of = UserStatistics(catalogue)
        self.users_, self.actions_ = self._of.users, catalogue
        self.shares_ = np.ones(1)
        self.n_feedback_ = self.n_refits_ = 0
        self.criterion_ = np.empty(0, dtype=TRIAL)
        self._resp = np.ones((0, 1))
        self._next_refit = self.min_feedback
        self._parameters = self._centres = None

    def _add(
        self, rewards: Floats, items: NDArray[Any], people: NDArray[Any], features: Floats
    ) -> Ints:
        """Take feedback into the statistics; return the row of each user."""
        new = np.unique(items[find(self.actions_, items) < 0])
        if new.size and self._memory is not None:
            self._memory.insert_items(self._of.places(new))
            self._parameters = None  # `partial_fit` refits
        elif new.size and self._parameters is not None:
            places = self._of.places(new)
            self._parameters = self._family.insert_actions(self._parameters, places)
            if self._centres is not None:
                self._centres = kmeans.insert_actions(self._centres, places)
        rows = self._of.add(rewards, items, people)
        self.users_, self.actions_ = self._of.users, self._of.actions
        self.n_feedback_ = self._of.n_feedback
        if self._memory is not None:
            self._memory.add(Kept(rows, with_constant(features), self._columns(items), rewards))
        # Room doubles as it does for the statistics: a new user costs no copy of all.
        missing = self.users_.size - self._resp.shape[0]
        if missing > 0:
            more = np.tile(self.shares_, (max(missing, self._resp.shape[0]), 1))
            self._resp = np.concatenate([self._resp, more])
        return self._forget_oldest(rows)

    def _remember(self, rows: Ints, about: Floats | None) -> None:
        """Take features of users in."""
        if about is not None and about.shape[0] > 0:
            if self._about is None:
                self._about = UserFeatures(about.shape[1])
            self._about.add(rows, about)
        if self._about is not None:
            self._about.make_room(self.users_.size)

    def _placed(self, rows: Ints) -> Floats:
        """Return the probability of each cluster, of some rows, shape (n, P)."""
        return self._tilted(self._resp[rows], rows)

    def _tilted(self, resp: Floats, rows: Ints, about: Floats | None = None) -> Floats:
        """Return responsibilities with what features say in place of the shares, shape (n, P)."""
        by = None if self._about is None else self._about.tilts(rows, about)
        return resp if by is None else tilt(resp, by)

    def _forget_oldest(self, rows: Ints) -> Ints:
        """Forget users when there are too many; return the rows of the last feedback's users."""
        if self.max_users is None or self.users_.size <= self.max_users:
            return rows
        n_kept = max(int(KEPT_SHARE * self.max_users), 1, np.unique(rows).size)
        moved = self._of.forget_oldest(n_kept)
        self.users_ = self._of.users
        self._resp = self._resp[: moved.size][moved >= 0]
        if self._memory is not None:
            self._memory.follow_users(moved)
        if self._about is not None:
            self._about.follow_users(moved)
        return moved[rows]

    def _refit(self) -> None:
        """Fit the clusters to all feedback so far, and keep their labels where they were."""
        rng = generator(self.random_state, self.n_refits_)
        if self._memory is not None:
            resp = self._fit_linear(self._memory, rng)
        else:
            resp = self._fit_kmeans(rng) if self.method == "kmeans" else self._fit_mixture(rng)
        order = match_labels(self._resp[: self.users_.size], resp)
        sort = linear.reordered if self._memory is not None else reordered
        self._parameters = sort(self._parameters, order)
        if self._centres is not None:
            self._centres = self._centres._replace(centres=self._centres.centres[order])
        self.shares_ = self._parameters.shares
        self._resp = self._remembered(resp[:, order])
        if self._about is not None:
            self._about.refit(self._resp, self.shares_, rng)
        self.n_refits_ += 1
        self._next_refit = max(self.min_feedback, math.ceil(self.n_feedback_ * self.refit_factor))

    def _fit_mixture(self, rng: np.random.Generator) -> Floats:
        n_users = self.users_.size
        n_clusters = None if self.n_clusters == "auto" else min(int(self.n_clusters), n_users)
        budget = Budget(self.n_init, self.max_iter, self.tol)
        search = Search(n_clusters, min(self.max_clusters, n_users), budget)
        same = isinstance(self._parameters, self._family.Parameters)
        previous = self._parameters if same else None
        everybody = self._of.everybody()
        best, self.criterion_ = fit_mixture(self._kind, everybody, search, rng, previous)
        self._parameters = best.parameters
        return best.resp

    def _fit_linear(self, memory: AnswerMemory, rng: np.random.Generator) -> Floats:
        kept, n_users = memory.all(), self.users_.size
        number = None if self.n_clusters == "auto" else min(int(self.n_clusters), n_users)
        # Responsibilities are what matters: log-likelihoods of features take long to settle.
        effort = linear.Effort(self.n_init, self.max_iter, max(self.tol, linear.SETTLED))
        fit, trials = fit_linear(
            kept,
            n_users,
            self.actions_.size,
            number,
            min(self.max_clusters, n_users),
            effort,
            rng,
            self._resp[:n_users] if self.n_refits_ else None,
        )
        self._parameters, self._centre = fit.parameters, kept.z.mean(axis=0)
        table = [(n, loglik, -2.0 * loglik, gain) for n, loglik, gain in trials]
        self.criterion_ = np.array(table, dtype=TRIAL)
        return fit.resp

    def _linear_loglik(
        self, rewards: Floats, items: NDArray[Any], rows: Ints, features: Floats, n_rows: int
    ) -> Floats:
        """Return the log density of new answers by row and cluster, shape (n_rows, P)."""
        new = Kept(rows, with_constant(features), self._columns(items), rewards)
        return linear.users_loglik(new, n_rows, self._parameters, self._of.binary)

    def _remembered(self, resp: Floats) -> Floats:
        """Leave users whose answers have all left the memory where they were."""
        if self._memory is not None and resp.shape[1] == self._resp.shape[1]:
            gone = np.ones(resp.shape[0], dtype=np.bool_)
            gone[self._memory.all().users] = False
            resp[gone] = self._resp[: resp.shape[0]][gone]
        return resp

    def _rows_of(self, labels: NDArray[Any]) -> Ints:
        """Return the rows of users, -1 for those never met."""
        places = find(self.users_, labels)
        rows = np.full(labels.size, -1, dtype=np.int64)
        rows[places >= 0] = self._of.rows[places[places >= 0]]
        return rows

    def _columns(self, items: NDArray[Any]) -> Ints:
        return np.asarray(find(self.actions_, items), dtype=np.int64)

    def _fit_kmeans(self, rng: np.random.Generator) -> Floats:
        n_clusters, everybody = min(int(self.n_clusters), self.users_.size), self._of.everybody()
        seed = int(rng.integers(2**31))
        self._centres, inertia = kmeans.fit_kmeans(
            everybody, n_clusters, self.n_init, self.max_iter, seed
        )
        resp = kmeans.nearest(self._centres, everybody)
        self._parameters = self._family.start(self._family.prepare(everybody), resp)
        trial = (n_clusters, self._loglik(everybody), inertia, np.nan)
        self.criterion_ = np.array([trial], dtype=TRIAL)
        return resp

    def _place(self, statistics: Statistics) -> Floats:
        """Return responsibilities of users with the parameters as they are."""
        if self._centres is not None:
            return kmeans.nearest(self._centres, statistics)
        resp = np.empty((statistics.counts.shape[0], self.shares_.size))
        self._family.e_step(self._parameters, self._family.prepare(statistics), resp)
        return resp

    def _loglik(self, statistics: Statistics, by: Floats | None = None) -> float:
        """Return the log-likelihood of users, with no cap on counts; ``by``: tilts of shares."""
        cells = self._family.prepare(statistics, cap=2**31 - 1)
        resp = np.empty((statistics.counts.shape[0], self._parameters.shares.size))
        loglik = float(self._family.e_step(self._parameters, cells, resp)[0])
        return loglik if by is None else loglik + float(gains(resp, by).sum())
