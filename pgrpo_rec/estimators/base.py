"""What every recommender shares: the public verbs, and the door where input is checked.

A recommender is a distribution over items for each visit. `BaseRecommender` turns that into
``predict``, ``recommend`` and ``score``; a subclass says how the distribution is learned.
"""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.validation import _num_samples, validate_data

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.evaluation.off_policy import snips_value
from pgrpo_rec.interactions import (
    Interactions,
    Visits,
    check_available,
    check_column,
    check_propensities,
    check_rewards,
)
from pgrpo_rec.policies import draw_actions, draw_slates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BaseRecommender(BaseEstimator):
    """Base of all recommenders, P-GRPO and baselines alike.

    A subclass stores its arguments in ``__init__`` and has

    - ``_start(n_features)``: set up the fitted state for ``self.actions_``;
    - ``_learn(interactions)``: take one batch;
    - ``_probabilities(visits)``: the policy, shape (n, K), 0 where not available;
    - ``_values(visits)``, if greedy choice is by something else than probability;
    - ``_check_parameters()`` and ``_check_interactions(interactions)``, if there is something
      to check; both are called before anything is changed.

    Attributes
    ----------
    actions_ : ndarray, shape (K,)
        Item labels, sorted; the columns of `predict_proba`.
    n_features_in_ : int
        d, where features were given.
    """

    items: int | ArrayLike | None
    random_state: Seed

    # --- what a subclass says ------------------------------------------------------------

    def _start(self, n_features: int) -> None:
        raise NotImplementedError

    def _learn(self, interactions: Interactions) -> None:
        raise NotImplementedError

    def _probabilities(self, visits: Visits) -> Floats:
        raise NotImplementedError

    def _values(self, visits: Visits) -> Floats:
        return self._probabilities(visits)

    def _check_parameters(self) -> None:
        """Raise ValueError for a constructor argument out of range."""

    def _check_interactions(self, interactions: Interactions) -> None:
        """Raise ValueError for a log that this recommender cannot learn from."""

    def _learn_log(self, interactions: Interactions) -> None:
        """Learn from a whole log at once; one batch unless a subclass knows better."""
        self._learn(interactions)

    # --- the public verbs ----------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike | None = None,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        propensities: ArrayLike | None = None,
    ) -> Self:
        """Forget everything, then learn from a log.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame, shape (n, d), or None
            Features of each visit; None where there are none (``users``, ``clusters`` or
            ``y`` then give the number of visits).
        y : array, shape (n,)
            Rewards, on any real scale. Without ``actions``: the item each visitor chose;
            that is full information, learned as reward 1 for it and 0 for every other.
        actions : array, shape (n,), optional
            Item that was shown, labels of one sortable type.
        users : array, shape (n,), optional
            User ids, from which preference groups are learned.
        clusters : array, shape (n,), optional
            Known preference groups, in place of ``users``.
        propensities : array, shape (n,) or (n, m), optional
            Probability under which each item was shown; see the class for what is assumed
            without them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is of the wrong shape or range; nothing has changed then.
        """
        self._check_parameters()
        interactions, labels = self._check_log(X, y, actions, users, clusters, propensities, True)
        self._check_interactions(interactions)
        self._begin(labels, interactions.visits.features.shape[1])
        self._learn_log(interactions)
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike | None = None,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        propensities: ArrayLike | None = None,
    ) -> Self:
        """Learn from one more batch, as it comes; the arguments are those of `fit`."""
        fresh = not self._is_started()
        if fresh:
            self._check_parameters()
        interactions, labels = self._check_log(X, y, actions, users, clusters, propensities, fresh)
        self._check_interactions(interactions)
        if fresh:
            self._begin(labels, interactions.visits.features.shape[1])
        if interactions.visits.n > 0:
            self._learn(interactions)
        return self

    def predict(
        self, X: Any, *, users: ArrayLike | None = None, clusters: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Return the item that is best for each visit as far as is known; no exploration.

        Returns
        -------
        ndarray, shape (n,), item labels
        """
        visits = self._check_fitted_visits(X, users, clusters, None)
        values = np.where(visits.available, self._values(visits), -np.inf)
        return self.actions_[values.argmax(axis=1)]

    def predict_proba(
        self,
        X: Any,
        *,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        available: ArrayLike | None = None,
    ) -> Floats:
        """Return the probability of every item under the policy, exploration included.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Columns in the order of ``actions_``; rows sum to 1.
        """
        return self._probabilities(self._check_fitted_visits(X, users, clusters, available))

    def recommend(
        self,
        X: Any,
        n_items: int = 1,
        *,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        available: ArrayLike | None = None,
    ) -> tuple[NDArray[Any], Floats]:
        """Draw what to show, exploring, with the propensities that `partial_fit` needs.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame, shape (n, d), or None
        n_items : int, default=1
            Length of the list; items in it do not repeat.
        users, clusters : array, shape (n,), optional
        available : ndarray of bool, shape (K,) or (n, K), optional
            Items that may be shown.

        Returns
        -------
        items : ndarray, shape (n, n_items)
        propensities : ndarray of float64, shape (n, n_items)
            Of each position given the ones before it.
        """
        visits = self._check_served(X, n_items, users, clusters, available)
        probabilities = self._probabilities(visits)
        if n_items == 1:
            chosen = draw_actions(probabilities, self._rng.random(visits.n))[:, None]
            return self.actions_[chosen], np.take_along_axis(probabilities, chosen, axis=1)
        floor = np.where(visits.available, np.maximum(probabilities, 1e-300), 0.0)
        slates, propensities = draw_slates(floor, self._rng.random((visits.n, n_items)))
        return self.actions_[slates], propensities

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        actions: ArrayLike | None = None,
        propensities: ArrayLike | None = None,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Estimate the policy's mean reward on a log, self-normalised (SNIPS).

        Without ``actions`` it is the mean probability of the item that was chosen.
        ``sample_weight``, shape (n,), at least 0, says how much each visit counts.

        Returns
        -------
        float
        """
        log, _ = self._check_log(X, y, actions, users, clusters, propensities, False)
        probabilities = self._probabilities(log.visits)
        if sample_weight is not None:
            probabilities = probabilities * _row_weights(sample_weight, y, log.visits.n)[:, None]
        rows = np.arange(log.visits.n)
        assumed = np.full(rows.size, 1.0 / self.actions_.size)
        known = assumed if log.propensities is None else log.propensities
        if actions is not None and log.propensities is None:
            warn_once(self, "score: no propensities given; items are taken as shown uniformly")
        return snips_value(log.rewards, probabilities[rows, log.actions], known)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags()  # of `predict_proba`: items stand for classes
        tags.input_tags.sparse = True
        return tags

    # --- the door ------------------------------------------------------------------------

    def _is_started(self) -> bool:
        return hasattr(self, "actions_")

    def _begin(self, labels: NDArray[Any], n_features: int) -> None:
        self.actions_ = labels
        self._rng = generator(self.random_state, 0)
        self._warned: set[str] = set()
        self._start(n_features)

    def _check_served(
        self,
        X: Any,
        n_items: int,
        users: ArrayLike | None,
        clusters: ArrayLike | None,
        available: ArrayLike | None,
    ) -> Visits:
        """Return the visits to recommend for; before any feedback, start with the catalogue."""
        check_number("n_items", n_items, Integral, low=1)
        fresh = not self._is_started()
        labels = self._untaught_labels() if fresh else self.actions_
        visits = self._check_visits(
            X, users, clusters, available, n=None, n_items=labels.size, reset=fresh
        )
        fewest = int(visits.available.sum(axis=1).min()) if visits.n else labels.size
        if n_items > fewest:
            raise ValueError(f"n_items={n_items!r} is not possible: from 1 to {fewest} available")
        if fresh:
            self._begin(labels, visits.features.shape[1])
        return visits

    def _untaught_labels(self) -> NDArray[Any]:
        if self.items is None:
            raise NotFittedError(
                f"this {type(self).__name__} knows no items yet: call fit or partial_fit first, "
                "or pass items= (their number or their labels)"
            )
        self._check_parameters()
        return self._catalogue()

    def _catalogue(self) -> NDArray[Any]:
        """Return the labels that ``items`` stands for, sorted."""
        if isinstance(self.items, Integral) and not isinstance(self.items, bool):
            check_number("items", self.items, Integral, low=1)
            return np.arange(int(self.items))
        labels = np.asarray(self.items)
        if labels.ndim == 1 and labels.size > 0:
            catalogue = np.unique(check_column("items", labels, None))
            if catalogue.size == labels.size:
                return catalogue
        raise ValueError(
            f"items={self.items!r} is not possible: it must be a whole number, at least 1, "
            "or distinct labels"
        )

    def _check_features(self, X: Any, n: int, *, reset: bool) -> Floats:
        if X is None:
            if not reset and hasattr(self, "n_features_in_"):
                raise ValueError(f"X is None; {self.n_features_in_} features are needed as in fit")
            if reset and hasattr(self, "n_features_in_"):
                del self.n_features_in_
            return np.empty((n, 0))
        if not reset and not hasattr(self, "n_features_in_"):
            raise ValueError("X is given, but there were no features in fit: pass X=None")
        checked = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=np.float64,
            reset=reset,
            ensure_min_samples=1 if reset else 0,
        )
        dense = checked.toarray() if hasattr(checked, "toarray") else checked
        return np.ascontiguousarray(dense)

    def _check_visits(
        self,
        X: Any,
        users: ArrayLike | None,
        clusters: ArrayLike | None,
        available: ArrayLike | None,
        *,
        n: int | None,
        n_items: int,
        reset: bool,
    ) -> Visits:
        if users is not None and clusters is not None:
            raise ValueError("give users or clusters, not both: clusters are known groups of users")
        for column in (users, clusters):
            if n is None and column is not None:
                n = _num_samples(column if X is None else X)
        if n is None and X is not None:
            n = _num_samples(X)
        if n is None:
            raise ValueError("X is None: give users or clusters, one for each visit")
        users = None if users is None else check_column("users", users, n)
        clusters = None if clusters is None else check_column("clusters", clusters, n)
        mask = check_available(available, n, n_items)
        return Visits(self._check_features(X, n, reset=reset), users, clusters, mask)

    def _check_fitted_visits(
        self,
        X: Any,
        users: ArrayLike | None,
        clusters: ArrayLike | None,
        available: ArrayLike | None,
    ) -> Visits:
        if not self._is_started():
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted yet: call fit or partial_fit first"
            )
        return self._check_visits(
            X, users, clusters, available, n=None, n_items=self.actions_.size, reset=False
        )

    def _check_log(
        self,
        X: Any,
        y: ArrayLike,
        actions: ArrayLike | None,
        users: ArrayLike | None,
        clusters: ArrayLike | None,
        propensities: ArrayLike | None,
        reset: bool,
    ) -> tuple[Interactions, NDArray[Any]]:
        """Check a log whole, before anything is changed; return it with the item labels."""
        if not reset and not self._is_started():
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first")
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: "
                "it must hold one reward for each visit"
            )
        n = _num_samples(y if X is None else X)
        shown = check_column("y", y, n) if actions is None else check_column("actions", actions, n)
        labels = self._labels(shown, reset)
        rewards = np.ones(n) if actions is None else check_rewards(y, n)
        encoded = _encode(shown, labels)
        known = None if propensities is None else check_propensities(propensities, n)
        visits = self._check_visits(X, users, clusters, None, n=n, n_items=labels.size, reset=reset)
        log = Interactions(visits, encoded, rewards, known)
        return (_with_full_information(log) if actions is None else log), labels

    def _labels(self, shown: NDArray[Any], reset: bool) -> NDArray[Any]:
        if not reset:
            return self.actions_
        if self.items is not None:
            return self._catalogue()
        if shown.size == 0:
            raise ValueError("no item is known: actions is empty and items= is not given")
        return np.unique(shown)


