"""A memory of the last answers, for what no sums of fixed size can tell.

Shapes: n answers, D = d + 1 columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Kept(NamedTuple):
    """Answers, in any order."""

    users: NDArray[Any]  # (n,), rows of users, or their ids
    z: Floats  # (n, D), features with the constant first
    actions: Ints  # (n,)
    rewards: Floats  # (n,)


def take_answers(kept: Kept, rows: NDArray[np.bool_] | Ints | slice) -> Kept:
    """Return some of the answers."""
    users, z, actions, rewards = kept
    return Kept(users[rows], z[rows], actions[rows], rewards[rows])


class AnswerMemory:
    """The last answers, at most so many.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._blocks: deque[Kept] = deque()
        self._n = 0

    def add(self, answers: Kept) -> None:
        """Take answers in; the oldest are forgotten."""
        answers = take_answers(answers, slice(-self.size, None))
        self._blocks.append(answers)
        self._n += answers.rewards.size
        while self._n > self.size:
            oldest, surplus = self._blocks[0], self._n - self.size
            if oldest.rewards.size <= surplus:
                self._n -= self._blocks.popleft().rewards.size
            else:
                self._blocks[0] = take_answers(oldest, slice(surplus, None))
                self._n -= surplus

    def follow_users(self, moved: Ints) -> None:
        """Give users their new rows, and forget what those of row -1 answered."""
        for i, block in enumerate(self._blocks):
            self._blocks[i] = block._replace(users=moved[block.users])
        self._select(lambda users: users >= 0)

    def keep_only(self, known: NDArray[Any]) -> None:
        """Forget what all others answered, where users go by their ids."""
        self._select(lambda users: np.isin(users, known))

    def _select(self, wanted: Callable[[NDArray[Any]], NDArray[np.bool_]]) -> None:
        blocks = [take_answers(block, wanted(block.users)) for block in self._blocks]
        self._blocks = deque(block for block in blocks if block.users.size)
        self._n = sum(block.users.size for block in self._blocks)

    def all(self) -> Kept:
        """Return all that is remembered, as it came; there is something."""
        whole = Kept(*(np.concatenate(parts) for parts in zip(*self._blocks, strict=True)))
        self._blocks = deque([whole])
        return whole

    def insert_items(self, places: Ints) -> None:
        """Make room for new items before each of the old ``places``."""
        for i, block in enumerate(self._blocks):
            shift = np.searchsorted(np.sort(places), block.actions, side="right")
            self._blocks[i] = block._replace(actions=block.actions + shift)
