r"""Click models: which items of a slate a user clicks. Kernels of one slate, no state.

Every model reads the attractiveness :math:`a_s` of the items by position, in [0, 1):

* ``pbm``: position s is looked at with probability :math:`\gamma_s`, and then clicked with
  :math:`a_s` (examination hypothesis, Richardson et al. 2007);
* ``cascade``: items are read from the top and the first click ends it (Craswell et al. 2008);
* ``dcm``: after a click at position s the user reads on with probability
  :math:`\lambda_s`, after a skip always (Guo, Liu & Wang 2009);
* ``mnl``: at most one item is chosen, with probability
  :math:`w_s / (1 + \sum_l w_l)`, odds :math:`w = a / (1 - a)` (McFadden 1974);
* ``substitutes``: a visit has one need m, with probability :math:`q_m`; the user reads as
  in ``cascade``, but only items of that topic attract. A second item of a topic helps
  only where the first one failed (probabilistic coverage, Yue & Guestrin 2011).

A cascade is a dcm with :math:`\lambda = 0`: both are one kernel. The reward is the number of
clicks. One uniform number a position decides: below :math:`a_s` is a click, and given a
click it is again uniform on :math:`[0, a_s)`, so :math:`u < a_s \lambda_s` means reading on.

*Best slates.* Sorting by attractiveness is optimal for pbm if :math:`\gamma` does not
increase, for cascade and mnl (where the order is free), and for dcm if :math:`\lambda` does
not increase: swapping neighbours changes only the chance to read on, by
:math:`(a - a')(\lambda_s - \lambda_{s+1})`. Coverage is a sum over topics, concave in the
number of items of each, so taking the largest gain each time is optimal.

*Random slates.* S items drawn with replacement, where a repeated item does not attract.
Given which positions hold a new item, those items are a sample without replacement, and
the mean of a product of j of their values is the symmetric mean

.. math:: M_j = e_j(a) \Big/ \binom{K}{j},

so that the expected clicks of all but mnl are a linear function of :math:`M_1 \ldots M_S`.
For mnl, :math:`1/(1+W) = \int_0^1 y^W dy` turns the mean into an integral over symmetric
means of :math:`y^{w_k}`, done by quadrature: the one value here that is not exact.

Shapes: S positions, K items, T topics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

CLICK_MODELS = ("pbm", "cascade", "dcm", "mnl", "substitutes")
PBM, CASCADE, DCM, MNL, SUBSTITUTES = range(5)
N_NODES = 32  # of the quadrature for random mnl slates
STRETCH = 3  # y = z^3 makes y^w smooth at 0 even for small w


@jit
def draw_clicks(model, attract, positions, draws, clicks):
    """Fill the (S,) clicks of one slate, 0 or 1.

    Parameters
    ----------
    model : int
        Index into ``CLICK_MODELS``; "substitutes" means that items off the visit's need
        have attractiveness 0 already.
    attract : ndarray of float64, shape (S,), in [0, 1)
    positions : ndarray of float64, shape (S,)
        Examination (pbm) or continuation (dcm; zeros for cascade and substitutes).
    draws : ndarray of float64, shape (S,), uniform in [0, 1)
        mnl uses the first only.
    clicks : ndarray of float64, shape (S,), overwritten
    """
    if model == PBM:
        for s in range(attract.size):
            clicks[s] = 1.0 if draws[s] < positions[s] * attract[s] else 0.0
    elif model == MNL:
        _choose(attract, draws[0], clicks)
    else:
        _read_down(attract, positions, draws, clicks)


@jit
def _read_down(attract, continuation, draws, clicks):
    clicks[:] = 0.0
    for s in range(attract.size):
        if draws[s] < attract[s]:
            clicks[s] = 1.0
            if draws[s] >= attract[s] * continuation[s]:
                return


@jit
def _choose(attract, draw, clicks):
    total = 1.0
    for s in range(attract.size):
        total += attract[s] / (1.0 - attract[s])
    left = draw * total
    for s in range(attract.size):
        odds = attract[s] / (1.0 - attract[s])
        clicks[s] = 1.0 if 0.0 <= left < odds else 0.0
        left -= odds


@jit
def expected_clicks(model, attract, positions):
    """Return the expected number of clicks on one slate, for all models but substitutes.

    Takes what `draw_clicks` takes.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_envs.click_models import CASCADE, expected_clicks
    >>> expected_clicks(CASCADE, np.array([0.5, 0.5]), np.zeros(2))
    0.75
    """
    total = 0.0
    if model == PBM:
        for s in range(attract.size):
            total += positions[s] * attract[s]
    elif model == MNL:
        for s in range(attract.size):
            total += attract[s] / (1.0 - attract[s])
        total /= 1.0 + total
    else:
        reading = 1.0
        for s in range(attract.size):
            total += reading * attract[s]
            reading *= 1.0 - attract[s] * (1.0 - positions[s])
    return total


@jit
def expected_coverage(attract, topics, interests):
    """Return the probability of a click where items are substitutes.

    Parameters
    ----------
    attract : ndarray of float64, shape (S,)
        Attractiveness to a user whose need is the item's topic.
    topics : ndarray of int64, shape (S,)
    interests : ndarray of float64, shape (T,)
        Probability of each need.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_envs.click_models import expected_coverage
    >>> attract, interests = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> expected_coverage(attract, np.array([0, 0]), interests)
    0.5625
    >>> expected_coverage(attract, np.array([0, 1]), interests)
    0.5
    """
    total = 0.0
    for s in range(attract.size):
        missed = interests[topics[s]]
        for earlier in range(s):
            if topics[earlier] == topics[s]:
                missed *= 1.0 - attract[earlier]
        total += missed * attract[s]
    return total


@jit
def best_slate(attract, slate):
    """Fill the (S,) slate of most expected clicks by sorting the (K,) attractiveness."""
    gains = attract.copy()
    for s in range(slate.size):
        slate[s] = np.argmax(gains)
        gains[slate[s]] = -1.0


@jit
def best_cover(attract, topics, interests, slate):
    """Fill the (S,) slate most likely to meet the need, from (K,) items and (T,) interests."""
    gains = np.empty_like(attract)
    for k in range(attract.size):
        gains[k] = interests[topics[k]] * attract[k]
    for s in range(slate.size):
        best = np.argmax(gains)
        slate[s] = best
        gains[best] = -1.0
        for k in range(attract.size):
            if topics[k] == topics[best] and gains[k] > 0.0:
                gains[k] *= 1.0 - attract[best]


@jit
def symmetric_means(values, means):
    """Fill ``means[j]`` with the mean product of j different values, j = 0 .. S."""
    means[:] = 0.0
    means[0] = 1.0
    for k in range(values.size):
        for j in range(min(k + 1, means.size - 1), 0, -1):
            share = j / (k + 1.0)
            means[j] = (1.0 - share) * means[j] + share * values[k] * means[j - 1]


@jit
def random_slate_clicks(attract, weights, means):
    """Return the expected clicks of a random slate: ``weights`` times symmetric means."""
    symmetric_means(attract, means)
    total = 0.0
    for j in range(means.size):
        total += weights[j] * means[j]
    return total


@jit
def random_slate_choice(attract, distinct, nodes, node_weights, means):
    """Return the expected clicks of a random slate under mnl, by quadrature.

    The error is below 1e-6 where the odds of a slate sum to 100 at most (five items of
    attractiveness 0.95), and below 1e-3 beyond.

    Parameters
    ----------
    attract : ndarray of float64, shape (K,)
    distinct : ndarray of float64, shape (S + 1,)
        Probability of each number of different items, of `distinct_weights`.
    nodes, node_weights : ndarray of float64
        Of `quadrature`.
    means : ndarray of float64, shape (S + 1,)
        Room to work in.
    """
    powers = np.empty_like(attract)
    none = 0.0
    for node in range(nodes.size):
        for k in range(attract.size):
            powers[k] = nodes[node] ** (attract[k] / (1.0 - attract[k]))
        none += node_weights[node] * random_slate_clicks(powers, distinct, means)
    return 1.0 - none


def position_weights(
    model: int, n_items: int, positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how expected clicks of a random slate depend on symmetric means.

    Parameters
    ----------
    model : int
        Index into ``CLICK_MODELS``, not mnl.
    n_items : int
        K.
    positions : ndarray of float64, shape (S,)
        As `draw_clicks` takes it.

    Returns
    -------
    ndarray of float64, shape (S + 1,)
        The weight of each symmetric mean of attractiveness.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_envs.click_models import CASCADE, position_weights
    >>> position_weights(CASCADE, 4, np.zeros(2))  # the second item is new in 3 of 4 slates
    array([ 0.  ,  1.75, -0.75])
    """
    n = positions.size
    weights = np.zeros(n + 1)
    if model == PBM:
        weights[1] = positions @ (1.0 - 1.0 / n_items) ** np.arange(n)
        return weights
    # chance[m, j]: m different items so far, times products of j of their stopping factors
    chance = np.zeros((n + 2, n + 2))
    chance[0, 0] = 1.0
    seen = np.arange(n + 2)[:, None] / n_items
    for s in range(n):
        fresh = chance * (1.0 - seen)
        weights[1:] += (fresh.sum(axis=0) * (-1.0) ** np.arange(n + 2))[:n]
        chance = chance * seen
        chance[1:] += fresh[:-1]
        chance[1:, 1:] += fresh[:-1, :-1] * (1.0 - positions[s])
    return weights


def distinct_weights(n_items: int, n_positions: int) -> NDArray[np.float64]:
    """Return the probability of 0 .. S different items in a random slate, shape (S + 1,).

    Examples
    --------
    >>> from pgrpo_envs.click_models import distinct_weights
    >>> distinct_weights(4, 2)
    array([0.  , 0.25, 0.75])
    """
    chance = np.zeros(n_positions + 1)
    chance[0] = 1.0
    seen = np.arange(n_positions + 1) / n_items
    for _ in range(n_positions):
        fresh = chance * (1.0 - seen)
        chance = chance * seen
        chance[1:] += fresh[:-1]
    return chance


def quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights of integrals over [0, 1], dense near 0 where powers are steep."""
    z, weights = np.polynomial.legendre.leggauss(N_NODES)
    z = 0.5 * (z + 1.0)
    return z**STRETCH, 0.5 * STRETCH * weights * z ** (STRETCH - 1)
