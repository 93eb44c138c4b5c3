"""Checks of the single environment, alone and beside the vector environment."""

from __future__ import annotations

import warnings
from functools import partial

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit

from pgrpo_envs.checker_tools import (
    Subject,
    available_actions,
    demand,
    demand_raises,
    demand_same,
    is_masked,
)

MAX_STEPS = 20_000  # give up waiting for episodes to end


def check_single(subject: Subject) -> None:
    """Check the single environment by Gymnasium's `check_env`, and its statistics."""
    env = subject.make_single()
    env.reset(seed=0)
    if not is_masked(env):  # the checker of Gymnasium knows no masks
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env.unwrapped, skip_render_check=env.spec is None)
    env = RecordEpisodeStatistics(env)
    env.reset(seed=0)
    total, ended = 0.0, False
    draws = subject.draws(1)
    for t in range(MAX_STEPS):
        action = available_actions(env, draws[t % len(draws)])[0]
        _, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
        if terminated or truncated:
            ended = bool(np.isclose(info["episode"]["r"], total))
            break
    demand(ended, "RecordEpisodeStatistics must report the return of a single episode")


def check_against_singles(subject: Subject) -> None:
    """Check that lanes equal single environments, bit for bit, in every autoreset mode."""
    for mode in AutoresetMode:
        _compare_with_singles(subject, mode, subject.n_ends, None)
    for limit in (3, MAX_STEPS):
        _compare_with_singles(subject, AutoresetMode.SAME_STEP, subject.n_ends // 10, limit)


def _compare_with_singles(
    subject: Subject, mode: AutoresetMode, n_ends: int, limit: int | None
) -> None:
    more = {} if limit is None else {"max_episode_steps": limit}
    own = subject.make(autoreset_mode=mode, **more)

    def make_one() -> gym.Env:
        env = subject.make_single()
        return env if limit is None else TimeLimit(env, limit)

    singles = SyncVectorEnv([make_one] * subject.n, autoreset_mode=mode)
    seeds: list[int | None] = [1000 + 17 * i * i for i in range(subject.n)]
    what = f"beside SyncVectorEnv with {mode}, limit {limit}: "
    demand_same(own.reset(seed=seeds), singles.reset(seed=seeds), what + "reset")
    draws, seen = subject.draws(subject.n), 0
    for t in range(MAX_STEPS):
        actions = available_actions(own, draws[t % len(draws)])
        outputs = own.step(actions), singles.step(actions)
        demand_same(outputs[0], outputs[1], what + f"step {t}")
        ended = outputs[0][2] | outputs[0][3]
        seen += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            demand_raises(partial(own.step, actions), "a step after an end")
            again = [e.reset(options={"reset_mask": ended.copy()}) for e in (own, singles)]
            demand_same(again[0], again[1], what + f"reset_mask after step {t}")
        if seen >= n_ends:
            return
    demand(False, f"only {seen} episodes ended in {MAX_STEPS} steps: shorten them by an argument")
