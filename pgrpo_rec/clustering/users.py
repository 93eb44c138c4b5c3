"""The users met so far, with their statistics: the only state that learning groups needs.

Shapes: n feedbacks, U users, K actions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.clustering.labels import find, insert
from pgrpo_rec.clustering.statistics import (
    Statistics,
    empty_statistics,
    fold,
    insert_columns,
    take,
    with_room,
)


class UserStatistics:
    """Statistics of users and items, both of which may be new at any time.

    Parameters
    ----------
    actions : ndarray, shape (K,)
        Sorted labels of the items known from the start; may be empty.

    Attributes
    ----------
    users, actions : ndarray, shapes (U,) and (K,)
        Sorted labels. ``rows[i]`` is the row of ``users[i]``; columns are in order.
    binary : bool
        Whether all rewards so far were 0 or 1.
    n_feedback : int
    """

    def __init__(self, actions: NDArray[Any]) -> None:
        self.users: NDArray[Any] = np.empty(0, dtype=np.int64)
        self.rows = np.empty(0, dtype=np.int64)
        self.actions = actions
        self.binary = True
        self.n_feedback = 0
        self._table = empty_statistics(0, actions.size)
        self._seen = np.empty(0, dtype=np.int64)  # by row: the batch of the last feedback
        self._n_batches = 0

    def add(
        self, rewards: NDArray[np.float64], items: NDArray[Any], people: NDArray[Any]
    ) -> NDArray[np.int64]:
        """Take feedback in; return the row of each user."""
        new = np.unique(people[find(self.users, people) < 0])
        if new.size:
            self.users, self.rows = insert(self.users, self.rows, new)
            self._table = with_room(self._table, self.users.size)
            self._seen = np.concatenate([self._seen, np.zeros(new.size, dtype=np.int64)])
        new = np.unique(items[find(self.actions, items) < 0])
        if new.size:
            self._table = insert_columns(self._table, self.places(new))
            self.actions, _ = insert(self.actions, np.arange(self.actions.size), new)
        rows = self.rows[find(self.users, people)]
        fold(self._table, rows, find(self.actions, items), rewards)
        self._n_batches += 1
        self._seen[rows] = self._n_batches
        self.n_feedback += rewards.size
        self.binary = self.binary and is_binary(rewards)
        return rows

    def forget_oldest(self, n_kept: int) -> NDArray[np.int64]:
        """Forget all but the users who gave feedback last; those of one batch by row.

        Parameters
        ----------
        n_kept : int

        Returns
        -------
        ndarray of int64, shape (U,)
            The new row of each old one, -1 where it is forgotten.
        """
        kept = np.sort(np.argsort(-self._seen, kind="stable")[:n_kept])
        moved = np.full(self._seen.size, -1, dtype=np.int64)
        moved[kept] = np.arange(kept.size)
        self._table, self._seen = take(self._table, kept), self._seen[kept]
        stay = moved[self.rows] >= 0
        self.users, self.rows = self.users[stay], moved[self.rows[stay]]
        return moved

    def places(self, new: NDArray[Any]) -> NDArray[np.int64]:
        """Return the columns before which new items go."""
        if self.actions.size == 0:
            return np.zeros(new.size, dtype=np.int64)
        return np.searchsorted(self.actions, new).astype(np.int64)

    def everybody(self) -> Statistics:
        """Return the statistics of all users by row (a view)."""
        return take(self._table, slice(self.users.size))

    def of_rows(self, rows: NDArray[np.int64]) -> Statistics:
        """Return the statistics of some rows (a copy)."""
        return take(self._table, rows)

    def of_users(self, labels: NDArray[Any]) -> Statistics:
        """Return the statistics of some users (a copy), empty for those never met."""
        found = empty_statistics(labels.size, self.actions.size)
        places = find(self.users, labels)
        known = places >= 0
        for new, old in zip(found, self._table, strict=True):
            new[known] = old[self.rows[places[known]]]
        return found


def is_binary(rewards: NDArray[np.float64]) -> bool:
    """Return whether all rewards are 0 or 1."""
    return bool(((rewards == 0.0) | (rewards == 1.0)).all())
