"""Checks of what simulators do beyond Gymnasium: candidates, replays and a hidden truth.

Each applies where the environment has the method, and else passes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pgrpo_envs.checker_tools import Subject, available_actions, demand, demand_same, play

SECRETS = ("user_type", "expected_reward", "best_expected_reward")
N_CANDIDATES = 4


def _check_replay(subject: Subject) -> None:
    env, draws = subject.make().unwrapped, subject.draws(subject.n)
    if not hasattr(env, "get_state"):
        return
    half = len(draws) // 2
    play(env, draws[:half], seed=8)
    kept = env.get_state()
    first = play(env, draws[half:])
    env.set_state(kept)
    demand_same(first, play(env, draws[half:]), "played again after set_state, it")


def _check_score(subject: Subject) -> None:
    env, draws = subject.make().unwrapped, subject.draws(subject.n)
    if not hasattr(env, "score"):
        return
    get_state: Any = getattr(env, "get_state", list)
    env.reset(seed=6)
    for t in range(0, len(draws) - N_CANDIDATES, N_CANDIDATES):
        rows = draws[t : t + N_CANDIDATES]
        actions = np.stack([available_actions(env, row) for row in rows], axis=1)
        before = get_state()
        scored = env.score(actions)
        demand_same(scored, env.score(actions), "asked twice, score")
        demand_same(before, get_state(), "beside the state before, the state after score")
        shape = (subject.n, N_CANDIDATES)
        demand(scored["reward"].shape == shape, f"score must return rewards of shape {shape}")
        alone = env.score(actions[:, :1], common_noise=True)
        both = env.score(np.repeat(actions[:, :1], 2, axis=1), common_noise=True)
        columns = both["reward"].T
        demand_same(columns[0], columns[1], "with common noise, one action shown twice")
        demand_same(alone["reward"][:, 0], columns[0], "with and without company, a candidate")
        reward = env.step(actions[:, 0])[1]
        demand_same(scored["reward"][:, 0], reward, "for candidate 0, score and step")


def _check_truth(subject: Subject) -> None:
    env = subject.make().unwrapped
    if not hasattr(env, "expected_reward"):
        return
    env.reset(seed=7)
    for draws in subject.draws(subject.n)[:5]:
        best, uniform = env.best_expected_reward(), env.uniform_expected_reward()
        chosen = env.expected_reward(env.oracle_action())
        demand(np.allclose(chosen, best), "oracle_action must have the best expected reward")
        some = env.expected_reward(available_actions(env, draws))
        demand(bool((some <= best + 1e-9).all()), "no action may be better than the best one")
        demand(bool((uniform <= best + 1e-9).all()), "chance may not be better than the best")
        env.step(available_actions(env, draws))


def _check_secrets(subject: Subject) -> None:
    env = subject.make(num_envs=64).unwrapped
    if not hasattr(env, "user_types"):
        return
    told = getattr(env, "expected_reward", None)
    obs, info = env.reset(seed=7)
    _demand_secret(env, obs, info)
    for row in subject.draws(64)[:5]:
        actions = available_actions(env, row)
        truth = None if told is None else told(actions)
        obs, *_, info = env.step(actions)
        _demand_secret(env, obs, info)
        for key, values in info.items():
            leaked = truth is not None and np.array_equal(values, truth)
            demand(not leaked, f"info[{key!r}] equals the expected reward")


def _demand_secret(env: Any, obs: np.ndarray, info: dict[str, Any]) -> None:
    for key in SECRETS:
        demand(key not in info, f"info must not hold {key!r} unless it is asked for")
    truth = env.user_types[info["user_id"]]
    if len(set(truth)) < 2:
        return
    for key, values in info.items():
        if isinstance(values, np.ndarray) and values.shape == truth.shape:
            demand(not np.array_equal(values, truth), f"info[{key!r}] equals the user type")
    for column in range(obs.shape[1]):
        same = np.array_equal(obs[:, column], truth)
        demand(not same, f"column {column} of the observation equals the user type")


def _check_revealed(subject: Subject) -> None:
    if not hasattr(subject.make().unwrapped, "reveal_user_type"):
        return
    env = subject.make(info_level="eval", reveal_user_type=True).unwrapped
    obs, info = env.reset(seed=7)
    truth = env.user_types[info["user_id"]]
    shown = obs[:, env.obs_layout["user_type"]].argmax(axis=1)
    demand(np.array_equal(shown, truth), "reveal_user_type must show the true type, one-hot")
    demand(np.array_equal(info["user_type"], truth), "info_level 'eval' must tell the true type")


PRIVILEGES = (_check_replay, _check_score, _check_truth, _check_secrets, _check_revealed)
