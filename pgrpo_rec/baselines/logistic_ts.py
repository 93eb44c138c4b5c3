"""Thompson sampling for clicks whose logits are linear in features."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec._random import Seed
from pgrpo_rec.algebra import invert, multiply
from pgrpo_rec.baselines.base import Bandit, check_rates
from pgrpo_rec.contenders import read_contenders
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits
from pgrpo_rec.posterior import ends, probability_of_best

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEWTON_STEPS = 25  # at most: far from its prior, a fit needs a dozen
CLOSE = 1e-9  # nats that a step still promises, twice: that step is the last


class LogisticTS(Bandit):
    r"""Show an item with the posterior probability that its click rate is the highest.

    Per item (and cluster) a Bayesian logistic regression on z = (1, x), whose posterior is
    kept as a normal: each batch is added by Laplace's method, with the posterior before it as
    its prior. The logit at z is then normal, and since the rate rises with the logit, the
    probabilities of `pgrpo_rec.posterior` are exact for it.

    Parameters
    ----------
    items : int or array of labels, optional
    prior_rate : float in (0, 1), default=0.5
        Click rate expected of an unknown item at x = 0; above what is usual, it explores.
    ridge : float, default=1
        Above 0: precision of the prior of each weight.
    width : float, default=1
        Above 0; below 1 explores less than the posterior says.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the precision gathered before it.
    random_state : int, Generator, RandomState or None, default=None

    Raises
    ------
    ValueError
        If a reward is outside [0, 1].

    References
    ----------
    Chapelle and Li, An empirical evaluation of Thompson sampling, 2011 (with the whole
    precision matrix in place of its diagonal).

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import LogisticTS
    >>> X = np.array([[-1.0], [1.0]] * 100)
    >>> shown = np.arange(200) // 2 % 2
    >>> clicked = (X[:, 0] * (2 * shown - 1) > 0).astype(float)
    >>> bandit = LogisticTS(2, random_state=0).fit(X, clicked, actions=shown)
    >>> bandit.predict([[-1.0], [1.0]])
    array([0, 1])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        prior_rate: float = 0.5,
        ridge: float = 1.0,
        width: float = 1.0,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.prior_rate = prior_rate
        self.ridge = ridge
        self.width = width
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("prior_rate", self.prior_rate, Real, above=0.0, high=1.0 - 1e-9)
        check_number("ridge", self.ridge, Real, above=0.0)
        check_number("width", self.width, Real, above=0.0)
        check_number("discount", self.discount, Real, above=0.0, high=1.0)

    def _check_interactions(self, interactions: Interactions) -> None:
        check_rates(interactions.rewards)

    def _start(self, n_features: int) -> None:
        self._n_columns = 1 + n_features
        self._mean, self._precision, self._covariance = self._strangers(0)
        super()._start(n_features)

    def _grow(self, n_clusters: int) -> None:
        super()._grow(n_clusters)
        more = self._strangers(n_clusters - len(self._mean))
        known = (self._mean, self._precision, self._covariance)
        self._mean, self._precision, self._covariance = map(
            np.concatenate, zip(known, more, strict=True)
        )

    def _strangers(self, n_clusters: int) -> tuple[Floats, Floats, Floats]:
        """Return mean, precision and covariance of clusters that have answered nothing."""
        shape = (n_clusters, self.actions_.size, self._n_columns)
        mean = np.zeros(shape)
        mean[..., 0] = np.log(self.prior_rate / (1.0 - self.prior_rate))
        identity = np.broadcast_to(np.eye(self._n_columns), (*shape, self._n_columns))
        return mean, self.ridge * identity, identity / self.ridge

    def _absorb(self, interactions: Interactions, clusters: Ints) -> None:
        if self.discount < 1.0:
            self._forget(np.bincount(clusters, minlength=len(self._mean)))
        order = np.lexsort((interactions.actions, clusters))
        add_clicks(
            self._mean,
            self._precision,
            self._covariance,
            interactions.visits.with_constant()[order],
            clusters[order],
            interactions.actions[order],
            interactions.rewards[order],
        )

    def _forget(self, heard: Ints) -> None:
        """Let precision fall back to the prior's; the mean stays, and is held less firmly."""
        left = (self.discount**heard)[:, None, None, None]
        prior = self.ridge * np.eye(self._n_columns)
        self._precision = left * self._precision + (1.0 - left) * prior
        self._covariance = np.asarray(np.linalg.inv(self._precision), dtype=np.float64)

    def _posterior(self, visits: Visits, low: float, high: float) -> tuple[Floats, Floats]:
        clusters = self._clusters(visits)
        mean, covariance = self._mean, self._covariance
        if clusters.size and clusters.max() >= len(mean):
            stranger, _, spread = self._strangers(1)
            mean = np.concatenate([mean, stranger])
            covariance = np.concatenate([covariance, spread])
        z, unit = visits.with_constant(), self.width
        return read_contenders(mean, covariance, unit, z, clusters, visits.available, low, high)

    def _values(self, visits: Visits) -> Floats:
        return self._posterior(visits, 0.0, 0.0)[0]

    def _probabilities(self, visits: Visits) -> Floats:
        mean, std = self._posterior(visits, *ends(self.actions_.size))
        return probability_of_best(mean, std, visits.available)


