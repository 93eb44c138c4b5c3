"""Wide tables: one row per user, one column per item, an empty cell where nothing was rated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pgrpo_rec.datasets._cells import as_labels, is_missing, is_vote_column, parse_ratings
from pgrpo_rec.datasets._columns import Asked, is_about_the_user, wide_segments, wide_user
from pgrpo_rec.datasets._errors import RatingsError, listed
from pgrpo_rec.datasets._table import RatingsTable
from pgrpo_rec.datasets._text import Sheet

_JESTER_NOT_RATED = 99.0  # in Jester's own files, where ratings lie within -10..10
_FAR_OFF = 100.0  # times the usual size: no two items of one scale differ as much


def read_wide(sheet: Sheet, asked: Asked) -> RatingsTable:
    """Return the ratings of a wide table, users and items in the order of the file."""
    frame = sheet.frame(sheet.names, text=sheet.names)
    values = pd.DataFrame({name: parse_ratings(frame[name]) for name in frame.columns})
    user = _user_column(frame, values, sheet, asked)
    segment, items = _roles(frame, values, sheet, asked, user)
    _check_cells(frame[items], values[items], sheet)
    dense = _without_sentinel(values[items].to_numpy(dtype=np.float64))
    row, column = np.nonzero(~np.isnan(dense))
    tokens = [str(k) for k in range(len(frame))] if user is None else frame[user].tolist()
    users, place = _unique_in_order(as_labels(tokens))
    segments = None
    if segment is not None:
        first_row = np.unique(place, return_index=True)[1]
        segments = frame[segment].iloc[first_row].replace("", "unknown").to_numpy(dtype=np.str_)
    return RatingsTable(
        users=users,
        items=as_labels(items),
        user_index=place[row].astype(np.int32),
        item_index=column.astype(np.int32),
        rating=dense[row, column],
        segments=segments,
        source=str(sheet.path),
    )


def _user_column(
    frame: pd.DataFrame, values: pd.DataFrame, sheet: Sheet, asked: Asked
) -> str | None:
    """Return the column of user ids: by its name, or the first if its cells are all different."""
    named = wide_user(sheet.names, asked)
    first = sheet.names[0]
    if named is not None or first == asked.segment or wide_segments([first]):
        return named
    whole = (values[first] % 1 == 0).all()  # NaN, that is text, is never whole
    is_id = frame[first].is_unique and (values[first].isna().all() or whole)
    is_text_or_unnamed = bool(values[first].isna().all()) or not sheet.has_header
    return first if is_id and is_text_or_unnamed else None


def _roles(
    frame: pd.DataFrame, values: pd.DataFrame, sheet: Sheet, asked: Asked, user: str | None
) -> tuple[str | None, list[str]]:
    """Return the segment column, None if there is none, and the item columns."""
    rest = [name for name in sheet.names if name not in (user, asked.segment)]
    text = [name for name in rest if _is_text(frame[name], values[name])]
    named = wide_segments(rest)
    found = named if asked.items is not None else list(dict.fromkeys(named + text))
    if asked.segment is None and len(found) > 1:
        raise RatingsError(
            f"{sheet.label}: {len(found)} columns hold labels, not ratings: {listed(found)}; "
            "name the one to keep with segment=, or list the item columns in item="
        )
    segment = asked.segment or next(iter(found), None)
    if asked.items is not None:
        return segment, asked.items
    left_out = {segment, *named, *text, _count_column(values, sheet, rest)}
    items = [name for name in rest if name not in left_out and not is_about_the_user(name)]
    if not items:
        raise RatingsError(
            f"{sheet.label}: no ratings among the columns {listed(sheet.names)}; expected user, "
            "item and rating columns, or one row per user and one column per item"
        )
    _check_one_scale(values[items], sheet)
    return segment, items


def _check_one_scale(values: pd.DataFrame, sheet: Sheet) -> None:
    """Raise if a column is so far off the others that it cannot be an item: an id, a weight."""
    sizes = values.abs().max()
    odd = sizes.index[sizes > _FAR_OFF * max(sizes.median(), 1.0)]
    if len(odd):
        raise RatingsError(
            f"{sheet.label}: column {listed(odd, 3)} goes far beyond the others and is no item on "
            "their scale; list the item columns in item="
        )


def _is_text(tokens: pd.Series, values: pd.Series) -> bool:
    """Tell whether most of the cells that are not empty spell no number and no vote."""
    written = ~is_missing(tokens)
    return bool((values[written].isna()).sum() * 2 > written.sum())


def _count_column(values: pd.DataFrame, sheet: Sheet, rest: list[str]) -> str | None:
    """Return the first column of a table without header if it counts the ratings of its row."""
    if sheet.has_header or not rest:
        return None
    counts = np.isfinite(_without_sentinel(values[rest[1:]].to_numpy())).sum(axis=1)
    return rest[0] if (values[rest[0]] == counts).all() else None


def _without_sentinel(dense: np.ndarray) -> np.ndarray:
    """Return the ratings with Jester's "99: not rated" as NaN, others as they are."""
    others = dense[(dense != _JESTER_NOT_RATED) & ~np.isnan(dense)]
    if others.size and np.abs(others).max() <= 10:
        return np.where(dense == _JESTER_NOT_RATED, np.nan, dense)
    return dense


def _check_cells(frame: pd.DataFrame, values: pd.DataFrame, sheet: Sheet) -> None:
    """Raise on cells that are neither empty nor a finite number, and on votes among numbers."""
    votes = [name for name in frame.columns if is_vote_column(frame[name])]
    numbers = [name for name in frame.columns if values[name].notna().any() and name not in votes]
    if votes and numbers:
        raise RatingsError(
            f"{sheet.label}: y/n votes in {listed(votes, 3)} but numbers in {listed(numbers, 3)}; "
            "all items need one scale: list those of one kind in item="
        )
    written = np.column_stack([~is_missing(frame[name]) for name in frame.columns])
    bad = written & ~np.isfinite(values.to_numpy(dtype=np.float64))
    rows, columns = np.nonzero(bad)
    if rows.size:
        example = frame.iloc[int(rows[0]), int(columns[0])]
        lines = sheet.lines(np.unique(rows))
        raise RatingsError(
            f"{sheet.label}: {rows.size:,} cell(s) are not ratings, at line {listed(lines)}, such "
            f"as {example!r} in column {frame.columns[columns[0]]!r}; expected finite numbers, "
            "y/n, or empty where not rated"
        )


def _unique_in_order(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different labels in order of appearance, and every row's place among them."""
    codes, different = pd.factorize(labels)
    return np.asarray(different), codes
