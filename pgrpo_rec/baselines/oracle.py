"""Oracle: asks the world itself; the ceiling of every table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.interactions import Interactions, Visits


class Oracle(BaseRecommender):
    """Show what a simulated world says is best for the present visits.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv
        A world with ``oracle_action()``; only the very visits it holds now can be served.
    """

    random_state = 0

    def __init__(self, env: Any) -> None:
        self.env = env

    @property
    def items(self) -> int:  # type: ignore[override]
        """Number of the world's items."""
        return int(self.env.unwrapped.n_actions)

    def _start(self, n_features: int) -> None:
        """Nothing to set up."""

    def _learn(self, interactions: Interactions) -> None:
        """Nothing to learn."""

    def _probabilities(self, visits: Visits) -> NDArray[np.float64]:
        best = self.env.unwrapped.oracle_action()
        if best.shape[0] != visits.n:
            raise ValueError(f"the world holds {best.shape[0]} visits, {visits.n} were asked for")
        return np.eye(self.actions_.size)[best]
