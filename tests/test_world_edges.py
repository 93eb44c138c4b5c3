"""Worlds at their edges: one user, one group, very many lanes, copies, other processes."""

import copy
import pickle
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from worlds import ARGUMENTS, IDS

from pgrpo_envs import WORLDS
from pgrpo_envs.checker_tools import available_actions, demand_same, play

DRAWN = [world.id for world in WORLDS if world.name != "Ratings"]  # users are not from a table


def draws(env, n, n_steps):
    space = getattr(env, "single_action_space", env.action_space)
    return np.random.default_rng(0).random((n_steps, n, *space.shape))


def alone(world_id, **more):
    """Return arguments that leave one group of the world's: first of each tuple by group."""
    scenario = gym.make_vec(world_id, num_envs=1).unwrapped.scenario
    values = {name: getattr(scenario, name) for name in type(scenario).__dataclass_fields__}
    by_group = {
        name: value[:1]
        for name, value in values.items()
        if isinstance(value, tuple) and len(value) == len(scenario.shares)
    }
    return {**by_group, "shares": (1.0,), **more}


@pytest.mark.parametrize("world_id", DRAWN)
@pytest.mark.parametrize("n_users", [1, 50])
def test_one_group_and_one_user(world_id, n_users):
    env = gym.make_vec(world_id, num_envs=3, **alone(world_id, n_users=n_users)).unwrapped
    assert (env.n_groups, env.n_users) == (1, n_users)
    for obs, reward, *_ in play(env, draws(env, 3, 30), seed=1):
        assert env.observation_space.contains(obs)
        assert np.isfinite(reward).all()
    assert (env.expected_reward() <= env.best_expected_reward()[:, None] + 1e-9).all()


@pytest.mark.parametrize("world_id", IDS)
def test_one_lane_is_the_first_of_many(world_id):
    few, many = (gym.make_vec(world_id, num_envs=n, **ARGUMENTS[world_id]) for n in (1, 5))
    rows = draws(few, 5, 30)
    for alone_now, first_now in zip(
        play(few, rows[:, :1], seed=2), play(many, rows, seed=2), strict=True
    ):
        demand_same(alone_now[:4], tuple(part[:1] for part in first_now[:4]), "one lane")


@pytest.mark.parametrize("world_id", IDS)
def test_a_hundred_thousand_lanes(world_id):
    n = 100_000
    env = gym.make_vec(world_id, num_envs=n, **ARGUMENTS[world_id])
    few = gym.make_vec(world_id, num_envs=9, **ARGUMENTS[world_id])
    rows = draws(env, n, 2)
    many = play(env, rows, seed=4)[-1]
    assert env.observation_space.contains(many[0])
    demand_same(play(few, rows[:, :9], seed=4)[-1][:4], tuple(p[:9] for p in many[:4]), "9 lanes")


@pytest.mark.parametrize("world_id", IDS)
def test_copies_of_single_environments_go_on_alike(world_id):
    env = gym.make(world_id, **ARGUMENTS[world_id])
    env.reset(seed=5)
    copies = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    row = draws(env, 1, 1)[0]
    step = env.step(available_actions(env, row)[0])
    for other in copies:
        demand_same(step, other.step(available_actions(other, row)[0]), "a copy")


@pytest.mark.parametrize("name", ["Recommend", "Slate"])
def test_single_environments_in_other_processes_are_the_same(name):
    """The module in front of the id registers our worlds in a process that is new."""
    makers = [partial(gym.make, f"pgrpo_envs:pgrpo_envs/{name}-v0", horizon=3)] * 2
    mode = AutoresetMode.SAME_STEP
    there = AsyncVectorEnv(makers, context="spawn", autoreset_mode=mode)
    here = SyncVectorEnv(makers, autoreset_mode=mode)
    try:
        demand_same(there.reset(seed=[3, 4])[0], here.reset(seed=[3, 4])[0], "reset elsewhere")
        rows = draws(here, 2, 8)
        demand_same(
            [output[:4] for output in play(there, rows)],
            [output[:4] for output in play(here, rows)],
            "stepped elsewhere",
        )
    finally:
        there.close()


# --- questions to simulators --------------------------------------------------------------


@pytest.mark.parametrize("world_id", DRAWN)
def test_expected_rewards_need_a_row_for_every_lane(world_id):
    env = gym.make_vec(world_id, num_envs=4, **ARGUMENTS[world_id]).unwrapped
    env.reset(seed=0)
    wrong = np.zeros((8, *env.single_action_space.shape), dtype=np.int64)
    with pytest.raises(ValueError, match="shape must be"):
        env.expected_reward(wrong)


@pytest.mark.parametrize("world_id", IDS)
def test_a_state_goes_into_an_environment_that_never_began(world_id):
    old, new = (gym.make_vec(world_id, num_envs=3, **ARGUMENTS[world_id]) for _ in range(2))
    rows = draws(old, 3, 12)
    play(old, rows[:6], seed=6)
    new.unwrapped.set_state(old.unwrapped.get_state())
    demand_same(play(old, rows[6:]), play(new, rows[6:]), "from the state of another")


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    env, other = (gym.make_vec("pgrpo_envs/Recommend-v0", num_envs=n).unwrapped for n in (3, 4))
    for one in (env, other):
        one.reset(seed=0)
    before = env.get_state()
    for wrong in (other.get_state(), before[:-1], []):
        with pytest.raises(ValueError, match="get_state"):
            env.set_state(wrong)
        demand_same(before, env.get_state(), "after a refusal, the state")


@pytest.mark.parametrize("world_id", IDS)
def test_before_the_first_visit_there_is_no_truth_to_tell(world_id):
    env = gym.make_vec(world_id, num_envs=2, **ARGUMENTS[world_id]).unwrapped
    names = ("expected_reward", "best_expected_reward", "uniform_expected_reward", "oracle_action")
    for name in names:
        with pytest.raises(RuntimeError, match="call reset"):
            getattr(env, name)()
    with pytest.raises(RuntimeError, match="call reset"):
        env.expected_reward(np.zeros(env.action_space.shape, dtype=np.int64))
