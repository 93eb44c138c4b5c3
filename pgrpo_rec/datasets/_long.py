"""Long tables: one row for each (user, item, rating[, time])."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pgrpo_rec.datasets._cells import as_labels, parse_ratings
from pgrpo_rec.datasets._columns import Asked
from pgrpo_rec.datasets._errors import RatingsError, listed
from pgrpo_rec.datasets._table import RatingsTable
from pgrpo_rec.datasets._text import Sheet


def read_long(sheet: Sheet, columns: dict[str, str], asked: Asked) -> RatingsTable:
    """Return the ratings of a long table, in the order of the file, labels sorted."""
    # As categories every distinct user, item and rating is turned from text only once.
    text = [name for role, name in columns.items() if role != "time"]
    frame = sheet.frame(list(columns.values()), text).astype(dict.fromkeys(text, "category"))
    users, user_index = _labels(frame[columns["user"]], sheet)
    items, item_index = _labels(frame[columns["item"]], sheet)
    segments = None
    if "segment" in columns:
        segments = _segments(frame[columns["segment"]], user_index, users, sheet)
    time = None
    if "time" in columns:
        time = _seconds(frame[columns["time"]], asked.time is not None, sheet)
    return RatingsTable(
        users=users,
        items=items,
        user_index=user_index,
        item_index=item_index,
        rating=_ratings(frame[columns["rating"]], sheet),
        time=time,
        segments=segments,
        source=str(sheet.path),
    )


def _labels(column: pd.Series, sheet: Sheet) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted labels of a column and the place of every row's label among them."""
    tokens = [str(token) for token in column.cat.categories]
    if "" in tokens:
        rows = np.flatnonzero((column == "").to_numpy())
        raise RatingsError(
            f"{sheet.label}: column {column.name!r} is empty in {rows.size:,} row(s), at line "
            f"{listed(sheet.lines(rows))}; every rating needs a user and an item"
        )
    labels, place = np.unique(as_labels(tokens), return_inverse=True)
    return labels, place[column.cat.codes.to_numpy()].astype(np.int32)


def _ratings(column: pd.Series, sheet: Sheet) -> np.ndarray:
    """Return the ratings as numbers; in a long table every row must have one."""
    tokens = pd.Series(column.cat.categories, dtype="str")
    rating = parse_ratings(tokens).to_numpy()[column.cat.codes.to_numpy()]
    rows = np.flatnonzero(~np.isfinite(rating))
    if rows.size:
        seen = [
            f"{line} ({column.iloc[row]!r})"
            for line, row in zip(sheet.lines(rows[:3]), rows[:3], strict=True)
        ]
        more = f" and {rows.size - 3:,} more" if rows.size > 3 else ""
        raise RatingsError(
            f"{sheet.label}: {rows.size:,} rating(s) in column {column.name!r} are not finite "
            f"numbers, at line {', '.join(seen)}{more}; remove these rows or write numbers"
        )
    return rating


def _segments(
    column: pd.Series, user_index: np.ndarray, users: np.ndarray, sheet: Sheet
) -> np.ndarray:
    """Return one segment per user; a user with two of them is an error."""
    pairs = pd.DataFrame({"user": user_index, "segment": column.astype("str")}).drop_duplicates()
    torn = pairs["user"][pairs["user"].duplicated()].unique()
    if torn.size:
        raise RatingsError(
            f"{sheet.label}: {torn.size:,} user(s) have more than one {column.name!r}, such as "
            f"{listed(users[torn], 3)}; a segment must belong to the user"
        )
    labels = pairs.sort_values("user")["segment"].replace("", "unknown")
    return labels.to_numpy(dtype=np.str_)


def _seconds(column: pd.Series, is_asked: bool, sheet: Sheet) -> np.ndarray | None:
    """Return times as numbers: as written, or seconds since 1970 of ISO dates.

    A column that only looked like times by its name and is neither is left out.
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    if np.isfinite(numbers).all():
        return numbers
    dates = pd.to_datetime(column.astype("str"), errors="coerce", format="ISO8601", utc=True)
    rows = np.flatnonzero(dates.isna())
    if rows.size == 0:
        return (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=np.float64)
    if not is_asked:
        return None
    raise RatingsError(
        f"{sheet.label}: {rows.size:,} time(s) in column {column.name!r} are unreadable, at line "
        f"{listed(sheet.lines(rows))}; expected numbers or ISO dates such as 2024-05-31"
    )
