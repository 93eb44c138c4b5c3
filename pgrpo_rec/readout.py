r"""Readout: mean and width of linear values, :math:`z \cdot \beta` and :math:`\sqrt{z^T C z}`.

The natural solver and the linear bandits need both of every item at every visit. Visits of a
cluster go through in blocks, the innermost loops over visits: the compiler then uses vector
instructions without reordering any sum, so a value does not depend on who else is in the block.

Shapes: n visits, P clusters, K items, D columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

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
    n, n_columns = z.shape
    mean, width = np.empty((n, beta.shape[1])), np.empty((n, beta.shape[1]))
    order = np.argsort(clusters, kind="mergesort")
    columns = np.empty((n_columns, BLOCK))
    total, inner = np.empty(BLOCK), np.empty(BLOCK)
    first = 0
    while first < n:
        p = clusters[order[first]]
        size = fill(columns, z, clusters, order[first : first + BLOCK])
        for k in range(beta.shape[1]):
            products(beta[p, k], columns, size, total)
            for b in range(size):
                mean[order[first + b], k] = total[b]
            squares(covariance[p, k], columns, size, inner, total)
            for b in range(size):
                width[order[first + b], k] = np.sqrt(max(total[b], 0.0))
        first += size
    return mean, width


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
