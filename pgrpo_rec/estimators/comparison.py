"""Comparison: from a batch of rewards to advantages, by the histories of the audience.

Shapes: n rows in a batch, P clusters, T steps of a session (or positions of a slate).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.advantages import BlendWeight, Feedback, advantages
from pgrpo_rec.estimators.audience import Audience
from pgrpo_rec.histories import Order, RewardHistory
from pgrpo_rec.interactions import Interactions
from pgrpo_rec.returns import StepHistory
from pgrpo_rec.shrinkage import Pool, pool_of, shrink

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_WORTH = 8.0  # credits of its cluster that a step's own history is read together with


class Compared(NamedTuple):
    """A batch that the histories have taken in."""

    clusters: Ints  # (n,)
    advantages: Floats  # (n,)
    mixing: Floats | None  # how clusters moved; see `Audience.absorb`


class _Readout(NamedTuple):
    """What each credit of a batch is compared with."""

    mean: Floats  # (n,)
    std: Floats  # (n,)


class Comparison:
    """Compares credits with the histories; keeps what no cluster owns: pool, steps and blend.

    Parameters
    ----------
    advantage : str
        A key of `pgrpo_rec.advantages.ESTIMATORS`.
    group_size : int
        G.
    order : {"before", "after", "loo"}
        When a batch enters the history it is compared with.
    decay : float in (0, 1]
        What is left of the old histories after each batch.
    clip : float or None
        Bound on absolute advantages.
    shrinkage : float or "auto"
        Rewards of all clusters that a cluster's own history is read together with; "auto" by
        empirical Bayes (`pgrpo_rec.shrinkage`).
    """

    def __init__(
        self,
        advantage: str,
        group_size: int,
        order: Order,
        decay: float,
        clip: float | None,
        shrinkage: float | Literal["auto"],
    ) -> None:
        self.advantage = advantage
        self.group_size = group_size
        self.order = order
        self.clip = clip
        self.shrinkage = shrinkage
        self._pool = RewardHistory(1, decay=decay)
        self._steps = StepHistory(decay)
        self._units: NDArray[Any] = np.empty(0)
        self._labels: Ints = np.empty(0, dtype=np.int64)
        self._blend = BlendWeight()

    def compare(self, log: Interactions, audience: Audience) -> Compared:
        """Return each row's cluster and advantage; the histories have taken the batch in."""
        everyone = np.zeros(log.visits.n, dtype=np.int64)
        leave_out = self.order == "loo"
        if self.order == "after":
            past = self._read(log, audience, audience.index(log.visits), leave_out=False)
        clusters, mixing = audience.absorb(log)
        self._pool.update(log.credit, everyone)
        self._absorb_steps(log, audience)
        if self.order != "after":
            past = self._read(log, audience, clusters, leave_out=leave_out)
        pool_mean, _ = self._pool.read(log.credit, everyone, leave_out=leave_out)
        values = self._advantages(log, past, pool_mean)
        return Compared(clusters, values, mixing)

    def _advantages(self, log: Interactions, past: _Readout, pool_mean: Floats) -> Floats:
        """Compare position by position: slates that are candidates are so at each of them."""
        values = np.empty(log.visits.n)
        for position in range(log.slate_size):
            rows = slice(position, None, log.slate_size)
            feedback = Feedback(
                log.credit[rows],
                self.group_size,
                past.mean[rows],
                past.std[rows],
                pool_mean[rows],
                self._blend.weight,
            )
            values[rows] = advantages(self.advantage, feedback, clip=self.clip)
            self._blend.update(feedback)
        return values

    def _read(
        self, log: Interactions, audience: Audience, clusters: Ints, *, leave_out: bool
    ) -> _Readout:
        """Read the histories of these clusters; a cluster never met has an empty one."""
        n = audience.n_clusters
        own = audience.history.grouped(np.arange(n), n + 1)
        mean, std = own.read(log.credit, clusters, leave_out=leave_out)
        if self.shrinkage != 0.0:
            pool = pool_of(own.moments)
            if self.shrinkage != "auto":
                pool = pool._replace(kappa=np.array(float(self.shrinkage)))
            mean, std = shrink(mean, std, own.count[clusters], pool)
        if log.steps is None:
            return _Readout(mean, std)
        self._steps.make_room(self._units, int(log.steps.max()) + 1)
        by_step = self._steps.by_cluster(self._labels, n + 1)
        cells = clusters * self._steps.n_steps + log.steps
        of_cluster = Pool(mean, std, np.full(mean.size, STEP_WORTH))
        at_step = by_step.read(log.credit, cells, leave_out=leave_out)
        return _Readout(*shrink(*at_step, by_step.count[cells], of_cluster))

    def _absorb_steps(self, log: Interactions, audience: Audience) -> None:
        if log.steps is None:
            return
        units = audience.units(log.visits)
        self._units, self._labels = units.ids, units.labels
        self._steps.make_room(units.ids, int(log.steps.max()) + 1)
        self._steps.update(log.credit, units.rows, log.steps)