def warn_once(recommender: Any, message: str) -> None:
    """Warn of an assumption the first time it is made."""
    if message not in recommender._warned:
        recommender._warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=4)


def _row_weights(sample_weight: ArrayLike, y: ArrayLike, n_rows: int) -> Floats:
    """Return the weight of each row; with full information a visit has several rows."""
    n = _num_samples(y)
    weights = check_column("sample_weight", sample_weight, n).astype(np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError("sample_weight must be finite and at least 0")
    return np.repeat(weights, n_rows // max(n, 1))


def _encode(shown: NDArray[Any], labels: NDArray[Any]) -> Ints:
    if shown.size == 0:
        return np.zeros(0, dtype=np.int64)
    if (shown.dtype.kind in "OUS") != (labels.dtype.kind in "OUS"):
        raise ValueError(f"actions are {shown.dtype}, items are {labels.dtype}: one type is needed")
    places = np.minimum(np.searchsorted(labels, shown), labels.size - 1)
    unknown = labels[places] != shown
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise ValueError(
            f"item {shown.tolist()[row]!r} in row {row} of actions is not among the {labels.size} "
            "items known: pass all of them as items="
        )
    return places.astype(np.int64)


def _with_full_information(log: Interactions) -> Interactions:
    """Turn "this is the item they chose" into one row an item: 1 for it, 0 for the others."""
    n, n_items = log.visits.n, log.visits.available.shape[1]
    rows = np.repeat(np.arange(n), n_items)
    actions = np.tile(np.arange(n_items), n)
    return Interactions(
        log.take(rows).visits,
        actions,
        (actions == log.actions[rows]).astype(np.float64),
        np.full(rows.size, 1.0 / n_items),
    )
