"""Vowpal Wabbit's contextual bandits (https://vowpalwabbit.org), version 9."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vowpalwabbit import Workspace

from pgrpo_rec.peers.base import Floats, Ints, Peer
from pgrpo_rec.policies import draw_actions


class VowpalWabbit(Peer):
    """``--cb_explore`` with one of its explorers; its probabilities are the propensities.

    ``settings`` are options of its command line, such as ``{"epsilon": 0.1}``.
    """

    ALGORITHMS = ("squarecb", "epsilon", "bag", "cover", "softmax", "regcb")

    def _new(self, algorithm: str, settings: dict[str, Any], seed: int) -> Any:
        flags = {"bag": "--bag 5", "cover": "--cover 5"}
        options = {f"--{name} {value}" for name, value in settings.items()}
        if algorithm not in settings and algorithm != "epsilon":
            options.add(flags.get(algorithm, f"--{algorithm}"))
        line = " ".join(sorted(options))
        return Workspace(
            f"--cb_explore {self.actions_.size} {line} --random_seed {seed} --noconstant --quiet"
        )

    def _act(self, learner: Any, contexts: Floats) -> tuple[Ints, Floats]:
        rows = [learner.predict(f"| {line}") for line in _lines(contexts)]
        probabilities = np.array(rows, dtype=np.float64).reshape(-1, self.actions_.size)
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # it tells single precision
        return draw_actions(probabilities, self._rng.random(len(contexts)))

    def _update(
        self, learner: Any, contexts: Floats, actions: Ints, rewards: Floats, shares: Floats
    ) -> None:
        known = np.where(np.isnan(shares), 1.0 / self.actions_.size, shares)
        for line, a, r, p in zip(_lines(contexts), actions, rewards, known, strict=True):
            learner.learn(f"{a + 1}:{-r}:{p} | {line}")


def _lines(contexts: NDArray[np.float64]) -> list[str]:
    return [" ".join(f"{j}:{value:.9g}" for j, value in enumerate(row)) for row in contexts]
