"""LinTS and LinUCB with one regression for all items, on visit times item features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.lin_ts import LinTS
from pgrpo_rec.baselines.lin_ucb import LinUCB
from pgrpo_rec.baselines.linear import LinearBandit
from pgrpo_rec.baselines.ridge import Regressions, Sums, empty_regressions, empty_sums
from pgrpo_rec.bilinear import joint_columns, read_bilinear
from pgrpo_rec.estimators.parameters import check_item_features, check_products
from pgrpo_rec.interactions import Interactions, Visits, with_constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SharedBandit(LinearBandit):
    """Base of the linear bandits that know items by their features alone."""

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        item_features: ArrayLike | None = None,
        ridge: float = 1.0,
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

    def _check_items(self, labels: NDArray[Any]) -> None:
        check_item_features(self.item_features, labels.size)

    def _check_size(self, n_items: int, n_features: int) -> None:
        table = check_item_features(self.item_features, n_items)
        check_products(np.eye(n_items) if table is None else table, n_features)

    def _start(self, n_features: int) -> None:
        table = check_item_features(self.item_features, self.actions_.size)
        self._items = with_constant(np.eye(self.actions_.size) if table is None else table)
        self._columns = np.ascontiguousarray(self._items.T)
        super()._start(n_features)

    def _count_columns(self, n_features: int) -> int:
        return (1 + n_features) * self._items.shape[1]

    def _strangers(self, n_clusters: int) -> Regressions:
        return empty_regressions(n_clusters, 1, self._n_columns, self.ridge)

    def _blank(self, n_clusters: int) -> Sums:
        return empty_sums(n_clusters, 1, self._n_columns)

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        actions = interactions.actions
        joint = joint_columns(interactions.visits.with_constant(), self._items[actions])
        self._add(joint, clusters, np.zeros_like(actions), interactions.rewards)

    def _posterior(self, visits: Visits, low: float, high: float) -> tuple[Floats, Floats]:
        clusters, theta, inverse, scale = self._regressions(visits)
        return read_bilinear(
            theta[:, 0],
            inverse[:, 0] * (self.width * scale) ** 2,
            visits.with_constant(),
            clusters,
            self._columns,
            np.require(visits.available, requirements=("C", "W")),
            max(-low, high),
        )


class SharedLinTS(SharedBandit, LinTS):
    r"""Show an item by posterior sampling from one regression for all items.

    The value of item k at z = (1, x) is linear in the products of z with the features
    (1, f_k) of the item, so an answer about one item tells of all, and there may be many. Each
    item's value is drawn from its own posterior, without regard to what the draws have in
    common, so that the probabilities are exact (`pgrpo_rec.posterior`).

    Parameters
    ----------
    items : int or array of labels, optional
    item_features : array, shape (K, m), optional
        Of the items, in the order of their sorted labels. Without them an item is known by
        its name alone, which is for few items.
    ridge : float, default=1
        Above 0.
    width : float, default=1
        Above 0; below 1 explores less than the posterior says.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Agrawal and Goyal, Thompson sampling for contextual bandits with linear payoffs, 2013,
    whose regression is this one.

    Examples
    --------
    An item that nobody has seen is known by its features:

    >>> import numpy as np
    >>> from pgrpo_rec.baselines import SharedLinTS
    >>> features = np.array([[0.0], [1.0], [2.0]])
    >>> shown = np.arange(60) % 2
    >>> bandit = SharedLinTS(3, item_features=features, random_state=0)
    >>> bandit = bandit.fit(None, shown.astype(float), actions=shown)
    >>> int(bandit.predict(None, users=["anyone"])[0])
    2
    """


class SharedLinUCB(SharedBandit, LinUCB):
    r"""Show the item whose value has the highest upper end, from one regression for all items.

    The regression is that of `SharedLinTS`. Ties are drawn; otherwise what is shown is
    certain: propensities are 1, and such a log says nothing of other policies.

    Parameters
    ----------
    items : int or array of labels, optional
    item_features : array, shape (K, m), optional
        Of the items, in the order of their sorted labels. Without them an item is known by
        its name alone, which is for few items.
    ridge : float, default=1
        Above 0.
    width : float, default=1
        Above 0: the bound, in standard deviations.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Abbasi-Yadkori, Pál and Szepesvári, Improved algorithms for linear stochastic bandits, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import SharedLinUCB
    >>> shown = np.arange(60) % 2
    >>> bandit = SharedLinUCB(3, item_features=[[0.0], [1.0], [2.0]], random_state=0)
    >>> bandit.fit(None, shown.astype(float), actions=shown).predict_proba(None, users=["anyone"])
    array([[0., 0., 1.]])
    """
