"""The audience: which preference group each visitor is taken to belong to.

Three ways in, fixed by the first call: ``clusters`` are given; ``users`` are given and their
groups are learned; or neither, and everyone is one group. All three answer the same two
questions: which cluster is this visit of (`index`), and what happened to the clusters when
feedback came (`absorb`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.clustering.labels import find
from pgrpo_rec.estimators.clustering import PreferenceClustering
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEGLIGIBLE = 0.01  # clusters that are less likely than this are not served


class Units(NamedTuple):
    """Owners of histories: clusters, or the users who make them up."""

    ids: NDArray[Any]  # (U,), sorted
    labels: Ints  # (U,), cluster of each
    rows: Ints  # (n,), owner of each visit


class Audience(Protocol):
    """Who is who."""

    history: RewardHistory

    @property
    def n_clusters(self) -> int:
        """Clusters so far."""

    def index(self, visits: Visits) -> Ints:
        """Return the cluster of each visit, shape (n,); ``n_clusters`` stands for unknown."""

    def parts(self, visits: Visits) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield rows, a cluster for each, and how likely it is theirs; shares sum to 1 a row."""

    def units(self, visits: Visits) -> Units:
        """Return who owns histories, after `absorb` has met the visits."""

    def absorb(self, log: Interactions) -> tuple[Ints, Floats | None]:
        """Take feedback in; return each row's cluster, and how clusters moved.

        The second is None if they are what they were; else the mixing matrix, shape (new P,
        old P): new cluster p is made of ``mixing[p, q]`` of old cluster q. Rows of zeros
        are clusters made of no-one known before.
        """


class Everyone:
    """One cluster for all."""

    def __init__(self, history: RewardHistory) -> None:
        self.history = history

    @property
    def n_clusters(self) -> int:
        """Always 1."""
        return 1

    def index(self, visits: Visits) -> Ints:
        """Return 0 for everyone."""
        return np.zeros(visits.n, dtype=np.int64)

    def parts(self, visits: Visits) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield everyone at once."""
        yield np.arange(visits.n), self.index(visits), np.ones(visits.n)

    def absorb(self, log: Interactions) -> tuple[Ints, Floats | None]:
        """Fold the rewards into the one history."""
        index = self.index(log.visits)
        self.history.update(log.credit, index)
        return index, None

    def units(self, visits: Visits) -> Units:
        """Return the one cluster."""
        return Units(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), self.index(visits))


class KnownClusters:
    """Clusters are given as labels; no user is stored."""

    def __init__(self, history: RewardHistory) -> None:
        self.history = history
        self.labels: list[Any] = []

    @property
    def n_clusters(self) -> int:
        """Clusters met so far."""
        return len(self.labels)

    def index(self, visits: Visits) -> Ints:
        """Look the labels up; a label never met is unknown."""
        assert visits.clusters is not None
        places = {label: p for p, label in enumerate(self.labels)}
        distinct, inverse = np.unique(visits.clusters, return_inverse=True)
        known = np.array([places.get(label, len(places)) for label in distinct.tolist()], dtype=int)
        return known[inverse]

    def parts(self, visits: Visits) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield everyone at once: what is known is certain."""
        yield np.arange(visits.n), self.index(visits), np.ones(visits.n)

    def absorb(self, log: Interactions) -> tuple[Ints, Floats | None]:
        """Fold the rewards in; clusters never met before are added."""
        assert log.visits.clusters is not None
        before = self.n_clusters
        met = set(self.labels)
        self.labels += [c for c in np.unique(log.visits.clusters).tolist() if c not in met]
        self.history.grow(self.n_clusters)
        index = self.index(log.visits)
        self.history.update(log.credit, index)
        mixing = None if self.n_clusters == before else np.eye(self.n_clusters, before)
        return index, mixing

    def units(self, visits: Visits) -> Units:
        """Return the clusters."""
        clusters = np.arange(self.n_clusters)
        return Units(clusters, clusters, self.index(visits))


