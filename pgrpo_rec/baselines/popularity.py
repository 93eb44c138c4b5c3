"""Popularity: show what has earned most so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.index import IndexBandit
from pgrpo_rec.interactions import Visits


class Popularity(IndexBandit):
    """Show the item with the largest sum of rewards; the "most popular" of shops.

    It counts answers, not how they compare with how often an item was shown, and never
    explores: what is ahead is shown more and gets further ahead. Ties are drawn, as before
    the first answer; otherwise propensities are 1, and such a log says nothing of other
    policies.

    Parameters
    ----------
    items : int or array of labels, optional
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Cremonesi, Koren and Turrin, Performance of recommender algorithms on top-N recommendation
    tasks, 2010 (its "TopPop").

    Examples
    --------
    >>> from pgrpo_rec.baselines import Popularity
    >>> clicks, shown = [1.0, 1.0, 0.0, 0.0, 1.0], [0, 0, 0, 0, 1]
    >>> bandit = Popularity(2, random_state=0).fit(None, clicks, actions=shown)
    >>> int(bandit.predict(None, users=["anyone"])[0])
    0
    """

    def __init__(self, items: int | ArrayLike | None = None, *, random_state: Seed = None) -> None:
        self.items = items
        self.random_state = random_state

    def _index(self, count: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total

    def _values(self, visits: Visits) -> NDArray[np.float64]:
        return self._sums(self._clusters(visits))[1]
