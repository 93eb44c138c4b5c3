"""Which users and items are rated enough: masks over both, found by pruning in turn."""

from __future__ import annotations

import numpy as np


def dense_part(
    user_index: np.ndarray,
    item_index: np.ndarray,
    shape: tuple[int, int],
    least: tuple[int, int],
    *,
    complete: bool,
    max_items: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return masks (U,) and (K,) of the users and items to keep.

    ``least`` are the ratings that a user and an item need among those kept. The masks do not
    depend on the order of pruning: what is left is the largest part that meets the limits.

    Examples
    --------
    >>> import numpy as np
    >>> user, item = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 2])
    >>> users, items = dense_part(user, item, (3, 3), (2, 2), complete=False, max_items=None)
    >>> users.tolist(), items.tolist()
    ([True, True, False], [True, True, False])
    """
    users = np.ones(shape[0], dtype=bool)
    items = np.zeros(shape[1], dtype=bool)
    counts = np.bincount(item_index, minlength=shape[1])
    items[np.argsort(-counts, kind="stable")[:max_items]] = True
    _prune(users, items, user_index, item_index, least)
    if complete:
        _prune(users, items, user_index, item_index, (int(items.sum()), least[1]))
    return users, items


def _prune(
    users: np.ndarray,
    items: np.ndarray,
    user_index: np.ndarray,
    item_index: np.ndarray,
    least: tuple[int, int],
) -> None:
    """Take out of the masks, in place, who and what has too few ratings, until none has."""
    before = -1
    while before != (before := int(users.sum() + items.sum())):
        kept = users[user_index] & items[item_index]
        items &= np.bincount(item_index[kept], minlength=items.size) >= least[1]
        kept &= items[item_index]
        users &= np.bincount(user_index[kept], minlength=users.size) >= least[0]
