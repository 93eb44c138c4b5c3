r"""One item in one cluster: the beta-binomial likelihood over tails, and its Newton steps.

With rate m and shape :math:`\phi` a user's own rate is Beta(a, b) distributed,
:math:`a = \phi / (1 - m)`, :math:`b = \phi / m`, and the expected log-likelihood of all users is

.. math:: \sum_i H_i \log(a + i) + \sum_i M_i \log(b + i) - \sum_i N_i \log(a + b + i),

where the tails :math:`H_i, M_i, N_i` are the weight of users with more than i ones, zeros,
answers (Griffiths 1973). ``bounds`` is (cluster, first row, row after the last) of the tails.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pgrpo_rec._numba import jit

BOUND = 14.0  # of logits and log shapes


class Tables(NamedTuple):
    """Three arrays (L, P) over counts of ones, of zeros and of answers."""

    hit: np.ndarray
    miss: np.ndarray
    total: np.ndarray


@jit
def beta_shapes(logit: float, log_shape: float) -> tuple[float, float]:
    """Return the two parameters of the beta law."""
    shape = math.exp(log_shape)
    return shape * (1.0 + math.exp(logit)), shape * (1.0 + math.exp(-logit))


@jit
def better_logit(
    cell: tuple[float, float],
    prior: tuple[float, float],
    tails: Tables,
    bounds: tuple[int, int, int],
) -> float:
    """Return a logit at least as good; ``cell`` is (logit, log shape), ``prior`` (mean, sd)."""
    return _step(cell, 0, logit_slopes(cell[0], cell[1], tails, bounds), prior, tails, bounds)


@jit
def better_log_shape(
    cell: tuple[float, float],
    prior: tuple[float, float],
    tails: Tables,
    bounds: tuple[int, int, int],
) -> float:
    """Return a log shape at least as good; ``cell`` is (logit, log shape), ``prior`` (mean, sd)."""
    return _step(cell, 1, shape_slopes(cell[0], cell[1], tails, bounds), prior, tails, bounds)


@jit
def best_centre(values: np.ndarray, spread: float, prior: tuple[float, float]) -> float:
    """Return the best centre of normal values under a normal prior of its own."""
    precision = values.size / spread**2 + 1.0 / prior[1] ** 2
    return (values.sum() / spread**2 + prior[0] / prior[1] ** 2) / precision


@jit
def _log_sum(tail: np.ndarray, bounds: tuple[int, int, int], x: float) -> float:
    """Return sum_i tail_i log(x + i)."""
    p, low, high = bounds
    total = 0.0
    for i in range(low, high):
        if tail[i, p] == 0.0:
            break
        total += tail[i, p] * math.log(x + (i - low))
    return total


@jit
def _slopes(tail: np.ndarray, bounds: tuple[int, int, int], x: float) -> tuple[float, float]:
    """Return the first and second derivative of ``_log_sum`` in x."""
    p, low, high = bounds
    first = second = 0.0
    for i in range(low, high):
        if tail[i, p] == 0.0:
            break
        inverse = 1.0 / (x + (i - low))
        first += tail[i, p] * inverse
        second -= tail[i, p] * inverse * inverse
    return first, second


@jit
def cell_value(
    logit: float, log_shape: float, tails: Tables, bounds: tuple[int, int, int]
) -> float:
    """Return the expected log-likelihood of one cluster and item."""
    a, b = beta_shapes(logit, log_shape)
    ones = _log_sum(tails.hit, bounds, a) + _log_sum(tails.miss, bounds, b)
    return ones - _log_sum(tails.total, bounds, a + b)


@jit
def logit_slopes(
    logit: float, log_shape: float, tails: Tables, bounds: tuple[int, int, int]
) -> tuple[float, float]:
    """Return the first and second derivative of ``cell_value`` in the logit."""
    a, b = beta_shapes(logit, log_shape)
    rate = 1.0 / (1.0 + math.exp(-logit))
    da, db = a * rate, -b * (1.0 - rate)
    hit1, hit2 = _slopes(tails.hit, bounds, a)
    miss1, miss2 = _slopes(tails.miss, bounds, b)
    all1, all2 = _slopes(tails.total, bounds, a + b)
    # The second derivatives of a and b are da and -db.
    first = hit1 * da + miss1 * db - all1 * (da + db)
    second = hit2 * da**2 + hit1 * da + miss2 * db**2 - miss1 * db
    return first, second - all2 * (da + db) ** 2 - all1 * (da - db)


@jit
def shape_slopes(
    logit: float, log_shape: float, tails: Tables, bounds: tuple[int, int, int]
) -> tuple[float, float]:
    """Return the first and second derivative of ``cell_value`` in the log shape."""
    a, b = beta_shapes(logit, log_shape)
    hit1, hit2 = _slopes(tails.hit, bounds, a)
    miss1, miss2 = _slopes(tails.miss, bounds, b)
    all1, all2 = _slopes(tails.total, bounds, a + b)
    first = hit1 * a + miss1 * b - all1 * (a + b)
    return first, first + hit2 * a**2 + miss2 * b**2 - all2 * (a + b) ** 2


@jit
def _step(
    cell: tuple[float, float],
    which: int,
    slopes: tuple[float, float],
    prior: tuple[float, float],
    tails: Tables,
    bounds: tuple[int, int, int],
) -> float:
    """Take a Newton step in the logit (0) or log shape (1), halved until it does not go down."""
    centre, precision = prior[0], 1.0 / prior[1] ** 2
    here = cell[which]
    value = cell_value(cell[0], cell[1], tails, bounds) - 0.5 * precision * (here - centre) ** 2
    first = slopes[0] - precision * (here - centre)
    step = min(max(first / max(abs(slopes[1] - precision), precision), -2.0), 2.0)
    for _ in range(8):
        new = min(max(here + step, -BOUND), BOUND)
        logit, log_shape = (new, cell[1]) if which == 0 else (cell[0], new)
        new_value = cell_value(logit, log_shape, tails, bounds)
        if new_value - 0.5 * precision * (new - centre) ** 2 >= value:
            return new
        step *= 0.5
    return here