class LearnedClusters:
    """Clusters are learned from the users' feedback; each user keeps an own history.

    A cluster's history is the merge of its members', so it follows the users whenever
    they are grouped anew.
    """

    def __init__(
        self,
        clustering: PreferenceClustering,
        history: RewardHistory,
        *,
        by_features: bool = False,
        items: Floats | None = None,
    ) -> None:
        self.clustering = clustering
        self.by_features = by_features  # whether groups may differ in how they respond to them
        self._items = items  # features by which items are known, (K, m); None: by name
        self.history = history
        self._of_users = RewardHistory(0, decay=history.decay, ddof=history.ddof)
        self._users: NDArray[Any] = np.empty(0)
        self._labels: Ints = np.zeros(0, dtype=np.int64)

    @property
    def n_clusters(self) -> int:
        """Clusters found so far."""
        return self.history.count.size

    def index(self, visits: Visits) -> Ints:
        """Ask the clustering; someone never met is placed by the features, else the shares."""
        assert visits.users is not None
        if self._users.size == 0:
            return np.zeros(visits.n, dtype=np.int64)
        return self.clustering.predict(visits.users, self._about(visits))

    def parts(self, visits: Visits) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield one part a cluster; someone of whom little is known belongs to several."""
        if self._users.size == 0:
            yield np.arange(visits.n), self.index(visits), np.ones(visits.n)
            return
        assert visits.users is not None
        shares = self.clustering.predict_proba(visits.users, self._about(visits))
        shares = np.where(shares < NEGLIGIBLE, 0.0, shares)
        shares /= shares.sum(axis=1, keepdims=True)
        for p in range(shares.shape[1]):
            rows = np.flatnonzero(shares[:, p])
            if rows.size:
                yield rows, np.full(rows.size, p), shares[rows, p]

    def absorb(self, log: Interactions) -> tuple[Ints, Floats | None]:
        """Fold the rewards into the users' histories, regroup, and merge."""
        users, before, old_labels = log.visits.users, self.n_clusters, self._labels
        assert users is not None
        features, actions = self._as_known(log)
        self.clustering.partial_fit(
            features,
            log.rewards,
            actions=actions,
            users=users,
            user_features=self._about(log.visits),
        )
        old_places = self._make_room()
        labels = self.clustering.labels_
        rows = np.searchsorted(self._users, users)
        self._of_users.update(log.credit, rows)
        self.history = self._of_users.grouped(labels, self.clustering.n_clusters_)
        self._labels = labels
        stayed = old_places >= 0
        old_places, old_labels = old_places[stayed], old_labels[stayed]
        moved = labels[old_places] != old_labels
        if self.n_clusters == before and not moved.any():
            # Who was forgotten leaves the clusters as they are, but not what they have heard.
            return labels[rows], None if stayed.all() else np.eye(before)
        weight = self._of_users.count[old_places]
        return labels[rows], _mixing(
            labels[old_places], old_labels, weight, self.n_clusters, before
        )

    def _as_known(self, log: Interactions) -> tuple[Floats | None, Ints]:
        """Return features and items by which groups are told apart.

        Of many items, groups are told apart by which features of items they like: regressions
        on all products with the visit's features would take minutes to search through.
        """
        if self._items is not None:
            return self._items[log.actions], np.zeros_like(log.actions)
        return (log.visits.features if self.by_features else None), log.actions

    def units(self, visits: Visits) -> Units:
        """Return the users."""
        assert visits.users is not None
        return Units(self._users, self._labels, np.searchsorted(self._users, visits.users))

    def _about(self, visits: Visits) -> Floats | None:
        """Return what is known of the visitors, the features of their visits."""
        return visits.features if self.by_features and visits.features.shape[1] else None

    @property
    def has_met_anyone(self) -> bool:
        """Whether any feedback has come."""
        return self._users.size > 0

    def remembers(self, users: NDArray[Any]) -> Bools:
        """Return who has answered before, and is not forgotten."""
        known: Bools = find(self._users, users) >= 0
        return known

    def own_answers(self, users: NDArray[Any]) -> OwnAnswers:
        """Return what each visitor has answered so far; zeros for someone never met."""
        return OwnAnswers(*self.clustering.feedback_of(users))

    def _make_room(self) -> Ints:
        """Line the histories up with the clustering's users.

        Returns
        -------
        ndarray of int64
            Where the users before went, -1 for whom the clustering has forgotten.
        """
        users = self.clustering.users_
        if users is self._users:
            return np.arange(users.size)
        places = find(users, self._users)
        stayed = places >= 0
        other = RewardHistory(users.size, decay=self.history.decay, ddof=self.history.ddof)
        for part, old in zip(other.moments, self._of_users.moments, strict=True):
            part[places[stayed]] = old[stayed]
        self._users, self._of_users = users, other
        return places


def _mixing(new: Ints, old: Ints, weight: Floats, n_new: int, n_old: int) -> Floats:
    """Say of which old clusters each new one is made, by the weight of the shared users."""
    table = np.zeros((n_new, n_old))
    np.add.at(table, (new, old), weight)
    totals = table.sum(axis=1, keepdims=True)
    return np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)
