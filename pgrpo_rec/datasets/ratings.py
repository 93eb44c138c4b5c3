"""Read any ratings table: long or wide, CSV or TSV, plain or gzip, a file or a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pgrpo_data import load_sample
from pgrpo_rec.datasets._columns import Asked, long_columns
from pgrpo_rec.datasets._errors import RatingsError, listed
from pgrpo_rec.datasets._long import read_long
from pgrpo_rec.datasets._table import RatingsTable
from pgrpo_rec.datasets._text import read_sheet
from pgrpo_rec.datasets._wide import read_wide

_DUPLICATES = ("error", "last", "mean")
_TABLE_SUFFIX = re.compile(r"\.(csv|tsv|txt|dat|data)(\.gz)?$", re.IGNORECASE)
_RATINGS_NAMES = tuple(  # the best first: of several files the first that matches is read
    re.compile(pattern, re.IGNORECASE)
    for pattern in (r"ratings?$", r"u$", r"votes?$", r".*ratings?", r".*votes", r"jester")
)


def read_ratings(
    path: str | os.PathLike[str],
    *,
    user: str | None = None,
    item: str | Sequence[str] | None = None,
    rating: str | None = None,
    time: str | None = None,
    segment: str | None = None,
    duplicates: str = "error",
) -> RatingsTable:
    r"""Read a ratings table from a file or a folder; nothing is downloaded.

    A **long** table has one row per rating, with columns for user, item, rating and perhaps
    time, called in one of the usual ways (``userId``, ``participant``; ``movie_id``,
    ``comment``, ``joke``; ``rating``, ``stars``, ``vote``; ``timestamp``), or, without a
    header, in this order. A **wide** table has one row per user and one column per item; its
    first column may be a user id, one may be a segment (``party``, ``gender``); cells are
    numbers or votes (y is 1, n is 0) and ``?`` or an empty cell means not rated. In a
    **folder** the file named like ratings or votes is read, else the only one that can be.
    The delimiter is a comma, ``;``, tab or ``::``; gzip is recognised by itself.

    Parameters
    ----------
    path : str or path
        File or folder.
    user, item, rating, time, segment : str, default=None
        Names of the columns; None finds them by their names. ``item`` may be a list of
        columns: the items of a wide table. ``segment`` is an observable label of the user.
    duplicates : {"error", "last", "mean"}, default="error"
        What to do where a user rated an item more than once: complain, keep the last (by
        time where there is one, else by the order of the file) or the mean.

    Returns
    -------
    RatingsTable

    Raises
    ------
    RatingsError
        If there is no such file, it is not a readable table of ratings, or it is of no use:
        fewer than two users or items, or all ratings equal.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from pgrpo_rec.datasets import read_ratings
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "ratings.csv").write_text("user,joke,score\nann,1,4\nbob,1,2\nbob,2,5\n")
    >>> read_ratings(folder / "ratings.csv")
    RatingsTable('ratings': 2 users x 2 items, 3 ratings from 2 to 5, density 0.75)
    >>> _ = (folder / "votes.csv").write_text("party,bill_a,bill_b\nred,y,n\nblue,?,y\n")
    >>> table = read_ratings(folder / "votes.csv")
    >>> table.to_dense().tolist(), table.segments.tolist()
    ([[1.0, 0.0], [nan, 1.0]], ['red', 'blue'])
    """
    if duplicates not in _DUPLICATES:
        raise RatingsError(f"duplicates must be one of {_DUPLICATES}, got {duplicates!r}")
    place = Path(path)
    asked = Asked(user, item, rating, time, segment)
    if place.is_dir():
        table = _read_folder(place, asked, duplicates)
    elif place.is_file():
        table = _read_file(place, asked, duplicates)
    else:
        raise RatingsError(f"{place}: no such file or folder; nothing is downloaded")
    return replace(table, name=_TABLE_SUFFIX.sub("", place.name) or place.resolve().name)


def load_sample_ratings() -> RatingsTable:
    """Read the small table that is shipped: 300 users, 40 items, ratings 1-5, all generated.

    Three preference groups (70, 20 and 10 % of the users) disagree about the items; they are
    the table's ``segments``. ``pgrpo_data.make_sample`` is the recipe.

    Examples
    --------
    >>> from pgrpo_rec.datasets import load_sample_ratings
    >>> table = load_sample_ratings()
    >>> table.n_users, table.n_items
    (300, 40)
    """
    return read_ratings(load_sample(), segment="group")


def _read_file(path: Path, asked: Asked, duplicates: str) -> RatingsTable:
    sheet = read_sheet(path)
    asked.check_in(sheet.names, sheet.label)
    columns = long_columns(sheet.names, asked, sheet.label)
    table = read_wide(sheet, asked) if columns is None else read_long(sheet, columns, asked)
    table = _settle(table, duplicates)
    _check_use(table)
    return table


def _read_folder(folder: Path, asked: Asked, duplicates: str) -> RatingsTable:
    """Read the file that is named like ratings, else the only file that can be read as such."""
    files = sorted(
        file for file in folder.iterdir() if file.is_file() and _TABLE_SUFFIX.search(file.name)
    )
    if not files:
        raise RatingsError(f"{folder}: no .csv, .tsv, .txt, .dat or .data file (or .gz) in it")
    for pattern in _RATINGS_NAMES:
        named = [file for file in files if pattern.match(_TABLE_SUFFIX.sub("", file.name))]
        if named:
            files = named[:1]
            break
    if len(files) == 1:
        return _read_file(files[0], asked, duplicates)
    tables, reasons = [], []
    for file in files:
        try:
            tables.append(_read_file(file, asked, duplicates))
        except RatingsError as error:
            reasons.append(f"{file.name} ({str(error).removeprefix(f'{file}: ')})")
    if len(tables) > 1:
        names = [Path(table.source).name for table in tables]
        raise RatingsError(
            f"{folder}: several files could be the ratings: {listed(names)}; name one"
        )
    if not tables:
        raise RatingsError(f"{folder}: none of its files is a ratings table: {listed(reasons)}")
    return tables[0]


def _settle(table: RatingsTable, duplicates: str) -> RatingsTable:
    """Leave one rating per user and item."""
    frame = pd.DataFrame(
        {"user": table.user_index, "item": table.item_index, "rating": table.rating}
    )
    if table.time is not None:
        frame["time"] = table.time
    again = frame.duplicated(["user", "item"]).to_numpy()
    if not again.any():
        return table
    if duplicates == "error":
        raise RatingsError(
            f"{table.source}: {again.sum():,} rating(s) of a (user, item) rated before: "
            f'{_pairs(table, again)}; choose with duplicates="last" or duplicates="mean"'
        )
    if duplicates == "mean":
        how = {"rating": "mean", "time": "max"}
        frame = frame.groupby(["user", "item"], sort=False, as_index=False).agg(
            {column: how[column] for column in frame.columns[2:]}
        )
    else:
        order = frame.sort_values("time", kind="stable") if table.time is not None else frame
        frame = order.drop_duplicates(["user", "item"], keep="last").sort_index()
    return replace(
        table,
        user_index=frame["user"].to_numpy(),
        item_index=frame["item"].to_numpy(),
        rating=frame["rating"].to_numpy(),
        time=frame["time"].to_numpy() if table.time is not None else None,
    )


def _pairs(table: RatingsTable, which: np.ndarray) -> str:
    """Return the different (user, item) of some ratings, the first three spelled out."""
    users, items = table.users[table.user_index[which]], table.items[table.item_index[which]]
    pairs = dict.fromkeys(zip(users.tolist(), items.tolist(), strict=True))
    return listed([f"({user}, {item})" for user, item in pairs], 3)


def _check_use(table: RatingsTable) -> None:
    """Raise on tables from which no preference can be learned."""
    if table.n_ratings == 0:
        raise RatingsError(f"{table.source}: not a single rating in the table")
    for what, labels in (("user", table.users), ("item", table.items)):
        if labels.size < 2:
            raise RatingsError(
                f"{table.source}: only one {what} ({labels[0]}); at least two are needed"
            )
    if np.ptp(table.rating) == 0:
        raise RatingsError(
            f"{table.source}: all {table.n_ratings:,} ratings are {table.rating[0]:g}; ratings "
            "that never differ tell no preference, check the rating column"
        )
