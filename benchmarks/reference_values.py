"""Measure what uniform, oracle and the best fixed action earn in every world and preset.

Run it with ``python benchmarks/reference_values.py``; it writes ``envs/pgrpo_envs/reference.csv``
(`pgrpo_envs.reference`), the same bytes each time. ``--check`` writes nothing: it simulates a
tenth of every run with other noise and says where that disagrees by more than 5 standard errors.

Worlds have ``world_seed=0``. A run is so many lanes (people served at the same time), each
followed over whole episodes, so that early leavers count with the visits they made:

================================================  =====  ===================
world or preset                                   lanes  episodes a lane
================================================  =====  ===================
one visit an episode, sessions of ratings         2,000  50
... with tastes that drift                          200  one ``drift_visits``
... with 10,000 items                               200  25
many visits an episode                            4,000  1
... with a population that moves                    500  2 ``moving_episodes``
================================================  =====  ===================

Lanes are independent, so the standard error is that of a ratio of sums over lanes. The best
fixed action is chosen in a run of its own: by exact expectations where an episode is one visit
(and in sessions, where nothing is shown twice: the next of those that are best at first visits),
by trying every action on ``N_TRIALS`` lanes elsewhere, and for slates by adding the item with the
largest exact gain each time, for people who are not sated yet.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pgrpo_envs import WORLDS
from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.reference import reference_values
from pgrpo_rec._random import generator

POLICIES = ("uniform", "oracle", "best_fixed")
TABLE = Path(__file__).parent.parent / "envs" / "pgrpo_envs" / "reference.csv"
MEASURE, CHOOSE, CHECK = 1, 2, 3  # seeds of the noise
N_TRIALS = 100
N_ERRORS = 5.0  # standard errors by which a check may differ

Choose = Callable[[WorldVectorEnv], NDArray[np.int64]]


class Length(NamedTuple):
    """How long a run is."""

    n_lanes: int
    n_episodes: int


class Totals(NamedTuple):
    """What each lane heard from people of each group, in how many visits and episodes."""

    reward: NDArray[np.float64]  # (n, P)
    visits: NDArray[np.int64]  # (n, P)
    episodes: NDArray[np.int64]  # (n, P)


def make(name: str, preset: str, n_lanes: int) -> WorldVectorEnv:
    return gym.make_vec(f"pgrpo_envs/{name}-v0", num_envs=n_lanes, preset=preset).unwrapped


def length(scenario: Any) -> Length:
    """Return the run length of the table above."""
    if hasattr(scenario, "horizon"):
        moves = bool(getattr(scenario, "later_shares", ()))
        return Length(500, 2 * scenario.moving_episodes) if moves else Length(4000, 1)
    if set(getattr(scenario, "drift", ())) - {"still"}:
        return Length(200, scenario.drift_visits)
    return Length(200, 25) if (getattr(scenario, "n_items", 0) > 1000) else Length(2000, 50)


def play(env: WorldVectorEnv, choose: Choose, n_episodes: int, seed: int) -> Totals:
    """Follow every lane over so many episodes."""
    _, info = env.reset(seed=seed)
    shape = (env.num_envs, env.n_groups)
    totals = Totals(*(np.zeros(shape, dtype=kind) for kind in (float, int, int)))
    left = np.full(env.num_envs, n_episodes)
    while left.any():
        lanes = np.flatnonzero(left)
        types = env.user_types[info["user_id"][lanes]]
        _, reward, terminated, truncated, info = env.step(choose(env))
        totals.reward[lanes, types] += reward[lanes]
        totals.visits[lanes, types] += 1
        ended = (terminated | truncated)[lanes]
        totals.episodes[lanes, types] += ended
        left[lanes] -= ended
    return totals


def policy(name: str, fixed: NDArray[np.int64], seed: int) -> Choose:
    """Return how a policy chooses."""
    if name == "oracle":
        return lambda env: env.oracle_action()
    if name == "best_fixed":
        return lambda env: _show_fixed(env, fixed)
    rng = generator(seed, 0)
    return lambda env: _show_any(env, rng)


def has_sessions(env: WorldVectorEnv) -> bool:
    """Tell whether nothing is shown twice: a fixed action is then one for each visit."""
    return getattr(env.scenario, "visits", 1) > 1


def _show_fixed(env: WorldVectorEnv, fixed: NDArray[np.int64]) -> NDArray[np.int64]:
    if has_sessions(env):
        return fixed[env.action_mask()[:, fixed].argmax(axis=1)]
    return np.broadcast_to(fixed, env.action_space.shape)


def _show_any(env: WorldVectorEnv, rng: np.random.Generator) -> NDArray[np.int64]:
    if has_sessions(env):
        mask = env.action_mask()
        return np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=1)
    return rng.integers(env.n_actions, size=env.action_space.shape)


def best_fixed(name: str, preset: str) -> NDArray[np.int64]:
    """Choose the action that is best for everybody, with noise that no measurement uses."""
    env = make(name, preset, 1)
    size = length(env.scenario)
    if name == "Slate":
        return _greedy_slate(make(name, preset, size.n_lanes))
    if np.isinf(env.horizon):
        return _best_on_average(make(name, preset, size.n_lanes), size.n_episodes)
    actions = np.repeat(np.arange(env.n_actions), N_TRIALS)
    trial = make(name, preset, actions.size)
    totals = play(trial, lambda _: actions, size.n_episodes, CHOOSE)
    reward, visits, _ = (t.reshape(env.n_actions, -1).sum(axis=1) for t in totals)
    return np.argmax(reward / visits)


def _best_on_average(env: WorldVectorEnv, n_episodes: int) -> NDArray[np.int64]:
    values = np.zeros(env.n_actions)

    def look(env: WorldVectorEnv) -> NDArray[np.int64]:
        values[:] += env.expected_reward()[env._clock.t == 0].sum(axis=0)
        return env.oracle_action()

    play(env, look, n_episodes, CHOOSE)
    if has_sessions(env):
        return np.argsort(-values, kind="stable")[: env.scenario.visits]
    return np.argmax(values)


def _greedy_slate(env: WorldVectorEnv) -> NDArray[np.int64]:
    env.reset(seed=CHOOSE)
    n_positions = env.scenario.slate_size
    items = np.arange(env.n_actions)
    slate = np.empty(0, dtype=np.int64)
    for s in range(n_positions):
        begun = np.column_stack([np.tile(slate, (items.size, 1)), items])
        # A repeated item attracts nobody: it leaves the positions below empty.
        slates = np.column_stack([begun, np.repeat(begun[:, :1], n_positions - s - 1, axis=1)])
        values = env.expected_reward(np.tile(slates, (env.num_envs, 1, 1)))
        slate = begun[np.argmax(values.mean(axis=0))]
    return slate


def summarise(totals: Totals) -> Iterator[tuple[str, float, float, int, int]]:
    """Yield user type, mean reward a visit, its standard error, visits and episodes."""
    groups = [("all", slice(None)), *((str(p), p) for p in range(totals.reward.shape[1]))]
    for name, p in groups:
        reward, visits, episodes = (t[:, p].reshape(len(t), -1).sum(axis=1) for t in totals)
        mean = reward.sum() / visits.sum()
        rest = reward - mean * visits
        error = np.sqrt((rest**2).sum() * rest.size / (rest.size - 1)) / visits.sum()
        yield name, float(mean), float(error), int(visits.sum()), int(episodes.sum())


def note(name: str, scenario: Any, policy_name: str) -> str:
    notes = []
    if name == "Ratings":
        notes.append("shipped sample: generated, not real")
    if name == "Slate" and policy_name == "best_fixed":
        notes.append("greedy fixed slate for people not sated yet")
    size = length(scenario)
    if size.n_episodes not in (1, 25, 50):
        notes.append(f"first {size.n_episodes} episodes of a lane")
    return "; ".join(notes)


def measure(
    name: str, preset: str, policy_name: str, fixed: NDArray[np.int64], seed: int, part: int = 1
) -> pd.DataFrame:
    """Simulate one policy in one world; ``part`` 10 makes a tenth of the lanes."""
    scenario = make(name, preset, 1).scenario
    size = length(scenario)
    env = make(name, preset, size.n_lanes // part)
    totals = play(env, policy(policy_name, fixed, seed), size.n_episodes, seed)
    columns = ["user_type", "mean_reward", "standard_error", "n_visits", "n_episodes"]
    rows = pd.DataFrame(summarise(totals), columns=columns)
    for place, (column, value) in enumerate(
        {"world": name, "preset": preset, "policy": policy_name}.items()
    ):
        rows.insert(place, column, value)
    rows["action"] = " ".join(map(str, np.atleast_1d(fixed))) if policy_name == POLICIES[2] else ""
    rows["note"] = note(name, scenario, policy_name)
    return rows


def scenarios() -> list[tuple[str, str]]:
    """Return every world with each of its presets."""
    return [(w.name, preset) for w in WORLDS for preset in _presets(w.id)]


def _presets(world_id: str) -> list[str]:
    return list(gym.make_vec(world_id, num_envs=1).unwrapped.scenario_class.PRESETS)


def make_table() -> pd.DataFrame:
    parts = []
    for name, preset in scenarios():
        begin = time.perf_counter()
        fixed = best_fixed(name, preset)
        parts += [measure(name, preset, p, fixed, MEASURE) for p in POLICIES]
        print(f"{name} {preset}: {time.perf_counter() - begin:.1f} s", flush=True)
    return pd.concat(parts, ignore_index=True)


def check(name: str, preset: str, policy_name: str, *, part: int = 10) -> pd.DataFrame:
    """Simulate again, shorter and with other noise; ``gap`` counts standard errors."""
    told = reference_values(name, preset)
    told = told[told["policy"] == policy_name].reset_index(drop=True)
    fixed = np.array([int(k) for k in told["action"].iloc[0].split()])
    if fixed.size == 1:
        fixed = fixed[0]
    found = measure(name, preset, policy_name, fixed, CHECK, part)
    error = np.hypot(told["standard_error"], found["standard_error"])
    gap = (found["mean_reward"] - told["mean_reward"]).abs() / error.clip(lower=1e-9)
    return found.assign(told=told["mean_reward"], gap=gap)


def check_all() -> int:
    parts = [check(name, preset, p) for name, preset in scenarios() for p in POLICIES]
    rows = pd.concat(parts, ignore_index=True)
    bad = rows[rows["gap"] > N_ERRORS]
    print(f"{len(rows)} rows, largest gap {rows['gap'].max():.1f} standard errors")
    if len(bad) > 0:
        print(bad.drop(columns=["action", "note"]).to_string(index=False))
    return int(len(bad) > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="simulate shortly, compare")
    if parser.parse_args().check:
        return check_all()
    make_table().to_csv(TABLE, index=False, float_format="%.5g", lineterminator="\n")
    print(f"wrote {TABLE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
