r"""Advantages: by how much a reward beats what it is compared with.

Every estimator of this family is one centre and one scale,

.. math:: A = (r - \text{centre}) / \text{scale},

and `ESTIMATORS` is the whole taxonomy. P-GRPO [1]_ compares with the reward history of the
user's own preference group; GRPO [2]_ with the candidates scored for the same visit.

Shapes: B visits, G candidates a visit, n = B G rewards (the G candidates of a visit stand
next to each other), P clusters.

References
----------
.. [1] Wang et al., Personalized Group Relative Policy Optimization for Heterogenous
   Preference Alignment, 2026, arXiv:2603.10009.
.. [2] Shao et al., DeepSeekMath, 2024, arXiv:2402.03300.
.. [3] Liu et al., Understanding R1-Zero-Like Training (Dr. GRPO), 2025, arXiv:2503.20783.
.. [4] Ahmadian et al., Back to Basics (RLOO), 2024, arXiv:2402.14740.
.. [5] Hu et al., REINFORCE++, 2025, arXiv:2501.03262.
.. [6] Williams, Simple statistical gradient-following algorithms, Machine Learning, 1992.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.histories import LEAST_SPREAD

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@jit
def pgrpo_advantages(
    rewards: Floats, clusters: Ints, mean: Floats, std: Floats, eps: float
) -> Floats:
    r"""Standardise each reward by the history of its user's preference group.

    .. math:: A_i = (r_i - \mu_{p_i}) / (\sigma_{p_i} + \epsilon)

    Parameters
    ----------
    rewards : ndarray of float64, shape (n,)
    clusters : ndarray of int64, shape (n,), values in [0, P)
    mean, std : ndarray of float64, shape (P,)
    eps : float

    Returns
    -------
    ndarray of float64, shape (n,); 0 where ``std`` is 0.

    Notes
    -----
    Equation of arXiv:2603.10009 as reported; the paper's ``eps`` is not known to us.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.advantages import pgrpo_advantages
    >>> loud_and_quiet = np.array([1.0, 3.0, 10.0, 30.0])
    >>> clusters = np.array([0, 0, 1, 1])
    >>> mean, std = np.array([2.0, 20.0]), np.array([1.0, 10.0])
    >>> pgrpo_advantages(loud_and_quiet, clusters, mean, std, 0.0)
    array([-1.,  1., -1.,  1.])
    """
    advantages = np.zeros(rewards.size)
    for i in range(rewards.size):
        p = clusters[i]
        if std[p] > 0.0:
            advantages[i] = (rewards[i] - mean[p]) / (std[p] + eps)
    return advantages


class Feedback(NamedTuple):
    """Rewards of one batch with what they may be compared with.

    ``mean`` and ``std`` are read from the history of each reward's own cluster;
    ``pool_mean`` from the history of all rewards; ``blend`` is the weight of the other
    candidates against the history, 0 at G = 1.
    """

    rewards: Floats  # (n,)
    group_size: int  # G
    mean: Floats  # (n,)
    std: Floats  # (n,)
    pool_mean: Floats  # (n,)
    blend: float

    @property
    def candidates(self) -> Floats:
        """Rewards as one row a visit, shape (B, G)."""
        return self.rewards.reshape(-1, self.group_size)


def _context_mean(f: Feedback) -> Floats:
    return np.repeat(f.candidates.mean(axis=1), f.group_size)


def _mean_of_others(f: Feedback) -> Floats:
    totals = np.repeat(f.candidates.sum(axis=1), f.group_size)
    return (totals - f.rewards) / (f.group_size - 1)


def _blend(f: Feedback) -> Floats:
    if f.group_size == 1:
        return f.mean
    return f.blend * _mean_of_others(f) + (1.0 - f.blend) * f.mean


def _row_std(rows: Floats) -> Floats:
    """Return each row's std, exactly 0 for a tie: rounding of the mean would break it."""
    tied = rows.max(axis=1) == rows.min(axis=1)
    std = rows.std(axis=1, ddof=min(1, rows.shape[1] - 1))
    return np.where(tied | (std <= LEAST_SPREAD), 0.0, std)


def _context_std(f: Feedback) -> Floats:
    return np.repeat(_row_std(f.candidates), f.group_size)


def _batch_std(f: Feedback) -> Floats:
    return np.repeat(_row_std(f.rewards[None, :]), f.rewards.size)


CENTRES: dict[str, Callable[[Feedback], Floats]] = {
    "history": lambda f: f.mean,
    "pool": lambda f: f.pool_mean,
    "context": _context_mean,
    "others": _mean_of_others,
    "batch": lambda f: np.full(f.rewards.size, f.rewards.mean()),
    "blend": _blend,
}
SCALES: dict[str, Callable[[Feedback], Floats] | None] = {
    "history": lambda f: f.std,
    "context": _context_std,
    "batch": _batch_std,
    "one": None,
}


