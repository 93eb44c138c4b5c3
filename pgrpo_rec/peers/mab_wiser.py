"""MABWiser (https://github.com/fidelity/mabwiser), version 2.7."""

from __future__ import annotations

from typing import Any

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

from pgrpo_rec.peers.base import Floats, Ints, Peer


class MabWiser(Peer):
    """A ``MAB`` with one of its learning policies; it tells no probabilities.

    ``settings`` are arguments of the learning policy, such as ``{"alpha": 0.5}``. Before its
    first feedback it cannot choose: items are drawn at random then.
    """

    ALGORITHMS = ("LinTS", "LinUCB", "LinGreedy")

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        policy = getattr(LearningPolicy, algorithm)(**settings)
        return MAB(list(range(self.actions_.size)), policy, seed=seed)

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        n = len(contexts)
        if not learner._is_initial_fit:
            return self._rng.integers(self.actions_.size, size=n), np.full(
                n, 1.0 / self.actions_.size
            )
        return np.array(learner.predict(contexts)).reshape(-1), np.full(n, np.nan)

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        learner.partial_fit(actions, rewards, contexts)
