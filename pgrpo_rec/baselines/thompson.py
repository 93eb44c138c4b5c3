"""Thompson sampling without features, for rewards on any real scale."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit, distinct_visits
from pgrpo_rec.baselines.window import check_window
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Visits
from pgrpo_rec.posterior import probability_of_best

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class GaussianThompson(Bandit):
    r"""Show an item with the posterior probability that its mean reward is the highest.

    Rewards are taken as normal with the spread s of all rewards so far, and an item's mean
    has the prior :math:`N(\bar r, s^2 / \text{prior_count})` around the mean of all; the
    posterior's standard deviation is multiplied by ``width``.

    Parameters
    ----------
    items : int or array of labels, optional
    prior_count : float, default=1
        Above 0: how many rewards the prior is worth.
    width : float, default=1
        Above 0; below 1 explores less than the posterior says.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it; for tastes that
        drift.
    window : int or None, default=None
        Only the last so many answers of each cluster are kept. At least 1.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Thompson, On the likelihood that one unknown probability exceeds another, 1933; Agrawal
    and Goyal, Near-optimal regret bounds for Thompson sampling, 2017.

    Examples
    --------
    >>> from pgrpo_rec.baselines import GaussianThompson
    >>> bandit = GaussianThompson(2, random_state=0)
    >>> bandit = bandit.fit(None, [0.0, 1.0] * 50, actions=[0, 1] * 50)
    >>> bandit.predict_proba(None, users=["anyone"]).round(3)
    array([[0., 1.]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        prior_count: float = 1.0,
        width: float = 1.0,
        discount: float = 1.0,
        window: int | None = None,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.prior_count = prior_count
        self.width = width
        self.discount = discount
        self.window = window
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("discount", self.discount, Real, above=0.0, high=1.0)
        check_window(self.window, self.discount)
        check_number("prior_count", self.prior_count, Real, above=0.0)
        check_number("width", self.width, Real, above=0.0)

    def _posterior(self, clusters: Ints) -> tuple[Floats, Floats]:
        count, total = self._sums(clusters)
        seen = count.sum(axis=1, keepdims=True)
        pooled = total.sum(axis=1, keepdims=True) / np.maximum(seen, 1.0)
        weight = count + self.prior_count
        mean = (total + self.prior_count * pooled) / weight
        return mean, self.width * self._spread() / np.sqrt(weight)

    def _values(self, visits: Visits) -> Floats:
        return self._posterior(self._clusters(visits))[0]

    def _probabilities(self, visits: Visits) -> Floats:
        clusters = self._clusters(visits)
        first, inverse = distinct_visits(clusters, visits.available)
        posterior = self._posterior(clusters[first])
        return probability_of_best(*posterior, visits.available[first])[inverse]
