"""The door at which a recommender's input is checked, once, before anything is changed."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import (
    Interactions,
    Visits,
    check_available,
    check_column,
    check_propensities,
    check_rewards,
    check_slate_rewards,
    check_slates,
    count_rows,
)
from pgrpo_rec.slates import left_over

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Door(BaseEstimator):
    """Checks and encodes what comes in; learning and acting are for subclasses."""

    items: int | ArrayLike | None
    random_state: Seed
    actions_: NDArray[Any]

    def _start(self, n_features: int) -> None:
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Raise ValueError for a constructor argument out of range."""

    def _check_items(self, labels: NDArray[Any]) -> None:
        """Raise ValueError if these items do not fit the constructor's arguments."""

    def _check_size(self, n_items: int, n_features: int) -> None:
        """Raise ValueError if there is no room for a model of so many."""

    def _is_started(self) -> bool:
        return hasattr(self, "actions_")

    def _begin(self, labels: NDArray[Any], n_features: int) -> None:
        self._check_size(labels.size, n_features)
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
        all_there = available is None or visits.n == 0
        fewest = labels.size if all_there else int(visits.available.sum(axis=1).min())
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
        labels = self._catalogue()
        self._check_items(labels)
        return labels

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
        plain = None if reset else self._plain(X)
        if plain is not None:
            return plain
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

    def _plain(self, X: Any) -> Floats | None:
        """Return a table in which `validate_data`, which is slow, would find nothing; else None."""
        if type(X) is not np.ndarray or X.dtype.kind not in "fiu" or X.ndim != 2:
            return None
        if X.shape[1] != self.n_features_in_ or hasattr(self, "feature_names_in_"):
            return None
        table = np.ascontiguousarray(X, dtype=np.float64)
        return table if np.isfinite(table).all() else None

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
                n = count_rows(column if X is None else X)
        if n is None and X is not None:
            n = count_rows(X)
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
        sessions: ArrayLike | None = None,
    ) -> tuple[Interactions, NDArray[Any]]:
        """Check a log whole, before anything is changed; return it with the item labels."""
        if not reset and not self._is_started():
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first")
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: "
                "it must hold one reward for each visit"
            )
        n = count_rows(y if X is None else X)
        visits_of = None if sessions is None else check_column("sessions", sessions, n)
        if actions is not None and np.ndim(actions) != 1:
            slates = check_slates(actions, n)
            return self._check_slates(X, y, slates, users, clusters, propensities, visits_of, reset)
        shown = check_column("y", y, n) if actions is None else check_column("actions", actions, n)
        labels = self._labels(shown, reset)
        rewards = np.ones(n) if actions is None else check_rewards(y, n)
        encoded = _encode(shown, labels)
        known = None if propensities is None else check_propensities(propensities, n)
        visits = self._check_visits(X, users, clusters, None, n=n, n_items=labels.size, reset=reset)
        log = Interactions(visits, encoded, rewards, known, sessions=_numbered(visits_of))
        return (_with_full_information(log) if actions is None else log), labels

    def _check_slates(
        self,
        X: Any,
        y: ArrayLike,
        slates: NDArray[Any],
        users: ArrayLike | None,
        clusters: ArrayLike | None,
        propensities: ArrayLike | None,
        sessions: NDArray[Any] | None,
        reset: bool,
    ) -> tuple[Interactions, NDArray[Any]]:
        """Check a log of slates; return it with a row for each item, and the item labels."""
        n, m = slates.shape
        labels = self._labels(slates.ravel(), reset)
        rewards = check_slate_rewards(y, slates.shape).ravel()
        encoded = _encode(slates.ravel(), labels)
        known = None
        if propensities is not None:
            if np.shape(propensities) != slates.shape:
                raise ValueError(
                    f"propensities has shape {np.shape(propensities)}; for slates it must be "
                    f"{slates.shape}, of each position given the ones before, as `recommend` says"
                )
            known = check_propensities(np.ravel(propensities), n * m)
        visits = self._check_visits(X, users, clusters, None, n=n, n_items=labels.size, reset=reset)
        rows = np.repeat(np.arange(n), m)
        log = Interactions(
            visits, encoded[::m], rewards[::m], None, sessions=_numbered(sessions)
        ).take(rows)
        left = left_over(encoded.reshape(n, m), visits.available)
        unfolded = log._replace(
            visits=log.visits._replace(available=left),
            actions=encoded,
            rewards=rewards,
            propensities=known,
            slate_size=m,
            whole_slates=np.ndim(y) == 1,
        )
        return unfolded, labels

    def _labels(self, shown: NDArray[Any], reset: bool) -> NDArray[Any]:
        if not reset:
            return self.actions_
        if self.items is None and shown.size == 0:
            raise ValueError("no item is known: actions is empty and items= is not given")
        labels = np.unique(shown) if self.items is None else self._catalogue()
        self._check_items(labels)
        return labels


def _numbered(sessions: NDArray[Any] | None) -> Ints | None:
    """Return sessions as whole numbers from 0."""
    if sessions is None:
        return None
    return np.unique(sessions, return_inverse=True)[1].astype(np.int64)


def warn_once(recommender: Any, message: str) -> None:
    """Warn of an assumption the first time it is made."""
    if message not in recommender._warned:
        recommender._warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=4)


def _encode(shown: NDArray[Any], labels: NDArray[Any]) -> Ints:
    if shown.size == 0:
        return np.zeros(0, dtype=np.int64)
    if (shown.dtype.kind in "OUS") != (labels.dtype.kind in "OUS"):
        raise ValueError(f"actions are {shown.dtype}, items are {labels.dtype}: one type is needed")
    places = labels.searchsorted(shown)
    unknown = labels.take(places, mode="clip") != shown
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise ValueError(
            f"item {shown.tolist()[row]!r} in row {row} of actions is not among the {labels.size} "
            "items known: pass all of them as items="
        )
    return places.astype(np.int64, copy=False)


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
