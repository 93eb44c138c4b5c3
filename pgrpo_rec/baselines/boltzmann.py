"""Boltzmann exploration: the better an item looks, the more it is shown."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit, means, spread_over_best
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Visits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Boltzmann(Bandit):
    r"""Show items with probabilities proportional to :math:`\exp(\bar r_k / (s \tau_t))`.

    s is the spread of all rewards so far and :math:`\tau_t = \tau\, t^{-\text{decay}}` falls
    with the answers t of the visitor's cluster. Items never shown come first.

    Parameters
    ----------
    items : int or array of labels, optional
    temperature : float, default=1
        :math:`\tau`, above 0.
    decay : float, default=0.5
        At least 0; 0 keeps the temperature.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Sutton and Barto, Reinforcement Learning, 2018, chapter 2; for what no schedule of one
    temperature can do, see `BoltzmannGumbel`.

    Examples
    --------
    >>> from pgrpo_rec.baselines import Boltzmann
    >>> bandit = Boltzmann(2, decay=0, random_state=0)
    >>> bandit = bandit.fit(None, [0.0, 1.0] * 50, actions=[0, 1] * 50)
    >>> bandit.predict_proba(None, users=["anyone"]).round(2)
    array([[0.12, 0.88]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        temperature: float = 1.0,
        decay: float = 0.5,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.temperature = temperature
        self.decay = decay
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("temperature", self.temperature, Real, above=0.0)
        check_number("decay", self.decay, Real, low=0.0)

    def _values(self, visits: Visits) -> Floats:
        return means(*self._sums(self._clusters(visits)))

    def _probabilities(self, visits: Visits) -> Floats:
        count, total = self._sums(self._clusters(visits))
        seen = np.maximum(count.sum(axis=1, keepdims=True), 1.0)
        heat = self.temperature * self._spread() * seen**-self.decay
        value = np.where(visits.available, means(count, total), -np.inf)
        best = value.max(axis=1, keepdims=True)
        unknown = np.isinf(best)
        odds = np.exp(
            (value - np.where(unknown, 0.0, best)) / heat,
            where=~unknown & np.isfinite(value),
            out=np.zeros_like(value),
        )
        odds = np.where(unknown, value == np.inf, odds)
        return odds / odds.sum(axis=1, keepdims=True)


class BoltzmannGumbel(Bandit):
    r"""Show the item with the highest :math:`\bar r_k + w s Z_k / \sqrt{n_k}`, Z Gumbel noise.

    Boltzmann exploration with a temperature an item, which falls with what is known of it: that
    repairs what no schedule of one temperature can. The probabilities are an integral over one
    number, so they are exact. Items never shown come first.

    Parameters
    ----------
    items : int or array of labels, optional
    width : float, default=1
        w, above 0, in spreads s of all rewards so far.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Cesa-Bianchi, Gentile, Lugosi and Neu, Boltzmann exploration done right, 2017.

    Examples
    --------
    >>> from pgrpo_rec.baselines import BoltzmannGumbel
    >>> bandit = BoltzmannGumbel(2, random_state=0)
    >>> bandit = bandit.fit(None, [0.0, 1.0] * 50, actions=[0, 1] * 50)
    >>> bandit.predict_proba(None, users=["anyone"]).round(3)
    array([[0., 1.]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        width: float = 1.0,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.width = width
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("width", self.width, Real, above=0.0)
        check_number("discount", self.discount, Real, above=0.0, high=1.0)

    def _values(self, visits: Visits) -> Floats:
        return means(*self._sums(self._clusters(visits)))

    def _probabilities(self, visits: Visits) -> Floats:
        count, total = self._sums(self._clusters(visits))
        value = means(count, total)
        unknown = (np.isinf(value) & visits.available).any(axis=1)
        result = spread_over_best(value, visits.available)
        noise = self.width * self._spread() / np.sqrt(np.maximum(count, 1e-300))
        rows = np.flatnonzero(~unknown)
        result[rows] = gumbel_best(
            value[rows], noise[rows], visits.available[rows], _NODES, _WEIGHTS
        )
        return result


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
BELOW = 3.0  # F(-3) = 2e-9: nothing is lower
ABOVE = 21.0  # 1 - F(21) = 8e-10: nothing is higher


@jit
def gumbel_best(
    value: Floats, noise: Floats, available: Bools, nodes: Floats, weights: Floats
) -> Floats:
    """Return the probability that each item's ``value + noise * Gumbel`` is the largest, (n, K).

    Panels of Gauss and Legendre's rule begin at the highest lower end, where the narrowest
    noise lies, and grow geometrically, as in `pgrpo_rec.posterior`.
    """
    n_items = value.shape[1]
    result = np.zeros(value.shape)
    hazard = np.empty(n_items)
    for i in range(value.shape[0]):
        low, high, narrowest = -np.inf, -np.inf, np.inf
        for k in range(n_items):
            if available[i, k]:
                low = max(low, value[i, k] - BELOW * noise[i, k])
                high = max(high, value[i, k] + ABOVE * noise[i, k])
        for k in range(n_items):
            if available[i, k] and value[i, k] + ABOVE * noise[i, k] > low:
                narrowest = min(narrowest, noise[i, k])
        start, panel = low, 6.0 * narrowest
        while start < high:
            end = min(start + panel, high)
            for node in range(nodes.size):
                x = start + 0.5 * (end - start) * (1.0 + nodes[node])
                exponent = 0.0
                for k in range(n_items):
                    hazard[k] = 0.0
                    if available[i, k]:
                        tail = math.exp(-(x - value[i, k]) / noise[i, k])
                        exponent += tail
                        hazard[k] = tail / noise[i, k]
                product = weights[node] * (end - start) * math.exp(-exponent)
                for k in range(n_items):
                    result[i, k] += hazard[k] * product
            start = end
            panel *= 3.0
        result[i] /= result[i].sum()
    return result
