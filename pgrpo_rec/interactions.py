"""Interactions: visits, what was shown, and how it was answered.

These are the checked, encoded arrays behind every learner; the estimators' public methods
are the door at which everything is checked once.

Shapes: n visits, K items, d features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Visits(NamedTuple):
    """Who is here and what is known of the visit, before anything is shown."""

    features: Floats  # (n, d); d = 0 without features
    users: NDArray[Any] | None  # (n,) ids
    clusters: NDArray[Any] | None  # (n,) labels
    available: Bools  # (n, K)

    @property
    def n(self) -> int:
        """Number of visits."""
        return self.features.shape[0]

    def with_constant(self) -> Floats:
        """Return the features with the constant 1 first, shape (n, 1 + d)."""
        return with_constant(self.features)


class Interactions(NamedTuple):
    """Visits with the item that was shown and the reward that came.

    A slate of m items is m rows next to each other, each with the items above it not
    available (`pgrpo_rec.slates`).
    """

    visits: Visits
    actions: Ints  # (n,), indices of items
    rewards: Floats  # (n,)
    propensities: Floats | None  # (n,), None where unknown
    slate_size: int = 1  # m
    whole_slates: bool = False  # the m rewards of a slate are one, repeated
    sessions: Ints | None = None  # (n,), where visits depend on each other
    credits: Floats | None = None  # (n,), what rows are learned by if not their own rewards
    steps: Ints | None = None  # (n,), place of each row in its session or slate

    @property
    def credit(self) -> Floats:
        """What each row is learned by, shape (n,)."""
        return self.rewards if self.credits is None else self.credits

    def take(self, rows: NDArray[Any] | slice) -> Interactions:
        """Return some of the rows."""
        v = self.visits
        return Interactions(
            Visits(
                v.features[rows],
                _rows_of(v.users, rows),
                _rows_of(v.clusters, rows),
                v.available[rows],
            ),
            self.actions[rows],
            self.rewards[rows],
            _rows_of(self.propensities, rows),
            self.slate_size,
            self.whole_slates,
            _rows_of(self.sessions, rows),
            _rows_of(self.credits, rows),
            _rows_of(self.steps, rows),
        )


def _rows_of(column: NDArray[Any] | None, rows: NDArray[Any] | slice) -> Any:
    return None if column is None else column[rows]


@jit
def with_constant(features: Floats) -> Floats:
    """Return features with the constant 1 as a first column, shape (n, 1 + d)."""
    n, d = features.shape
    z = np.empty((n, 1 + d))  # NumPy's own assignments take nearly twice as long for 100 visits
    for i in range(n):
        z[i, 0] = 1.0
        for j in range(d):
            z[i, 1 + j] = features[i, j]
    return z


def count_rows(values: Any) -> int:
    """Return how many rows an array, a sparse matrix, a table or a list has."""
    if type(values) is np.ndarray and values.ndim > 0:
        return len(values)
    return int(_num_samples(values))


def check_column(name: str, values: ArrayLike, n: int | None) -> NDArray[Any]:
    """Return one value for each visit as a 1-D array.

    Raises
    ------
    ValueError
        If there are not n values, some are missing, or strings are mixed with others.
    """
    column = _one_each(name, values, n)
    if column.dtype.kind not in "biu":  # which have no missing values
        missing = np.isnan(column) if column.dtype.kind == "f" else pd.isna(column)
        if missing.any():
            row = int(np.flatnonzero(missing)[0])
            raise ValueError(f"{name} is {column[row]} in row {row}; a value is needed")
    if column.dtype == object and len({isinstance(value, str) for value in column}) > 1:
        raise ValueError(f"{name} mixes strings with other values; one sortable type is needed")
    return column


def _one_each(name: str, values: ArrayLike, n: int | None) -> NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"{name} has shape {column.shape}; one value for each visit is needed")
    if n is not None and column.size != n:
        raise ValueError(f"{name} has {column.size} values for {n} visits; one each is needed")
    return column


def check_slates(values: ArrayLike, n: int) -> NDArray[Any]:
    """Return labels of the items of slates, shape (n, m), m at least 1, none twice in a row."""
    table = np.asarray(values)
    if table.ndim != 2 or len(table) != n or table.shape[1] < 1:
        raise ValueError(
            f"actions has shape {table.shape} for {n} visits; it must be ({n},), or ({n}, m) for "
            "slates of m items"
        )
    check_column("actions", table.ravel(), None)
    ordered = np.sort(table, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise ValueError(f"actions has an item twice in row {row}: items of a slate are distinct")
    return table


def check_slate_rewards(values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Return rewards of slates, or of their items, as one for each item, shape (n, m)."""
    table = np.asarray(values)
    if table.shape not in (shape, shape[:1]):
        raise ValueError(
            f"y has shape {table.shape}; for slates of shape {shape} it must be {shape[:1]}, one "
            f"reward for each slate, or {shape}, one for each item"
        )
    rewards = check_rewards(table.ravel(), table.size).reshape(len(table), -1)
    return np.broadcast_to(rewards, shape)


def check_rewards(values: ArrayLike, n: int) -> Floats:
    """Return finite rewards, shape (n,)."""
    column = _one_each("y", values, n)
    if column.dtype.kind not in "biuf":
        check_column("y", column, n)  # says what is missing, if something is
        raise ValueError(f"y has dtype {column.dtype}; rewards are numbers when actions are given")
    rewards = column.astype(np.float64)
    if not np.isfinite(rewards).all():
        row = int(np.flatnonzero(~np.isfinite(rewards))[0])
        raise ValueError(f"y is {rewards[row]} in row {row}; rewards must be finite")
    return rewards


def check_propensities(values: ArrayLike, n: int) -> Floats:
    """Return propensities, shape (n,), in (0, 1]; those of slates are multiplied."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 2:
        table = table.prod(axis=1)
    column = check_column("propensities", table, n)
    bad = ~((column > 0.0) & (column <= 1.0 + 1e-9))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"propensities is {column[row]} in row {row}; it must be in (0, 1]")
    return column


def check_available(values: ArrayLike | None, n: int, n_items: int) -> Bools:
    """Return the mask of available items, shape (n, K), at least one True a row."""
    if values is None:
        return np.ndarray((n, n_items), np.bool_, b"\1", strides=(0, 0))  # one True for all
    mask = np.asarray(values)
    if mask.dtype != np.bool_ or mask.shape not in ((n_items,), (n, n_items)):
        raise ValueError(
            f"available has shape {mask.shape} and dtype {mask.dtype}; "
            f"it must be bool of shape ({n_items},) or ({n}, {n_items})"
        )
    mask = np.broadcast_to(mask, (n, n_items))
    empty = ~mask.any(axis=1)
    if empty.any():
        raise ValueError(f"available leaves nothing to show in row {int(np.flatnonzero(empty)[0])}")
    return mask
