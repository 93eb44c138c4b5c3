"""Lanes of users as Gymnasium wants them: seeds, steps, episode ends.

Everything Gymnasium asks for is here, and nothing that could not be had with live users or from a
log. What a world must say of itself is in `pgrpo_envs.hooks`, what simulators can do beyond that
in `pgrpo_envs.base`.

Randomness is counter-based (`pgrpo_rec._random`): ``reset(seed=s)`` gives lane i the key of
(s, i), and every draw is keyed by (lane key, episode, t, slot). ``world_seed`` builds items
and users and has no part in it.
"""

from __future__ import annotations

from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pgrpo_envs.hooks import WorldHooks, cached_world, protect
from pgrpo_envs.lanes import (
    Clock,
    begin_episodes,
    close_step,
    first_outside,
    put_info,
    seed_lanes,
)
from pgrpo_envs.rendering import Diary, draw_frame, write_text
from pgrpo_envs.scenarios import Scenario, require, require_whole

InfoLevel = Literal["basic", "eval"]


class ServedVectorEnv(WorldHooks):
    """Many users of one world, served together.

    Parameters
    ----------
    num_envs : int, default=1
        n, the number of lanes: users served at the same time.
    preset : str, optional
        A named scenario of this world.
    scenario : Scenario, optional
        A scenario of one's own, in place of a preset.
    world_seed : int, default=0
        Builds items, users and groups. ``reset(seed=)`` drives the noise only.
    autoreset_mode : AutoresetMode or str, default=SAME_STEP
        With SAME_STEP a user who leaves is replaced at once and no dummy row is ever
        returned; the last observation of the episode is ``info["final_obs"]``.
    info_level : {"basic", "eval"}, default="basic"
        "eval" adds the truth (``user_type``, ``expected_reward``,
        ``best_expected_reward``) to ``info``. Never train on it.
    reveal_user_type : bool, default=False
        Append the true group to the observation, one-hot.
    replicas : int, default=1
        Lanes ``iG .. (i+1)G - 1`` follow the same user from the same start with noise of
        their own. A privilege of simulators.
    max_episode_steps : int, optional
        Truncate episodes after so many steps, if the scenario's horizon is not sooner.
    render_mode : {"ansi", "rgb_array"}, optional
    **changes
        Single fields of the scenario.

    Raises
    ------
    ValueError
        If an argument is out of its range; the message names it and what would be right.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        preset: str | None = None,
        scenario: Scenario | None = None,
        world_seed: int = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        info_level: InfoLevel = "basic",
        reveal_user_type: bool = False,
        replicas: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **changes: Any,
    ) -> None:
        self.num_envs = require_whole(num_envs, "num_envs", 1)
        self.replicas = require_whole(replicas, "replicas", 1)
        right = f"it must divide num_envs={num_envs}"
        require(self.num_envs % self.replicas == 0, "replicas", replicas, right)
        self.scenario = self._chosen_scenario(scenario, preset, changes)
        self.world_seed = require_whole(world_seed, "world_seed", 0)
        self._set_modes(autoreset_mode, info_level, reveal_user_type, render_mode)
        self.world = cached_world(type(self).build, self.scenario, self.world_seed)
        self._set_limits(max_episode_steps)
        self._open_lanes()
        self._open_spaces()

    # --- the parts of the constructor ----------------------------------------------------

    def _chosen_scenario(
        self, scenario: Scenario | None, preset: str | None, changes: dict[str, Any]
    ) -> Scenario:
        if scenario is None:
            return self.scenario_class.preset(preset, **changes)
        if preset is not None or changes:
            raise ValueError("give either scenario= or preset= with single fields, not both")
        right = f"a {self.scenario_class.__name__}"
        require(isinstance(scenario, self.scenario_class), "scenario", scenario, right)
        return scenario

    def _set_modes(
        self,
        autoreset_mode: AutoresetMode | str,
        info_level: InfoLevel,
        reveal_user_type: bool,
        render_mode: str | None,
    ) -> None:
        values = [mode.value for mode in AutoresetMode]
        good = isinstance(autoreset_mode, AutoresetMode) or autoreset_mode in values
        require(good, "autoreset_mode", autoreset_mode, f"an AutoresetMode, or one of {values}")
        require(info_level in ("basic", "eval"), "info_level", info_level, "'basic' or 'eval'")
        right = "it must be True or False"
        require(isinstance(reveal_user_type, bool), "reveal_user_type", reveal_user_type, right)
        modes = self.metadata["render_modes"]
        good = render_mode in (None, *modes)
        require(good, "render_mode", render_mode, f"one of {modes} or None")
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.info_level = info_level
        self.reveal_user_type = reveal_user_type
        self.render_mode = render_mode

    def _set_limits(self, max_episode_steps: int | None) -> None:
        limit = np.inf
        if max_episode_steps not in (None, -1):  # Gymnasium writes -1 for none
            limit = require_whole(max_episode_steps, "max_episode_steps", 1)
        # Observed time counts by the horizon alone: `make` hides its limit from the world.
        self.horizon = float(self._horizon())
        self._limit = min(self.horizon, float(limit))

    def _open_lanes(self) -> None:
        self.state = self._allocate(self.num_envs)
        self._clock: Any = Clock.of(self.num_envs)
        self._started = False
        drawn = self.render_mode is not None
        self._diary = Diary(self.n_groups, self.n_items) if drawn else None

    def _open_spaces(self) -> None:
        self._n_features = sum(columns.stop - columns.start for columns in self._layout().values())
        self.single_observation_space = self._single_observation_space()
        self._width = self.single_observation_space.shape[0]
        self.single_action_space = self._single_action_space()
        self._action_shape = self.single_action_space.shape or ()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    # --- Gymnasium -----------------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin new episodes.

        Parameters
        ----------
        seed : int or list of int, optional
            An int gives every lane a stream of its own. A list gives lane i what lane 0 gets
            from ``seed[i]``, as `gymnasium.vector.SyncVectorEnv` does. Without a seed the
            streams go on: the next episode is a new one.
        options : dict, optional
            ``{"reset_mask": bool array (n,)}`` resets only those lanes.

        Returns
        -------
        observation : ndarray of float32, shape (n, D)
        info : dict
        """
        lanes = self._lanes_to_reset(options)
        self._seed_lanes(seed, lanes)
        self._begin(lanes)
        obs = self._empty_observation()
        self._write_observation(np.arange(self.num_envs), obs)
        chosen = np.zeros(self.num_envs, dtype=np.bool_)
        chosen[lanes] = True
        info: dict[str, Any] = {}
        for key, values in self._visit_info().items():
            put_info(info, key, values, chosen)
        return obs, info

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Show every lane's user one item (or one slate) and hear the answers.

        Returns
        -------
        observation : ndarray of float32, shape (n, D)
        reward : ndarray of float64, shape (n,)
        terminated, truncated : ndarray of bool, shape (n,)
        info : dict

        Raises
        ------
        RuntimeError
            Before the first `reset`, or, with autoreset disabled, after an episode ended.
        ValueError
            If actions have a wrong shape or are out of range; nothing has changed then.
        """
        actions = self._checked(actions, (self.num_envs, *self._action_shape))
        self._check_may_step()
        waiting = self._clock.ended.copy()  # NEXT_STEP: these lanes are only reset
        told = self._truth(actions) if self.info_level == "eval" else {}
        obs = self._empty_observation()
        reward = np.empty(self.num_envs, dtype=np.float64)
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        told |= self._advance(actions, obs, reward, terminated)
        if self.reveal_user_type:
            self._reveal(np.arange(self.num_envs), obs)
        truncated = np.empty(self.num_envs, dtype=np.bool_)
        ended = np.empty(self.num_envs, dtype=np.bool_)
        close_step(self._clock, self._limit, waiting, reward, terminated, truncated, ended)
        if self._diary is not None:
            heard = ~waiting & (told.get("accepted", 1) == 1)
            self._diary.write(self.user_types[self._clock.user], actions, reward, heard)
        info: dict[str, Any] = {}
        fresh = waiting
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            fresh = ended
            self._keep_final(info, obs, told, ended)
        if fresh.any():
            lanes = np.flatnonzero(fresh)
            self._begin(lanes)
            self._write_observation(lanes, obs)
        for key, values in told.items():
            put_info(info, key, values, ~fresh)
        for key, values in self._visit_info().items():
            put_info(info, key, values, np.ones(self.num_envs, dtype=np.bool_))
        return obs, reward, terminated, truncated, info

    def render(self) -> Any:
        """Draw who is shown what and how happy each group is, for all lanes together.

        Returns
        -------
        str or ndarray of uint8, shape (height, width, 3)
            By ``render_mode`` "ansi" or "rgb_array".
        """
        if self._diary is None:
            gym.logger.warn("render() without a render_mode: pass render_mode='ansi' to make()")
            return None
        title = f"{type(self).__name__.removesuffix('VectorEnv')}, {self.num_envs} users at a time"
        if self.render_mode == "ansi":
            return write_text(title, self._diary)
        return draw_frame(title, self._diary)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # NumPy forgets write protection in copies and pickles; without it every kernel
        # would be compiled once more, for arrays of another type.
        self.__dict__.update(state)
        protect(self.world)

    # --- the parts of reset and step -----------------------------------------------------

    def _lanes_to_reset(self, options: dict[str, Any] | None) -> NDArray[np.int64]:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return np.arange(self.num_envs)
        right = f"a bool array of shape ({self.num_envs},) with at least one True"
        good = isinstance(mask, np.ndarray) and mask.shape == (self.num_envs,)
        require(good and mask.dtype == np.bool_ and mask.any(), "reset_mask", mask, right)
        require(self._started or bool(mask.all()), "reset_mask", mask, "reset all lanes first")
        return np.flatnonzero(mask)

    def _seed_lanes(self, seed: int | list[int | None] | None, lanes: NDArray[np.int64]) -> None:
        n = self.num_envs
        numbers = np.arange(n)
        if seed is None:
            if self._started:
                return
            roots = [int(self.np_random.integers(2**63))] * n
        elif isinstance(seed, (int, np.integer)):
            require(0 <= seed < 2**64, "seed", seed, "a whole number from 0 to 2**64 - 1")
            super().reset(seed=int(seed))
            roots = [int(seed)] * n
        else:
            right = f"a whole number, or a list with one for each of {n} lanes"
            good = isinstance(seed, (list, tuple, np.ndarray)) and len(seed) == n
            require(good, "seed", seed, right)
            numbers = np.zeros(n, dtype=np.int64)
            kept = np.array([s is not None for s in seed])
            whole = [s for s in seed if s is not None]
            good = all(isinstance(s, (int, np.integer)) and 0 <= s < 2**64 for s in whole)
            right = "seeds are whole numbers from 0 to 2**64 - 1, or None to go on"
            require(good, "seed", seed, right)
            require(
                self._started or bool(kept.all()), "seed", seed, "the first reset needs every seed"
            )
            roots = [0 if s is None else int(s) for s in seed]
            lanes = lanes[kept[lanes]]
        seed_lanes(self._clock, lanes, np.array(roots, dtype=np.uint64), numbers)
        self._clock.spawn_key[:] = np.repeat(self._clock.noise_key[:: self.replicas], self.replicas)

    def _begin(self, lanes: NDArray[np.int64]) -> None:
        clock = self._clock
        begin_episodes(clock, lanes, self.n_users)
        self._spawn(lanes)
        self._started = True

    def _empty_observation(self) -> NDArray[np.float32]:
        return np.empty((self.num_envs, self._width), dtype=np.float32)

    def _write_observation(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        self._observe(lanes, obs)
        self._reveal(lanes, obs)

    def _reveal(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        if self.reveal_user_type:
            obs[lanes, self._n_features :] = 0.0
            obs[lanes, self._n_features + self.user_types[self._clock.user[lanes]]] = 1.0

    def _visit_info(self) -> dict[str, NDArray[Any]]:
        """Return what is known before the recommender chooses."""
        info: dict[str, NDArray[Any]] = {"user_id": self._clock.user.copy()}
        if self.info_level == "eval":
            info["user_type"] = self.user_types[self._clock.user]
        return info

    def _keep_final(
        self,
        info: dict[str, Any],
        obs: NDArray[np.float32],
        told: dict[str, NDArray[Any]],
        ended: NDArray[np.bool_],
    ) -> None:
        """Before ended lanes are replaced, keep their last observation and info."""
        if not ended.any():
            return
        put_info(info, "final_obs", obs.copy(), ended)
        final: dict[str, Any] = {}
        for key, values in {**told, **self._visit_info()}.items():
            put_info(final, key, values, ended)
        put_info(info, "final_info", final, ended)

    def _single_observation_space(self) -> gym.spaces.Box:
        low, high = self._bounds()
        extra = self.n_groups if self.reveal_user_type else 0
        return gym.spaces.Box(
            np.append(low, np.zeros(extra)).astype(np.float32),
            np.append(high, np.ones(extra)).astype(np.float32),
            dtype=np.float32,
        )

    # --- what may be asked ----------------------------------------------------------------

    def _checked(self, actions: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
        actions = np.asarray(actions)
        require(
            actions.shape == tuple(shape), "actions", actions.shape, f"the shape must be {shape}"
        )
        right = f"items are whole numbers from 0 to {self.n_actions - 1}"
        require(actions.dtype.kind in "iu", "actions", actions.dtype, right)
        actions = np.ascontiguousarray(actions, dtype=np.int64)
        bad = first_outside(actions.ravel(), self.n_actions)
        if bad >= 0:
            lane = bad * self.num_envs // actions.size
            require(False, f"actions[{lane}]", actions[lane].tolist(), right)
        self._check_available(actions)
        return actions

    def _check_started(self) -> None:
        if not self._started:
            raise RuntimeError("call reset() first: before it there is no visit")

    def _check_may_step(self) -> None:
        self._check_started()
        if self.autoreset_mode is AutoresetMode.DISABLED and self._clock.ended.any():
            lanes = np.flatnonzero(self._clock.ended)
            raise RuntimeError(
                f"the episode of lane {lanes[0]} has ended ({lanes.size} lanes in all): "
                "call reset(options={'reset_mask': ...}) first"
            )
