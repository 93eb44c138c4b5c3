"""One model a user: any bandit, told users where it would be told clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit
from pgrpo_rec.baselines.by_user import ByUser
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.interactions import Interactions, Visits


class PerUser(ByUser, BaseRecommender):
    """Keep one model of a bandit for every user.

    Nothing is shared between users: the other end from pooling everyone. Someone never met is
    served by the prior. Told neither ``users`` nor ``clusters``, it is the bandit itself; told
    ``clusters``, likewise.

    Parameters
    ----------
    bandit : Bandit
        A baseline that keeps one model a cluster; it is copied, never changed.

    Attributes
    ----------
    bandit_ : Bandit
        The copy that learns; its clusters are the users.

    Examples
    --------
    >>> from pgrpo_rec.baselines import GaussianThompson, PerUser
    >>> rec = PerUser(GaussianThompson(2, random_state=0))
    >>> users, shown = ["ann", "bob"] * 50, [0, 0, 1, 1] * 25
    >>> likes = [1.0, 0.0, 0.0, 1.0] * 25
    >>> rec = rec.fit(None, likes, actions=shown, users=users)
    >>> rec.predict(None, users=["ann", "bob"])
    array([0, 1])
    """

    def __init__(self, bandit: Bandit) -> None:
        self.bandit = bandit

    @property
    def items(self) -> int | ArrayLike | None:  # type: ignore[override]
        """Items of the bandit."""
        return self.bandit.items

    @property
    def random_state(self) -> Seed:  # type: ignore[override]
        """Seed of the bandit."""
        return self.bandit.random_state

    def _check_parameters(self) -> None:
        if not isinstance(self.bandit, Bandit):
            raise ValueError(f"bandit={self.bandit!r} is not possible: it must be a Bandit")
        self.bandit._check_parameters()

    def _check_interactions(self, interactions: Interactions) -> None:
        self.bandit._check_interactions(interactions)

    def _start(self, n_features: int) -> None:
        self._told = None
        self.bandit_ = clone(self.bandit)
        self.bandit_._begin(self.actions_, n_features)

    def _learn(self, interactions: Interactions) -> None:
        self.bandit_._learn(interactions._replace(visits=self._as_clusters(interactions.visits)))

    def _values(self, visits: Visits) -> NDArray[np.float64]:
        return self.bandit_._values(self._as_clusters(visits))

    def _probabilities(self, visits: Visits) -> NDArray[np.float64]:
        return self.bandit_._probabilities(self._as_clusters(visits))
