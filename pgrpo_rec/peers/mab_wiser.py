"""MABWiser (https://github.com/fidelity/mabwiser), version 2.7."""

from __future__ import annotations

from typing import Any

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

from pgrpo_rec.peers.base import Floats, Ints, Peer


class MabWiser(Peer):
    """A ``MAB`` with one of its learning policies; it tells no probabilities.

    ``settings`` are arguments of the learning policy, such as ``{"alpha": 0.5}``. Before its
    first feedback it cannot choose: items are drawn at random then. Policies that take no
    contexts get none, and choose for one visit at a time.
    """

    ALGORITHMS = ("LinTS", "LinUCB", "LinGreedy", "ThompsonSampling", "UCB1", "EpsilonGreedy")

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        policy = getattr(LearningPolicy, algorithm)(**settings)
        return MAB(list(range(self.actions_.size)), policy, seed=seed)

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        n = len(contexts)
        if not learner._is_initial_fit:
            anything = self._rng.integers(self.actions_.size, size=n)
            return anything, np.full(n, 1.0 / self.actions_.size)
        if learner.is_contextual:
            chosen = np.array(learner.predict(contexts)).reshape(-1)
        else:
            chosen = np.array([learner.predict() for _ in range(n)])
        return chosen, np.full(n, np.nan)

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        learner.partial_fit(actions, rewards, contexts if learner.is_contextual else None)
