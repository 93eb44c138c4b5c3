r"""Reward histories: running moments of the rewards of each cluster (or each user).

One reward (Welford 1962) and two histories (Chan, Golub & LeVeque 1979) are folded by

.. math::
    \delta = \mu_2 - \mu_1,\quad n = n_1 + n_2,\quad \mu = \mu_1 + \delta n_2 / n,\quad
    M = M_1 + M_2 + \delta^2 n_1 n_2 / n,

where a single reward is a history with n = 1 and M = 0. Merging is exact, associative and
commutative up to rounding, so parts may be computed on many machines. With forgetting, the
counts are weights :math:`\gamma^{age}`; their squares are kept to correct the variance.

Shapes: n rewards in a batch, P clusters (or users).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Order = Literal["before", "after", "loo"]
ORDERS: tuple[str, ...] = get_args(Order)
LEAST_SPREAD = 1e-150  # of rewards; the squares of smaller ones have lost their digits


class Moments(NamedTuple):
    """Sums of P histories: weight, squared weight, mean, sum of squared deviations."""

    weight: Floats  # (P,)
    weight2: Floats  # (P,)
    mean: Floats  # (P,)
    m2: Floats  # (P,)


def empty_moments(n: int) -> Moments:
    """Return n histories that have seen nothing."""
    return Moments(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n))


@jit
def merge_into(
    into: Moments, p: int, weight: float, weight2: float, mean: float, m2: float
) -> None:
    """Fold another history into history ``p`` (Chan et al. 1979); an empty one changes nothing."""
    if weight <= 0.0:
        return
    total = into.weight[p] + weight
    delta = mean - into.mean[p]
    into.mean[p] += delta * weight / total
    into.m2[p] += m2 + delta * delta * into.weight[p] * weight / total
    into.weight[p] = total
    into.weight2[p] += weight2


@jit
def fold_rewards(into: Moments, rewards: Floats, clusters: Ints) -> None:
    """Fold n rewards, one at a time and in order (Welford 1962)."""
    for i in range(rewards.size):
        merge_into(into, clusters[i], 1.0, 1.0, rewards[i], 0.0)


@jit
def merge_by_label(parts: Moments, labels: Ints, into: Moments) -> None:
    """Merge histories that carry the same label; a negative label is left out."""
    for u in range(labels.size):
        if labels[u] >= 0:
            merge_into(
                into, labels[u], parts.weight[u], parts.weight2[u], parts.mean[u], parts.m2[u]
            )


@jit
def standard_deviation(weight: float, weight2: float, m2: float, ddof: int) -> float:
    """Return the std of a (decayed) history; 0 where it is not defined yet."""
    if weight <= 0.0:
        return 0.0
    divisor = weight - ddof * weight2 / weight
    if divisor <= 1e-12 * weight:
        return 0.0
    std = np.sqrt(max(m2, 0.0) / divisor)
    return std if std > LEAST_SPREAD else 0.0


@jit
def read_rows(
    moments: Moments, rewards: Floats, clusters: Ints, leave_out: bool, ddof: int
) -> tuple[Floats, Floats]:
    """Return mean and std of every reward's history, without the reward itself if wanted."""
    mean = np.zeros(rewards.size)
    std = np.zeros(rewards.size)
    for i in range(rewards.size):
        p = clusters[i]
        weight, weight2 = moments.weight[p], moments.weight2[p]
        mean_p, m2 = moments.mean[p], moments.m2[p]
        if leave_out and weight > 1.0:
            rest = weight - 1.0
            deviation = rewards[i] - mean_p
            m2 = max(m2 - deviation * deviation * weight / rest, 0.0)
            mean_p -= deviation / rest
            weight, weight2 = rest, weight2 - 1.0
        elif leave_out:
            weight, weight2, mean_p, m2 = 0.0, 0.0, rewards[i], 0.0
        mean[i] = mean_p
        std[i] = standard_deviation(weight, weight2, m2, ddof)
    return mean, std


class RewardHistory:
    """Running mean and spread of the rewards of each cluster: O(1) memory a cluster.

    Parameters
    ----------
    n_clusters : int
        P, at least 1; `grow` adds more.
    decay : float in (0, 1], default=1
        Weight that is left of everything old after each `update`; 1 never forgets.
    ddof : {0, 1}, default=1
        1 divides by the count minus one (for decayed weights: corrected likewise).

    Attributes
    ----------
    moments : Moments
        The stored sums, arrays of shape (P,).

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.histories import RewardHistory
    >>> history = RewardHistory(2)
    >>> history.update(np.array([0.0, 1.0, 5.0]), np.array([0, 0, 1]))
    >>> history.mean
    array([0.5, 5. ])
    >>> history.count
    array([2., 1.])
    """

    def __init__(self, n_clusters: int, *, decay: float = 1.0, ddof: int = 1) -> None:
        if not 0.0 < decay <= 1.0:
            raise ValueError(f"decay={decay!r} is not possible: it must be above 0 and at most 1")
        self.decay = decay
        self.ddof = ddof
        self.moments = empty_moments(n_clusters)

    @property
    def count(self) -> Floats:
        """Rewards seen (their remaining weight, with forgetting), shape (P,)."""
        return self.moments.weight

    @property
    def mean(self) -> Floats:
        """Mean reward, 0 before the first, shape (P,)."""
        return self.moments.mean

    @property
    def std(self) -> Floats:
        """Standard deviation, 0 until it is defined, shape (P,)."""
        m = self.moments
        rows = zip(m.weight, m.weight2, m.m2, strict=True)
        return np.array([standard_deviation(w, w2, m2, self.ddof) for w, w2, m2 in rows])

    def grow(self, n_clusters: int) -> None:
        """Make room for clusters that have seen nothing yet."""
        more = n_clusters - self.count.size
        if more > 0:
            self.moments = Moments(*(np.append(part, np.zeros(more)) for part in self.moments))

    def forget(self) -> None:
        """Let all weights decay by one step."""
        if self.decay < 1.0:
            self.moments.weight[:] *= self.decay
            self.moments.weight2[:] *= self.decay**2
            self.moments.m2[:] *= self.decay

    def update(self, rewards: Floats, clusters: Ints) -> None:
        """Decay what is old, then fold in a batch of rewards, shape (n,), of clusters (n,)."""
        self.forget()
        fold_rewards(self.moments, rewards, clusters)

    def merge(self, other: RewardHistory) -> None:
        """Fold in the history that another machine gathered for the same clusters."""
        self.grow(other.count.size)
        merge_by_label(other.moments, np.arange(other.count.size), self.moments)

    def grouped(self, labels: Ints, n_clusters: int) -> RewardHistory:
        """Return the histories of clusters whose members' histories these are.

        Parameters
        ----------
        labels : ndarray of int64, shape (P,)
            Cluster of each of these histories; a negative one is left out.
        n_clusters : int
        """
        merged = RewardHistory(n_clusters, decay=self.decay, ddof=self.ddof)
        merge_by_label(self.moments, labels, merged.moments)
        return merged

    def read(self, rewards: Floats, clusters: Ints, *, leave_out: bool) -> tuple[Floats, Floats]:
        """Return mean and std to compare each reward with, shapes (n,).

        With ``leave_out`` each reward is taken out of the history it has been folded into.
        """
        return read_rows(self.moments, rewards, clusters, leave_out, self.ddof)
