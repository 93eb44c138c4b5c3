"""KL-UCB: the upper end that the binary divergence allows."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import check_rates, means
from pgrpo_rec.baselines.index import IndexBandit
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions

Floats = NDArray[np.float64]

HALVINGS = 50


class KLUCB(IndexBandit):
    r"""Show the item whose rate may, as far as is known, be the highest.

    The index is the largest q with :math:`n_k\, d(\bar r_k, q) \le w (\ln t + c \ln \ln t)`,
    where d is the divergence of two coins; for clicks it reaches the bound of Lai and
    Robbins, which `UCB1` does not. Items never shown come first. The choice is certain but
    for ties, which are drawn: propensities are 1, and such a log says nothing of other
    policies.

    Parameters
    ----------
    items : int or array of labels, optional
    width : float, default=1
        w, above 0; below 1 explores less.
    log_log : float, default=0
        c, at least 0; 3 in the proof, 0 recommended by its authors.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    Raises
    ------
    ValueError
        If a reward is outside [0, 1].

    References
    ----------
    Garivier and Cappé, The KL-UCB algorithm for bounded stochastic bandits and beyond, 2011;
    Lai and Robbins, Asymptotically efficient adaptive allocation rules, 1985.

    Examples
    --------
    >>> from pgrpo_rec.baselines import KLUCB
    >>> bandit = KLUCB(2, random_state=0).fit(None, [0.0, 1.0] * 50, actions=[0, 1] * 50)
    >>> bandit.predict_proba(None, users=["anyone"])
    array([[0., 1.]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        width: float = 1.0,
        log_log: float = 0.0,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.width = width
        self.log_log = log_log
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("width", self.width, Real, above=0.0)
        check_number("log_log", self.log_log, Real, low=0.0)
        check_number("discount", self.discount, Real, above=0.0, high=1.0)

    def _check_interactions(self, interactions: Interactions) -> None:
        check_rates(interactions.rewards)

    def _index(self, count: Floats, total: Floats) -> Floats:
        seen = np.log(np.maximum(count.sum(axis=1), 1.0))
        budget = self.width * (seen + self.log_log * np.log(np.maximum(seen, 1.0)))
        return upper_ends(np.clip(means(count, total), 0.0, np.inf), count, budget)


@jit
def upper_ends(mean: Floats, count: Floats, budget: Floats) -> Floats:
    """Return the largest q with ``count * d(mean, q) <= budget``, by halving; (n, K).

    Parameters
    ----------
    mean, count : ndarray of float64, shape (n, K)
        Infinite where the count is 0, in [0, 1] elsewhere.
    budget : ndarray of float64, shape (n,)
    """
    ends = np.full(mean.shape, np.inf)
    for i in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            if count[i, k] > 0.0:
                low, high = min(mean[i, k], 1.0), 1.0
                for _ in range(HALVINGS):
                    q = 0.5 * (low + high)
                    if count[i, k] * divergence(min(mean[i, k], 1.0), q) > budget[i]:
                        high = q
                    else:
                        low = q
                ends[i, k] = low
    return ends


@jit
def divergence(p: float, q: float) -> float:
    """Return the Kullback-Leibler divergence of coins p and q, q in (0, 1)."""
    total = 0.0
    if p > 0.0:
        total += p * math.log(p / q)
    if p < 1.0:
        total += (1.0 - p) * (math.log(1.0 - p) - math.log1p(-q)) if q < 1.0 else math.inf
    return total
