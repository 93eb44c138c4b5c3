"""EXP3: a bandit that trusts nothing but the propensities."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit, check_rates
from pgrpo_rec.estimators.door import warn_once
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class EXP3(Bandit):
    r"""Show items by exponential weights of what each is estimated to have lost.

    An answer r to an item that was shown with propensity :math:`\pi` adds
    :math:`(1 - r) / \pi` to the item's loss L, and items are shown with probabilities
    proportional to :math:`\exp(-\eta_t L_k)`, :math:`\eta_t = \eta \sqrt{\ln K / (t K)}`, t the
    answers of the visitor's cluster. No assumption is made on where rewards come from: against
    the best single item it loses at most :math:`2 \sqrt{T K \ln K}` in expectation.

    Parameters
    ----------
    items : int or array of labels, optional
    learning_rate : float, default=1
        :math:`\eta`, above 0; 1 is the published rate.
    mixing : float in [0, 1], default=0
        Share of visits at which any item is shown; bounds the propensities from below.
    random_state : int, Generator, RandomState or None, default=None

    Raises
    ------
    ValueError
        If a reward is outside [0, 1].

    Attributes
    ----------
    loss_ : ndarray of float64, shape (P, K)

    Notes
    -----
    Rows without ``propensities`` are taken to have been shown by this policy as it stands when
    the call begins; a warning says so once.

    References
    ----------
    Auer, Cesa-Bianchi, Freund and Schapire, The nonstochastic multiarmed bandit problem, 2002;
    Bubeck and Cesa-Bianchi, Regret analysis of stochastic and nonstochastic multi-armed bandit
    problems, 2012, theorem 3.1 (the rate, and no mixing).

    Examples
    --------
    >>> from pgrpo_rec.baselines import EXP3
    >>> bandit = EXP3(2, random_state=0)
    >>> log = {"actions": [0, 1] * 500, "propensities": [0.5, 0.5] * 500}
    >>> bandit = bandit.fit(None, [0.0, 1.0] * 500, **log)
    >>> bandit.predict_proba(None, users=["anyone"]).round(3)
    array([[0., 1.]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        learning_rate: float = 1.0,
        mixing: float = 0.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.learning_rate = learning_rate
        self.mixing = mixing
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("learning_rate", self.learning_rate, Real, above=0.0)
        check_number("mixing", self.mixing, Real, low=0.0, high=1.0)

    def _check_interactions(self, interactions: Interactions) -> None:
        check_rates(interactions.rewards)

    def _start(self, n_features: int) -> None:
        self.loss_ = np.zeros((0, self.actions_.size))
        super()._start(n_features)

    def _grow(self, n_clusters: int) -> None:
        super()._grow(n_clusters)
        blank = np.zeros((n_clusters - len(self.loss_), self.actions_.size))
        self.loss_ = np.vstack([self.loss_, blank])

    def _learn(self, interactions: Interactions) -> None:
        if interactions.propensities is None:
            warn_once(self, "no propensities given; items are taken as shown by this policy")
            policy = self._probabilities(interactions.visits)
            shown = policy[np.arange(len(policy)), interactions.actions]
            interactions = interactions._replace(propensities=np.maximum(shown, 1e-12))
        super()._learn(interactions)

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        assert interactions.propensities is not None
        lost = (1.0 - interactions.rewards) / interactions.propensities
        np.add.at(self.loss_, (clusters, interactions.actions), lost)

    def _values(self, visits: Visits) -> Floats:
        blank = np.zeros((1, self.actions_.size))
        return -np.vstack([self.loss_, blank])[self._clusters(visits)]

    def _probabilities(self, visits: Visits) -> Floats:
        n_items = self.actions_.size
        seen = np.maximum(self._sums(self._clusters(visits))[0].sum(axis=1, keepdims=True), 1.0)
        rate = self.learning_rate * np.sqrt(np.log(n_items) / (seen * n_items))
        score = np.where(visits.available, rate * self._values(visits), -np.inf)
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        anything = visits.available / visits.available.sum(axis=1, keepdims=True)
        weighted = odds / odds.sum(axis=1, keepdims=True)
        return (1.0 - self.mixing) * weighted + self.mixing * anything
