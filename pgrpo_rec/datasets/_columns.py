"""Which column is which, by the names people give to columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pgrpo_rec.datasets._cells import MISSING, VOTES
from pgrpo_rec.datasets._errors import RatingsError, listed


def _words(text: str, *, with_id: bool = False) -> frozenset[str]:
    words = text.split()
    return frozenset(words + [word + "id" for word in words if with_id])


_ROLES = {
    "user": _words(
        "user participant person people voter respondent reviewer rater member customer visitor "
        "viewer reader student patient subject account author",
        with_id=True,
    )
    | _words("uid"),
    "item": _words(
        "item movie film product comment statement joke book song track artist album article "
        "business recipe game anime question option restaurant hotel beer show course",
        with_id=True,
    )
    | _words("iid asin isbn"),
    "rating": _words(
        "rating ratings score stars star vote value grade preference overall evaluation "
        "bookrating userrating movierating reviewscore"
    ),
    "time": _words("timestamp time datetime date unixtime unixreviewtime createdat ratedat"),
}
_EXPECTED = {
    "user": "user, user_id or participant",
    "item": "item, movie_id or comment",
    "rating": "rating, score, stars or vote",
}
_ROW_NAMES = {"", "id", "index", "unnamed0", "rownames", "name", "username"}
_SEGMENTS = {"party", "gender", "sex", "segment", "group", "groupid", "cohort", "agegroup"}
_ABOUT_THE_USER = {"age", "zip", "zipcode", "nvotes", "nagree", "ndisagree", "ncomments"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Asked:
    """The columns the caller named; ``item`` is a list in a table with a column per item."""

    user: str | None = None
    item: str | Sequence[str] | None = None
    rating: str | None = None
    time: str | None = None
    segment: str | None = None

    @property
    def items(self) -> list[str] | None:
        """The item columns of a wide table, None if the caller listed none."""
        return None if self.item is None or isinstance(self.item, str) else list(self.item)

    def check_in(self, names: Sequence[str], label: str) -> None:
        """Raise if a named column is not in the table."""
        single = [self.user, self.rating, self.time, self.segment]
        single.append(self.item if isinstance(self.item, str) else None)
        wanted = [name for name in single if name is not None] + (self.items or [])
        absent = [repr(name) for name in wanted if name not in names]
        if absent:
            raise RatingsError(
                f"{label}: no column {listed(absent)}; the columns are {listed(names, 6)}"
            )


def normal(name: str) -> str:
    """Return a column name without case, blanks and punctuation: ``user_id`` is ``userid``."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _by_name(role: str, names: Sequence[str], label: str) -> str | None:
    """Return the column whose name says it has ``role``, None if no name does."""
    found = [name for name in names if normal(name) in _ROLES[role]]
    with_id = [name for name in found if normal(name).endswith("id")]
    if len(with_id) == 1:
        found = with_id
    if len(found) > 1 and role != "time":
        raise RatingsError(
            f"{label}: {listed(found)} could each be the {role}; name one with {role}="
        )
    return found[0] if found else None


def long_columns(names: Sequence[str], asked: Asked, label: str) -> dict[str, str] | None:
    """Return role -> column of a (user, item, rating) table, None if the table is wide.

    Raises
    ------
    RatingsError
        If some of the three columns are there and others are not.
    """
    if asked.items is not None:
        return None
    roles = {role: getattr(asked, role) for role in (*_ROLES, "segment")}
    taken = {name for name in roles.values() if name is not None}
    free = [name for name in names if name not in taken]
    for role in _ROLES:
        roles[role] = roles[role] or _by_name(role, free, label)
    missing = [role for role in _EXPECTED if roles[role] is None]
    if {"item", "rating"} <= set(missing) and asked.time is None:
        return None
    if missing:
        hints = " and ".join(f"a {role} column ({_EXPECTED[role]})" for role in missing)
        raise RatingsError(
            f"{label}: the columns are {listed(names, 6)}; expected also {hints}: name the "
            "columns with user=, item= and rating=, or list the items of a wide table in item="
        )
    return {role: name for role, name in roles.items() if name is not None}


def wide_user(names: Sequence[str], asked: Asked) -> str | None:
    """Return the user column of a wide table; where it was not named, only the first can be."""
    first = normal(names[0])
    known = first in _ROLES["user"] or first in _ROW_NAMES
    return asked.user or (names[0] if known else None)


def wide_segments(names: Sequence[str]) -> list[str]:
    """Return the columns whose names are those of segments."""
    return [name for name in names if normal(name) in _SEGMENTS]


def is_about_the_user(name: str) -> bool:
    """Tell whether a column of a wide table counts or describes the user, not an item."""
    return normal(name) in _ABOUT_THE_USER


def is_header(fields: Sequence[str]) -> bool:
    """Tell whether the first line names columns; else it is a row of data already.

    Examples
    --------
    >>> is_header(["userId", "movieId", "rating"]), is_header(["196", "242", "3"])
    (True, False)
    >>> is_header(["republican", "n", "y", "?"])
    False
    """
    known = [normal(field) in names for field in fields for names in _ROLES.values()]
    if any(known) or (fields[0] and normal(fields[0]) in _ROW_NAMES):
        return True
    numbers = [bool(_NUMBER.fullmatch(field)) for field in fields]
    if all(numbers) and len(fields) > 4:
        counted = [str(int(fields[0] != "0") + k) for k in range(len(fields))]
        return list(fields) == counted  # 0, 1, 2 ... or 1, 2, 3 ...: numbered items
    values = [
        number or field.lower() in MISSING or field.lower() in VOTES
        for number, field in zip(numbers, fields, strict=True)
    ]
    if all(values) and fields[0] != "":
        return False
    if len(fields) in (3, 4) and numbers[2] and fields[0] != "":
        return False
    return not all(v and not n for v, n in zip(values[1:], numbers[1:], strict=True))


def positional_names(fields: Sequence[str]) -> list[str]:
    """Return column names for a table without a header, given its first row."""
    if len(fields) in (3, 4) and all(_NUMBER.fullmatch(field) for field in fields[2:]):
        return ["user", "item", "rating", "timestamp"][: len(fields)]
    return [f"column_{k + 1}" for k in range(len(fields))]
