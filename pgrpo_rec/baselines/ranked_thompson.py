"""Ranked Thompson sampling: one bandit for each position of a slate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.thompson import GaussianThompson
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.interactions import Interactions, Visits
from pgrpo_rec.policies import draw_actions

Floats = NDArray[np.float64]


class RankedThompson(BaseRecommender):
    """Fill every position by a bandit of its own, from what is left.

    The bandit of a position learns from the rewards of the items that stood there. Where a
    visitor clicks one item at most, the items above have already served those whom they suit,
    so the next position learns to serve the others: slates become diverse without a word on
    diversity.

    Parameters
    ----------
    items : int or array of labels, optional
    bandit : recommender, optional
        Cloned for every position; `GaussianThompson` by default. `BetaThompson` takes clicks,
        `LinTS` takes features.
    random_state : int, Generator, RandomState or None, default=None

    Notes
    -----
    With one reward for a whole slate every position is given it. `predict`, `predict_proba` and
    `score` go by the first position.

    References
    ----------
    Radlinski, Kleinberg and Joachims, Learning diverse rankings with multi-armed bandits, 2008.

    Examples
    --------
    Half of the visitors want item 0 or its twin, item 1; a third want item 2:

    >>> import numpy as np
    >>> from pgrpo_rec.baselines import RankedThompson
    >>> rng = np.random.default_rng(0)
    >>> bandit = RankedThompson(3, random_state=0)
    >>> for _ in range(100):
    ...     slates, _ = bandit.recommend(None, 2, users=range(20))
    ...     wants = np.array([0, 0, 0, 1, 1, 2])[rng.integers(6, size=20)]
    ...     suits = np.array([0, 0, 1])[slates] == wants[:, None]
    ...     clicks = suits & ~np.logical_or.accumulate(np.roll(suits, 1, axis=1) * [0, 1], axis=1)
    ...     bandit = bandit.partial_fit(None, clicks, actions=slates, users=range(20))
    >>> slates, _ = bandit.recommend(None, 2, users=range(200))
    >>> bool((np.sort(slates, axis=1)[:, 1] == 2).mean() > 0.9)
    True
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        bandit: BaseRecommender | None = None,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.bandit = bandit
        self.random_state = random_state

    def _check_parameters(self) -> None:
        if self.bandit is not None:
            self.bandit._check_parameters()

    def _start(self, n_features: int) -> None:
        self._n_features = n_features
        self._bandits: list[BaseRecommender] = []

    def _of_position(self, position: int) -> BaseRecommender:
        """Return the bandit of a position; new ones know nothing."""
        while len(self._bandits) <= position:
            fresh = GaussianThompson() if self.bandit is None else clone(self.bandit)
            fresh._begin(self.actions_, self._n_features)
            self._bandits.append(fresh)
        return self._bandits[position]

    def recommend(
        self,
        X: Any,
        n_items: int = 1,
        *,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        available: ArrayLike | None = None,
    ) -> tuple[NDArray[Any], Floats]:
        """Draw slates, position by position; see `BaseRecommender.recommend`."""
        visits = self._check_served(X, n_items, users, clusters, available)
        rows = np.arange(visits.n)
        left = visits.available.copy()
        slates = np.empty((visits.n, n_items), dtype=np.int64)
        propensities = np.empty(slates.shape)
        for position in range(n_items):
            chances = self._of_position(position)._probabilities(visits._replace(available=left))
            chosen, propensities[:, position] = draw_actions(chances, self._rng.random(visits.n))
            slates[:, position] = chosen
            left[rows, chosen] = False
        return self.actions_[slates], propensities

    def _probabilities(self, visits: Visits) -> Floats:
        return self._of_position(0)._probabilities(visits)

    def _values(self, visits: Visits) -> Floats:
        return self._of_position(0)._values(visits)

    def _check_interactions(self, interactions: Interactions) -> None:
        if self.bandit is not None:
            self.bandit._check_interactions(interactions)

    def _learn(self, interactions: Interactions) -> None:
        m = interactions.slate_size
        for position in range(m):
            self._of_position(position)._learn(interactions.take(slice(position, None, m)))
