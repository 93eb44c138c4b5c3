"""Labels of users and items: find them fast, add new ones cheaply.

Labels are kept sorted; ``rows`` says in which row of a table each of them is, so that a new
label goes to the end of the table.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec.interactions import check_column

KINDS = {"i": "numbers", "u": "numbers", "b": "numbers", "f": "numbers", "U": "strings"}


def as_labels(name: str, values: ArrayLike, n: int | None = None) -> NDArray[Any]:
    """Return labels as a 1-D array of numbers or of strings.

    Raises
    ------
    ValueError
        If there are not ``n`` of them, or they are not of one sortable type.
    """
    column = check_column(name, values, n)
    if column.dtype.kind == "O":
        # NumPy would turn 1 into "1" without a word.
        text = {isinstance(value, str) for value in column.tolist()}
        if text == {True, False}:
            raise ValueError(f"{name} mixes strings with other labels; one type is needed")
        column = np.array(column.tolist())
    if column.dtype.kind not in KINDS:
        raise ValueError(f"{name} has dtype {column.dtype}; labels must be numbers or strings")
    return column


def as_catalogue(items: int | ArrayLike | None) -> NDArray[Any]:
    """Return the sorted labels that ``items`` stands for: a number, labels, or none yet."""
    if items is None:
        return np.empty(0, dtype=np.int64)
    if isinstance(items, Integral):
        if items < 1:
            raise ValueError(f"items={items!r} is not possible: at least 1 item")
        return np.arange(int(items))
    return np.unique(as_labels("items", items))


def check_same_kind(name: str, known: NDArray[Any], labels: NDArray[Any]) -> None:
    """Raise ValueError if numbers meet strings."""
    old, new = KINDS[known.dtype.kind], KINDS[labels.dtype.kind]
    if known.size and labels.size and old != new:
        raise ValueError(f"{name} are {new} now but were {old} before; one type is needed")


def find(known: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each label among the sorted ``known`` ones, -1 where it is not.

    Examples
    --------
    >>> import numpy as np
    >>> find(np.array(["a", "c"]), np.array(["c", "b"])).tolist()
    [1, -1]
    """
    if known.size == 0:
        return np.full(labels.size, -1, dtype=np.int64)
    places = np.minimum(np.searchsorted(known, labels), known.size - 1)
    return np.where(known[places] == labels, places, -1).astype(np.int64)


def insert(
    known: NDArray[Any], rows: NDArray[np.int64], new: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return sorted labels and their rows with the sorted ``new`` labels added at the end."""
    places = np.searchsorted(known, new) if known.size else np.zeros(new.size, dtype=int)
    kind = np.result_type(known, new) if known.size else new.dtype
    merged = np.insert(known.astype(kind), places, new.astype(kind))
    return merged, np.insert(rows, places, known.size + np.arange(new.size))
