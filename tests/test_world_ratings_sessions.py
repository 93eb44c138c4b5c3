"""Sessions of Ratings-v0: nothing is shown twice, and people come in turn."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from numpy.testing import assert_allclose, assert_array_equal
from ratings_tables import NAN, sample_with_gaps, table_of

from pgrpo_envs.checker import check_vector_env
from pgrpo_envs.checker_tools import available_actions
from pgrpo_envs.ratings import RatingsEnv, RatingsVectorEnv
from pgrpo_rec import simulate
from pgrpo_rec.baselines import Oracle, Uniform

MODES = {
    "observed": {"ratings": sample_with_gaps(0.6)},
    "full": {"mode": "full", "complete": True, "max_items": 8},
    "completed": {"mode": "completed", "ratings": sample_with_gaps()},
}


def sessions(env, n_sessions, seed=0):
    """Yield users (n,), items and rewards (visits, n) of whole sessions, chosen at random."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    for _ in range(n_sessions):
        users = info["user_id"]
        items, rewards = [], []
        for visit in range(env.scenario.visits):
            assert_array_equal(info["user_id"], users)
            assert_array_equal(info["action_mask"], env.action_mask())
            items.append(available_actions(env, rng.random(env.num_envs)))
            _, reward, terminated, truncated, info = env.step(items[-1])
            rewards.append(reward)
            assert terminated.all() == (visit == env.scenario.visits - 1)
            assert terminated.any() == terminated.all()
            assert not truncated.any()
        yield users, np.array(items), np.array(rewards)


@pytest.mark.parametrize("mode", MODES)
def test_no_item_is_shown_twice_and_rewards_are_the_users_own(mode):
    env = RatingsVectorEnv(50, visits=5, **MODES[mode])
    values, available = env.world.values, env.world.available
    for users, items, rewards in sessions(env, 4):
        assert all(len(set(column)) == 5 for column in items.T)
        assert available[users, items].all()
        assert_array_equal(rewards, values[users, items])


@pytest.mark.parametrize("mode", MODES)
def test_the_truth_is_over_what_is_left(mode):
    env = RatingsVectorEnv(40, visits=4, **MODES[mode])
    rng = np.random.default_rng(1)
    _, info = env.reset(seed=1)
    shown = np.zeros((40, env.n_items), dtype=bool)
    for _ in range(4):
        left = env.world.available[info["user_id"]] & ~shown
        assert_array_equal(info["action_mask"], left)
        values = env.world.values[info["user_id"]]
        known = [values[i][left[i]] for i in range(40)]
        assert_array_equal(env.expected_reward(), np.where(left, values, 0.0))
        assert_array_equal(env.best_expected_reward(), [v.max() for v in known])
        assert_allclose(env.uniform_expected_reward(), [v.mean() for v in known])
        best = env.oracle_action()
        assert left[np.arange(40), best].all()
        assert_array_equal(values[np.arange(40), best], env.best_expected_reward())
        actions = available_actions(env, rng.random(40))
        shown[np.arange(40), actions] = True
        info = env.step(actions)[-1]


def test_regret_of_the_oracle_is_zero_and_it_beats_every_ranking():
    env = RatingsVectorEnv(60, preset="sessions", ratings=sample_with_gaps(0.5))
    table = simulate(Oracle(env), env, 60 * 16, seed=0)
    assert (table["regret"] == 0).all()
    chance = simulate(Uniform(env.n_items, random_state=0), env, 60 * 16, seed=0)
    assert (chance["regret"] >= 0).all()
    assert not table.iloc[: 60 * 8].duplicated(["user", "action"]).all()
    ranking = np.argsort(-env.world.values.mean(axis=0))
    env.reset(seed=0)
    total = 0.0
    for _ in range(8):
        mask = env.action_mask()[:, ranking]
        total += env.step(ranking[mask.argmax(axis=1)])[1].sum()
    assert table["reward"][: 60 * 8].sum() > total + 60


def test_an_item_shown_before_is_refused_by_name_and_changes_nothing():
    env = RatingsVectorEnv(3, ratings=table_of([[1, 2, 3], [NAN, 4, 2]]), visits=2)
    _, info = env.reset(seed=0)
    env.step(np.full(3, 1))
    before = env.get_state()
    user = info["user_id"][0]
    told = rf"actions\[0\]=1 .* user 'u{user}' was shown item 'i1' before in this session"
    for ask in (env.step, env.expected_reward, lambda a: env.score(a[:, None])):
        with pytest.raises(ValueError, match=told):
            ask(np.full(3, 1))
    for array, kept in zip(env.get_state(), before, strict=True):
        assert_array_equal(array, kept)
    env.step(np.full(3, 2))
    assert_array_equal(env.action_mask(), env.world.available[env._clock.user])  # a new session


