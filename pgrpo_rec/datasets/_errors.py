"""The one error of this package, and how it lists what it found."""

from __future__ import annotations

from collections.abc import Iterable


class RatingsError(ValueError):
    """A ratings table cannot be used; the message says what, where and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(message.replace("\n", " "))  # a quoted cell can hold line ends


def listed(things: Iterable[object], most: int = 5) -> str:
    """Return ``things`` with commas, cut after ``most`` of them.

    Examples
    --------
    >>> listed([3, 8, 9], most=2)
    '3, 8 and 1 more'
    """
    texts = [str(thing) for thing in things]
    shown = ", ".join(texts[:most])
    left_out = len(texts) - most
    return f"{shown} and {left_out:,} more" if left_out > 0 else shown
