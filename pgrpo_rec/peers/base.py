"""What adapters share: one learner of the other library for each cluster that is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.estimators.parameters import check_choice
from pgrpo_rec.interactions import Interactions, Visits, with_constant

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EVERYONE = "everyone"


class Peer(BaseRecommender):
    """Base of the adapters: told nothing it pools everyone, told ``clusters`` it does not.

    A subclass names its ``ALGORITHMS`` and says how one learner is made (`_new`), acts
    (`_act`) and learns (`_update`). Contexts have the constant first, as in our baselines.

    Parameters
    ----------
    items : int or array of labels, optional
    algorithm : str, optional
        One of ``ALGORITHMS``; the first of them by default.
    settings : mapping, optional
        Arguments of that algorithm, by the names that the other library gives them.
    random_state : int, Generator, RandomState or None, default=None
        Of this adapter's draws and of the learners' seeds.

    Notes
    -----
    Propensities are what the other library says of its choice; NaN where it says nothing.
    Masks (``available``), lists and `predict_proba` are not passed on: an error says so.
    """

    ALGORITHMS: tuple[str, ...] = ()

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        algorithm: str | None = None,
        settings: Mapping[str, Any] | None = None,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.algorithm = algorithm
        self.settings = settings
        self.random_state = random_state

    # --- what an adapter says ------------------------------------------------------------

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        """Return a fresh learner of the other library, for ``self.actions_.size`` items."""
        raise NotImplementedError

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        """Return the items it chooses, and their propensities."""
        raise NotImplementedError

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        """Let it learn; ``shares`` are the propensities, NaN where unknown."""
        raise NotImplementedError

    # --- the two verbs -------------------------------------------------------------------

    def recommend(
        self,
        X: Any,
        n_items: int = 1,
        *,
        users: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        available: ArrayLike | None = None,
    ) -> tuple[NDArray[Any], Floats]:
        """Return what the other library shows; see `BaseRecommender.recommend`."""
        visits = self._check_served(X, n_items, users, clusters, available)
        if n_items > 1 or not visits.available.all():
            raise ValueError(
                f"{type(self).__name__} shows one item of all: n_items must be 1 and nothing masked"
            )
        chosen, shares = np.zeros(visits.n, dtype=np.int64), np.zeros(visits.n)
        for learner, rows in self._learners(visits):
            chosen[rows], shares[rows] = self._act(learner, _contexts(visits, rows))
        return self.actions_[chosen][:, None], shares[:, None]

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
        """Let the other library learn from a batch; unknown (NaN) propensities are left out."""
        known = propensities is not None and not np.isnan(np.asarray(propensities, float)).any()
        return super().partial_fit(
            X,
            y,
            actions=actions,
            users=users,
            clusters=clusters,
            propensities=propensities if known else None,
            sessions=sessions,
        )

    def _check_parameters(self) -> None:
        if self.algorithm is not None:
            check_choice("algorithm", self.algorithm, self.ALGORITHMS)

    def _start(self, n_features: int) -> None:
        self._by_cluster: dict[Any, Any] = {}

    def _learn(self, interactions: Interactions) -> None:
        log = interactions
        shares = np.full(log.visits.n, np.nan)
        if log.propensities is not None:
            shares = log.propensities
        for learner, rows in self._learners(log.visits):
            contexts = _contexts(log.visits, rows)
            self._update(learner, contexts, log.actions[rows], log.rewards[rows], shares[rows])

    def _probabilities(self, visits: Visits) -> Floats:
        raise NotImplementedError(
            f"{type(self).__name__} shows items; it does not tell the probabilities of all"
        )

    def _learners(self, visits: Visits) -> list[tuple[Any, Ints]]:
        """Return each cluster's learner with the rows it is asked about."""
        if visits.clusters is None:
            return [(self._learner(EVERYONE), np.arange(visits.n))]
        labels, places = np.unique(visits.clusters, return_inverse=True)
        return [
            (self._learner(label), np.flatnonzero(places == p))
            for p, label in enumerate(labels.tolist())
        ]

    def _learner(self, label: Any) -> Any:
        if label not in self._by_cluster:
            seed = int(generator(self.random_state, 3, len(self._by_cluster)).integers(2**31))
            algorithm = self.algorithm or self.ALGORITHMS[0]
            self._by_cluster[label] = self._new(algorithm, dict(self.settings or {}), seed)
        return self._by_cluster[label]


def _contexts(visits: Visits, rows: Ints) -> Floats:
    """Return the features of some visits with the constant first, shape (m, D)."""
    return with_constant(visits.features[rows])
