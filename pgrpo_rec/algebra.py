"""Small linear algebra in compiled loops: the same on any number of threads.

Innermost loops go along rows, so that the compiler may use vector instructions without
reordering any sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]


@jit
def invert(matrix: Floats, inverse: Floats) -> float:
    """Write the inverse of a positive definite matrix; return its log-determinant.

    By Cholesky's factor. Every innermost loop adds a multiple of one row to another, which the
    compiler turns into vector instructions without reordering any sum: as fast as LAPACK at 150
    columns, twice as fast at 20, and the same on any number of threads.
    """
    n = matrix.shape[0]
    upper, root = np.empty((n, n)), np.zeros((n, n))
    logdet = _factor(matrix, upper)
    _invert_root(upper, root)
    for j in range(n):
        for m in range(n):
            inverse[j, m] = 0.0
    for k in range(n):
        row = root[k]
        for j in range(k + 1):
            factor, into = row[j], inverse[j]
            for m in range(j + 1):
                into[m] += factor * row[m]
    for j in range(n):
        for m in range(j):
            inverse[m, j] = inverse[j, m]
    return logdet


@jit
def _factor(matrix: Floats, upper: Floats) -> float:
    """Write U with ``matrix = U^T U``, of which the upper triangle; return the log-determinant."""
    n = matrix.shape[0]
    logdet = 0.0
    for j in range(n):
        for m in range(n):
            upper[j, m] = matrix[j, m]
    for j in range(n):
        row = upper[j]
        pivot = np.sqrt(max(row[j], 1e-300))
        logdet += 2.0 * np.log(pivot)
        for m in range(j, n):
            row[m] /= pivot
        for i in range(j + 1, n):
            factor, into = row[i], upper[i]
            for m in range(i, n):
                into[m] -= factor * row[m]
    return logdet


@jit
def _invert_root(upper: Floats, root: Floats) -> None:
    """Write the inverse of ``U^T``, a lower triangle, over zeros."""
    for i in range(upper.shape[0]):
        into = root[i]
        into[i] = 1.0
        for k in range(i):
            factor, row = upper[k, i], root[k]
            for m in range(k + 1):
                into[m] -= factor * row[m]
        scale = 1.0 / upper[i, i]
        for m in range(i + 1):
            into[m] *= scale


@jit
def multiply(matrix: Floats, vector: Floats, result: Floats) -> None:
    """Write the product of a symmetric matrix and a vector.

    Row by row, so that the compiler may use vector instructions without reordering any sum; four
    rows at a time, so that a result is loaded and stored less often.
    """
    n = vector.size
    for j in range(n):
        result[j] = matrix[0, j] * vector[0]
    m = 1
    while m + 4 <= n:
        one, two, three, four = matrix[m], matrix[m + 1], matrix[m + 2], matrix[m + 3]
        a, b, c, d = vector[m], vector[m + 1], vector[m + 2], vector[m + 3]
        for j in range(n):
            half = result[j] + one[j] * a + two[j] * b
            result[j] = half + three[j] * c + four[j] * d
        m += 4
    while m < n:
        for j in range(n):
            result[j] += matrix[m, j] * vector[m]
        m += 1


@jit
def quadratic(matrix: Floats, vector: Floats) -> float:
    """Return ``vector @ matrix @ vector``."""
    total = 0.0
    for j in range(vector.size):
        for m in range(vector.size):
            total += vector[j] * matrix[j, m] * vector[m]
    return total
