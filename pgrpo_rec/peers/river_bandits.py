"""River's bandits (https://riverml.xyz), version 0.2x: policies and offline evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
from river import bandit

from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.peers.base import Floats, Ints, Peer


class River(Peer):
    """River's one contextual policy; it tells no probabilities."""

    ALGORITHMS = ("LinUCB",)

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        return bandit.LinUCBDisjoint(**({"seed": seed} | settings))

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        arms = list(range(self.actions_.size))
        chosen = [learner.pull(arms, context=dict(enumerate(row))) for row in contexts.tolist()]
        return np.array(chosen, dtype=np.int64), np.full(len(contexts), np.nan)

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        for row, a, r in zip(contexts.tolist(), actions.tolist(), rewards.tolist(), strict=True):
            learner.update(a, dict(enumerate(row)), r)


class RiverView(bandit.base.ContextualPolicy):
    """A recommender of ours as a policy of ``river.bandit.evaluate_offline``.

    Parameters
    ----------
    recommender : estimator with ``recommend`` and ``partial_fit``
        Its ``items`` must be the arms.
    """

    def __init__(self, recommender: BaseRecommender | None = None) -> None:
        super().__init__()
        self.recommender = recommender

    def _pull(self, arm_ids: Any, context: Any) -> Any:
        items, _ = self._ours().recommend([list(context.values())])
        return items[0, 0].item()

    def update(self, arm_id: Any, context: Any, *reward_args: Any, **reward_kwargs: Any) -> None:
        """Learn from one answer."""
        super().update(arm_id, context, *reward_args, **reward_kwargs)
        self._ours().partial_fit([list(context.values())], [reward_args[0]], actions=[arm_id])

    def _ours(self) -> BaseRecommender:
        if self.recommender is None:
            raise ValueError("recommender is None: pass one of ours to RiverView")
        return self.recommender
