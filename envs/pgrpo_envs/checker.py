"""A checker of vector environments, which Gymnasium lacks (its `check_env` refuses them).

>>> from pgrpo_envs.checker import check_vector_env
>>> check_vector_env("pgrpo_envs/PreferenceBandit-v0", n_ends=20, many_lanes=16)

A check fails with an AssertionError that says what was expected. What every vector environment
must do is here, the single environment is checked in `checker_singles`, and what simulators do
beyond that in `checker_privileges`.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numba
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from pgrpo_envs.checker_privileges import PRIVILEGES
from pgrpo_envs.checker_singles import check_against_singles, check_single
from pgrpo_envs.checker_tools import (
    Subject,
    arrays_of,
    available_actions,
    demand,
    demand_raises,
    demand_same,
    lane_tracks,
    play,
)


def check_vector_env(
    vector: str | Callable[..., VectorEnv],
    single: Callable[..., gym.Env] | None = None,
    *,
    num_envs: int = 7,
    n_steps: int = 40,
    n_ends: int = 300,
    many_lanes: int = 4096,
    **kwargs: Any,
) -> None:
    """Check that a vector environment keeps the contract of Gymnasium and of our worlds.

    Checked are: spaces, metadata, shapes and types; that returned arrays are the caller's own;
    that seeds repeat, and that seed s + 1 shares no lane with s; that a lane does not depend on
    the number of lanes or threads; that with a list of seeds it equals `SyncVectorEnv` of single
    environments bit for bit in every autoreset mode; that wrong actions are refused and change
    nothing; copies and pickles; ``reset_mask``; ``max_episode_steps``; statistics wrappers;
    rendering; the single environment by Gymnasium's `check_env`, without any warning. Where it
    has them also ``score``, ``get_state``, ``expected_reward`` and the secrecy of the truth.

    Parameters
    ----------
    vector : str or callable
        A registered id, or a class made by ``vector(num_envs, **kwargs)``.
    single : callable, optional
        The class of the single environment; an id knows its own. Without it the comparison
        with single environments is left out.
    num_envs : int, default=7
        Lanes in most checks, at least 2.
    n_steps : int, default=40
        Steps in most checks.
    n_ends : int, default=300
        Episode ends to compare with single environments, in each autoreset mode.
    many_lanes : int, default=4096
        Lanes with which ``num_envs`` lanes are compared.
    **kwargs
        What the environment is made with. Short episodes and few items check faster.

    Raises
    ------
    AssertionError
        If the environment breaks the contract; the message says where.

    Notes
    -----
    Actions must be `Discrete` or `MultiDiscrete`. An ``action_mask()`` is respected.
    """
    subject = Subject(vector, single, num_envs, n_steps, n_ends, many_lanes, kwargs)
    checks: list[Callable[[Subject], None]] = [
        _check_spaces,
        _check_outputs,
        _check_fresh_arrays,
        _check_seeds,
        _check_lanes,
        _check_threads,
        _check_wrong_actions,
        _check_copies,
        _check_reset_mask,
        _check_statistics,
        _check_render,
        _check_limit,
    ]
    if subject.has_single:
        checks += [check_single, check_against_singles]
    for check in (*checks, *PRIVILEGES):
        check(subject)


def _check_spaces(subject: Subject) -> None:
    env, other = subject.make(), subject.make(autoreset_mode=AutoresetMode.DISABLED)
    demand(isinstance(env.unwrapped, VectorEnv), "it must be a gymnasium.vector.VectorEnv")
    demand(env.num_envs == subject.n, f"num_envs must be {subject.n}, it is {env.num_envs}")
    for name in ("observation_space", "action_space"):
        batched = batch_space(getattr(env, f"single_{name}"), subject.n)
        demand(getattr(env, name) == batched, f"{name} must be single_{name} batched")
    space = env.single_observation_space
    demand(isinstance(space, gym.spaces.Box), f"single_observation_space must be a Box: {space}")
    demand(space.dtype == np.float32, f"observations must be float32, not {space.dtype}")
    demand(space.is_bounded(), "bounds of observations must be finite")
    mode = vars(env.unwrapped).get("metadata", {}).get("autoreset_mode")
    right = "metadata['autoreset_mode'] must be an AutoresetMode set on the instance"
    demand(isinstance(mode, AutoresetMode), f"{right}, it is {mode!r}")
    right = "two instances with different autoreset modes must differ in their metadata"
    demand(other.metadata["autoreset_mode"] is AutoresetMode.DISABLED, right)


def _check_outputs(subject: Subject) -> None:
    env = subject.make()
    obs, info = env.reset(seed=1)
    _demand_obs(env, obs, "reset")
    for draws in subject.draws(subject.n):
        obs, reward, terminated, truncated, info = env.step(available_actions(env, draws))
        _demand_obs(env, obs, "step")
        for name, array, dtype in (
            ("reward", reward, np.float64),
            ("terminated", terminated, np.bool_),
            ("truncated", truncated, np.bool_),
        ):
            good = isinstance(array, np.ndarray) and array.shape == (subject.n,)
            demand(good and array.dtype == dtype, f"{name} must be ({subject.n},) of {dtype}")
        demand(bool(np.isfinite(reward).all()), "rewards must be finite")
        for key in [key for key in info if not key.startswith("_")]:
            mask = info.get(f"_{key}")
            good = isinstance(mask, np.ndarray) and mask.shape == (subject.n,)
            demand(good and mask.dtype == np.bool_, f"info['_{key}'] must be a mask of lanes")
        right = "info keys 'episode' belong to RecordEpisodeStatistics"
        demand("episode" not in info, right)


def _demand_obs(env: VectorEnv, obs: Any, where: str) -> None:
    inside = env.observation_space.contains(obs)
    demand(inside, f"{where} must return observations inside observation_space: {obs!r}")


def _check_fresh_arrays(subject: Subject) -> None:
    env, twin = subject.make(), subject.make()
    seen: list[np.ndarray] = []
    outputs, expected = [env.reset(seed=1)], [twin.reset(seed=1)]
    for draws in subject.draws(subject.n)[:8]:
        actions = available_actions(env, draws)
        outputs.append(env.step(actions.copy()))
        expected.append(twin.step(actions))
        demand_same(outputs[-1], expected[-1], "after the caller overwrote what it was given, step")
        now = arrays_of(outputs[-1])
        for array in now:
            shared = any(np.shares_memory(array, old) for old in seen)
            demand(not shared, "arrays returned by two calls must not share memory")
        seen += now
        for array in now:
            array[...] = np.zeros((), dtype=array.dtype)


def _check_seeds(subject: Subject) -> None:
    env = subject.make()
    first = play(env, subject.draws(subject.n), seed=5)
    again = play(env, subject.draws(subject.n), seed=5)
    demand_same(first, again, "played twice with the same seed, it")
    draws = np.repeat(subject.draws(1), subject.n, axis=1)  # every lane acts alike
    tracks = lane_tracks([play(subject.make(), draws, seed=s) for s in (5, 6)])
    right = "lanes of seeds s and s + 1 must differ (mix the lane into the key, do not add it)"
    demand(not set(tracks[0]) & set(tracks[1]), right)
    demand(len(set(tracks[0])) == subject.n, "lanes of one seed must differ from each other")


def _check_lanes(subject: Subject) -> None:
    draws = subject.draws(subject.many)[:12]
    few = play(subject.make(), draws[:, : subject.n], seed=3)
    many = play(subject.make(num_envs=subject.many), draws, seed=3)
    cut = [tuple(part[: subject.n] for part in step[:-1]) for step in many]
    kept = [step[:-1] for step in few]
    demand_same(kept, cut, f"among {subject.many} lanes, the first {subject.n} lanes")


def _check_threads(subject: Subject) -> None:
    before = numba.get_num_threads()
    runs = []
    try:
        for n_threads in (1, before):
            numba.set_num_threads(n_threads)
            runs.append(play(subject.make(), subject.draws(subject.n), seed=4))
    finally:
        numba.set_num_threads(before)
    demand_same(runs[0], runs[1], "on one thread and on many, it")


def _check_wrong_actions(subject: Subject) -> None:
    env, twin = subject.make(), subject.make()
    draws = subject.draws(subject.n)
    anything = np.zeros(env.action_space.shape, dtype=np.int64)
    demand_raises(partial(env.step, anything), "step before reset")
    for one in (env, twin):
        one.reset(seed=2)
    right = available_actions(env, draws[0])
    largest, outside, negative = env.single_action_space, right.copy(), right.copy()
    outside.flat[0] = np.max(largest.n if hasattr(largest, "n") else largest.nvec)
    negative.flat[-1] = -1
    wrong = {
        "an action out of range": outside,
        "a negative action": negative,
        "too few actions": right[:-1],
        "actions with one dimension too many": right[None],
        "fractions as actions": right + 0.5,
        "strings as actions": right.astype(str),
    }
    for what, actions in wrong.items():
        demand_raises(partial(env.step, actions), what)
    outputs = [one.step(right) for one in (env, twin)]
    demand_same(outputs[0], outputs[1], "after wrong actions were refused, step")


def _check_copies(subject: Subject) -> None:
    env, draws = subject.make(), subject.draws(subject.n)
    half = len(draws) // 2
    play(env, draws[:half], seed=8)
    copies = {"a deep copy": copy.deepcopy(env), "a pickled copy": pickle.loads(pickle.dumps(env))}
    went_on = play(env, draws[half:])
    for what, other in copies.items():
        demand_same(went_on, play(other, draws[half:]), what)


def _check_reset_mask(subject: Subject) -> None:
    env, draws = subject.make(), subject.draws(subject.n)
    mask = np.arange(subject.n) % 2 == 0
    before = play(env, draws[:3], seed=9)[-1][0]
    twin = copy.deepcopy(env)
    obs, info = env.reset(options={"reset_mask": mask.copy()})
    demand_same(obs[~mask], before[~mask], "observations of lanes outside reset_mask")
    masks = [value for key, value in info.items() if key.startswith("_")]
    right = "a masked reset must give info for the lanes it reset, and only for them"
    demand(all(np.array_equal(value, mask) for value in masks), right)
    outputs = []
    for one in (twin, env):  # the twin draws its own actions where masks are by user
        outputs.append(one.step(available_actions(one, draws[3])))
    for part in range(4):
        kept = [output[part][~mask] for output in outputs]
        demand_same(kept[0], kept[1], "the next step of lanes outside reset_mask")
    wrong = {"an empty reset_mask": np.zeros(subject.n, bool), "a short reset_mask": mask[:-1]}
    for what, bad in wrong.items():
        demand_raises(partial(env.reset, options={"reset_mask": bad}), what)


def _check_statistics(subject: Subject) -> None:
    env = RecordEpisodeStatistics(subject.make(), buffer_length=subject.n * subject.n_steps)
    env.reset(seed=4)
    total, open_sum, expected = 0, np.zeros(subject.n), 0.0
    for draws in subject.draws(subject.n):
        _, reward, terminated, truncated, _ = env.step(available_actions(env, draws))
        ended = terminated | truncated
        open_sum += reward
        expected += open_sum[ended].sum()
        open_sum[ended] = 0.0
        total += int(ended.sum())
    same = env.episode_count == total and np.isclose(sum(env.return_queue), expected)
    demand(bool(same), "RecordEpisodeStatistics must count every episode and reward once")


def _check_render(subject: Subject) -> None:
    makers = [(subject.make, subject.n)] + [(subject.make_single, 1)] * subject.has_single
    for make, n in makers:
        for mode in make().metadata.get("render_modes", []):
            env = make(render_mode=mode)
            for draws in subject.draws(n)[:3]:
                env.reset(seed=0)
                actions = available_actions(env, draws)
                env.step(actions if n > 1 else actions[0])
            frame = env.render()
            if mode == "ansi":
                demand(isinstance(frame, str) and frame != "", "render 'ansi' must return text")
            if mode == "rgb_array":
                good = isinstance(frame, np.ndarray) and frame.dtype == np.uint8
                right = "render 'rgb_array' must return uint8 of shape (height, width, 3)"
                demand(good and frame.ndim == 3 and frame.shape[2] == 3, right)


def _check_limit(subject: Subject) -> None:
    env = subject.make(max_episode_steps=3)
    env.reset(seed=0)
    since_end = np.zeros(subject.n, dtype=np.int64)
    for draws in subject.draws(subject.n):
        _, _, terminated, truncated, _ = env.step(available_actions(env, draws))
        since_end += 1
        late = since_end >= 3
        demand(bool(truncated[late].all()), "max_episode_steps=3 must truncate at step 3")
        since_end[terminated | truncated] = 0
