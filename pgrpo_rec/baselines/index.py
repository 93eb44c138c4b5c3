"""Bandits that show the item of the highest index: what they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.baselines.base import Bandit, means, spread_over_best
from pgrpo_rec.interactions import Visits

Floats = NDArray[np.float64]


class IndexBandit(Bandit):
    """Base of bandits whose choice is certain, given the counts and sums of rewards.

    A subclass says what the index is. Ties are drawn; otherwise propensities are 1 for the
    item with the highest index and 0 for all others, so that such a log has no overlap with
    other policies and can estimate none of them.
    """

    def _index(self, count: Floats, total: Floats) -> Floats:
        """Return the index from counts and sums, shapes (n, K); infinite counts as best."""
        raise NotImplementedError

    def _values(self, visits: Visits) -> Floats:
        return means(*self._sums(self._clusters(visits)))

    def _probabilities(self, visits: Visits) -> Floats:
        return spread_over_best(self._index(*self._sums(self._clusters(visits))), visits.available)
