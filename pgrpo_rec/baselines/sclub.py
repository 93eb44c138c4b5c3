"""SCLUB: groups are sets that split and merge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from pgrpo_rec.baselines.clustering_bandit import SeparatingBandit
from pgrpo_rec.baselines.groups import uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SCLUB(SeparatingBandit):
    r"""LinUCB over groups from which users split off, and which merge again.

    When a user answers whose coefficients are further from the group's than
    :math:`\alpha (f(T_u) + f(T_g))`, f as in `CLUB`, they leave and are a group of their own.
    Groups merge that are closer than :math:`\alpha (f(T_g) + f(T_h)) / 2` and of which every
    member has answered in this phase; phases double in length. So a user who was split off
    too soon finds back, which links once cut in `CLUB` never do.

    Parameters
    ----------
    items : int or array of labels, optional
    separation : float, default=1
        :math:`\alpha`, above 0, in spreads of all rewards; less splits sooner, and merges later.
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
    Groups here are of tastes: the paper's second test, on how often users come, is left out.
    A phase begins when as many answers have come, for each user met, as in all phases before.
    Propensities are 1 but for ties.

    References
    ----------
    Li, Chen, Li and Leung, Improved algorithm on online clustering of bandits, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import SCLUB
    >>> users = np.arange(400) % 4
    >>> shown = np.arange(400) // 4 % 2
    >>> likes = (users // 2 == shown).astype(float)
    >>> rec = SCLUB(2, random_state=0).fit(None, likes, actions=shown, users=users)
    >>> rec.groups_
    array([0, 0, 1, 1])
    """

    def _start(self, n_features: int) -> None:
        self._checked = np.zeros(0, dtype=np.bool_)
        self._next_phase = 0.0
        super()._start(n_features)

    def _join(self, n_users: int) -> Ints:
        self._checked = np.append(self._checked, np.zeros(n_users - self._checked.size, bool))
        return super()._join(n_users)

    def _regrouped(self, heard: Ints) -> Ints:
        answers = self.count_.sum()
        if answers >= self._next_phase:
            self._checked[:] = False
            self._next_phase = max(2.0 * answers, float(self.groups_.size))
        self._checked[heard] = True
        self._move(self._split(heard))
        return self._merged()

    def _split(self, heard: Ints) -> Ints:
        """Let users who answered leave groups that they are too far from."""
        groups = self.groups_
        size = np.bincount(groups)
        of_group, doubt_group = self._of_all_groups()
        doubt = uncertainty(self.count_[heard].sum(axis=1))
        own = self._in_spreads(self._known.theta[heard])
        distance = np.linalg.norm(own - of_group[groups[heard]], axis=1)
        apart = distance > self.separation * (doubt + doubt_group[groups[heard]])
        leaving = heard[apart & (size[groups[heard]] > 1)]
        result = groups.copy()
        result[leaving] = size.size + np.arange(leaving.size)
        return np.unique(result, return_inverse=True)[1].astype(np.int64)

    def _merged(self) -> Ints:
        """Join the closest groups of which every member was heard, as long as they are close."""
        groups = self.groups_
        theta, doubt = self._of_all_groups()
        ready = np.bincount(groups, weights=~self._checked, minlength=len(theta)) == 0
        limit = 0.5 * self.separation * (doubt[:, None] + doubt)
        excess = squareform(pdist(theta)) - limit
        excess[~ready] = excess[:, ~ready] = np.inf
        np.fill_diagonal(excess, np.inf)
        into = np.arange(len(theta))
        while excess.size > 1 and excess.min() < 0.0:
            p, q = np.unravel_index(excess.argmin(), excess.shape)
            into[into == q] = p
            excess[[p, q]] = excess[:, [p, q]] = np.inf  # merged anew when it is solved anew
        return np.unique(into[groups], return_inverse=True)[1].astype(np.int64)

    def _of_all_groups(self) -> tuple[Floats, Floats]:
        heard = np.bincount(self.groups_, weights=self.count_.sum(axis=1)).astype(np.float64)
        return self._in_spreads(self._of_groups.theta), uncertainty(heard)
