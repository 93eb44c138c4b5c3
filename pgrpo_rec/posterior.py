r"""Posterior sampling: how probable it is that an item is the best, given what is known.

Thompson sampling shows item k with the probability that its value is the largest,

.. math:: P(k) = \int \phi_k(s) \prod_{j \ne k} \Phi_j(s)\, ds,

an integral over one number where the items' posteriors are independent normals. So the
propensities of posterior sampling can be computed, and logged, exactly.

The integrand vanishes at both ends, where the trapezoidal rule converges faster than any power
of its step (Trefethen and Weideman 2014). It runs down from where no value is, and stops where
the best of all is hardly ever below. Whatever is still in the running at the lower end has its
mass within some 12 of its own standard deviations of that point; so steps that grow in
proportion to the distance from it, by a hyperbolic sine, resolve widths of any ratio.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BELOW = 4.5  # the best value is not under the largest of ``mean - BELOW * std`` ...
RARE = 1e-6  # ... nor past the ends of the integral, but with this probability at each
GROWTH = 10.0  # distance from the lower end, in widths of the narrowest, at which steps grow
NODES = 16  # a chunk: most integrals need no second one

REACH = 8  # standard deviations that the table of the normal distribution goes
STEPS = 64  # its entries in a standard deviation
N_ENTRIES = 2 * REACH * STEPS  # a power of two: an index is cut out of the bits of a float
_GRID = np.arange(-REACH * STEPS, REACH * STEPS) / STEPS
_BELOW, _DENSITY = ndtr(_GRID), np.exp(-0.5 * _GRID**2) / math.sqrt(2.0 * math.pi)
TO_INTEGER = 1.5 * 2.0**52 + REACH * STEPS  # added: rounds to whole numbers, from 0 on


def probability_of_best(means: Floats, stds: Floats, available: Bools) -> Floats:
    """Return the probability that each item's value is the largest of its row.

    Parameters
    ----------
    means, stds : ndarray of float64, shape (n, K)
        Of the independent normal posteriors; ``stds`` above 0.
    available : ndarray of bool, shape (n, K)
        Items that take part.

    Returns
    -------
    ndarray of float64, shape (n, K)
        0 where not available; rows sum to 1. The error of the quadrature is under 1e-5,
        however many items there are and however much widths in a row differ.

    References
    ----------
    Trefethen and Weideman, The exponentially convergent trapezoidal rule, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.posterior import probability_of_best
    >>> probability_of_best(np.zeros((1, 4)), np.ones((1, 4)), np.ones((1, 4), bool)).round(6)
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    result = np.empty(means.shape)  # large arrays are cheaper to write to when NumPy makes them
    _probability_of_best(means, stds, np.array(available), result)  # of a view: compiled again
    return result


def ends(n_items: int) -> tuple[float, float]:
    """Return the ends of an item, in standard deviations from its mean.

    One whose high end is under the low end of another is not in play.
    """
    return -BELOW, upper_end(n_items)


@jit
def _probability_of_best(means: Floats, stds: Floats, available: Bools, result: Floats) -> None:
    n_items = means.shape[1]
    room = _room(n_items)
    precisions = np.empty(n_items)
    in_play, rivals = np.empty(n_items, dtype=np.int64), np.empty(n_items, dtype=np.int64)
    points, weights = np.empty(NODES), np.empty(NODES)
    for i in range(means.shape[0]):
        mean, std, share, mask = means[i], stds[i], result[i], available[i]
        above = upper_end(mask.sum())
        low, high = -np.inf, -np.inf
        for k in range(n_items):
            share[k] = 0.0
            if mask[k]:
                low = max(low, mean[k] - BELOW * std[k])
        n_in_play = _find_in_play(mean, std, mask, above, low, in_play)
        if n_in_play == 1:
            share[in_play[0]] = 1.0
            continue
        if n_in_play == 2:
            _share_of_two(mean, std, in_play[0], in_play[1], share)
            continue
        for j in range(n_in_play):
            k = in_play[j]
            precisions[k] = 1.0 / std[k]
            high = max(high, mean[k] + above * std[k])
        narrowest, step = _resolution(precisions, in_play, n_in_play)
        scale, shrink = GROWTH * narrowest, math.exp(-step / GROWTH)
        ratio = min((high - low) / scale, 1e100)  # of any finite widths, and the end is reached
        u = ratio + math.sqrt(ratio * ratio + 1.0)  # exp(t) at high = low + scale * sinh(t)
        rarely, total = False, 0.0
        while u >= 1.0 and not rarely:
            u = _place(u, shrink, low, scale, points, weights)
            floor = points[NODES - 1]
            n_rivals = _find_rivals(mean, std, in_play, n_in_play, above, floor, rivals)
            for j in range(n_rivals):
                centre, precision = mean[rivals[j]], precisions[rivals[j]]
                for q in range(NODES):
                    room.z[j * NODES + q] = (points[q] - centre) * precision
            rarely = _multiply(room, n_rivals, weights)
            for j in range(n_rivals):
                share[rivals[j]] += _sum_of_chunk(room, j * NODES) * precisions[rivals[j]]
        for j in range(n_in_play):
            total += share[in_play[j]]
        for j in range(n_in_play):
            share[in_play[j]] /= total


@jit
def _share_of_two(means: Floats, stds: Floats, one: int, other: int, share: Floats) -> None:
    """Write the shares of two items: the difference of their values is normal."""
    gap = (means[one] - means[other]) / math.sqrt(2.0 * (stds[one] ** 2 + stds[other] ** 2))
    share[one], share[other] = 0.5 * math.erfc(-gap), 0.5 * math.erfc(gap)


