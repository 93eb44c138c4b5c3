"""What the clustering bandits share: a regression a user, and one a group that is shown by."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.by_user import ByUser
from pgrpo_rec.baselines.groups import add_sums, largest_group, regroup
from pgrpo_rec.baselines.lin_ucb import LinUCB
from pgrpo_rec.baselines.ridge import Sums, add_rows, empty_sums
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ClusteringBandit(ByUser, LinUCB):
    """Base of LinUCB over groups of users that are learned while recommending.

    A subclass says how groups follow the users' regressions (`_regrouped`). Told ``clusters``
    instead of ``users``, each cluster is a group of its own and nothing is learned about
    groups; told neither, everyone is one group. Someone never met is served as the largest
    group is. The choice is certain but for ties, which are drawn: propensities are 1, and such
    a log says nothing of other policies.

    Attributes
    ----------
    groups_ : ndarray of int64, shape (U,)
        Group of every user, in the order in which they were met.
    """

    standardise = False

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        ridge: float = 1.0,
        width: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.ridge = ridge
        self.width = width
        self.random_state = random_state

    # --- what a subclass says ------------------------------------------------------------

    def _join(self, n_users: int) -> Ints:
        """Return the groups of all users, new ones included."""
        home = largest_group(self.groups_) if self.groups_.size else 0
        return np.append(self.groups_, np.full(n_users - self.groups_.size, home))

    def _regrouped(self, heard: Ints) -> Ints:
        """Return the groups of all users after some (distinct) ones answered."""
        raise NotImplementedError

    def _n_groups(self, groups: Ints) -> int:
        return int(groups.max()) + 1

    # --- learning ------------------------------------------------------------------------

    def _start(self, n_features: int) -> None:
        self._told = None
        self.groups_ = np.zeros(0, dtype=np.int64)
        super()._start(n_features)
        self._of_groups = self._strangers(0)

    def _grow(self, n_clusters: int) -> None:
        more = n_clusters - len(self._known.theta)
        super()._grow(n_clusters)
        blank = empty_sums(more, self.actions_.size, self._n_columns)
        self._fading = Sums(*map(np.concatenate, zip(self._fading, blank, strict=True)))
        if more > 0:
            learned = self._told == "users="
            groups = self._join(n_clusters) if learned else np.arange(n_clusters)
            self._move(groups)

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        z, actions, rewards = (
            interactions.visits.with_constant(),
            interactions.actions,
            interactions.rewards,
        )
        add_sums(self._fading, z, clusters, actions, rewards)
        add_rows(self._known, z, clusters, actions, rewards)
        add_rows(self._of_groups, z, self.groups_[clusters], actions, rewards)
        if self._told == "users=":
            self._move(self._regrouped(np.unique(clusters)))

    def _move(self, groups: Ints) -> None:
        """Put users into groups, and make the groups' regressions those of their members."""
        old = np.append(self.groups_, np.full(groups.size - self.groups_.size, -1))
        n_groups = self._n_groups(groups)
        if n_groups != len(self._of_groups.theta) or not np.array_equal(groups, old):
            self._of_groups = regroup(
                self._of_groups, self._fading, groups, old, n_groups, self.ridge
            )
        self.groups_ = groups

    def _in_spreads(self, theta: Floats) -> Floats:
        """Return coefficients in spreads of all rewards, one row a user or group."""
        return theta.reshape(len(theta), -1) / self._spread()

    # --- acting --------------------------------------------------------------------------

    def _regressions(self, visits: Visits) -> tuple[Ints, Floats, Floats, float]:
        users = self._clusters(visits)
        known = self._of_groups if self.groups_.size else self._strangers(1)
        home = largest_group(self.groups_) if self.groups_.size else 0
        groups = np.append(self.groups_, home)[np.minimum(users, self.groups_.size)]
        return groups, known.theta, known.inverse, self._spread()


class SeparatingBandit(ClusteringBandit):
    """Base of those that part users whose regressions differ by more than both may be off."""

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        separation: float = 1.0,
        ridge: float = 1.0,
        width: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        super().__init__(items, ridge=ridge, width=width, random_state=random_state)
        self.separation = separation

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("separation", self.separation, Real, above=0.0)
