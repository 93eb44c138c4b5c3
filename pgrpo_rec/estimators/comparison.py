"""Comparison: from a batch of rewards to advantages, by the histories of the audience."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.advantages import BlendWeight, Feedback, advantages
from pgrpo_rec.estimators.audience import Audience
from pgrpo_rec.histories import Order, RewardHistory
from pgrpo_rec.interactions import Interactions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Compared(NamedTuple):
    """A batch that the histories have taken in."""

    clusters: Ints  # (n,)
    advantages: Floats  # (n,)
    mixing: Floats | None  # how clusters moved; see `Audience.absorb`


class Comparison:
    """Compares rewards with the histories; keeps what no cluster owns: pool and blend.

    Parameters
    ----------
    advantage : str
        A key of `pgrpo_rec.advantages.ESTIMATORS`.
    group_size : int
        G.
    order : {"before", "after", "loo"}
        When a batch enters the history it is compared with.
    decay : float in (0, 1]
        What is left of the old pool after each batch.
    clip : float or None
        Bound on absolute advantages.
    """

    def __init__(
        self, advantage: str, group_size: int, order: Order, decay: float, clip: float | None
    ) -> None:
        self.advantage = advantage
        self.group_size = group_size
        self.order = order
        self.clip = clip
        self._pool = RewardHistory(1, decay=decay)
        self._blend = BlendWeight()

    def compare(self, log: Interactions, audience: Audience) -> Compared:
        """Return each row's cluster and advantage; the histories have taken the batch in."""
        everyone = np.zeros(log.visits.n, dtype=np.int64)
        strictly_before, leave_out = self.order == "after", self.order == "loo"
        if strictly_before:
            room = audience.history.grouped(np.arange(audience.n_clusters), audience.n_clusters + 1)
            mean, std = room.read(log.rewards, audience.index(log.visits), leave_out=False)
        clusters, mixing = audience.absorb(log)
        self._pool.update(log.rewards, everyone)
        if not strictly_before:
            mean, std = audience.history.read(log.rewards, clusters, leave_out=leave_out)
        pool_mean, _ = self._pool.read(log.rewards, everyone, leave_out=leave_out)
        feedback = Feedback(log.rewards, self.group_size, mean, std, pool_mean, self._blend.weight)
        values = advantages(self.advantage, feedback, clip=self.clip)
        self._blend.update(feedback)
        return Compared(clusters, values, mixing)
