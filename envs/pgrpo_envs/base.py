"""What all simulated worlds share: the truth, and answers to what was not shown.

A world is written once, as a `WorldVectorEnv`: one call steps all lanes in compiled code. The
single environment (`pgrpo_envs.single`) is that same world with one lane. Nothing here exists with
live users or in a log (`pgrpo_envs.served`), and no learner of ours needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.lanes import SLOT_CANDIDATE
from pgrpo_envs.scenarios import require
from pgrpo_envs.served import ServedVectorEnv


class WorldVectorEnv(ServedVectorEnv):
    """A world that can be asked for the truth, and be taken back to where it was.

    Its arguments are those of `pgrpo_envs.served.ServedVectorEnv`.
    """

    def expected_reward(self, actions: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Return the exact expected reward of the present visits.

        Parameters
        ----------
        actions : ndarray of int64, shape (n,) or (n, G), optional
            Items to look at; all of them by default.

        Returns
        -------
        ndarray of float64, shape (n, K), or the shape of ``actions``

        Raises
        ------
        RuntimeError
            Before the first `reset`: there is no visit yet.
        ValueError
            If actions have a wrong shape or are out of range.
        """
        if actions is None:
            return self._values()
        actions = self._checked(actions, (self.num_envs, *np.shape(actions)[1:2]))
        self._check_started()
        columns = actions.reshape(self.num_envs, -1)
        return self._expected_of(columns).reshape(np.shape(actions))

    def best_expected_reward(self) -> NDArray[np.float64]:
        """Return the expected reward of each lane's best available action, shape (n,)."""
        return np.where(self.action_mask(), self._values(), -np.inf).max(axis=1)

    def uniform_expected_reward(self) -> NDArray[np.float64]:
        """Return the expected reward of an available action drawn at random, shape (n,)."""
        mask = self.action_mask()
        return np.where(mask, self._values(), 0.0).sum(axis=1) / mask.sum(axis=1)

    def oracle_action(self) -> NDArray[np.int64]:
        """Return each lane's best available action for the present visit, shape (n,)."""
        return np.where(self.action_mask(), self._values(), -np.inf).argmax(axis=1)

    def score(
        self, actions: NDArray[np.int64], *, common_noise: bool = False
    ) -> dict[str, NDArray[np.float64]]:
        """Hear what users would answer to candidates, without showing any.

        Nothing changes: neither users nor random streams. Candidate 0 gets exactly the
        answer that `step` would give.

        Parameters
        ----------
        actions : ndarray of int64, shape (n, G) (slates: (n, G, S))
        common_noise : bool, default=False
            Use the same random number for all candidates of a user.

        Returns
        -------
        dict
            ``"reward"`` of shape (n, G), and what else the world knows, such as ``"cost"``.
        """
        actions = np.asarray(actions)
        right = (self.num_envs, actions.shape[1] if actions.ndim > 1 else 1)
        actions = self._checked(actions, (*right, *self._action_shape))
        self._check_may_step()
        slots = np.zeros(right[1], dtype=np.int64)
        if not common_noise:
            slots[1:] = SLOT_CANDIDATE + np.arange(1, right[1])
        return self._score(actions, slots)

    def _values(self) -> NDArray[np.float64]:
        self._check_started()
        return self._expected()

    def get_state(self) -> list[NDArray[Any]]:
        """Return a copy of everything that changes, to be given back to `set_state`."""
        return [array.copy() for array in (*self._clock, *self.state)]

    def set_state(self, state: list[NDArray[Any]]) -> None:
        """Go back to where `get_state` was called.

        Raises
        ------
        ValueError
            If the arrays are not of the shapes that `get_state` returns here.
        """
        own = (*self._clock, *self.state)
        shapes = [array.shape for array in own]
        given = [np.shape(array) for array in state]
        right = f"get_state of this environment returns arrays of the shapes {shapes}"
        require(given == shapes, "state", given, right)
        for array, kept in zip(own, state, strict=True):
            array[...] = kept
        self._started = bool((self._clock.episode >= 0).all())

    def _truth(self, actions: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        return {
            "expected_reward": self.expected_reward(actions),
            "best_expected_reward": self.best_expected_reward(),
        }
