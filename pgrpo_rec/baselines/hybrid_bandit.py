"""LinTS and LinUCB in which items share what they have in common."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.hybrid import (
    Hybrid,
    HybridSums,
    add_hybrid,
    empty_hybrid_sums,
    read_hybrid,
    shared_columns,
    solve_hybrid,
)
from pgrpo_rec.baselines.lin_ts import LinTS
from pgrpo_rec.baselines.lin_ucb import LinUCB
from pgrpo_rec.baselines.linear import LinearBandit
from pgrpo_rec.bilinear import joint_columns
from pgrpo_rec.estimators.parameters import check_item_features, check_number
from pgrpo_rec.interactions import Interactions, Visits, with_constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class HybridBandit(LinearBandit):
    """Base of the hybrid linear bandits: their regressions (`pgrpo_rec.baselines.hybrid`)."""

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        item_features: ArrayLike | None = None,
        ridge: float = 1.0,
        shared_ridge: float = 1.0,
        width: float = 1.0,
        standardise: bool = False,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        super().__init__(
            items,
            ridge=ridge,
            width=width,
            standardise=standardise,
            discount=discount,
            random_state=random_state,
        )
        self.item_features = item_features
        self.shared_ridge = shared_ridge

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("shared_ridge", self.shared_ridge, Real, above=0.0)

    def _check_items(self, labels: NDArray[Any]) -> None:
        check_item_features(self.item_features, labels.size)

    def _start(self, n_features: int) -> None:
        n_items = self.actions_.size
        table = check_item_features(self.item_features, n_items)
        self._item_features = np.zeros((n_items, 0)) if table is None else table
        n_shared = (1 + n_features) * (1 + self._item_features.shape[1])
        self._sums_hybrid = empty_hybrid_sums(0, n_items, 1 + n_features, n_shared)
        self._hybrid = solve_hybrid(self._sums_hybrid, self.ridge, self.shared_ridge)
        super()._start(n_features)

    def _grow(self, n_clusters: int) -> None:
        super(LinearBandit, self)._grow(n_clusters)
        n_more = n_clusters - len(self._hybrid.beta)
        if n_more > 0:
            sums, known = self._met(n_more)
            self._sums_hybrid = HybridSums(
                *(np.concatenate(pair) for pair in zip(self._sums_hybrid, sums, strict=True))
            )
            self._hybrid = _joined(self._hybrid, known)

    def _met(self, n_clusters: int) -> tuple[HybridSums, Hybrid]:
        """Return sums and regressions of clusters that have answered nothing."""
        n_shared = self._n_columns * (1 + self._item_features.shape[1])
        sums = empty_hybrid_sums(n_clusters, self.actions_.size, self._n_columns, n_shared)
        return sums, solve_hybrid(sums, self.ridge, self.shared_ridge)

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        z, actions = interactions.visits.with_constant(), interactions.actions
        shared = joint_columns(with_constant(self._item_features[actions]), z)
        heard = np.bincount(clusters, minlength=len(self.count_))
        weights = np.ones(actions.size)
        if self.discount < 1.0:
            for sums in self._sums_hybrid:
                sums *= (self.discount**heard).reshape(-1, *[1] * (sums.ndim - 1))
            weights *= self.discount ** _later(clusters, heard)
        rows = (z, shared, clusters, actions, interactions.rewards, weights)
        add_hybrid(self._sums_hybrid, *rows)
        touched = np.flatnonzero(heard)
        part = HybridSums(*(sums[touched] for sums in self._sums_hybrid))
        solved = solve_hybrid(part, self.ridge, self.shared_ridge)
        for known, new in zip(self._hybrid, solved, strict=True):
            known[touched] = new

    def _posterior(self, visits: Visits, low: float, high: float) -> tuple[Floats, Floats]:
        clusters = self._clusters(visits)
        known, z = self._hybrid, visits.with_constant()
        theta, beta, scale = self._moments_asked()
        if clusters.size and clusters.max() >= len(known.beta):
            stranger = self._met(1)[1]
            known = _joined(known, stranger)
            theta = np.concatenate([theta, stranger.theta[..., 0]])
            beta = np.concatenate([beta, stranger.beta[..., 0]])
        shared = shared_columns(z, self._item_features)
        mean, width = read_hybrid(known, theta, beta, z, shared, clusters)
        return mean, self.width * scale * width

    def _moments_asked(self) -> tuple[Floats, Floats, float]:
        """Return coefficients of what is regressed on, and the scale of its noise."""
        theta, beta = self._hybrid.theta, self._hybrid.beta
        if not self.standardise or self._audience is None:
            return theta[..., 0].copy(), beta[..., 0].copy(), self._spread()
        mean, std = self._audience.history.mean, self._audience.history.std
        unit = np.where(std > 0.0, std, 1.0)
        own = (theta[..., 0] - mean[:, None, None] * theta[..., 1]) / unit[:, None, None]
        return own, (beta[..., 0] - mean[:, None] * beta[..., 1]) / unit[:, None], 1.0


class HybridLinTS(HybridBandit, LinTS):
    r"""Show an item by posterior sampling, where items share what they have in common.

    The value of an item is its own linear part plus one that all items share; an item of which
    little is known is expected to be like the others, not like 0. Each item's value is drawn
    from its own posterior, without regard to what the draws have in common, so that the
    probabilities are exact (`pgrpo_rec.posterior`).

    Parameters
    ----------
    items : int or array of labels, optional
    item_features : array, shape (K, m), optional
        Of the items, in the order of their sorted labels; the shared part is then linear in
        them too, times the visit's. Without them it is the same for all items.
    ridge : float, default=1
        Above 0: of what is the item's own.
    shared_ridge : float, default=1
        Above 0: of what is shared.
    width : float, default=1
        Above 0; below 1 explores less than the posterior says.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Li, Chu, Langford and Schapire, A contextual-bandit approach to personalized news article
    recommendation, 2010 (its hybrid model, with Thompson sampling for the upper end).

    Examples
    --------
    An item never shown is expected to be as good as the others are:

    >>> import numpy as np
    >>> from pgrpo_rec.baselines import HybridLinTS
    >>> bandit = HybridLinTS(3, random_state=0)
    >>> bandit = bandit.fit(None, np.full(50, 5.0), actions=np.arange(50) % 2)
    >>> visits = bandit._check_fitted_visits(None, ["anyone"], None, None)
    >>> bool(bandit._values(visits)[0, 2] > 3.0)
    True
    """


class HybridLinUCB(HybridBandit, LinUCB):
    r"""Show the item with the highest upper end, where items share what they have in common.

    The regressions are those of `HybridLinTS`. Ties are drawn; otherwise what is shown is
    certain: propensities are 1, and such a log says nothing of other policies.

    Parameters
    ----------
    items : int or array of labels, optional
    item_features : array, shape (K, m), optional
        Of the items, in the order of their sorted labels; the shared part is then linear in
        them too, times the visit's. Without them it is the same for all items.
    ridge : float, default=1
        Above 0: of what is the item's own.
    shared_ridge : float, default=1
        Above 0: of what is shared.
    width : float, default=1
        Above 0: the bound, in standard deviations.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Li, Chu, Langford and Schapire, A contextual-bandit approach to personalized news article
    recommendation, 2010, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import HybridLinUCB
    >>> X = np.array([[-1.0], [1.0]] * 100)
    >>> shown = np.arange(200) // 2 % 2
    >>> bandit = HybridLinUCB(2, random_state=0)
    >>> bandit = bandit.fit(X, X[:, 0] * (2 * shown - 1), actions=shown)
    >>> bandit.predict([[-1.0], [1.0]])
    array([0, 1])
    """


def _joined(known: Hybrid, more: Hybrid) -> Hybrid:
    return Hybrid(*(np.concatenate(pair) for pair in zip(known, more, strict=True)))


def _later(clusters: Ints, heard: Ints) -> Ints:
    """Return for each row how many rows of its cluster come after it."""
    later = np.zeros(clusters.size, dtype=np.int64)
    for p in np.flatnonzero(heard):
        rows = np.flatnonzero(clusters == p)
        later[rows] = np.arange(rows.size)[::-1]
    return later