class BlendWeight:
    r"""Weight of the other candidates against the history, learned from past batches.

    .. math:: w = V_h / (V_h + V_w),\quad V_w = s^2 / (G - 1),\quad
              V_h = \max\big(0, \overline{(\mu_G - \mu_p)^2} - s^2 / G\big),

    the error variances of the two as estimates of a visit's level, in units of the cluster's
    spread; :math:`s^2` is the variance within visits. Being made of past batches only, the
    weight leaves the gradient unbiased.
    """

    def __init__(self) -> None:
        self._n = 0
        self._gap = 0.0
        self._within = 0.0
        self._group_size = 1

    @property
    def weight(self) -> float:
        """Return w, from 0 (history alone) to 1; 0 before any batch and at G = 1."""
        if self._n == 0 or self._group_size == 1:
            return 0.0
        within = self._within / self._n
        error_of_others = within / (self._group_size - 1)
        error_of_history = max(0.0, self._gap / self._n - within / self._group_size)
        total = error_of_history + error_of_others
        return error_of_history / total if total > 0.0 else 0.0

    def update(self, feedback: Feedback) -> None:
        """Take one batch into account for the next ones."""
        self._group_size = feedback.group_size
        scale = feedback.std.reshape(-1, feedback.group_size)[:, 0]
        if feedback.group_size == 1 or not (scale > 0.0).any():
            return
        speaks = scale > 0.0
        candidates = feedback.candidates[speaks] / scale[speaks, None]
        centre = feedback.mean.reshape(-1, feedback.group_size)[speaks, 0] / scale[speaks]
        self._n += int(speaks.sum())
        self._gap += float(((candidates.mean(axis=1) - centre) ** 2).sum())
        self._within += float(candidates.var(axis=1, ddof=1).sum())


class Estimator(NamedTuple):
    """One row of the taxonomy: keys of `CENTRES` and `SCALES`, and the smallest G."""

    centre: str
    scale: str
    min_group_size: int


ESTIMATORS: dict[str, Estimator] = {
    "pgrpo": Estimator("history", "history", 1),  # [1]
    "pgrpo_local": Estimator("others", "history", 2),  # ours
    "pgrpo_blend": Estimator("blend", "history", 1),  # ours
    "grpo": Estimator("context", "context", 2),  # [2]
    "dr_grpo": Estimator("context", "one", 2),  # [3]
    "rloo": Estimator("others", "one", 2),  # [4]
    "batch": Estimator("batch", "batch", 1),  # [5]
    "reinforce": Estimator("pool", "one", 1),  # [6]
}


def check_estimator_name(name: str, group_size: int) -> Estimator:
    """Return the row of the taxonomy; raise ValueError where it is not defined.

    Raises
    ------
    ValueError
        If there is no such estimator, or it compares candidates and there is one only.
    """
    if name not in ESTIMATORS:
        known = ", ".join(map(repr, ESTIMATORS))
        raise ValueError(f"advantage={name!r} is unknown; it must be one of {known}")
    row = ESTIMATORS[name]
    if group_size < row.min_group_size:
        raise ValueError(
            f"advantage={name!r} compares the candidates of one visit and needs group_size of at"
            f" least {row.min_group_size}, not {group_size}; 'pgrpo' needs one answer a visit only"
        )
    return row


def advantages(
    name: str, feedback: Feedback, *, eps: float = 1e-8, clip: float | None = 10.0
) -> Floats:
    """Compute the advantages of one batch by any estimator of `ESTIMATORS`.

    Parameters
    ----------
    name : str
        A key of `ESTIMATORS`.
    feedback : Feedback
        n = B G rewards and what they are compared with.
    eps : float, default=1e-8
        Added to the scale. No safety device: a group that had seen only zeros would get
        ``1 / eps`` at its first success; ``clip`` is what bounds it.
    clip : float or None, default=10
        Bound on the absolute advantage; None for the exact formula.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 wherever the scale is 0: nothing to compare with is no reason to move.

    Examples
    --------
    Two candidates that tie are silent under GRPO and speak under P-GRPO:

    >>> import numpy as np
    >>> from pgrpo_rec.advantages import Feedback, advantages
    >>> tie = Feedback(np.ones(2), 2, np.full(2, 0.4), np.full(2, 0.5), np.zeros(2), 0.0)
    >>> advantages("grpo", tie)
    array([0., 0.])
    >>> advantages("pgrpo", tie, eps=0.0)
    array([1.2, 1.2])
    """
    row = check_estimator_name(name, feedback.group_size)
    difference = feedback.rewards - CENTRES[row.centre](feedback)
    scale_of = SCALES[row.scale]
    if scale_of is None:
        result = difference
    else:
        scale = scale_of(feedback)
        speaks = scale > 0.0
        result = np.where(speaks, difference / np.where(speaks, scale + eps, 1.0), 0.0)
    return result if clip is None else np.clip(result, -clip, clip)
