"""Matrix factorisation with epsilon-greedy: users who like alike share what they like."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.baselines.by_user import ByUser
from pgrpo_rec.baselines.epsilon_greedy import EpsilonGreedy
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class MatrixFactorisation(ByUser, EpsilonGreedy):
    r"""Show the item with the highest value by a factorised table, and sometimes any.

    The mean reward of user u on item k is taken as :math:`b_k + p_u \cdot q_k`: the item's mean
    over all users, and factors fitted by alternating ridge regressions in which every cell
    weighs as much as it has answers. Items' factors are fitted anew whenever the answers have
    grown by the factor ``refit``; a user's are solved from them at every visit, so that each
    answer tells at once. Someone never met is served by the items' means.

    Parameters
    ----------
    items : int or array of labels, optional
    n_factors : int, default=4
        At least 1.
    ridge : float, default=3
        Above 0: precision of the prior of the factors, for rewards in spreads.
    n_sweeps : int, default=10
        Turns of the alternating regressions at every fit, at least 1.
    refit : float, default=1.1
        Above 1.
    epsilon, decay : float, default=0.5
        As in `EpsilonGreedy`.
    random_state : int, Generator, RandomState or None, default=None

    Attributes
    ----------
    factors_ : ndarray of float64, shape (K, n_factors)
        Of the items.

    Notes
    -----
    Told ``clusters``, it factorises clusters by items; told neither, all are one user, and
    items' means decide. Features are ignored.

    References
    ----------
    Hu, Koren and Volinsky, Collaborative filtering for implicit feedback datasets, 2008 (its
    alternating regressions, with counts of answers as weights); Koren, Bell and Volinsky, Matrix
    factorization techniques for recommender systems, 2009.

    Examples
    --------
    Eight users of two tastes; of the last it is known only that they do not like item 0:

    >>> import numpy as np
    >>> from pgrpo_rec.baselines import MatrixFactorisation
    >>> users, items = np.arange(320) // 4 % 8, np.arange(320) % 4
    >>> likes = (users % 2 == items % 2).astype(float)
    >>> heard = (users < 7) | (items == 0)
    >>> rec = MatrixFactorisation(4, n_factors=1, random_state=0)
    >>> rec = rec.fit(None, likes[heard], actions=items[heard], users=users[heard])
    >>> rec.predict(None, users=[6, 7])
    array([2, 1])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        n_factors: int = 4,
        ridge: float = 3.0,
        n_sweeps: int = 10,
        refit: float = 1.1,
        epsilon: float = 0.5,
        decay: float = 0.5,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.n_factors = n_factors
        self.ridge = ridge
        self.n_sweeps = n_sweeps
        self.refit = refit
        self.epsilon = epsilon
        self.decay = decay
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("n_factors", self.n_factors, Integral, low=1)
        check_number("ridge", self.ridge, Real, above=0.0)
        check_number("n_sweeps", self.n_sweeps, Integral, low=1)
        check_number("refit", self.refit, Real, above=1.0)
        check_number("epsilon", self.epsilon, Real, low=0.0)
        check_number("decay", self.decay, Real, low=0.0)

    def _start(self, n_features: int) -> None:
        self._told = None
        self._fitted_at = 0.0
        shape = (self.actions_.size, self.n_factors)
        self.factors_ = 0.1 * generator(self.random_state, 1).standard_normal(shape)
        super()._start(n_features)

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        heard = float(self.count_.sum())
        if heard >= self.refit * self._fitted_at:
            self._fitted_at = heard
            rest = self._rest(self.count_, self.sum_)
            self.factors_ = alternate(rest, self.count_, self.factors_, self.ridge, self.n_sweeps)

    def _item_means(self) -> Floats:
        """Return the items' means over all users, one answer's worth of the mean of all in it."""
        count, total = self.count_.sum(axis=0), self.sum_.sum(axis=0)
        return (total + total.sum() / max(count.sum(), 1.0)) / (count + 1.0)

    def _rest(self, count: Floats, total: Floats) -> Floats:
        """Return mean rewards less the items' means, in spreads; 0 where nothing was heard."""
        rest = (total - count * self._item_means()) / self._spread()
        return np.divide(rest, count, out=np.zeros_like(rest), where=count > 0.0)

    def _values(self, visits: Visits) -> Floats:
        count, total = self._sums(self._clusters(visits))
        factors = fold_in(self._rest(count, total), count, self.factors_, self.ridge)
        return self._item_means() + self._spread() * factors @ self.factors_.T


def alternate(
    values: Floats, weights: Floats, factors: Floats, ridge: float, n_sweeps: int
) -> Floats:
    """Return the factors of columns after so many turns of weighted ridge regressions.

    Parameters
    ----------
    values, weights : ndarray of float64, shape (U, K)
    factors : ndarray of float64, shape (K, F)
        Where the turns begin.
    """
    for _ in range(n_sweeps):
        of_rows = fold_in(values, weights, factors, ridge)
        factors = fold_in(values.T, weights.T, of_rows, ridge)
    return factors


def fold_in(values: Floats, weights: Floats, factors: Floats, ridge: float) -> Floats:
    """Return factors of rows, given those of columns: a weighted ridge regression a row."""
    n_factors = factors.shape[1]
    outer = (factors[:, :, None] * factors[:, None, :]).reshape(len(factors), -1)
    gram = (weights @ outer).reshape(-1, n_factors, n_factors) + ridge * np.eye(n_factors)
    right = (weights * values) @ factors
    return np.asarray(np.linalg.solve(gram, right[..., None])[..., 0], dtype=np.float64)
