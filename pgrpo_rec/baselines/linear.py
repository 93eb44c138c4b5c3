"""The linear bandits' base: one ridge regression a cluster and item, read in two scales."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit
from pgrpo_rec.baselines.ridge import (
    Regressions,
    Sums,
    add_forgetting,
    add_rows,
    empty_regressions,
    empty_sums,
)
from pgrpo_rec.contenders import read_contenders
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class LinearBandit(Bandit):
    """Base of bandits whose items' values are linear in the features.

    A subclass says what it shows by `_probabilities`, from the mean and the width of every
    value that `_posterior` returns.
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        ridge: float = 1.0,
        width: float = 1.0,
        standardise: bool = False,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.ridge = ridge
        self.width = width
        self.standardise = standardise
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("ridge", self.ridge, Real, above=0.0)
        check_number("width", self.width, Real, above=0.0)
        check_number("discount", self.discount, Real, above=0.0, high=1.0)

    def _start(self, n_features: int) -> None:
        self._n_columns = self._count_columns(n_features)
        self._known = self._strangers(0)
        self._fading = self._blank(0)
        super()._start(n_features)

    def _count_columns(self, n_features: int) -> int:
        """Return how many coefficients a regression has."""
        return 1 + n_features

    def _grow(self, n_clusters: int) -> None:
        super()._grow(n_clusters)
        n_more = n_clusters - len(self._known.theta)
        more = self._strangers(n_more)
        pairs = zip(self._known, more, strict=True)
        self._known = Regressions(*(np.concatenate(pair) for pair in pairs))
        if self.discount < 1.0:
            both = zip(self._fading, self._blank(n_more), strict=True)
            self._fading = Sums(*(np.concatenate(pair) for pair in both))

    def _strangers(self, n_clusters: int) -> Regressions:
        """Return what is known of clusters that have answered nothing."""
        return empty_regressions(n_clusters, self.actions_.size, self._n_columns, self.ridge)

    def _blank(self, n_clusters: int) -> Sums:
        """Return sums of clusters that have answered nothing."""
        return empty_sums(n_clusters, self.actions_.size, self._n_columns)

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        z = interactions.visits.with_constant()
        self._add(z, clusters, interactions.actions, interactions.rewards)

    def _add(self, z: Floats, clusters: Ints, actions: Ints, rewards: Floats) -> None:
        rows = (z, clusters, actions, rewards)
        if self.discount < 1.0:
            add_forgetting(self._known, self._fading, *rows, self.ridge, self.discount)
        else:
            add_rows(self._known, *rows)

    def _posterior(self, visits: Visits, low: float, high: float) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of every item's value, (n, K) each.

        The standard deviation is next to 0, and not computed, where the item's high end is
        under the low end of another, so many standard deviations from their means.
        """
        rows, theta, inverse, scale = self._regressions(visits)
        z, unit = visits.with_constant(), self.width * scale
        return read_contenders(theta, inverse, unit, z, rows, visits.available, low, high)

    def _regressions(self, visits: Visits) -> tuple[Ints, Floats, Floats, float]:
        """Return which regressions each visit is read by, theirs all, and the noise's scale."""
        clusters = self._clusters(visits)
        inverse, (theta, scale) = self._known.inverse, self._coefficients()
        if clusters.size and clusters.max() >= len(inverse):
            stranger = self._strangers(1)
            inverse = np.concatenate([inverse, stranger.inverse])
            theta = np.concatenate([theta, stranger.theta])
        return clusters, theta, inverse, scale

    def _coefficients(self) -> tuple[Floats, float]:
        """Return the coefficients of what is regressed on, and the scale of its noise."""
        if not self.standardise or self._audience is None:
            return self._known.theta, self._spread()
        mean, std = self._audience.history.mean, self._audience.history.std
        unit = np.where(std > 0.0, std, 1.0)[:, None, None]
        shift = mean[:, None, None] * self._known.of_ones(self.ridge)
        return (self._known.theta - shift) / unit, 1.0

    def _values(self, visits: Visits) -> Floats:
        return self._posterior(visits, 0.0, 0.0)[0]
