"""The ratings table: who rated what and how, as three parallel arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pgrpo_rec.datasets._errors import RatingsError
from pgrpo_rec.datasets._restrict import dense_part

_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_MOST_DENSE_CELLS = 500_000_000  # 4 GB of float64


@dataclass(frozen=True, eq=False, repr=False)
class RatingsTable:
    """Ratings of U users on K items; every array is read-only.

    Parameters
    ----------
    users : ndarray of int64 or str, shape (U,)
        Labels; a user of a wide table who rated nothing is kept.
    items : ndarray of int64 or str, shape (K,)
        Labels.
    user_index, item_index : ndarray of int32, shape (n_ratings,)
        Who rated what, as places in ``users`` and ``items``.
    rating : ndarray of float64, shape (n_ratings,)
        Finite, in the units of the file (stars, -10..10, votes as 1 and 0).
    time : ndarray of float64, shape (n_ratings,), default=None
        In the units of the file; dates as seconds since 1970.
    segments : ndarray of str, shape (U,), default=None
        An observable label of each user, such as a party.
    name, source : str, default=""
        What to call the table, and the file it came from.

    Raises
    ------
    RatingsError
        If the arrays do not fit each other or a rating is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.datasets import RatingsTable
    >>> table = RatingsTable(
    ...     users=np.array(["ann", "bob"]), items=np.array([10, 20, 30]),
    ...     user_index=np.array([0, 0, 1]), item_index=np.array([0, 1, 2]),
    ...     rating=np.array([5.0, 2.0, 4.0]), name="tiny",
    ... )
    >>> table
    RatingsTable('tiny': 2 users x 3 items, 3 ratings from 2 to 5, density 0.5)
    >>> table.to_dense()
    array([[ 5.,  2., nan],
           [nan, nan,  4.]])
    """

    users: np.ndarray
    items: np.ndarray
    user_index: np.ndarray
    item_index: np.ndarray
    rating: np.ndarray
    time: np.ndarray | None = None
    segments: np.ndarray | None = None
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Bring the arrays to their types, check that they fit, and freeze them."""
        types = {"user_index": np.int32, "item_index": np.int32, "rating": float, "time": float}
        for field in ("users", "items", "segments", *types):
            array = getattr(self, field)
            if array is not None:
                array = np.array(array, dtype=types.get(field))
                array.flags.writeable = False
                object.__setattr__(self, field, array)
        self._check()

    def _check(self) -> None:
        for field in ("user_index", "item_index", "time"):
            array = getattr(self, field)
            if array is not None and array.shape != self.rating.shape:
                raise RatingsError(f"{field} has {array.size} entries, rating {self.rating.size}")
        for field, size in (("user_index", self.n_users), ("item_index", self.n_items)):
            array = getattr(self, field)
            if array.size and not (array.min() >= 0 and array.max() < size):
                raise RatingsError(f"{field} must lie within 0..{size - 1}, found {array.max()}")
        if not np.isfinite(self.rating).all():
            raise RatingsError("rating must be finite; leave out what was not rated")
        if self.segments is not None and self.segments.shape != self.users.shape:
            raise RatingsError(f"segments has {self.segments.size} entries, users {self.n_users}")

    @property
    def n_users(self) -> int:
        """Number of users U."""
        return self.users.size

    @property
    def n_items(self) -> int:
        """Number of items K."""
        return self.items.size

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return self.rating.size

    @property
    def density(self) -> float:
        """Share of the U x K cells that are rated, within 0..1."""
        return self.n_ratings / max(self.n_users * self.n_items, 1)

    @property
    def is_dense(self) -> bool:
        """Whether every user rated every item."""
        return self.n_ratings == self.n_users * self.n_items

    def restrict(
        self,
        *,
        min_user_ratings: int = 0,
        min_item_ratings: int = 0,
        complete: bool = False,
        max_items: int | None = None,
    ) -> RatingsTable:
        """Return the part of the table that is dense enough.

        First the ``max_items`` most rated items are chosen, then users and items with too few
        ratings leave in turn until all that are left have enough, at last ``complete`` asks
        for users who rated all of the items left.

        Parameters
        ----------
        min_user_ratings, min_item_ratings : int, default=0
            Ratings that a user, an item, must have within the result.
        complete : bool, default=False
            Keep only users who rated every item.
        max_items : int, default=None
            Keep at most so many items, the most rated; of equals the first. None keeps all.

        Returns
        -------
        RatingsTable

        Raises
        ------
        RatingsError
            If fewer than two users or two items are left, or a limit is out of range.

        Examples
        --------
        >>> from pgrpo_rec.datasets import load_sample_ratings
        >>> load_sample_ratings().restrict(max_items=10, complete=True).is_dense
        True
        """
        if min(min_user_ratings, min_item_ratings) < 0 or (max_items is not None and max_items < 2):
            raise RatingsError(
                "restrict needs min_user_ratings and min_item_ratings of at least 0 and max_items "
                f"of at least 2, got {min_user_ratings}, {min_item_ratings} and {max_items}"
            )
        users, items = dense_part(
            self.user_index,
            self.item_index,
            (self.n_users, self.n_items),
            (min_user_ratings, min_item_ratings),
            complete=complete,
            max_items=max_items,
        )
        if users.sum() < 2 or items.sum() < 2:
            raise RatingsError(
                f"restrict leaves {users.sum()} of {self.n_users} users and {items.sum()} of "
                f"{self.n_items} items, two of each are needed; ask for fewer ratings or items"
            )
        return self._part(users, items)

    def _part(self, users: np.ndarray, items: np.ndarray) -> RatingsTable:
        kept = users[self.user_index] & items[self.item_index]
        return replace(
            self,
            users=self.users[users],
            items=self.items[items],
            user_index=(np.cumsum(users) - 1)[self.user_index[kept]],
            item_index=(np.cumsum(items) - 1)[self.item_index[kept]],
            rating=self.rating[kept],
            time=None if self.time is None else self.time[kept],
            segments=None if self.segments is None else self.segments[users],
        )

    def to_dense(self) -> np.ndarray:
        """Return the ratings as a (U, K) array of float64, NaN where there is none.

        Raises
        ------
        RatingsError
            If the array would take more than 4 GB.
        """
        if self.n_users * self.n_items > _MOST_DENSE_CELLS:
            raise RatingsError(
                f"a dense array of {self.n_users:,} x {self.n_items:,} would take more than 4 GB; "
                "choose a part with restrict(...) first"
            )
        dense = np.full((self.n_users, self.n_items), np.nan)
        dense[self.user_index, self.item_index] = self.rating
        return dense

    def coverage(self) -> pd.DataFrame:
        """Return how many ratings users gave: quantiles over all, and within each segment.

        Returns
        -------
        DataFrame
            Columns ``segment`` ("all" first), ``n_users``, ``quantile`` and ``n_ratings``.

        Examples
        --------
        >>> from pgrpo_rec.datasets import load_sample_ratings
        >>> load_sample_ratings().coverage()["n_ratings"].between(24, 40).all()
        np.True_
        """
        per_user = np.bincount(self.user_index, minlength=self.n_users)
        parts = [("all", per_user)]
        if self.segments is not None:
            parts += [(str(s), per_user[self.segments == s]) for s in np.unique(self.segments)]
        rows = [
            (segment, counts.size, quantile, float(np.quantile(counts, quantile)))
            for segment, counts in parts
            for quantile in _QUANTILES
        ]
        return pd.DataFrame(rows, columns=["segment", "n_users", "quantile", "n_ratings"])

    def _range(self) -> str:
        return f"from {self.rating.min():g} to {self.rating.max():g}" if self.n_ratings else "none"

    def __repr__(self) -> str:
        """Return one line: the size of the table and the range of its ratings."""
        return (
            f"RatingsTable({self.name!r}: {self.n_users:,} users x {self.n_items:,} items, "
            f"{self.n_ratings:,} ratings {self._range()}, density {self.density:.3g})"
        )

    def describe(self) -> str:
        """Return a few lines for people: size, density, range, segments.

        Examples
        --------
        >>> from pgrpo_rec.datasets import load_sample_ratings
        >>> print(load_sample_ratings().describe())
        sample_ratings: 300 users x 40 items
        12,000 ratings from 1 to 5, 5 distinct values
        density 1: dense, every user rated every item
        segments: majority 70%, minority 20%, tenth 10%
        """
        per_user = np.bincount(self.user_index, minlength=self.n_users)
        kind = "dense, every user rated every item" if self.is_dense else "not dense"
        median = "" if self.is_dense else f", a user rated {np.median(per_user):g} items (median)"
        n_values = np.unique(self.rating).size
        lines = [
            f"{self.name or 'ratings'}: {self.n_users:,} users x {self.n_items:,} items",
            f"{self.n_ratings:,} ratings {self._range()}, {n_values} distinct values",
            f"density {self.density:.3g}: {kind}{median}",
        ]
        if self.segments is not None:
            labels, counts = np.unique(self.segments, return_counts=True)
            shares = [f"{s} {n / self.n_users:.0%}" for s, n in zip(labels, counts, strict=True)]
            lines.append(f"segments: {', '.join(shares)}")
        return "\n".join(lines)
