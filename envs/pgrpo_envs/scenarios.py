"""Scenarios: the parameters of a world as a small frozen record, with named presets.

A scenario is data. It knows the values, their ranges and how to print itself; the world
that reads it lives in its own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Scenario:
    """Base of all scenarios.

    Subclasses are frozen dataclasses whose fields have defaults, and list their named
    variants in ``PRESETS`` as the fields that differ from the defaults.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @classmethod
    def preset(cls, name: str | None = None, /, **changes: Any) -> Self:
        """Return a named preset, with single fields changed.

        Parameters
        ----------
        name : str, optional
            A key of ``PRESETS``; without it the defaults of the class.
        **changes
            Fields to set to other values.

        Raises
        ------
        ValueError
            If there is no such preset or no such field, or a value is out of its range.
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
        raise ValueError(f"{name}={value!r} is not possible: {right}")


def require_shares(shares: tuple[float, ...], name: str = "shares") -> None:
    """Check that shares are positive and sum to 1."""
    total = sum(shares)
    require(len(shares) >= 1 and min(shares) > 0, name, shares, "every share must be above 0")
    require(abs(total - 1.0) < 1e-6, name, shares, f"shares must sum to 1, these sum to {total:g}")


def require_per_group(values: tuple[float, ...], n_groups: int, name: str) -> None:
    """Check that there is one value for each preference group."""
    require(len(values) == n_groups, name, values, f"one value for each of {n_groups} groups")