def test_users_of_whom_too_little_is_known_cannot_come():
    dense = [[1, 2, NAN], [3, 4, 5], [NAN, NAN, 2], [2, 1, 1]]
    env = RatingsVectorEnv(ratings=table_of(dense), visits=2)
    assert env.table.users.tolist() == ["u0", "u1", "u3"]
    assert RatingsVectorEnv(ratings=table_of(dense), visits=3).n_users == 2
    with pytest.raises(ValueError, match=r"visits=4 .* 0 of 4 users rated so many of the 3 items"):
        RatingsVectorEnv(ratings=table_of(dense), visits=4)
    filled = RatingsVectorEnv(ratings=sample_with_gaps(), mode="completed", visits=40)
    assert filled.n_users == 300  # a model knows them all
    with pytest.raises(ValueError, match=r"visits=41 .* no item is shown twice, and only 40"):
        RatingsVectorEnv(ratings=sample_with_gaps(), mode="completed", visits=41)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_a_user_of_as_many_items_as_visits_uses_them_up(mode):
    env = RatingsVectorEnv(4, ratings=table_of([[1, 2], [3, 4]]), visits=2, autoreset_mode=mode)
    env.reset(seed=0)
    first = env.oracle_action()
    env.step(first)
    _, _, terminated, _, info = env.step(1 - first)
    assert terminated.all()
    assert_array_equal(info["action_mask"].sum(axis=1), 1)  # of the last visit
    assert np.isfinite(env.uniform_expected_reward()).all()
    if mode is AutoresetMode.DISABLED:
        info = env.reset(options={"reset_mask": terminated})[1]
    else:
        info = env.step(first)[-1]
    assert (info["action_mask"] == 1).all()


def test_noise_differs_between_visits():
    env = RatingsVectorEnv(200, ratings=table_of(np.ones((2, 3))), visits=3, noise=1.0)
    env.reset(seed=0)
    noise = np.array([env.step(env.oracle_action())[1] for _ in range(3)]) - 1.0
    assert abs(noise.std() - 1) < 0.1
    assert np.abs(np.corrcoef(noise)[np.triu_indices(3, 1)]).max() < 0.3


# --- in turn -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_lanes", "visits"), [(1, 1), (7, 3), (60, 8), (300, 2)])
def test_nobody_comes_again_before_everyone_has_come(n_lanes, visits):
    env = RatingsVectorEnv(n_lanes, visits=visits, in_turn=n_lanes)
    n_users, pairs = env.n_users, set()
    came = [users for users, _, _ in sessions(env, 2 * n_users // n_lanes + 1)]
    came = np.concatenate(came)
    assert_array_equal(np.sort(came[:n_users]), np.arange(n_users))
    assert_array_equal(came[n_users : 2 * n_users], came[:n_users])
    assert not np.array_equal(np.sort(came[:60]), np.arange(60))
    for users, items, _ in sessions(env, n_users // n_lanes):
        new = {pair for row in items for pair in zip(users, row, strict=True)}
        assert not pairs & new
        pairs |= new
    assert len(pairs) == n_users // n_lanes * n_lanes * visits


def test_seeds_shuffle_the_order_and_nothing_else():
    env = RatingsVectorEnv(20, in_turn=20)
    first, again, other = (env.reset(seed=s)[1]["user_id"] for s in (0, 0, 1))
    assert_array_equal(first, again)
    assert (first == other).mean() < 0.3
    built = RatingsVectorEnv(20, in_turn=20, world_seed=1).reset(seed=0)[1]["user_id"]
    assert_array_equal(first, built)


def test_a_list_of_seeds_gives_lanes_an_order_of_their_own():
    env, one = RatingsVectorEnv(3, in_turn=1), RatingsVectorEnv(1, in_turn=1)
    env.reset(seed=[5, 6, 5])
    lanes = [env.step(env.oracle_action())[-1]["user_id"] for _ in range(40)]
    one.reset(seed=6)
    alone = [one.step(one.oracle_action())[-1]["user_id"] for _ in range(40)]
    assert_array_equal(np.array(lanes)[:, 1], np.array(alone)[:, 0])
    assert_array_equal(np.array(lanes)[:, 0], np.array(lanes)[:, 2])
    assert len(set(np.array(lanes)[:, 1])) == 40


def test_replicas_follow_the_same_user_and_count_as_one():
    env = RatingsVectorEnv(12, visits=2, in_turn=3, replicas=4)
    few = RatingsVectorEnv(3, visits=2, in_turn=3)
    users, expected = ([u for u, _, _ in sessions(e, 5)] for e in (env, few))
    assert_array_equal(users, np.repeat(expected, 4, axis=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"visits": 0}, "visits=0 .* at least 1"),
        ({"visits": 2.5}, "visits=2.5 .* whole number"),
        ({"visits": 41}, "visits=41 .* 0 of 300 users"),
        ({"in_turn": 0}, "in_turn=0 .* at least 1 user at a time"),
        ({"in_turn": "all"}, "in_turn='all' .* whole number"),
        ({"in_turn": 301}, "in_turn=301 .* the 300 users who can come"),
        ({"in_turn": 11, "max_users": 10}, "in_turn=11 .* the 10 users"),
    ],
)
def test_bad_parameters_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        RatingsVectorEnv(**changes)


# --- the contract ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "full", "visits": 3, "in_turn": 7, "noise": 0.5},
        {"preset": "sessions", "in_turn": 300, "n_profile": 5, "ratings": sample_with_gaps()},
    ],
)
def test_contract(changes):
    check_vector_env(RatingsVectorEnv, RatingsEnv, **changes)


def test_the_preset_can_be_made_by_id():
    env = gym.make_vec("pgrpo_envs/Ratings-v0", num_envs=3, preset="sessions", in_turn=3)
    assert env.unwrapped.scenario.visits == 8
