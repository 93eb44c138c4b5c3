"""Linear Thompson sampling, one ridge regression an item (disjoint)."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits
from pgrpo_rec.posterior import probability_of_best

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class LinTS(Bandit):
    r"""Show an item with the posterior probability that its linear value is the highest.

    Per item (and per cluster, where clusters are given) a ridge regression on z = (1, x):
    :math:`A = \lambda I + \sum z z^T`, :math:`\theta = A^{-1} \sum z r`; the value at z is
    normal with mean :math:`\theta \cdot z` and standard deviation
    ``width * s * sqrt(z A^-1 z)``, s the spread of all rewards so far. Each value is one
    number, so the probabilities are exact (`pgrpo_rec.posterior`).

    Parameters
    ----------
    items : int or array of labels, optional
    ridge : float, default=1
        :math:`\lambda`, above 0.
    width : float, default=1
        Above 0; below 1 explores less than the posterior says.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does: the
        strong form of this rival where clusters differ in scale.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Agrawal and Goyal, Thompson sampling for contextual bandits with linear payoffs, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import LinTS
    >>> X = np.array([[-1.0], [1.0]] * 100)
    >>> shown = np.arange(200) // 2 % 2
    >>> bandit = LinTS(2, random_state=0).fit(X, X[:, 0] * (2 * shown - 1), actions=shown)
    >>> bandit.predict([[-1.0], [1.0]])
    array([0, 1])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        ridge: float = 1.0,
        width: float = 1.0,
        standardise: bool = False,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.ridge = ridge
        self.width = width
        self.standardise = standardise
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("ridge", self.ridge, Real, above=0.0)
        check_number("width", self.width, Real, above=0.0)

    def _start(self, n_features: int) -> None:
        self._n_columns = 1 + n_features
        self._inverse = np.zeros((0, self.actions_.size, self._n_columns, self._n_columns))
        self._weighted = np.zeros((0, self.actions_.size, self._n_columns))
        self._ones = np.zeros((0, self.actions_.size, self._n_columns))
        super()._start(n_features)

    def _grow(self, n_clusters: int) -> None:
        super()._grow(n_clusters)
        inverse, weighted = self._prior(n_clusters - len(self._inverse))
        self._inverse = np.concatenate([self._inverse, inverse])
        self._weighted = np.concatenate([self._weighted, weighted])
        self._ones = np.concatenate([self._ones, weighted])

    def _prior(self, n_clusters: int) -> tuple[Floats, Floats]:
        """Return what is known of clusters that have answered nothing."""
        shape = (n_clusters, self.actions_.size, self._n_columns)
        identity = np.eye(self._n_columns) / self.ridge
        return np.broadcast_to(identity, (*shape, self._n_columns)).copy(), np.zeros(shape)

    def _z(self, visits: Visits) -> Floats:
        return np.hstack([np.ones((visits.n, 1)), visits.features])

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        z = self._z(interactions.visits)
        add_rows(
            self._inverse, self._weighted, z, clusters, interactions.actions, interactions.rewards
        )
        np.add.at(self._ones, (clusters, interactions.actions), z)

    def _posterior(self, visits: Visits) -> tuple[Floats, Floats]:
        clusters = self._clusters(visits)
        inverse, (weighted, scale) = self._inverse, self._targets()
        if clusters.size and clusters.max() >= len(inverse):
            prior_inverse, prior_weighted = self._prior(1)
            inverse = np.concatenate([inverse, prior_inverse])
            weighted = np.concatenate([weighted, prior_weighted])
        mean, width = linear_posterior(inverse, weighted, self._z(visits), clusters)
        return mean, self.width * scale * width

    def _targets(self) -> tuple[Floats, float]:
        """Return the moments of what is regressed on, and the scale of its noise."""
        if not self.standardise or self._audience is None:
            return self._weighted, self._spread()
        mean, std = self._audience.history.mean, self._audience.history.std
        unit = np.where(std > 0.0, std, 1.0)[:, None, None]
        return (self._weighted - mean[:, None, None] * self._ones) / unit, 1.0

    def _values(self, visits: Visits) -> Floats:
        return self._posterior(visits)[0]

    def _probabilities(self, visits: Visits) -> Floats:
        return probability_of_best(*self._posterior(visits), visits.available)


@jit
def add_rows(
    inverse: Floats, weighted: Floats, z: Floats, clusters: Ints, actions: Ints, rewards: Floats
) -> None:
    """Fold visits into the inverses, one rank at a time (Sherman and Morrison 1950)."""
    n_columns = z.shape[1]
    reach = np.empty(n_columns)
    for i in range(rewards.size):
        p, k = clusters[i], actions[i]
        total = 1.0
        for j in range(n_columns):
            reach[j] = 0.0
            for m in range(n_columns):
                reach[j] += inverse[p, k, j, m] * z[i, m]
            total += reach[j] * z[i, j]
        for j in range(n_columns):
            weighted[p, k, j] += rewards[i] * z[i, j]
            for m in range(n_columns):
                inverse[p, k, j, m] -= reach[j] * reach[m] / total


@jit
def linear_posterior(
    inverse: Floats, weighted: Floats, z: Floats, clusters: Ints
) -> tuple[Floats, Floats]:
    """Return mean and (unscaled) standard deviation of every item's value, (n, K) each."""
    n_items, n_columns = inverse.shape[1], z.shape[1]
    mean = np.zeros((z.shape[0], n_items))
    std = np.zeros((z.shape[0], n_items))
    for i in range(z.shape[0]):
        p = clusters[i]
        for k in range(n_items):
            square = 0.0
            for j in range(n_columns):
                reach = 0.0
                for m in range(n_columns):
                    reach += inverse[p, k, j, m] * z[i, m]
                mean[i, k] += reach * weighted[p, k, j]
                square += reach * z[i, j]
            std[i, k] = np.sqrt(square)
    return mean, std
