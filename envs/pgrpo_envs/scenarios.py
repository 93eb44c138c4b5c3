"""Scenarios: the parameters of a world as a small frozen record, with named presets.

A scenario is data. It knows the values, their ranges and how to print itself; the world
that reads it lives in its own file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

import numpy as np

LONGEST = 200  # characters of a wrong value that a message repeats


@dataclass(frozen=True)
class Scenario:
    """Base of all scenarios.

    Subclasses are frozen dataclasses whose fields have defaults, and list their named
    variants in ``PRESETS`` as the fields that differ from the defaults. Where a field is
    a tuple, a list or an array will do: it is kept as a tuple, since worlds are built once
    for all equal scenarios. A subclass checks its ranges after ``super().__post_init__()``.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        """Bring every value to the type of its field, and refuse those of another kind."""
        for name, kind in _kinds(type(self)).items():
            object.__setattr__(self, name, _as_kind(kind, getattr(self, name), name))

    @classmethod
    def preset(cls, name: str | None = None, /, **changes: Any) -> Self:
        """Return a named preset, with single fields changed.

        Parameters
        ----------
        name : str, optional
            A key of ``PRESETS``; without it the defaults of the class.
        **changes
            Fields to set to other values; lists and arrays count as tuples.

        Raises
        ------
        ValueError
            If there is no such preset or no such field, or a value is of a wrong type or
            out of its range.

        Examples
        --------
        >>> from pgrpo_envs.norms import NormsScenario
        >>> NormsScenario.preset("scale", shares=[0.5, 0.3, 0.2]).shares
        (0.5, 0.3, 0.2)
        >>> NormsScenario.preset(slope="4")
        Traceback (most recent call last):
        ValueError: slope='4' is not possible: it must be a finite number
        """
        if name is not None and name not in cls.PRESETS:
            raise ValueError(
                f"preset={name!r} is unknown to {cls.__name__}; "
                f"it has {', '.join(map(repr, cls.PRESETS))}"
            )
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is not a parameter of {cls.__name__}; "
                f"it has {', '.join(sorted(known))}"
            )
        base = cls(**cls.PRESETS[name]) if name is not None else cls()
        return replace(base, **changes)

    def __str__(self) -> str:
        width = max(len(field.name) for field in fields(self))
        lines = (f"  {f.name:<{width}} = {getattr(self, f.name)!r}" for f in fields(self))
        return "\n".join([type(self).__name__, *lines])


def require(condition: bool, name: str, value: object, right: str) -> None:
    """Raise a ValueError that names the argument, its value and what would be right."""
    if not condition:
        shown = repr(value)
        shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
        raise ValueError(f"{name}={shown} is not possible: {right}")


def require_whole(value: Any, name: str, least: int) -> int:
    """Check that a value is a whole number of at least ``least``, and return it as an int."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    right = f"it must be a whole number of at least {least}"
    require(whole and int(value) >= least, name, value, right)
    return int(value)


def require_shares(shares: tuple[float, ...], name: str = "shares") -> None:
    """Check that shares are positive and sum to 1."""
    total = sum(shares)
    require(len(shares) >= 1 and min(shares) > 0, name, shares, "every share must be above 0")
    require(abs(total - 1.0) < 1e-6, name, shares, f"shares must sum to 1, these sum to {total:g}")


def require_per_group(values: tuple[float, ...], n_groups: int, name: str) -> None:
    """Check that there is one value for each preference group."""
    require(len(values) == n_groups, name, values, f"one value for each of {n_groups} groups")


def require_groups(scenario: Any, *names: str) -> None:
    """Check the shares of a scenario's groups, and that fields have a value for each of them."""
    require_shares(scenario.shares)
    for name in names:
        require_per_group(getattr(scenario, name), len(scenario.shares), name)


def require_within(scenario: Scenario, interval: str, *names: str) -> None:
    """Check that fields, or all the numbers in them, lie in an interval such as ``"[0, 1)"``."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    right = f"it must be {'at least' if interval[0] == '[' else 'above'} {low:g}"
    if high < math.inf:
        right += f" and {'at most' if interval[-1] == ']' else 'below'} {high:g}"
    for name in names:
        value = getattr(scenario, name)
        require(np.size(value) > 0, name, value, "at least one number")
        least, most = np.min(value), np.max(value)
        good = least > low or (interval[0] == "[" and least == low)
        good &= most < high or (interval[-1] == "]" and most == high)
        require(bool(good), name, value, right)


def _kinds(cls: type[Scenario]) -> dict[str, Any]:
    """Return the type of every field."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _as_kind(kind: Any, value: Any, name: str) -> Any:
    """Return a value as its field's type says; unions of more than that and None pass."""
    if kind is float:
        good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        require(good, name, value, "it must be a finite number")
        return float(value)
    if kind is int:
        good = isinstance(value, Integral) and not isinstance(value, bool)
        require(good, name, value, "it must be a whole number")
        return int(value)
    if kind is bool:
        require(isinstance(value, (bool, np.bool_)), name, value, "it must be True or False")
        return bool(value)
    if get_origin(kind) is tuple:
        good = isinstance(value, (tuple, list, np.ndarray))
        require(good, name, value, "it must be a tuple or a list")
        inner = get_args(kind)[0]
        return tuple(_as_kind(inner, part, f"{name}[{i}]") for i, part in enumerate(value))
    if kind == (int | None) and value is not None:
        return _as_kind(int, value, name)
    return value
