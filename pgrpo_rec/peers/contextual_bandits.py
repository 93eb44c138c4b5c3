"""contextualbandits (https://github.com/david-cortes/contextualbandits), version 0.3.

It is compiled where it is installed, so it is part of no extra.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from contextualbandits.online import LinTS, LinUCB

from pgrpo_rec.peers.base import Floats, Ints, Peer


class ContextualBandits(Peer):
    """Its linear policies; they tell no probabilities.

    Thompson sampling draws values, not coefficients (``sample_from="ci"``): its draws of
    coefficients, the default in version 0.3.30, widen with the data.
    """

    ALGORITHMS = ("LinUCB", "LinTS")

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        kind = {"LinUCB": LinUCB, "LinTS": LinTS}[algorithm]
        told: dict[str, Any] = {
            "fit_intercept": False,
            "random_state": seed + 1,
        }  # its seeds start at 1
        if algorithm == "LinTS":
            told["sample_from"] = "ci"
        return kind(self.actions_.size, **(told | settings))

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        return np.asarray(learner.predict(contexts), dtype=np.int64), np.full(len(contexts), np.nan)

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        learner.partial_fit(contexts, actions, rewards)