@jit
def add_clicks(
    mean: Floats,
    precision: Floats,
    covariance: Floats,
    z: Floats,
    clusters: Ints,
    actions: Ints,
    rewards: Floats,
) -> None:
    """Fold n answers in, sorted by cluster and item, a regression at a time."""
    start = 0
    while start < rewards.size:
        p, k, end = clusters[start], actions[start], start + 1
        while end < rewards.size and clusters[end] == p and actions[end] == k:
            end += 1
        laplace(mean[p, k], precision[p, k], covariance[p, k], z[start:end], rewards[start:end])
        start = end


@jit
def laplace(
    mean: Floats, precision: Floats, covariance: Floats, z: Floats, rewards: Floats
) -> None:
    """Turn a normal prior into the normal that touches the posterior at its mode.

    Newton's method from the prior's mean; steps that would raise the loss are halved.

    Parameters
    ----------
    mean, precision, covariance : ndarray of float64, shapes (D,), (D, D), (D, D)
        Of the prior; written to.
    z, rewards : ndarray of float64, shapes (n, D) and (n,)
    """
    n_columns = mean.size
    where, hessian = mean.copy(), precision.copy()
    gradient, step = np.empty(n_columns), np.empty(n_columns)
    loss = _loss(where, mean, precision, z, rewards)
    for _ in range(NEWTON_STEPS):
        _curvature(where, mean, precision, z, rewards, gradient, hessian)
        invert(hessian, covariance)
        multiply(covariance, gradient, step)
        size, better = 1.0, False
        while size > 1e-3 and not better:
            trial = _loss(where - size * step, mean, precision, z, rewards)
            better = trial <= loss
            if better:
                where, loss = where - size * step, trial
            size *= 0.5
        promise = 0.0
        for j in range(n_columns):
            promise += gradient[j] * step[j]
        if not better or promise < CLOSE:
            break
    _curvature(where, mean, precision, z, rewards, gradient, hessian)
    invert(hessian, covariance)
    mean[:] = where
    precision[:] = hessian


@jit
def _loss(where: Floats, mean: Floats, precision: Floats, z: Floats, rewards: Floats) -> float:
    total = 0.0
    for j in range(mean.size):
        for m in range(mean.size):
            total += 0.5 * (where[j] - mean[j]) * precision[j, m] * (where[m] - mean[m])
    for i in range(rewards.size):
        logit = 0.0
        for j in range(mean.size):
            logit += z[i, j] * where[j]
        total += max(logit, 0.0) + np.log1p(np.exp(-abs(logit))) - rewards[i] * logit
    return total


@jit
def _curvature(
    where: Floats,
    mean: Floats,
    precision: Floats,
    z: Floats,
    rewards: Floats,
    gradient: Floats,
    hessian: Floats,
) -> None:
    multiply(precision, where - mean, gradient)
    hessian[:] = precision
    for i in range(rewards.size):
        logit = 0.0
        for j in range(mean.size):
            logit += z[i, j] * where[j]
        rate = 1.0 / (1.0 + np.exp(-logit))
        for j in range(mean.size):
            gradient[j] += (rate - rewards[i]) * z[i, j]
            for m in range(mean.size):
                hessian[j, m] += rate * (1.0 - rate) * z[i, j] * z[i, m]
