"""Uniform: show anything that is available; what every other method must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.interactions import Interactions, Visits


class Uniform(BaseRecommender):
    """Show every available item with the same probability.

    Parameters
    ----------
    items : int or array of labels, optional
    random_state : int, Generator, RandomState or None, default=None

    Examples
    --------
    >>> from pgrpo_rec.baselines import Uniform
    >>> items, propensities = Uniform(4, random_state=0).recommend([[0.0], [1.0]])
    >>> propensities.ravel()
    array([0.25, 0.25])
    """

    def __init__(self, items: int | ArrayLike | None = None, *, random_state: Seed = None) -> None:
        self.items = items
        self.random_state = random_state

    def _start(self, n_features: int) -> None:
        """Nothing to set up."""

    def _learn(self, interactions: Interactions) -> None:
        """Nothing to learn."""

    def _probabilities(self, visits: Visits) -> NDArray[np.float64]:
        return visits.available / visits.available.sum(axis=1, keepdims=True)
