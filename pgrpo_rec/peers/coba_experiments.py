"""coba (https://github.com/VowpalWabbit/coba), version 8: learners and experiments."""

from __future__ import annotations

from typing import Any

import coba
import numpy as np
from coba.learners import LinTSLearner, LinUCBLearner

from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.peers.base import Floats, Ints, Peer


class Coba(Peer):
    """One of coba's learners; it tells the probability of what it chose.

    Its Thompson sampling draws from a generator that no seed reaches.
    """

    ALGORITHMS = ("LinUCB", "LinTS")

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        kind = {"LinUCB": LinUCBLearner, "LinTS": LinTSLearner}[algorithm]
        return kind(**({"features": ["ax"], "seed": seed} | settings))

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        names = self._names()
        told = [learner.predict(row, names)[:2] for row in contexts.tolist()]
        chosen = [names.index(action) for action, _ in told]
        return np.array(chosen, dtype=np.int64), np.array([share for _, share in told], float)

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        names, rows = self._names(), contexts.tolist()
        for row, a, r, p in zip(rows, actions, rewards.tolist(), shares.tolist(), strict=True):
            learner.learn(row, names[a], r, p)

    def _names(self) -> list[tuple[int, ...]]:
        identity = np.eye(self.actions_.size, dtype=int)
        return [tuple(row) for row in identity.tolist()]


class CobaView:
    """A recommender of ours as a learner of ``coba.Experiment``.

    Parameters
    ----------
    recommender : estimator with ``recommend`` and ``partial_fit``
        Its ``items`` must be the number of the environment's actions.
    """

    def __init__(self, recommender: BaseRecommender) -> None:
        self.recommender = recommender
        self.params = {"family": type(recommender).__name__}

    def predict(self, context: Any, actions: Any) -> tuple[Any, Any]:
        """Return the action to take and its probability; lists of them for a batch."""
        batched = coba.is_batch(context)
        items, shares = self.recommender.recommend(_rows(context, batched))
        menus = actions if batched else [actions]
        chosen = [menu[k] for menu, k in zip(menus, items[:, 0], strict=True)]
        return (chosen, shares[:, 0].tolist()) if batched else (chosen[0], float(shares[0, 0]))

    def score(self, context: Any, actions: Any, action: Any) -> float:
        """Return the probability of an action."""
        row = self.recommender.predict_proba(_rows(context, False))[0]
        return float(row[list(actions).index(action)])

    def learn(self, context: Any, action: Any, reward: Any, probability: Any) -> None:
        """Learn from one answer, or from a batch of them."""
        batched = coba.is_batch(context)
        listed = (action, reward, probability) if batched else ([action], [reward], [probability])
        taken, rewards, shares = listed
        actions = [a.index(1) if isinstance(a, (list, tuple)) else int(a) for a in taken]
        self.recommender.partial_fit(
            _rows(context, batched), list(rewards), actions=actions, propensities=list(shares)
        )


def _rows(context: Any, batched: bool) -> Floats:
    rows = list(context) if batched else [context]
    return np.array([[1.0] if row is None else list(row) for row in rows], dtype=np.float64)
