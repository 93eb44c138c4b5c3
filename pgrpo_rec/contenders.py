r"""Contenders: widths of linear values, but only of items that may be the best of a visit.

Whoever shows the best upper end, or samples from a posterior, needs the width of an item only if
its high end reaches the low end of another. Most items are soon too bad for that, whatever their
widths within a bound that costs little, and their quadratic forms are never computed.

Shapes: n visits, P clusters, K items, D columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.readout import (
    BLOCK,
    NARROWEST,
    Room,
    by_cluster,
    empty_room,
    fill,
    read_means,
    read_widths,
    squares,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WORTH = 12  # visits of a block from which on bounds cost less than they save


def read_contenders(
    beta: Floats,
    covariance: Floats,
    unit: float,
    z: Floats,
    clusters: Ints,
    available: Bools,
    low: float,
    high: float,
) -> tuple[Floats, Floats]:
    """Return the mean of every item's value at n visits, and its width where that can matter.

    Parameters
    ----------
    beta : ndarray of float64, shape (P, K, D)
    covariance : ndarray of float64, shape (P, K, D, D)
        Symmetric.
    unit : float
        Of the widths, above 0.
    z : ndarray of float64, shape (n, D)
    clusters : ndarray of int64, shape (n,)
    available : ndarray of bool, shape (n, K)
        Items that may be shown; one at least at each visit.
    low, high : float
        The ends of an item, in widths from its mean; ``high`` at least 0 and at least ``low``.

    Returns
    -------
    mean, width : ndarray of float64, shapes (n, K)
        Widths may be ``NARROWEST * unit`` in place of what they are where an item is not
        available, or its high end is under the low end of one that is.
    """
    mask = np.array(available)  # of a view it would be compiled again
    mean, width = _read_contenders(beta, covariance, z, clusters, mask, low * unit, high * unit)
    return mean, unit * width


@jit
def _read_contenders(
    beta: Floats,
    covariance: Floats,
    z: Floats,
    clusters: Ints,
    available: Bools,
    low: float,
    high: float,
) -> tuple[Floats, Floats]:
    n, n_items = z.shape[0], beta.shape[1]
    mean, width = np.empty((n, n_items)), np.full((n, n_items), NARROWEST)
    order = by_cluster(clusters)
    room, side = empty_room(n_items, z.shape[1]), _empty_side_room(n_items, z.shape[1])
    first = 0
    while first < n:
        p = clusters[order[first]]
        size = fill(room.columns, z, clusters, order[first : first + BLOCK])
        rows = order[first : first + size]
        read_means(beta[p], rows, room, mean)
        if size < WORTH:
            read_widths(covariance[p], rows, room, width)
        else:
            _read_widths_that_matter(covariance[p], rows, room, side, available, low, high, width)
        first += size
    return mean, width


class SideRoom(NamedTuple):
    """Room to find contenders in, for a block of visits."""

    bounds: Floats  # (K, BLOCK): on the widths
    floor: Floats  # (BLOCK,): what an item has to reach
    visits: Ints  # (BLOCK,): some of the block, ...
    columns: Floats  # (D, BLOCK): ... and their features


@jit
def _empty_side_room(n_items: int, n_columns: int) -> SideRoom:
    bounds, columns = np.empty((n_items, BLOCK)), np.empty((n_columns, BLOCK))
    return SideRoom(bounds, np.empty(BLOCK), np.empty(BLOCK, dtype=np.int64), columns)


@jit
def _read_widths_that_matter(
    covariance: Floats,
    rows: Ints,
    room: Room,
    side: SideRoom,
    available: Bools,
    low: float,
    high: float,
    width: Floats,
) -> None:
    """Write the widths of items that may be the best one, given their means."""
    means, bounds, floor = room.means, side.bounds, side.floor
    bound_widths(covariance, room.columns, rows.size, bounds)
    floor[:] = -np.inf
    for k in range(means.shape[0]):
        for b in range(rows.size):
            if not available[rows[b], k]:
                means[k, b] = -np.inf
        for b in range(rows.size):
            end = means[k, b] + min(low, 0.0) * bounds[k, b]
            floor[b] = end if end > floor[b] else floor[b]
    for k in range(means.shape[0]):
        found = _find_contenders(means[k], bounds[k], high, floor, rows.size, side.visits)
        _some_squares(covariance[k], room, side, found, rows.size)
        for c in range(found):
            b = side.visits[c]
            std = np.sqrt(max(room.total[c], 0.0))
            width[rows[b], k] = std
            floor[b] = max(floor[b], means[k, b] + low * std)


@jit
def bound_widths(covariance: Floats, columns: Floats, size: int, bounds: Floats) -> None:
    """Write what the widths of K items at each visit cannot exceed, shape (K, size).

    That is the length of the visit's features times the root of the largest eigenvalue, which
    is at most the largest sum of magnitudes in a row (Gershgorin 1931); all of it in units in
    which the columns are alike.
    """
    n_items, n_columns = covariance.shape[0], columns.shape[0]
    unit, sums, length = np.zeros(n_columns), np.empty(n_columns), np.zeros(size)
    for k in range(n_items):
        for j in range(n_columns):
            unit[j] += covariance[k, j, j]
    for j in range(n_columns):
        unit[j] = np.sqrt(max(unit[j], 1e-300))
        for b in range(size):
            length[b] += (unit[j] * columns[j, b]) ** 2
        unit[j] = 1.0 / unit[j]
    for b in range(size):
        length[b] = np.sqrt(length[b]) * (1.0 + 1e-9)  # rounding must not make it too short
    for k in range(n_items):
        sums[:] = 0.0
        for m in range(n_columns):
            for j in range(n_columns):
                sums[j] += abs(covariance[k, m, j]) * unit[m]
        largest = 0.0
        for j in range(n_columns):
            largest = max(largest, sums[j] * unit[j])
        for b in range(size):
            bounds[k, b] = np.sqrt(largest) * length[b]


@jit
def _find_contenders(
    means: Floats, bounds: Floats, high: float, floor: Floats, size: int, visits: Ints
) -> int:
    """Write the visits at which an item may reach the floor; return how many."""
    n = 0
    for b in range(size):
        visits[n] = b
        n += means[b] + high * bounds[b] >= floor[b]
    return n


@jit
def _some_squares(matrix: Floats, room: Room, side: SideRoom, found: int, size: int) -> None:
    """Write the quadratic forms of the first so many of ``side.visits``."""
    if 2 * found >= size:  # to pick them out would cost more
        squares(matrix, room.columns, size, room.inner, room.total)
        for c in range(found):
            room.total[c] = room.total[side.visits[c]]
        return
    for j in range(matrix.shape[0]):
        for c in range(found):
            side.columns[j, c] = room.columns[j, side.visits[c]]
    squares(matrix, side.columns, found, room.inner, room.total)
