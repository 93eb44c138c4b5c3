"""Checks of constructor arguments: one clear sentence each."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MOST_PRODUCTS = 1000  # a fit takes the cube of it in time, the square in memory


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    known = list(choices)
    if value not in known:
        raise ValueError(f"{name}={value!r} is unknown; it must be one of {known}")


def check_number(
    name: str,
    value: object,
    kind: type[Integral] | type[Real],
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
) -> None:
    """Raise ValueError unless ``value`` is a number of a kind within its range."""
    good = isinstance(value, kind) and not isinstance(value, bool) and value == value
    if good and low is not None:
        good = value >= low  # type: ignore[operator]
    if good and above is not None:
        good = value > above  # type: ignore[operator]
    if good and high is not None:
        good = value <= high  # type: ignore[operator]
    if not good:
        right = "a whole number" if kind is Integral else "a number"
        bounds = [(low, "at least"), (above, "above"), (high, "at most")]
        right += "".join(f", {word} {bound:g}" for bound, word in bounds if bound is not None)
        raise ValueError(f"{name}={value!r} is not possible: it must be {right}")


def check_item_features(values: ArrayLike | None, n_items: int) -> Floats | None:
    """Return features of items as an array, shape (K, m); None where there are none.

    Raises
    ------
    ValueError
        If there is no row of finite numbers for each item.
    """
    if values is None:
        return None
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"item_features must be numbers, a row for each item: {error}") from error
    if table.ndim != 2 or len(table) != n_items or not np.isfinite(table).all():
        raise ValueError(
            f"item_features has shape {table.shape} for {n_items} items; a row of finite "
            "numbers for each is needed, in the order of their sorted labels"
        )
    return table


def check_products(item_features: Floats, n_features: int) -> None:
    """Raise ValueError if visits' and items' features have too many products for one fit."""
    n_products = (1 + n_features) * (1 + item_features.shape[1])
    if n_products > MOST_PRODUCTS:
        raise ValueError(
            f"X has {n_features} features and item_features {item_features.shape[1]}: that makes "
            f"{n_products:,} products, constants included, and one fit takes {MOST_PRODUCTS:,} at "
            "most; give fewer, such as principal components"
        )
