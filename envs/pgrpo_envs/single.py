"""The single environment of a world: its vector environment with one lane."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from pgrpo_envs.served import ServedVectorEnv


class WorldEnv(gym.Env):
    """One user of a world at a time: the vector environment with one lane.

    The privileges of simulators (`pgrpo_envs.base`) are those of the
    attribute ``vector``.

    Parameters
    ----------
    render_mode : {"ansi", "rgb_array"}, optional
    **kwargs
        As the vector environment of the same world takes them.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}
    vector_class: ClassVar[type[ServedVectorEnv]]

    def __init__(self, *, render_mode: str | None = None, **kwargs: Any) -> None:
        self.vector = self.vector_class(
            1, render_mode=render_mode, autoreset_mode=AutoresetMode.DISABLED, **kwargs
        )
        self.render_mode = render_mode
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin a new episode with a new user; see `ServedVectorEnv.reset`."""
        super().reset(seed=seed)
        if seed is None and not self.vector._started:
            seed = int(self.np_random.integers(2**31))
        obs, info = self.vector.reset(seed=seed)
        return obs[0], _first_lane(info)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Show the user one item or one slate; see `ServedVectorEnv.step`."""
        obs, reward, terminated, truncated, info = self.vector.step(np.asarray(action)[None])
        return (
            obs[0],
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            _first_lane(info),
        )

    def render(self) -> Any:
        """Draw who is shown what; see `ServedVectorEnv.render`."""
        return self.vector.render()


def _first_lane(info: dict[str, Any]) -> dict[str, Any]:
    return {k: v[0] for k, v in info.items() if not k.startswith("_") and info[f"_{k}"][0]}
