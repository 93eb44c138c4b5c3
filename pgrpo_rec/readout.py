r"""Readout: mean and width of linear values, :math:`z \cdot \beta` and :math:`\sqrt{z^T C z}`.

The natural solver needs both of every item at every visit; linear bandits the widths of those
that may be the best (`pgrpo_rec.contenders`). Visits of a cluster go through in blocks, the
innermost loops over visits: the compiler then uses vector instructions without reordering any
sum, so a value does not depend on who else is in the block.

Shapes: n visits, P clusters, K items, D columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NARROWEST = 1e-9  # of widths: where a value is certain, or its width cannot matter
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
    order = by_cluster(clusters)
    room = empty_room(n_items, z.shape[1])
    first = 0
    while first < n:
        p = clusters[order[first]]
        size = fill(room.columns, z, clusters, order[first : first + BLOCK])
        rows = order[first : first + size]
        read_means(beta[p], rows, room, mean)
        read_widths(covariance[p], rows, room, width)
        first += size
    return mean, width


@jit
def by_cluster(clusters: Ints) -> Ints:
    """Return the visits in the order of their clusters; nothing is sorted if they are in it."""
    for i in range(1, clusters.size):
        if clusters[i] < clusters[i - 1]:
            return np.argsort(clusters, kind="mergesort")
    return np.arange(clusters.size)


class Room(NamedTuple):
    """Room to work in, for a block of visits."""

    columns: Floats  # (D, BLOCK): features
    means: Floats  # (K, BLOCK)
    inner: Floats  # (BLOCK,)
    total: Floats  # (BLOCK,)


@jit
def empty_room(n_items: int, n_columns: int) -> Room:
    """Return room for so many items and columns."""
    columns, means = np.empty((n_columns, BLOCK)), np.empty((n_items, BLOCK))
    return Room(columns, means, np.empty(BLOCK), np.empty(BLOCK))


@jit
def read_means(beta: Floats, rows: Ints, room: Room, mean: Floats) -> None:
    """Write the means of all items at the visits of a block."""
    for k in range(beta.shape[0]):
        products(beta[k], room.columns, rows.size, room.means[k])
        for b in range(rows.size):
            mean[rows[b], k] = room.means[k, b]


@jit
def read_widths(covariance: Floats, rows: Ints, room: Room, width: Floats) -> None:
    """Write the widths of all items at the visits of a block."""
    for k in range(covariance.shape[0]):
        squares(covariance[k], room.columns, rows.size, room.inner, room.total)
        for b in range(rows.size):
            width[rows[b], k] = np.sqrt(max(room.total[b], 0.0))


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
