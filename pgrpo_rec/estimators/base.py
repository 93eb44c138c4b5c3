"""What every recommender shares: the public verbs.

A recommender is a distribution over items for each visit. `BaseRecommender` turns that into
``predict``, ``recommend`` and ``score``; a subclass says how the distribution is learned. What
comes in is checked at the door (`pgrpo_rec.estimators.door`).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import ClassifierTags, Tags

from pgrpo_rec.estimators.door import Door, warn_once
from pgrpo_rec.evaluation.off_policy import snips_value
from pgrpo_rec.interactions import (
    Interactions,
    Visits,
    check_column,
    count_rows,
)
from pgrpo_rec.policies import draw_actions, draw_slates
from pgrpo_rec.slates import position_probabilities

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BaseRecommender(Door):
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

    # --- what a subclass says ------------------------------------------------------------

    def _learn(self, interactions: Interactions) -> None:
        raise NotImplementedError

    def _probabilities(self, visits: Visits) -> Floats:
        raise NotImplementedError

    def _values(self, visits: Visits) -> Floats:
        return self._probabilities(visits)

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
        sessions: ArrayLike | None = None,
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
            With slates: one reward for each slate, or shape (n, m), one for each item.
        actions : array, shape (n,) or (n, m), optional
            Item that was shown, labels of one sortable type; or a slate of m items, by
            position, none twice.
        users : array, shape (n,), optional
            User ids, from which preference groups are learned.
        clusters : array, shape (n,), optional
            Known preference groups, in place of ``users``.
        propensities : array, shape (n,) or (n, m), optional
            Probability under which each item was shown (in a slate: given the items before
            it); see the class for what is assumed without them.
        sessions : array, shape (n,), optional
            Session of each visit, visits of a session in the order of time and none of them
            missing. Recommenders that look ahead learn from it (``gamma``); to others every
            visit stands alone.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is of the wrong shape or range; nothing has changed then.
        """
        self._check_parameters()
        interactions, labels = self._check_log(
            X, y, actions, users, clusters, propensities, True, sessions
        )
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
        sessions: ArrayLike | None = None,
    ) -> Self:
        """Learn from one more batch, as it comes; the arguments are those of `fit`."""
        fresh = not self._is_started()
        if fresh:
            self._check_parameters()
        interactions, labels = self._check_log(
            X, y, actions, users, clusters, propensities, fresh, sessions
        )
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
            chosen, propensities = draw_actions(probabilities, self._rng.random(visits.n))
            return self.actions_[chosen][:, None], propensities[:, None]
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
        m, n_slates = log.slate_size, log.visits.n // log.slate_size
        chances = self._chances(log).reshape(n_slates, m).prod(axis=1)
        if sample_weight is not None:
            chances = chances * _row_weights(sample_weight, y, n_slates)
        assumed = 1.0 / (self.actions_.size - np.arange(m))
        known = assumed if log.propensities is None else log.propensities.reshape(n_slates, m)
        if actions is not None and log.propensities is None:
            warn_once(self, "score: no propensities given; items are taken as shown uniformly")
        rewards = log.rewards.reshape(n_slates, m)
        earned = rewards[:, 0] if log.whole_slates else rewards.sum(axis=1)
        shown = np.broadcast_to(known, (n_slates, m)).prod(axis=1)
        return snips_value(earned, chances, shown)

    def _chances(self, log: Interactions) -> Floats:
        """Return the probability of each row's item, in a slate given the ones before; (n,)."""
        slates = log.actions.reshape(-1, log.slate_size)
        first = log.take(slice(None, None, log.slate_size))  # what stands at the top of a slate
        return position_probabilities(self._probabilities(first.visits), slates).ravel()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags()  # of `predict_proba`: items stand for classes
        tags.input_tags.sparse = True
        return tags


def _row_weights(sample_weight: ArrayLike, y: ArrayLike, n_rows: int) -> Floats:
    """Return the weight of each row; with full information a visit has several rows."""
    n = count_rows(y)
    weights = check_column("sample_weight", sample_weight, n).astype(np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError("sample_weight must be finite and at least 0")
    return np.repeat(weights, n_rows // max(n, 1))
