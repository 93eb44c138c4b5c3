r"""Dynamics: how a user changes with what is shown. Small kernels, no world of their own.

==================  ==========================================================
tiring of a topic   ``s' = keep s + amount 1{shown}`` (`satiate`)
growing to like     ``u' = normalise(u + step v)`` (`reinforce`)
changing taste      ``u' = normalise(u + sigma e)``, e of unit variance (`wander`)
leaving             hazard ``ceiling sigmoid(slope (threshold - level))`` (`hazard`)
==================  ==========================================================

Tastes stay on the unit sphere: an unprojected "move away from what I disliked" is an
unstable linear system. Row kernels take the array of all lanes and the lane's number, since
views of rows would cost more than the arithmetic.

Shapes: n lanes, T topics.

References
----------
.. [1] Leqi et al. (2021), Rebounding Bandits for Modeling Satiation Effects, arXiv:2011.06741.
.. [2] Dean & Morgenstern (2022), Preference Dynamics Under Personalized Recommendations,
   arXiv:2205.13026.
"""

from __future__ import annotations

import math

import numpy as np

from pgrpo_rec._numba import jit
from pgrpo_rec._random import uniform

_LOGIT_LIMIT = 30.0  # beyond it a sigmoid is 0 or 1 to 1e-13
_UNIT_VARIANCE = math.sqrt(12.0)  # a uniform number on an interval of this length


@jit
def swift_sigmoid(z):
    """Return ``1 / (1 + exp(-z))`` to 1e-9, with additions and multiplications only.

    The exponential is a Taylor polynomial of ``z / 64``, squared six times: loops over it
    run on vector units, and the bits are the same with every C library.
    """
    x = -min(max(z, -_LOGIT_LIMIT), _LOGIT_LIMIT) / 64.0
    e = 1.0 + x * (1.0 / 8.0) * (1.0 + x / 9.0)
    e = 1.0 + x * (1.0 / 6.0) * (1.0 + x * (1.0 / 7.0) * e)
    e = 1.0 + x * (1.0 / 4.0) * (1.0 + x * (1.0 / 5.0) * e)
    e = 1.0 + x * (1.0 + x * 0.5 * (1.0 + x * (1.0 / 3.0) * e))
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return 1.0 / (1.0 + e)


@jit
def blend(old, new, rate):
    """Return the exponential moving average ``old + rate (new - old)``."""
    return old + rate * (new - old)


@jit
def hazard(level, threshold, ceiling, slope):
    """Return the probability that a user leaves now, in [0, ``ceiling``].

    Parameters
    ----------
    level, threshold : float
        Satisfaction, and the satisfaction at which the hazard is half its ceiling.
    ceiling : float in [0, 1]
    slope : float
        How sharply people react, per unit of satisfaction.
    """
    return ceiling * swift_sigmoid(slope * (threshold - level))


@jit
def satiate(stock, i, keep, topic, amount):
    """Let lane i forget a part of its stock of exposure and add the topic just shown.

    Parameters
    ----------
    stock : ndarray of float, shape (n, T), changed in place
    keep : float in [0, 1)
        What remains of yesterday's stock; shown for ever, a topic's stock tends to
        ``amount / (1 - keep)``.
    topic : int
    amount : float
        What one exposure adds.
    """
    for j in range(stock.shape[1]):
        stock[i, j] *= keep
    stock[i, topic] += amount


@jit
def project(taste, i):
    """Scale row i to length 1; a row of zeros stays."""
    total = 0.0
    for j in range(taste.shape[1]):
        total += taste[i, j] * taste[i, j]
    if total > 0.0:
        length = math.sqrt(total)
        for j in range(taste.shape[1]):
            taste[i, j] /= length


@jit
def reinforce(taste, i, items, k, step):
    """Move the taste of lane i towards item k: ``u' = normalise(u + step v_k)`` [2]_.

    Parameters
    ----------
    taste : ndarray of float64, shape (n, T), changed in place
    items : ndarray of float64, shape (K, T)
    step : float, 0 or more
        Susceptibility times reward.
    """
    if step == 0.0:
        return
    for j in range(taste.shape[1]):
        taste[i, j] += step * items[k, j]
    project(taste, i)


@jit
def wander(taste, i, sigma, key, episode, t, slot):
    """Let the taste of lane i walk at random on the sphere; uses T slots from ``slot`` on.

    Steps are uniform with standard deviation ``sigma`` in each direction: a sum of a few is
    as good as normal, and a uniform number costs a tenth of a normal one.
    """
    width = sigma * _UNIT_VARIANCE
    for j in range(taste.shape[1]):
        taste[i, j] += width * (uniform(key, episode, t, slot + j) - 0.5)
    project(taste, i)


@jit
def dot_rows(a, i, b, k):
    """Return the inner product of row i of ``a`` and row k of ``b``, summed in pairs.

    Two running sums are the same in every world and twice as fast as one.
    """
    even, odd = 0.0, 0.0
    n_pairs = a.shape[1] // 2
    for j in range(n_pairs):
        even += a[i, 2 * j] * b[k, 2 * j]
        odd += a[i, 2 * j + 1] * b[k, 2 * j + 1]
    if a.shape[1] % 2 == 1:
        even += a[i, a.shape[1] - 1] * b[k, a.shape[1] - 1]
    return even + odd


@jit
def shares_at(progress, first, last, shares):
    """Fill ``shares`` (P,) with what lies between two mixes of groups, summing to 1.

    Parameters
    ----------
    progress : float in [0, 1]
    first, last : ndarray of float64, shape (P,)
    """
    total = 0.0
    for p in range(shares.size):
        shares[p] = (1.0 - progress) * first[p] + progress * last[p]
        total += shares[p]
    for p in range(shares.size):
        shares[p] /= total


@jit
def pick(u, shares):
    """Return the group whose stretch of [0, 1) holds ``u``; never one of share 0."""
    reached, chosen = 0.0, 0
    for p in range(shares.size):
        if shares[p] > 0.0:
            chosen = p
            reached += shares[p]
            if u < reached:
                return chosen
    return chosen


def topic_items(
    rng: np.random.Generator, n_items: int, n_topics: int, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw items around topics: directions (K, T), unit rows, and the topic of each (K,).

    Item k is about topic ``k % T``: ``v = normalise(e_topic + spread N(0, I))``.
    """
    topics = np.arange(n_items) % n_topics
    rows = np.eye(n_topics)[topics] + spread * rng.normal(size=(n_items, n_topics))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), topics
