"""Hold ``score`` to ``expected_reward`` in every world: 100,000 answers to each of some visits.

Run it with ``python benchmarks/world_scores.py`` (some ten seconds once compiled). Each
preset of each world is played for a few random visits; then every lane's user is asked 100,000
times what one item (or slate) would be answered, and the mean is held to the exact expectation.
Shown are the largest gap over the lanes in standard errors, wanted below 4 (chance alone exceeds
it in one preset of some 4,000), and whether the questions left anything behind: the state is
compared bit by bit, and the next step with that of a twin that was never asked.
"""

from __future__ import annotations

import argparse
import warnings

import gymnasium as gym
import numpy as np

from pgrpo_envs import WORLDS
from pgrpo_envs.checker_tools import available_actions, demand_same
from pgrpo_rec._random import generator

N_LANES, N_VISITS = 4, 6


def played(world_id: str, preset: str, seed: int) -> tuple[gym.vector.VectorEnv, np.ndarray]:
    """Return a world after some random visits, and an available action of each lane."""
    env = gym.make_vec(world_id, N_LANES, preset=preset)
    env.reset(seed=seed)
    rng = generator(seed, 1)
    draws = rng.random((N_VISITS + 1, N_LANES, *env.single_action_space.shape))
    for row in draws[:-1]:
        env.step(available_actions(env, row))
    return env, available_actions(env, draws[-1])


def gap(world_id: str, preset: str, n_answers: int, seed: int) -> tuple[float, bool]:
    """Return the largest gap of a lane in standard errors, and whether `score` was pure."""
    env, actions = played(world_id, preset, seed)
    twin, _ = played(world_id, preset, seed)
    world, before = env.unwrapped, env.unwrapped.get_state()
    expected = world.expected_reward(actions)
    asked = np.repeat(actions[:, None], n_answers, axis=1)
    answers = world.score(asked)["reward"]
    error = answers.std(axis=1) / np.sqrt(n_answers)
    off = np.abs(answers.mean(axis=1) - expected)
    off[off <= 1e-9 * np.maximum(np.abs(expected), 1.0)] = 0.0  # answers without noise
    worst = float((off / np.maximum(error, 1e-300)).max())
    try:
        demand_same(before, world.get_state(), "after questions, the state")
        demand_same(twin.step(actions), env.step(actions), "after questions, a step")
    except AssertionError:
        return worst, False
    return worst, True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)  # completed ratings are a guess
    for world in WORLDS:
        vector = gym.make_vec(world.id, 1).unwrapped
        for number, preset in enumerate(vector.scenario_class.PRESETS):
            seed = 1000 * arguments.seed + number  # noise of its own for every preset
            worst, pure = gap(world.id, preset, arguments.answers, seed)
            print(
                f"{world.name:<16} {preset:<16} {worst:5.2f} standard errors "
                f"{'ok' if worst < 4 else 'TOO FAR'}, {'pure' if pure else 'NOT PURE'}"
            )


if __name__ == "__main__":
    main()
