r"""Bilinear values: one model for all items, on features of the visit times features of the item.

With :math:`z = (1, x)` of a visit and :math:`f_k = (1, \phi_k)` of item k, a value is linear in
their products,

.. math:: v_k = z^T B f_k = \operatorname{vec}(z f_k^T) \cdot \beta, \qquad
          \operatorname{var} v_k = f_k^T V f_k, \quad V = (z \otimes I)^T C \, (z \otimes I),

so K items cost K products of length M, not K products of length D M: each visit first folds
its z into the coefficients and their covariance. An answer about one item tells of all.

Shapes: n visits, P clusters, K items, D = d + 1 features of a visit and M = m + 1 of an item,
the constant first in both, S = D M joint columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.readout import BLOCK, NARROWEST, products, squares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def joint_columns(z: Floats, items: Floats) -> Floats:
    """Return the products of each visit's features with those of its item.

    Parameters
    ----------
    z : ndarray of float64, shape (..., D)
    items : ndarray of float64, shape (..., M)
        Row i is of the item that visit i is about; other shapes are broadcast.

    Returns
    -------
    ndarray of float64, shape (..., S)
        Column ``j * M + m`` is ``z[..., j] * items[..., m]``.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.bilinear import joint_columns
    >>> joint_columns(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]))
    array([[1., 3., 2., 6.]])
    """
    table = z[..., :, None] * items[..., None, :]
    return table.reshape(*table.shape[:-2], z.shape[-1] * items.shape[-1])


def read_bilinear(
    beta: Floats,
    covariance: Floats,
    z: Floats,
    clusters: Ints,
    items: Floats,
    available: Bools,
    reach: float,
) -> tuple[Floats, Floats]:
    """Return the mean of every item's value at n visits, and its width where that can matter.

    Most of many items are too bad to be the best, whatever their widths within a bound on all
    of them; theirs are not computed.

    Parameters
    ----------
    beta : ndarray of float64, shape (P, S)
    covariance : ndarray of float64, shape (P, S, S)
        Symmetric.
    z : ndarray of float64, shape (n, D)
    clusters : ndarray of int64, shape (n,)
    items : ndarray of float64, shape (M, K)
        Features of the items, a column each.
    available : ndarray of bool, shape (n, K)
        Items that may be shown; one at least at each visit.
    reach : float
        How many widths a value may lie from its mean, at least 0.

    Returns
    -------
    mean, width : ndarray of float64, shapes (n, K)
        Widths are `NARROWEST` at least, and they are this where the upper end of an item's reach
        is under the lower end of that of the available item of highest mean.
    """
    # Large arrays are NumPy's, in pages so large that the first write to them costs little.
    mean, width = np.empty(available.shape), np.empty(available.shape)
    _read_bilinear(beta, covariance, z, clusters, items, available, reach, mean, width)
    return mean, width


@jit
def _read_bilinear(
    beta: Floats,
    covariance: Floats,
    z: Floats,
    clusters: Ints,
    items: Floats,
    available: Bools,
    reach: float,
    mean: Floats,
    width: Floats,
) -> None:
    n, n_columns = z.shape[0], items.shape[0]
    folded, doubt = np.zeros((n, n_columns)), np.zeros((n, n_columns, n_columns))
    for i in range(n):
        _fold(beta[clusters[i]], covariance[clusters[i]], z[i], folded[i], doubt[i])
    _write_means(folded, items, mean)
    lengths = _lengths(items)
    contenders = np.empty(items.shape[1], dtype=np.int64)
    for i in range(n):
        for k in range(items.shape[1]):
            width[i, k] = NARROWEST
        size = _find_contenders(mean[i], doubt[i], items, lengths, available[i], reach, contenders)
        _write_widths(doubt[i], items, contenders[:size], width[i])


@jit
def _fold(beta: Floats, covariance: Floats, z: Floats, folded: Floats, doubt: Floats) -> None:
    """Add what a visit makes of the coefficients, (M,), and of their covariance, (M, M)."""
    n_columns = folded.size
    for j in range(z.size):
        for m in range(n_columns):
            folded[m] += z[j] * beta[j * n_columns + m]
            row, into = covariance[j * n_columns + m], doubt[m]
            for other in range(z.size):
                weight, start = z[j] * z[other], other * n_columns
                for o in range(n_columns):
                    into[o] += weight * row[start + o]


@jit
def _write_means(folded: Floats, items: Floats, mean: Floats) -> None:
    """Write the product of every visit with every item, items in blocks."""
    columns, total = np.empty((items.shape[0], BLOCK)), np.empty(BLOCK)
    for first in range(0, items.shape[1], BLOCK):
        size = min(BLOCK, items.shape[1] - first)
        for m in range(items.shape[0]):
            for b in range(size):
                columns[m, b] = items[m, first + b]
        for i in range(folded.shape[0]):
            products(folded[i], columns, size, total)
            for b in range(size):
                mean[i, first + b] = total[b]


@jit
def _lengths(items: Floats) -> Floats:
    """Return the length of every item's features, shape (K,)."""
    lengths = np.zeros(items.shape[1])
    for m in range(items.shape[0]):
        for k in range(items.shape[1]):
            lengths[k] += items[m, k] * items[m, k]
    return np.sqrt(lengths)


@jit
def _find_contenders(
    mean: Floats,
    doubt: Floats,
    items: Floats,
    lengths: Floats,
    available: Bools,
    reach: float,
    found: Ints,
) -> int:
    """Write the items that may be the best one; return how many.

    A width is at most the length of the item's features times the root of the largest
    eigenvalue of ``doubt``, and that is at most its Frobenius norm.
    """
    best = -1
    for k in range(mean.size):
        if available[k] and (best < 0 or mean[k] > mean[best]):
            best = k
    square, norm = 0.0, 0.0
    for m in range(doubt.shape[0]):
        for o in range(doubt.shape[0]):
            square += items[m, best] * doubt[m, o] * items[o, best]
            norm += doubt[m, o] ** 2
    low = mean[best] - reach * np.sqrt(max(square, 0.0))
    widest = reach * np.sqrt(np.sqrt(norm))
    size = 0
    for k in range(mean.size):
        if available[k] and mean[k] + widest * lengths[k] >= low:
            found[size] = k
            size += 1
    return size


@jit
def _write_widths(doubt: Floats, items: Floats, chosen: Ints, width: Floats) -> None:
    """Write the widths of some items, in blocks."""
    columns = np.empty((items.shape[0], BLOCK))
    total, inner = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, chosen.size, BLOCK):
        size = min(BLOCK, chosen.size - first)
        for m in range(items.shape[0]):
            for b in range(size):
                columns[m, b] = items[m, chosen[first + b]]
        squares(doubt, columns, size, inner, total)
        for b in range(size):
            width[chosen[first + b]] = np.sqrt(max(total[b], NARROWEST**2))
