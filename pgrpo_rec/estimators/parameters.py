"""Checks of constructor arguments: one clear sentence each."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real


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
