r"""Readout: mean and width of linear values, :math:`z \cdot \beta` and :math:`\sqrt{z^T C z}`.

The natural solver and the linear bandits need both of every item at every visit, or the width
where it can matter: most items are soon too bad to be the best, whatever their widths within a
bound that costs little. Visits of a cluster go through in blocks, the innermost loops over
visits: the compiler then uses vector instructions without reordering any sum, so a value does
not depend on who else is in the block.

Shapes: n visits, P clusters, K items, D columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WORTH = 12  # visits of a block from which on bounds cost less than they save
NARROWEST = 1e-9  # stands for a width that cannot matter
BLOCK = 128  # visits: up to some 30 columns of a block fit the processor's nearest memory


@jit
def read_linear(
    beta: Floats, covariance: Floats, z: Floats, clusters: Ints
) -> tuple[Floats, Floats]:
    """Return mean and width of every item's value at n visits.

    Parameters
    ----------
    beta : ndarray of float64, shape (P, K, D)
    covariance : ndarray of float64, shape (P, K, D, D)
        Symmetric, of which the lower triangle is read.
    z : ndarray of float64, shape (n, D)
    clusters : ndarray of int64, shape (n,)

    Returns
    -------
    tuple of ndarray of float64, shapes (n, K)
    """
    n, n_items = z.shape[0], beta.shape[1]
    mean, width = np.empty((n, n_items)), np.empty((n, n_items))
    order = _by_cluster(clusters)
    room = _room(n_items, z.shape[1])
    first = 0
    while first < n:
        p = clusters[order[first]]
        size = fill(room.columns, z, clusters, order[first : first + BLOCK])
        rows = order[first : first + size]
        _read_means(beta[p], rows, room, mean)
        _read_widths(covariance[p], rows, room, width)
        first += size
    return mean, width


@jit
def read_contenders(
    beta: Floats,
    covariance: Floats,
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
    z : ndarray of float64, shape (n, D)
    clusters : ndarray of int64, shape (n,)
    available : ndarray of bool, shape (n, K)
        Items that may be shown; one at least at each visit.
    low, high : float
        The ends of an item, in widths from its mean; ``high`` at least 0 and at least ``low``.

    Returns
    -------
    mean, width : ndarray of float64, shapes (n, K)
        Widths may be `NARROWEST` in place of what they are where an item is not available, or
        its high end is under the low end of one that is.
    """
    n, n_items = z.shape[0], beta.shape[1]
    mean, width = np.empty((n, n_items)), np.full((n, n_items), NARROWEST)
    order = _by_cluster(clusters)
    room = _room(n_items, z.shape[1])
    first = 0
    while first < n:
        p = clusters[order[first]]
        size = fill(room.columns, z, clusters, order[first : first + BLOCK])
        rows = order[first : first + size]
        _read_means(beta[p], rows, room, mean)
        if size < WORTH:
            _read_widths(covariance[p], rows, room, width)
        else:
            _read_widths_that_matter(covariance[p], rows, room, available, low, high, width)
        first += size
    return mean, width


@jit
def _by_cluster(clusters: Ints) -> Ints:
    """Return the visits in the order of their clusters; nothing is sorted if they are in it."""
    for i in range(1, clusters.size):
        if clusters[i] < clusters[i - 1]:
            return np.argsort(clusters, kind="mergesort")
    return np.arange(clusters.size)


class Room(NamedTuple):
    """Room to work in, for a block of visits."""

    columns: Floats  # (D, BLOCK): features
    means: Floats  # (K, BLOCK)
    bounds: Floats  # (K, BLOCK): on the widths
    floor: Floats  # (BLOCK,): what an item has to reach
    visits: Ints  # (BLOCK,): some of the block, ...
    some: Floats  # (D, BLOCK): ... and their features
    inner: Floats  # (BLOCK,)
    total: Floats  # (BLOCK,)


@jit
def _room(n_items: int, n_columns: int) -> Room:
    return Room(
        np.empty((n_columns, BLOCK)),
        np.empty((n_items, BLOCK)),
        np.empty((n_items, BLOCK)),
        np.empty(BLOCK),
        np.empty(BLOCK, dtype=np.int64),
        np.empty((n_columns, BLOCK)),
        np.empty(BLOCK),
        np.empty(BLOCK),
    )


@jit
def _read_means(beta: Floats, rows: Ints, room: Room, mean: Floats) -> None:
    """Write the means of all items at the visits of a block."""
    for k in range(beta.shape[0]):
        products(beta[k], room.columns, rows.size, room.means[k])
        for b in range(rows.size):
            mean[rows[b], k] = room.means[k, b]


@jit
def _read_widths(covariance: Floats, rows: Ints, room: Room, width: Floats) -> None:
    """Write the widths of all items at the visits of a block."""
    for k in range(covariance.shape[0]):
        squares(covariance[k], room.columns, rows.size, room.inner, room.total)
        for b in range(rows.size):
            width[rows[b], k] = np.sqrt(max(room.total[b], 0.0))


@jit
def _read_widths_that_matter(
    covariance: Floats,
    rows: Ints,
    room: Room,
    available: Bools,
    low: float,
    high: float,
    width: Floats,
) -> None:
    """Write the widths of items that may be the best one, given their means."""
    means, bounds, floor = room.means, room.bounds, room.floor
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
        found = _find_contenders(means[k], bounds[k], high, floor, rows.size, room.visits)
        _some_squares(covariance[k], room, found, rows.size)
        for c in range(found):
            b = room.visits[c]
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
def _some_squares(matrix: Floats, room: Room, found: int, size: int) -> None:
    """Write the quadratic forms of the first so many of ``room.visits``."""
    if 2 * found >= size:  # to pick them out would cost more
        squares(matrix, room.columns, size, room.inner, room.total)
        for c in range(found):
            room.total[c] = room.total[room.visits[c]]
        return
    for j in range(matrix.shape[0]):
        for c in range(found):
            room.some[j, c] = room.columns[j, room.visits[c]]
    squares(matrix, room.some, found, room.inner, room.total)


@jit
def fill(columns: Floats, z: Floats, labels: Ints, rows: Ints) -> int:
    """Write visits, as columns, up to the first one of another label; return their number."""
    for b in range(rows.size):
        if labels[rows[b]] != labels[rows[0]]:
            return b
        for j in range(z.shape[1]):
            columns[j, b] = z[rows[b], j]
    return rows.size


@jit
def products(vector: Floats, columns: Floats, size: int, total: Floats) -> None:
    """Write the inner product of a vector with each visit."""
    for b in range(size):
        total[b] = 0.0
    for j in range(vector.size):
        for b in range(size):
            total[b] += vector[j] * columns[j, b]


@jit
def squares(matrix: Floats, columns: Floats, size: int, inner: Floats, total: Floats) -> None:
    """Write the quadratic form of each visit, by half of a symmetric matrix, four at a time."""
    for b in range(size):
        total[b] = 0.0
    for j in range(columns.shape[0]):
        row, x = matrix[j], columns[j]
        for b in range(size):
            inner[b] = row[j] * x[b]
        m = 0
        while m + 4 <= j:
            one, two, three, four = row[m], row[m + 1], row[m + 2], row[m + 3]
            for b in range(size):
                left = one * columns[m, b] + two * columns[m + 1, b]
                right = three * columns[m + 2, b] + four * columns[m + 3, b]
                inner[b] += 2.0 * (left + right)
            m += 4
        while m < j:
            one = row[m]
            for b in range(size):
                inner[b] += 2.0 * one * columns[m, b]
            m += 1
        for b in range(size):
            total[b] += inner[b] * x[b]
