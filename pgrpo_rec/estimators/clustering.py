"""PreferenceClustering: learn from feedback which users share a taste.

Shapes: n feedbacks, U users, K items, P clusters.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.clustering import kmeans
from pgrpo_rec.clustering.labels import as_labels, check_same_kind, find, insert
from pgrpo_rec.clustering.mixture import (
    FAMILIES,
    TRIAL,
    Budget,
    Search,
    fit_mixture,
    match_labels,
    reordered,
)
from pgrpo_rec.clustering.statistics import (
    Statistics,
    empty_statistics,
    fold,
    insert_columns,
    take,
    with_room,
)
from pgrpo_rec.estimators.parameters import check_choice, check_number
from pgrpo_rec.interactions import check_rewards

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 1_000_000  # feedbacks folded in at once, so that memory does not grow with the log


class PreferenceClustering(ClusterMixin, BaseEstimator):
    """Find preference groups: users who share a distribution of rewards.

    Feedback is turned at once into count, mean and squares per user and item, and never
    kept. ``method="mixture"`` fits a latent-class mixture to them by EM; people of one
    cluster may differ, each has an effect of their own on every item. Rewards that are all
    0 or 1 are taken as Bernoulli, others as Gaussian with variances of each cluster's own.
    The likelihood is conditional on what was shown, so it does not matter by which policy.

    Until ``min_feedback`` has come through `partial_fit` there is one cluster; then it is
    fitted anew whenever the feedback has grown by ``refit_factor``. In between only the
    users who gave feedback are placed anew. Labels are stable: each refit is matched with
    the clusters before it.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters. "auto": the number with the lowest criterion (BIC, each
        parameter charged the users it is learned from) among those whose clusters are
        farther apart than people of one cluster.
    max_clusters : int, default=6
        Largest number that "auto" tries.
    method : {"mixture", "kmeans"}, default="mixture"
        "kmeans", on shrunk value vectors, is there to compare with; it needs a number.
    items : int or array of labels, default=None
        The catalogue; None: items are learned from ``actions``.
    n_init : int, default=3
        Fresh starts of each number of clusters, beside splits of the smaller fit and the
        fit before.
    tol : float, default=1e-6
        EM stops when a pass gains less, in log-likelihood per user.
    max_iter : int, default=300
        EM passes at most.
    refit_factor : float, default=2.0
        Growth of the total feedback from refit to refit.
    min_feedback : int, default=1000
        Feedback before the first refit of `partial_fit`.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the starts. The same seed and data give the same result, bit for bit.

    Attributes
    ----------
    users_ : ndarray, shape (U,)
        Labels of the users, sorted.
    labels_ : ndarray of int64, shape (U,)
        Cluster of each user of ``users_``.
    n_clusters_ : int
        P.
    shares_ : ndarray of float64, shape (P,)
        Share of users in each cluster; the first fit sorts clusters by it.
    actions_ : ndarray, shape (K,)
        Labels of the items, sorted.
    means_ : ndarray of float64, shape (P, K)
        Expected reward of each item in each cluster.
    count_, sum_, sumsq_ : ndarray, shape (U, K)
        Number, sum and sum of squares of the rewards of each user of ``users_``.
    n_feedback_, n_refits_ : int
        Feedbacks and refits so far.
    criterion_ : structured ndarray
        Of the last refit, for each number of clusters tried: ``n_clusters``, ``loglik``,
        ``criterion`` (k-means: the inertia), ``separation`` of the two nearest clusters.

    See Also
    --------
    pgrpo_rec.clustering.mixture : the formulas and their sources.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.estimators.clustering import PreferenceClustering
    >>> rng = np.random.default_rng(0)
    >>> users, actions = rng.integers(100, size=10_000), rng.integers(5, size=10_000)
    >>> likes = np.where(users % 2 == 0, actions < 2, actions > 2)
    >>> rewards = (rng.random(10_000) < np.where(likes, 0.6, 0.1)).astype(float)
    >>> clustering = PreferenceClustering(random_state=0)
    >>> clustering.fit(None, rewards, actions=actions, users=users).n_clusters_
    2
    >>> bool(clustering.predict([0])[0] == clustering.predict([2])[0])
    True
    """

    def __init__(
        self,
        n_clusters: int | str = "auto",
        *,
        max_clusters: int = 6,
        method: str = "mixture",
        items: int | ArrayLike | None = None,
        n_init: int = 3,
        tol: float = 1e-6,
        max_iter: int = 300,
        refit_factor: float = 2.0,
        min_feedback: int = 1000,
        random_state: Seed = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.method = method
        self.items = items
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter
        self.refit_factor = refit_factor
        self.min_feedback = min_feedback
        self.random_state = random_state

    # --- learning ------------------------------------------------------------------------

    def fit(self, X: Any, y: ArrayLike, *, actions: ArrayLike, users: ArrayLike) -> Self:
        """Forget everything, then learn the clusters from a log.

        Parameters
        ----------
        X : ignored
            May be None; here for the sake of one interface.
        y : array, shape (n,)
            Finite rewards.
        actions, users : array, shape (n,)
            Labels, numbers or strings, of the item shown and of the user.

        Raises
        ------
        ValueError
            If an argument is of the wrong shape, type or range; nothing has changed then.
        """
        rewards, items, people = self._check(y, actions, users, fresh=True)
        if rewards.size == 0:
            raise ValueError("y is empty; clusters cannot be learned from no feedback")
        self._begin()
        for first in range(0, rewards.size, CHUNK):
            part = slice(first, first + CHUNK)
            self._fold(rewards[part], items[part], people[part])
        self._refit()
        return self

    def partial_fit(self, X: Any, y: ArrayLike, *, actions: ArrayLike, users: ArrayLike) -> Self:
        """Add feedback; place its users anew, or refit when enough has come.

        Parameters and errors are those of `fit`; users and items may be new.
        """
        fresh = not hasattr(self, "users_")
        rewards, items, people = self._check(y, actions, users, fresh=fresh)
        if fresh:
            self._begin()
        was_binary = self._binary
        rows = self._fold(rewards, items, people)
        # The first fractional reward makes the Bernoulli fit void.
        if self.n_feedback_ >= self._next_refit or (self.n_refits_ and was_binary != self._binary):
            self._refit()
        elif self.n_refits_:
            rows = np.unique(rows)
            self._resp[rows] = self._place(take(self._statistics, rows))
        elif self.users_.size:
            self._start_with_one_cluster()
        return self

    def fit_predict(self, X: Any, y: ArrayLike, *, actions: ArrayLike, users: ArrayLike) -> Ints:
        """Call `fit` and return the cluster of the user of each feedback, shape (n,)."""
        return self.fit(X, y, actions=actions, users=users).predict(users)

    # --- asking --------------------------------------------------------------------------

    def predict(self, users: ArrayLike) -> Ints:
        """Return the most probable cluster of each user, shape (n,)."""
        return self.predict_proba(users).argmax(axis=1)

    def predict_proba(self, users: ArrayLike) -> Floats:
        """Return the probability of each cluster, shape (n, P).

        A user with little feedback is between the shares and certainty; one never met gets
        the shares. With k-means users who are known have one cluster.
        """
        check_is_fitted(self, "users_")
        labels = as_labels("users", users)
        check_same_kind("users", self.users_, labels)
        places = find(self.users_, labels)
        proba = np.tile(self.shares_, (labels.size, 1))
        proba[places >= 0] = self._resp[self._rows[places[places >= 0]]]
        return proba

    def score(self, X: Any, y: ArrayLike, *, actions: ArrayLike, users: ArrayLike) -> float:
        """Return the mean log-likelihood of new feedback, given each user's old feedback.

        Parameters and errors are those of `fit`. The feedback is not learned. Users may be
        new, items may not. The likelihood is that of the mixture, with k-means too.
        """
        check_is_fitted(self, "users_")
        rewards, items, people = self._check(y, actions, users, fresh=False)
        columns = find(self.actions_, items)
        if (columns < 0).any():
            raise ValueError(
                f"actions has the new item {items[columns < 0][0]!r}; score needs known"
            )
        if self._binary and not _is_binary(rewards):
            raise ValueError("y must be 0 or 1 here: the clusters were learned from such rewards")
        labels, rows = np.unique(people, return_inverse=True)
        before = empty_statistics(labels.size, self.actions_.size)
        places = find(self.users_, labels)
        known = places >= 0
        for new, old in zip(before, self._statistics, strict=True):
            new[known] = old[self._rows[places[known]]]
        after = Statistics(*(moment.copy() for moment in before))
        fold(after, rows, columns, rewards)
        return (self._loglik(after) - self._loglik(before)) / max(rewards.size, 1)

    @property
    def labels_(self) -> Ints:
        """Cluster of each user of ``users_``."""
        return self._resp[self._rows].argmax(axis=1)

    @property
    def n_clusters_(self) -> int:
        """Number of clusters."""
        return self.shares_.size

    @property
    def means_(self) -> Floats:
        """Expected reward of each item in each cluster, shape (P, K)."""
        return self._family.means(self._parameters)

    @property
    def count_(self) -> NDArray[np.int32]:
        """Number of feedbacks of each user about each item, shape (U, K)."""
        return self._statistics.counts[self._rows]

    @property
    def sum_(self) -> Floats:
        """Sum of the rewards of each user from each item, shape (U, K)."""
        return self.count_ * self._statistics.mean[self._rows]

    @property
    def sumsq_(self) -> Floats:
        """Sum of the squared rewards of each user from each item, shape (U, K)."""
        return self._statistics.m2[self._rows] + self.sum_ * self._statistics.mean[self._rows]

    # --- how -----------------------------------------------------------------------------

    @property
    def _family(self) -> Any:
        return FAMILIES["bernoulli" if self._binary else "gaussian"]

    def _check(
        self, y: ArrayLike, actions: ArrayLike, users: ArrayLike, *, fresh: bool
    ) -> tuple[Floats, NDArray[Any], NDArray[Any]]:
        """Check arguments and input; return rewards, item labels and user labels."""
        self._check_parameters()
        people = as_labels("users", users)
        rewards = check_rewards(y, people.size)
        items = as_labels("actions", actions, people.size)
        catalogue = self._catalogue() if fresh else self.actions_
        check_same_kind("actions", catalogue, items)
        if not fresh:
            check_same_kind("users", self.users_, people)
        if self.items is not None:
            strange = find(catalogue, items) < 0
            if strange.any():
                raise ValueError(f"actions has {items[strange][0]!r}, which is not among items")
        return rewards, items, people

    def _check_parameters(self) -> None:
        check_choice("method", self.method, ["mixture", "kmeans"])
        if self.n_clusters != "auto":
            check_number("n_clusters", self.n_clusters, Integral, low=1)
        elif self.method == "kmeans":
            raise ValueError("n_clusters='auto' needs method='mixture'; k-means needs a number")
        for name in ("max_clusters", "n_init", "max_iter", "min_feedback"):
            check_number(name, getattr(self, name), Integral, low=1)
        check_number("tol", self.tol, Real, low=0.0)
        check_number("refit_factor", self.refit_factor, Real, above=1.0)

    def _catalogue(self) -> NDArray[Any]:
        if self.items is None:
            return np.empty(0, dtype=np.int64)
        if isinstance(self.items, Integral):
            check_number("items", self.items, Integral, low=1)
            return np.arange(int(self.items))
        return np.unique(as_labels("items", self.items))

    def _begin(self) -> None:
        self.actions_ = self._catalogue()
        self.users_: NDArray[Any] = np.empty(0, dtype=np.int64)
        self.shares_ = np.ones(1)
        self.n_feedback_ = self.n_refits_ = 0
        self.criterion_ = np.empty(0, dtype=TRIAL)
        self._rows = np.empty(0, dtype=np.int64)
        self._statistics = empty_statistics(0, self.actions_.size)
        self._resp = np.ones((0, 1))
        self._binary = True
        self._next_refit = self.min_feedback
        self._parameters: Any = None
        self._centres: kmeans.Centres | None = None

    def _fold(self, rewards: Floats, items: NDArray[Any], people: NDArray[Any]) -> Ints:
        """Take feedback into the statistics; return the row of each user."""
        self._add_users(people)
        self._add_actions(items)
        rows = self._rows[find(self.users_, people)]
        fold(self._statistics, rows, find(self.actions_, items), rewards)
        self.n_feedback_ += rewards.size
        self._binary = self._binary and _is_binary(rewards)
        return rows

    def _add_users(self, people: NDArray[Any]) -> None:
        new = np.unique(people[find(self.users_, people) < 0])
        if new.size == 0:
            return
        self.users_, self._rows = insert(self.users_, self._rows, new)
        self._statistics = with_room(self._statistics, self.users_.size)
        missing = self._statistics.counts.shape[0] - self._resp.shape[0]
        self._resp = np.concatenate([self._resp, np.tile(self.shares_, (missing, 1))])

    def _add_actions(self, items: NDArray[Any]) -> None:
        new = np.unique(items[find(self.actions_, items) < 0])
        if new.size == 0:
            return
        places = np.searchsorted(self.actions_, new) if self.actions_.size else 0 * new.argsort()
        self.actions_, _ = insert(self.actions_, np.arange(self.actions_.size), new)
        self._statistics = insert_columns(self._statistics, places)
        if self._parameters is not None:
            self._parameters = self._family.insert_actions(self._parameters, places)
        if self._centres is not None:
            self._centres = kmeans.insert_actions(self._centres, places)

    def _everybody(self) -> Statistics:
        return take(self._statistics, slice(self.users_.size))

    def _start_with_one_cluster(self) -> None:
        cells = self._family.prepare(self._everybody())
        self._parameters = self._family.start(cells, np.ones((self.users_.size, 1)))

    def _refit(self) -> None:
        """Fit the clusters to all feedback so far, and keep their labels where they were."""
        rng = generator(self.random_state, self.n_refits_)
        resp = self._fit_kmeans(rng) if self.method == "kmeans" else self._fit_mixture(rng)
        order = match_labels(self._resp[: self.users_.size], resp)
        self._parameters = reordered(self._parameters, order)
        if self._centres is not None:
            self._centres = self._centres._replace(centres=self._centres.centres[order])
        self.shares_ = self._parameters.shares
        self._resp = np.tile(self.shares_, (self._statistics.counts.shape[0], 1))
        self._resp[: self.users_.size] = resp[:, order]
        self.n_refits_ += 1
        grown = math.ceil(self.n_feedback_ * self.refit_factor)
        self._next_refit = max(self.min_feedback, grown)

    def _fit_mixture(self, rng: np.random.Generator) -> Floats:
        number = None if self.n_clusters == "auto" else min(int(self.n_clusters), self.users_.size)
        budget = Budget(self.n_init, self.max_iter, self.tol)
        previous = (
            self._parameters if isinstance(self._parameters, self._family.Parameters) else None
        )
        search = Search(number, min(self.max_clusters, self.users_.size), budget)
        kind = "bernoulli" if self._binary else "gaussian"
        best, self.criterion_ = fit_mixture(kind, self._everybody(), search, rng, previous)
        self._parameters = best.parameters
        return best.resp

    def _fit_kmeans(self, rng: np.random.Generator) -> Floats:
        number = min(int(self.n_clusters), self.users_.size)
        everybody, seed = self._everybody(), int(rng.integers(2**31))
        self._centres, inertia = kmeans.fit_kmeans(
            everybody, number, self.n_init, self.max_iter, seed
        )
        resp = kmeans.nearest(self._centres, everybody)
        self._parameters = self._family.start(self._family.prepare(everybody), resp)
        self.criterion_ = np.array([(number, self._loglik(everybody), inertia, np.nan)], TRIAL)
        return resp

    def _place(self, statistics: Statistics) -> Floats:
        """Return responsibilities of users with the parameters as they are."""
        if self._centres is not None:
            return kmeans.nearest(self._centres, statistics)
        resp = np.empty((statistics.counts.shape[0], self.n_clusters_))
        self._family.e_step(self._parameters, self._family.prepare(statistics), resp)
        return resp

    def _loglik(self, statistics: Statistics) -> float:
        """Return the log-likelihood of users, with no cap on counts."""
        cells = self._family.prepare(statistics, cap=2**31 - 1)
        resp = np.empty((statistics.counts.shape[0], self._parameters.shares.size))
        return self._family.e_step(self._parameters, cells, resp)[0]


def _is_binary(rewards: Floats) -> bool:
    return bool(((rewards == 0.0) | (rewards == 1.0)).all())
