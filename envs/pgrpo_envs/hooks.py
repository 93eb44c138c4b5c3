"""What a world says of itself: the hooks of `pgrpo_envs.served` and `pgrpo_envs.base`.

A new world answers the hooks that raise NotImplementedError; the others have an answer that
suits most worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from pgrpo_envs.scenarios import Scenario


class WorldHooks(VectorEnv):
    """What is known of a world, and what it must say of itself."""

    scenario_class: ClassVar[type[Scenario]]
    scenario: Any
    world: Any  # what `build` returned: read-only
    state: Any  # what `_allocate` returned: changed in place
    autoreset_mode: AutoresetMode
    horizon: float
    reveal_user_type: bool
    _clock: Any
    _started: bool
    _n_features: int
    _action_shape: tuple[int, ...]

    # --- what is known of the world ------------------------------------------------------

    @property
    def user_types(self) -> NDArray[np.int64]:
        """True preference group of every user id, shape (U,). A privilege of simulators."""
        return self.world.user_types

    @property
    def n_groups(self) -> int:
        """Number of preference groups, P."""
        return int(self.user_types.max()) + 1

    @property
    def n_users(self) -> int:
        """Number of people in the population, U; ``info["user_id"]`` runs over them."""
        return int(self.user_types.size)

    @property
    def n_items(self) -> int:
        """Number of items, K."""
        return int(self.world.n_items)

    @property
    def obs_layout(self) -> dict[str, slice]:
        """Which columns of an observation mean what."""
        layout = dict(self._layout())
        if self.reveal_user_type:
            layout["user_type"] = slice(self._n_features, self._n_features + self.n_groups)
        return layout

    def action_mask(self) -> NDArray[np.bool_]:
        """Return which actions are available to each lane's user, shape (n, K)."""
        return np.ones((self.num_envs, self.n_items), dtype=np.bool_)

    # --- hooks: what a world says of itself ----------------------------------------------

    @property
    def n_actions(self) -> int:
        """Number of actions, items unless a world says otherwise."""
        return self.n_items

    @staticmethod
    def build(scenario: Any, world_seed: int) -> Any:
        """Build items, users and groups: a named tuple of arrays, ``n_items`` among them."""
        raise NotImplementedError

    def _horizon(self) -> float:
        """Return after how many steps an episode is truncated."""
        return getattr(self.scenario, "horizon", np.inf)

    def _single_action_space(self) -> gym.Space:
        return gym.spaces.Discrete(self.n_actions)

    def _layout(self) -> dict[str, slice]:
        """Return which columns of an observation mean what."""
        raise NotImplementedError

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the finite lower and upper bounds of the observation's columns."""
        raise NotImplementedError

    def _allocate(self, n: int) -> Any:
        """Return a named tuple of the arrays in which users' changing state is kept."""
        raise NotImplementedError

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        """Set the state of lanes to the start of an episode of ``self._clock.user``."""
        raise NotImplementedError

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        """Write the world's columns of the observation of some lanes."""
        raise NotImplementedError

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        """Step all lanes: fill the three arrays, return what else goes into ``info``."""
        raise NotImplementedError

    def _check_available(self, actions: NDArray[np.int64]) -> None:
        """Refuse actions outside a mask; worlds without masks have nothing to refuse."""

    def _truth(self, actions: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return what ``info_level="eval"`` adds to a step: nothing where it is not known."""
        return {}

    # --- hooks of simulated worlds alone -------------------------------------------------

    def _expected(self) -> NDArray[np.float64]:
        """Return the expected reward of every action, shape (n, K)."""
        raise NotImplementedError

    def _expected_of(self, actions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the expected reward of candidates, shape (n, G); quicker where K is large."""
        return np.take_along_axis(self._expected(), actions, axis=1)

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Answer candidates (n, G); candidate g draws from ``SLOT_REWARD + slots[g]``."""
        raise NotImplementedError


@lru_cache(maxsize=16)
def cached_world(build: Callable[[Any, int], Any], scenario: Scenario, world_seed: int) -> Any:
    """Build a world once for all environments of equal scenario and seed."""
    world = build(scenario, world_seed)
    protect(world)
    return world


def protect(world: Any) -> None:
    """Make the arrays of a world read-only."""
    for array in world:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
