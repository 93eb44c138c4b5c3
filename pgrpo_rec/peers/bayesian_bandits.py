"""bayesianbandits (https://github.com/bayesianbandits/bayesianbandits), version 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from bayesianbandits import Arm, ContextualAgent, NormalRegressor, ThompsonSampling

from pgrpo_rec.peers.base import Floats, Ints, Peer


class BayesianBandits(Peer):
    """Its contextual agent, a Bayesian linear regression an arm; it tells no probabilities.

    ``settings`` are ``alpha`` (precision of the weights) and ``beta`` (of the noise).
    """

    ALGORITHMS = ("LinTS",)

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        told = {"alpha": 1.0, "beta": 1.0} | settings
        arms = [Arm(k, learner=NormalRegressor(**told)) for k in range(self.actions_.size)]
        return ContextualAgent(arms, ThompsonSampling(), random_seed=seed)

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        return np.array(learner.pull(contexts), dtype=np.int64), np.full(len(contexts), np.nan)

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        for k in np.unique(actions).tolist():
            rows = actions == k
            learner.select_for_update(k).update(contexts[rows], rewards[rows])
