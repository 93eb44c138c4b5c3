"""The door of the clustering: feedback is checked here, once, before anything is changed."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_array

from pgrpo_rec.clustering.concomitant import UserFeatures, check_user_features
from pgrpo_rec.clustering.labels import as_labels, check_same_kind, find
from pgrpo_rec.estimators.parameters import check_choice, check_number
from pgrpo_rec.interactions import check_rewards

Floats = NDArray[np.float64]


class ClusteringDoor(ClusterMixin, BaseEstimator):
    """Checks what comes in; `PreferenceClustering` learns from it."""

    items: int | ArrayLike | None
    method: str
    n_clusters: Any
    tol: float
    refit_factor: float
    max_users: int | None
    _n_features: int
    _about: UserFeatures | None

    def _check(
        self,
        y: ArrayLike,
        actions: ArrayLike,
        users: ArrayLike,
        catalogue: NDArray[Any],
        known: NDArray[Any],
    ) -> tuple[Floats, NDArray[Any], NDArray[Any]]:
        """Check arguments and input; return rewards, item labels and user labels."""
        self._check_parameters()
        people = as_labels("users", users)
        rewards = check_rewards(y, people.size)
        items = as_labels("actions", actions, people.size)
        check_same_kind("actions", catalogue, items)
        check_same_kind("users", known, people)
        strange = find(catalogue, items) < 0
        if self.items is not None and strange.any():
            raise ValueError(f"actions has {items[strange][0]!r}, which is not among items")
        return rewards, items, people

    def _check_features(self, X: Any, n: int, *, fresh: bool) -> Floats:
        """Return the features, shape (n, d); d = 0 where there are none."""
        features = np.zeros((n, 0)) if X is None else X
        if X is not None and self.method == "kmeans":
            raise ValueError("X is given, but method='kmeans' takes no features: pass X=None")
        if X is not None and n > 0:
            features = check_array(X, accept_sparse="csr", dtype=np.float64, ensure_min_features=0)
            features = features.toarray() if hasattr(features, "toarray") else features
        if features.shape[0] != n:
            raise ValueError(f"X has {features.shape[0]} rows, y has {n}: they must be as many")
        if not fresh and n > 0 and features.shape[1] != self._n_features:
            raise ValueError(
                f"X has {features.shape[1]} features, the first feedback had {self._n_features}"
            )
        return np.asarray(features)

    def _check_user_features(self, values: Any, n: int, *, fresh: bool) -> Floats | None:
        """Return the features of users, shape (n, q), or None where there are none."""
        if values is None:
            return None
        known = None if fresh or self._about is None else self._about.n_features
        return check_user_features(values, n, known)

    def _check_parameters(self) -> None:
        check_choice("method", self.method, ["mixture", "kmeans"])
        if self.n_clusters != "auto":
            check_number("n_clusters", self.n_clusters, Integral, low=1)
        elif self.method == "kmeans":
            raise ValueError("n_clusters='auto' needs method='mixture'; k-means needs a number")
        for name in ("max_clusters", "n_init", "max_iter", "min_feedback", "memory"):
            check_number(name, getattr(self, name), Integral, low=1)
        if self.max_users is not None:
            check_number("max_users", self.max_users, Integral, low=1)
        check_number("tol", self.tol, Real, low=0.0)
        check_number("refit_factor", self.refit_factor, Real, above=1.0)
