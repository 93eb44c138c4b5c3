"""Epsilon-greedy: mostly the best item so far, sometimes any."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit, means, spread_over_best
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Visits


class EpsilonGreedy(Bandit):
    r"""Show the item of the highest mean reward, and with probability epsilon any.

    Epsilon falls with the visits t seen, :math:`\epsilon_t = \min(1, \epsilon_0 K / \sqrt t)`
    for ``decay=0.5`` in general :math:`t^{-decay}`. Items never shown count as best.

    Parameters
    ----------
    items : int or array of labels, optional
    epsilon : float, default=0.5
        :math:`\epsilon_0`, at least 0.
    decay : float, default=0.5
        0 keeps epsilon (times K) constant.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem, 2002.

    Examples
    --------
    >>> from pgrpo_rec.baselines import EpsilonGreedy
    >>> bandit = EpsilonGreedy(2, random_state=0).fit(None, [0.0, 1.0], actions=[0, 1])
    >>> int(bandit.predict(None, users=["anyone"])[0])
    1
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        epsilon: float = 0.5,
        decay: float = 0.5,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.epsilon = epsilon
        self.decay = decay
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("epsilon", self.epsilon, Real, low=0.0)
        check_number("decay", self.decay, Real, low=0.0)
        check_number("discount", self.discount, Real, above=0.0, high=1.0)

    def _values(self, visits: Visits) -> NDArray[np.float64]:
        count, total = self._sums(self._clusters(visits))
        return means(count, total)

    def _probabilities(self, visits: Visits) -> NDArray[np.float64]:
        greedy = spread_over_best(self._values(visits), visits.available)
        anything = visits.available / visits.available.sum(axis=1, keepdims=True)
        seen = max(float(self.count_.sum()), 1.0)
        epsilon = min(1.0, self.epsilon * self.actions_.size / seen**self.decay)
        return (1.0 - epsilon) * greedy + epsilon * anything
