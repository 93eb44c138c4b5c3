"""CLUB: groups are what a graph of users falls apart into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from pgrpo_rec.baselines.clustering_bandit import SeparatingBandit
from pgrpo_rec.baselines.groups import largest_group, uncertainty

Ints = NDArray[np.int64]


class CLUB(SeparatingBandit):
    r"""LinUCB over groups: users stay linked until their regressions are told apart.

    At first all users are linked. When one answers, the links to all are cut whose
    coefficients are further away than :math:`\alpha (f(T_u) + f(T_v))`,
    :math:`f(T) = \sqrt{(1 + \ln(1 + T)) / (1 + T)}`, T a user's answers. Groups are the
    connected parts, each with one regression an item on all its answers; shown is the item
    with the highest upper end, as in `LinUCB`.

    Parameters
    ----------
    items : int or array of labels, optional
    separation : float, default=1
        :math:`\alpha`, above 0, in spreads of all rewards; less cuts sooner.
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
    The paper knows all users from the start; ours are linked, when first met, to each other
    and to the members of the largest group. Its items come with features, ours have a
    coefficient vector each. Links take U² bytes. Propensities are 1 but for ties.

    References
    ----------
    Gentile, Li and Zappella, Online clustering of bandits, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import CLUB
    >>> users = np.arange(400) % 4
    >>> shown = np.arange(400) // 4 % 2
    >>> likes = (users // 2 == shown).astype(float)
    >>> rec = CLUB(2, random_state=0).fit(None, likes, actions=shown, users=users)
    >>> rec.groups_
    array([0, 0, 1, 1])
    """

    def _start(self, n_features: int) -> None:
        self._linked = np.zeros((0, 0), dtype=np.bool_)
        super()._start(n_features)

    def _join(self, n_users: int) -> Ints:
        n = self.groups_.size
        linked = np.zeros((n_users, n_users), dtype=np.bool_)
        linked[:n, :n] = self._linked
        linked[n:, n:] = True
        if n > 0:
            home = self.groups_ == largest_group(self.groups_)
            linked[n:, :n], linked[:n, n:] = home, home[:, None]
        self._linked = linked
        return super()._join(n_users)

    def _regrouped(self, heard: Ints) -> Ints:
        theta = self._in_spreads(self._known.theta)
        doubt = uncertainty(self.count_.sum(axis=1))
        apart = cdist(theta[heard], theta) > self.separation * (doubt[heard, None] + doubt)
        if not (self._linked[heard] & apart).any():
            return self.groups_
        self._linked[heard] &= ~apart
        self._linked[:, heard] &= ~apart.T
        return connected_components(csr_array(self._linked.astype(np.int8)), directed=False)[
            1
        ].astype(np.int64)