class Room(NamedTuple):
    """Room to work in: of each rival NODES values, one rival after the other.

    So loops are long, and the compiler turns them into vector instructions.
    """

    z: Floats  # points, in standard deviations from a rival's mean
    floats: Floats  # the same, made to whole numbers ...
    bits: Ints  # ... which are read here, in the same memory
    below: Floats  # how probable it is that this rival is below
    density: Floats  # of this rival; then over ``below``
    all_below: Floats  # (NODES,): how probable it is that all are; then by weight of the point


@jit
def _room(n_items: int) -> Room:
    size = n_items * NODES
    floats, all_below = np.empty(size), np.empty(NODES)
    below, density = np.empty(size), np.empty(size)
    return Room(np.empty(size), floats, floats.view(np.int64), below, density, all_below)


@jit
def upper_end(n_items: int) -> float:
    """Return how many standard deviations above its mean no one of n values is, but rarely."""
    return math.sqrt(2.0 * math.log(n_items / RARE)) - 0.5


@jit
def _find_in_play(
    means: Floats, stds: Floats, available: Bools, above: float, floor: float, found: Ints
) -> int:
    """Write the items that may have a value over a floor; return their number."""
    n = 0
    for k in range(means.size):
        found[n] = k
        n += available[k] and means[k] + above * stds[k] >= floor
    return n


@jit
def _find_rivals(
    means: Floats, stds: Floats, in_play: Ints, n: int, above: float, floor: float, rivals: Ints
) -> int:
    """Write which of the first n items in play may have a value over a higher floor."""
    n_rivals = 0
    for j in range(n):
        k = in_play[j]
        rivals[n_rivals] = k
        n_rivals += means[k] + above * stds[k] >= floor
    return n_rivals


@jit
def _resolution(precisions: Floats, rivals: Ints, n_rivals: int) -> tuple[float, float]:
    """Return the narrowest width, and the step in units of it.

    One normal needs a step of 0.7. The largest of n of one width is narrower than each, about
    as 1 over log n; wider ones count less. Found, and held to by tests, over 2 to 2,000 items.
    """
    highest = 0.0
    for j in range(n_rivals):
        highest = max(highest, precisions[rivals[j]])
    n_alike, narrowest = 0.0, 1.0 / highest
    for j in range(n_rivals):
        share = narrowest * precisions[rivals[j]]
        n_alike += (share * share) * (share * share)
    return narrowest, 1.0 / max(1.5, 0.6 + 0.6 * math.log(n_alike))


@jit
def _place(
    u: float, shrink: float, low: float, scale: float, points: Floats, weights: Floats
) -> float:
    """Write the next points on the way down, and their weights, 0 below the lower end."""
    for q in range(NODES):
        inverse = 1.0 / u
        points[q] = low + 0.5 * scale * (u - inverse)
        weights[q] = u + inverse if u >= 1.0 else 0.0
        u *= shrink
    return u


@jit
def _multiply(room: Room, n_rivals: int, weights: Floats) -> bool:
    """Make the factors of what points contribute; return whether the best is rarely below the last.

    The product over all rivals but one is that over all by the one's own factor, which is never 0.
    """
    size = n_rivals * NODES
    normal_at(room.z, size, room.floats, room.bits, room.below, room.density)
    room.all_below[:] = 1.0
    for first in range(0, size, NODES):
        for q in range(NODES):
            room.all_below[q] *= room.below[first + q]
    for e in range(size):
        room.density[e] /= room.below[e]
    rarely = room.all_below[NODES - 1] < RARE
    for q in range(NODES):
        room.all_below[q] *= weights[q]
    return rarely


@jit
def _sum_of_chunk(room: Room, first: int) -> float:
    """Return the sum over NODES points of what one rival contributes."""
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    for q in range(0, NODES, 4):
        one += room.density[first + q] * room.all_below[q]
        two += room.density[first + q + 1] * room.all_below[q + 1]
        three += room.density[first + q + 2] * room.all_below[q + 2]
        four += room.density[first + q + 3] * room.all_below[q + 3]
    return (one + two) + (three + four)


@jit
def normal_at(
    z: Floats, size: int, floats: Floats, bits: Ints, below: Floats, density: Floats
) -> None:
    """Write the standard normal's distribution function and density at many points.

    From the nearest entry of a table, in plain loops which the compiler turns into vector
    instructions; calls of ``exp`` and ``erf`` would prevent that. The density is exact but for
    1e-6 of itself; the distribution function, by the trapezoidal rule between the two
    densities, but for 2e-8. Points past 8 standard deviations are moved there, so it is never 0.

    Parameters
    ----------
    z : ndarray of float64, shape (size,) or longer
        Written to.
    size : int
    floats, bits : ndarray of float64 and of int64, shape (size,) or longer
        Room to work in: two views of the same memory.
    below, density : ndarray of float64, shape (size,) or longer
        Written to.
    """
    for q in range(size):
        within = min(max(z[q], -REACH), REACH - 1.0 / STEPS)
        z[q] = within
        floats[q] = within * STEPS + TO_INTEGER
    for q in range(size):
        near = (floats[q] - TO_INTEGER) * (1.0 / STEPS)
        x = near - z[q]  # at most 1/128
        half = 0.5 * x
        entry = bits[q] & (N_ENTRIES - 1)
        at_near = _DENSITY[entry]
        y = x * (near - half)  # at most 1/16
        at_z = at_near * (1.0 + y * (1.0 + y * (1 / 2 + y * (1 / 6))))
        density[q] = at_z
        below[q] = _BELOW[entry] - half * (at_near + at_z)
