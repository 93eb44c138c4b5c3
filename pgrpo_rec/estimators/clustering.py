"""PreferenceClustering: learn from feedback which users share a taste.

Shapes: n feedbacks, U users, K items, P clusters.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pgrpo_rec._random import Seed
from pgrpo_rec.clustering import linear
from pgrpo_rec.clustering.labels import as_catalogue, as_labels, check_same_kind, find
from pgrpo_rec.clustering.statistics import fold, totals_by_cluster
from pgrpo_rec.clustering.users import is_binary
from pgrpo_rec.estimators.clustering_fits import ClusteringFits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 1_000_000  # feedbacks folded in at once, so that memory does not grow with the log


class PreferenceClustering(ClusteringFits):
    """Find preference groups: users who share a distribution of rewards.

    Feedback is turned at once into count, mean and squares per user and item, and never
    kept. ``method="mixture"`` fits a latent-class mixture to them by EM; people of one
    cluster may differ, each has an effect of their own on every item. Rewards that are all
    0 or 1 are taken as Bernoulli, others as Gaussian with variances of each cluster's own.
    The likelihood is conditional on what was shown, so it does not matter by which policy.

    With features ``X`` a cluster's rewards are linear in them, by weights of each item: people
    who like the same items on average, but not for the same reasons, are told apart. Fits then
    go over the last ``memory`` answers; between fits each answer moves its user at once.

    What is known of the users themselves (``user_features``: age, gender) says where those
    belong who have not answered yet, or little (`pgrpo_rec.clustering.concomitant`). Clusters
    are made by answers alone; at each refit people held out decide whether features place
    anyone better than the shares of the clusters do, and else they are not used.

    Until ``min_feedback`` has come through `partial_fit` there is one cluster; then it is
    fitted anew whenever the feedback has grown by ``refit_factor``. In between only the
    users who gave feedback are placed anew. Labels are stable: each refit is matched with
    the clusters before it.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters. "auto": the number with the most evidence
        (Laplace's method), of those whose clusters are apart (by a good part of how two
        people of one cluster differ) and which explain more than a misfit would. With
        features: each further cluster must predict left-out answers better, by more than it
        does when answers are dealt anew among the users of a cluster.
    max_clusters : int, default=8
        Largest number that "auto" tries.
    method : {"mixture", "kmeans"}, default="mixture"
        "kmeans", on shrunk value vectors, is there to compare with; it needs a number.
    items : int or array of labels, default=None
        The catalogue; None: items are learned from ``actions``.
    n_init : int, default=3
        Fresh starts of each number of clusters, beside splits of the smaller fit and the
        fit before.
    tol : float, default=1e-5
        EM stops when a pass gains less, in log-likelihood per user.
    max_iter : int, default=300
        EM passes at most.
    refit_factor : float, default=2.0
        Growth of the total feedback from refit to refit.
    min_feedback : int, default=1000
        Feedback before the first refit of `partial_fit`.
    memory : int, default=100_000
        With features: how many of the last answers are kept.
    max_users : int, default=None
        Most users that are kept. When there would be more, a tenth of them, who gave no
        feedback for longest, are forgotten with all they answered; None: nobody is. Users
        of one batch stay together, even when they are more.
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
        Expected reward of each item in each cluster (at the mean of the features).
    count_, sum_, sumsq_ : ndarray, shape (U, K)
        Number, sum and sum of squares of the rewards of each user of ``users_``.
    n_feedback_, n_refits_ : int
        Feedbacks and refits so far.
    criterion_ : structured ndarray
        Of the last refit, for each number of clusters tried: ``n_clusters``, ``loglik``,
        ``criterion`` (minus twice the log evidence; k-means: the inertia) and
        ``separation`` of the two nearest clusters. With features ``criterion`` is of answers
        left out, and ``separation`` the gain beyond chance in standard errors, 0 for none;
        empty where the number was given.

    See Also
    --------
    pgrpo_rec.clustering.mixture : the formulas and their sources.
    pgrpo_rec.clustering.concomitant : what features of users say.

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

    Someone never met, of whom the age is known:

    >>> age = np.where(users % 2 == 0, 25.0, 55.0)[:, None]
    >>> told = {"actions": actions, "users": users, "user_features": age}
    >>> clustering = clustering.fit(None, rewards, **told)
    >>> bool(clustering.predict([1000], [[28.0]])[0] == clustering.predict([0])[0])
    True
    """

    def __init__(
        self,
        n_clusters: int | str = "auto",
        *,
        max_clusters: int = 8,
        method: str = "mixture",
        items: int | ArrayLike | None = None,
        n_init: int = 3,
        tol: float = 1e-5,
        max_iter: int = 300,
        refit_factor: float = 2.0,
        min_feedback: int = 1000,
        memory: int = 100_000,
        max_users: int | None = None,
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
        self.memory = memory
        self.max_users = max_users
        self.random_state = random_state

    # --- learning ------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike,
        users: ArrayLike,
        user_features: Any = None,
    ) -> Self:
        """Forget everything, then learn the clusters from a log.

        Parameters
        ----------
        X : array, shape (n, d), or None
            Features of each visit; None (or d = 0) for groups by what they like on average.
        y : array, shape (n,)
            Finite rewards.
        actions, users : array, shape (n,)
            Labels, numbers or strings, of the item shown and of the user.
        user_features : array, shape (n, q), default=None
            Finite numbers known of each feedback's user, such as age or one column a gender:
            the same at all their feedback, or not. None: nothing is known.

        Raises
        ------
        ValueError
            If an argument is of the wrong shape, type or range; nothing has changed then.
        """
        catalogue, nobody = as_catalogue(self.items), np.empty(0)
        rewards, items, people = self._check(y, actions, users, catalogue, nobody)
        features = self._check_features(X, rewards.size, fresh=True)
        about = self._check_user_features(user_features, rewards.size, fresh=True)
        if rewards.size == 0:
            raise ValueError("y is empty; clusters cannot be learned from no feedback")
        self._begin(catalogue, features.shape[1])
        for first in range(0, rewards.size, CHUNK):
            part = slice(first, first + CHUNK)
            rows = self._add(rewards[part], items[part], people[part], features[part])
            self._remember(rows, None if about is None else about[part])
        self._refit()
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike,
        users: ArrayLike,
        user_features: Any = None,
    ) -> Self:
        """Add feedback; place its users anew, or refit when enough has come.

        Parameters and errors are those of `fit`; users and items may be new. ``user_features``
        may be left out at some calls; its columns must be the same at all others.
        """
        fresh = not hasattr(self, "users_")
        catalogue = as_catalogue(self.items) if fresh else self.actions_
        known = np.empty(0) if fresh else self.users_
        rewards, items, people = self._check(y, actions, users, catalogue, known)
        features = self._check_features(X, rewards.size, fresh=fresh)
        about = self._check_user_features(user_features, rewards.size, fresh=fresh)
        if fresh:
            self._begin(catalogue, features.shape[1])
        was_binary, n_items = self._of.binary, self.actions_.size
        rows = self._add(rewards, items, people, features)
        self._remember(rows, about)
        # The first reward other than 0 and 1 makes a Bernoulli fit void.
        void = self.n_refits_ > 0 and was_binary != self._of.binary
        if self._memory is not None and self.n_refits_ > 0:
            void |= self.actions_.size != n_items
        if self.users_.size and (self.n_feedback_ >= self._next_refit or void):
            self._refit()
        elif self.n_refits_ and self._memory is not None:
            rows, places = np.unique(rows, return_inverse=True)
            new = self._linear_loglik(rewards, items, places, features, rows.size)
            self._resp[rows] = linear.move(self._resp[rows], new)
        elif self.n_refits_:
            rows = np.unique(rows)
            self._resp[rows] = self._place(self._of.of_rows(rows))
        elif self.users_.size:
            everybody = self._of.everybody()
            resp = np.ones((self.users_.size, 1))
            self._parameters = self._family.start(self._family.prepare(everybody), resp)
        return self

    def fit_predict(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike,
        users: ArrayLike,
        user_features: Any = None,
    ) -> Ints:
        """Call `fit` and return the cluster of the user of each feedback, shape (n,)."""
        self.fit(X, y, actions=actions, users=users, user_features=user_features)
        return self.predict(users)

    # --- asking --------------------------------------------------------------------------

    def predict(self, users: ArrayLike, user_features: Any = None) -> Ints:
        """Return the most probable cluster of each user, shape (n,); see `predict_proba`."""
        return self.predict_proba(users, user_features).argmax(axis=1)

    def predict_proba(self, users: ArrayLike, user_features: Any = None) -> Floats:
        """Return the probability of each cluster, shape (n, P).

        A user with little feedback is between what features say, or else the shares, and
        certainty; one never met gets what features say, or else the shares. With k-means users
        who are known have one cluster.

        Parameters
        ----------
        users : array, shape (n,)
        user_features : array, shape (n, q), default=None
            Features of users of whom none are remembered; the others' count as remembered.
            Before any were learned from they say nothing.

        Raises
        ------
        ValueError
            If labels are of another type than before, or features are not finite or not of
            the columns learned from.
        """
        check_is_fitted(self, "users_")
        labels = as_labels("users", users)
        check_same_kind("users", self.users_, labels)
        about = self._check_user_features(user_features, labels.size, fresh=False)
        rows = self._rows_of(labels)
        proba = np.tile(self.shares_, (labels.size, 1))
        proba[rows >= 0] = self._resp[rows[rows >= 0]]
        return self._tilted(proba, rows, about)

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike,
        users: ArrayLike,
        user_features: Any = None,
    ) -> float:
        """Return the mean log-likelihood of new feedback, given each user's old feedback.

        Parameters and errors are those of `fit`. The feedback is not learned. Users may be
        new, items may not; ``user_features`` are for users of whom none are remembered. The
        likelihood is that of the mixture, with k-means too.
        """
        check_is_fitted(self, "users_")
        rewards, items, people = self._check(y, actions, users, self.actions_, self.users_)
        columns = find(self.actions_, items)
        if rewards.size == 0 or (columns < 0).any():
            what = f"the item {items[columns < 0][0]!r}" if rewards.size else "nothing"
            raise ValueError(f"actions has {what}; score needs feedback on items seen in fit")
        if self._of.binary and not is_binary(rewards):
            raise ValueError("y must be 0 or 1 here, as were the rewards learned from")
        about = self._check_user_features(user_features, rewards.size, fresh=False)
        features = self._check_features(X, rewards.size, fresh=False)
        labels, first, rows = np.unique(people, return_index=True, return_inverse=True)
        about = None if about is None else about[first]
        if isinstance(self._parameters, linear.LinearParameters):
            new = self._linear_loglik(rewards, items, rows, features, labels.size)
            return (
                float(linear.log_mean(self.predict_proba(labels, about), new).sum()) / rewards.size
            )
        before, after = self._of.of_users(labels), self._of.of_users(labels)
        fold(after, rows, columns, rewards)
        by = None if self._about is None else self._about.tilts(self._rows_of(labels), about)
        return (self._loglik(after, by) - self._loglik(before, by)) / rewards.size

    @property
    def labels_(self) -> Ints:
        """Cluster of each user of ``users_``."""
        return self._placed(self._of.rows).argmax(axis=1)

    @property
    def n_clusters_(self) -> int:
        """Number of clusters."""
        return self.shares_.size

    @property
    def means_(self) -> Floats:
        """Expected reward of each item in each cluster, shape (P, K)."""
        if isinstance(self._parameters, linear.LinearParameters):
            return linear.means(self._parameters, self._centre)
        return self._family.means(self._parameters)

    @property
    def count_(self) -> NDArray[np.int32]:
        """Number of feedbacks of each user about each item, shape (U, K)."""
        return self._of.of_rows(self._of.rows).counts

    @property
    def sum_(self) -> Floats:
        """Sum of the rewards of each user from each item, shape (U, K)."""
        moments = self._of.of_rows(self._of.rows)
        return moments.counts * moments.mean

    @property
    def sumsq_(self) -> Floats:
        """Sum of the squared rewards of each user from each item, shape (U, K)."""
        moments = self._of.of_rows(self._of.rows)
        return moments.m2 + moments.counts * moments.mean**2

    def feedback_of(self, users: ArrayLike) -> tuple[Floats, Floats]:
        """Return what some users have answered so far, item by item.

        Parameters
        ----------
        users : array, shape (n,)

        Returns
        -------
        count, total : ndarray of float64, shape (n, K)
            Number and sum of the rewards; zeros for users never met.
        """
        check_is_fitted(self, "users_")
        moments = self._of.of_users(as_labels("users", users))
        count = moments.counts.astype(np.float64)
        return count, count * moments.mean

    def totals(self) -> Floats:
        """Return number, sum and sum of squares of the rewards by cluster, shape (3, P, K)."""
        check_is_fitted(self, "users_")
        totals = np.zeros((3, self.n_clusters_, self.actions_.size))
        labels = self._placed(np.arange(self.users_.size)).argmax(axis=1)
        totals_by_cluster(self._of.everybody(), labels, totals)
        return totals
