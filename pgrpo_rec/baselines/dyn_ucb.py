"""DynUCB: so many groups, and users who move to the nearest."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.baselines.clustering_bandit import ClusteringBandit
from pgrpo_rec.estimators.parameters import check_number

Ints = NDArray[np.int64]


class DynUCB(ClusteringBandit):
    """LinUCB over a fixed number of groups; who answers moves to the group nearest to them.

    A k-means that runs along: users begin in groups drawn at random; when one answers, they
    join the group whose coefficients are nearest to theirs.

    Parameters
    ----------
    items : int or array of labels, optional
    n_clusters : int, default=3
        At least 1.
    ridge : float, default=1
        Above 0.
    width : float, default=1
        Above 0: the bound, in standard deviations.
    random_state : int, Generator, RandomState or None, default=None

    Attributes
    ----------
    groups_ : ndarray of int64, shape (U,)
        Group of every user, in the order in which they were met.

    Notes
    -----
    Told ``clusters`` or nothing, it learns no groups: one model a cluster, or one for all.
    Propensities are 1 but for ties.

    References
    ----------
    Nguyen and Lauw, Dynamic clustering of contextual multi-armed bandits, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import DynUCB
    >>> users = np.arange(40) % 4
    >>> shown = np.arange(40) // 4 % 2
    >>> likes = (users // 2 == shown).astype(float)
    >>> rec = DynUCB(2, n_clusters=2, random_state=0)
    >>> for _ in range(10):
    ...     rec = rec.partial_fit(None, likes, actions=shown, users=users)
    >>> rec.predict(None, users=np.arange(4))
    array([0, 0, 1, 1])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        n_clusters: int = 3,
        ridge: float = 1.0,
        width: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        super().__init__(items, ridge=ridge, width=width, random_state=random_state)
        self.n_clusters = n_clusters

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("n_clusters", self.n_clusters, Integral, low=1)

    def _start(self, n_features: int) -> None:
        self._draws = generator(self.random_state, 1)
        super()._start(n_features)

    def _n_groups(self, groups: Ints) -> int:
        return self.n_clusters if self._told == "users=" else super()._n_groups(groups)

    def _join(self, n_users: int) -> Ints:
        more = self._draws.integers(self.n_clusters, size=n_users - self.groups_.size)
        return np.append(self.groups_, more)

    def _regrouped(self, heard: Ints) -> Ints:
        groups = self.groups_.copy()
        own, of_groups = self._known.theta[heard], self._of_groups.theta
        distance = cdist(self._in_spreads(own), self._in_spreads(of_groups))
        groups[heard] = distance.argmin(axis=1)
        return groups
