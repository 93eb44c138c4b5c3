"""SquareCB: probabilities by the gap to the item that looks best."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.linear import LinearBandit
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Visits

Floats = NDArray[np.float64]


class SquareCB(LinearBandit):
    r"""Show an item the less, the further its linear value is from the best.

    The values are those of the regressions of `LinTS`, in spreads s of all rewards so far.
    Items other than the best have probability :math:`1 / (K + \gamma_t \cdot \text{gap})`, with
    :math:`\gamma_t = \gamma\, t^{\text{growth}}` for t answers of the visitor's cluster; the
    best has the rest. Needs no posterior, only a regression.

    Parameters
    ----------
    items : int or array of labels, optional
    ridge : float, default=1
        :math:`\lambda`, above 0.
    gamma : float, default=10
        :math:`\gamma`, above 0; more explores less.
    growth : float, default=0.5
        At least 0; 0.5 is the published rate.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Foster and Rakhlin, Beyond UCB: optimal and efficient contextual bandits with regression
    oracles, 2020; Abe and Long, Associative reinforcement learning using linear probabilistic
    concepts, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import SquareCB
    >>> X = np.array([[-1.0], [1.0]] * 100)
    >>> shown = np.arange(200) // 2 % 2
    >>> bandit = SquareCB(2, random_state=0).fit(X, X[:, 0] * (2 * shown - 1), actions=shown)
    >>> bandit.predict_proba([[-1.0], [1.0]]).round(2)
    array([[1., 0.],
           [0., 1.]])
    """

    width = 1.0  # widths are not looked at

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        ridge: float = 1.0,
        gamma: float = 10.0,
        growth: float = 0.5,
        standardise: bool = False,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.ridge = ridge
        self.gamma = gamma
        self.growth = growth
        self.standardise = standardise
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("gamma", self.gamma, Real, above=0.0)
        check_number("growth", self.growth, Real, low=0.0)

    def _probabilities(self, visits: Visits) -> Floats:
        value, available = self._values(visits), visits.available
        seen = np.maximum(self._sums(self._clusters(visits))[0].sum(axis=1, keepdims=True), 1.0)
        scale = 1.0 if self.standardise else self._spread()
        return inverse_gaps(value / scale, self.gamma * seen**self.growth, available)


def inverse_gaps(value: Floats, gamma: Floats, available: NDArray[np.bool_]) -> Floats:
    """Return probabilities by inverse gap; ties at the top share what is left, shapes (n, K).

    Parameters
    ----------
    value : ndarray of float64, shape (n, K)
    gamma : ndarray of float64, shape (n, 1)
    available : ndarray of bool, shape (n, K)
    """
    masked = np.where(available, value, -np.inf)
    top = masked.max(axis=1, keepdims=True)
    best = masked == top
    gap = np.where(available, top - value, 0.0)
    share = 1.0 / (available.sum(axis=1, keepdims=True) + gamma * gap)
    others = np.where(available & ~best, share, 0.0)
    rest = 1.0 - others.sum(axis=1, keepdims=True)
    return others + best * rest / best.sum(axis=1, keepdims=True)
