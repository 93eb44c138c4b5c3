"""Mode logged of Ratings-v0: a log answers what it holds, and its replay is unbiased."""

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from gymnasium.vector import AutoresetMode
from numpy.testing import assert_array_equal

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_envs.checker import check_vector_env
from pgrpo_envs.feedback_log import FeedbackLog
from pgrpo_envs.ratings_logged import (
    LoggedRatingsEnv,
    LoggedRatingsScenario,
    LoggedRatingsVectorEnv,
)
from pgrpo_rec import simulate
from pgrpo_rec.baselines import GaussianThompson, Uniform

MEANS = np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.4]])  # of two kinds of users, by item


def logged(n, policy, seed=0):
    """Return n rows of a system that shows items by ``policy`` (2, 3), to 50 users."""
    rng = np.random.default_rng(seed)
    user = rng.integers(50, size=n)
    chosen = policy[user % 2]
    item = (rng.random(n)[:, None] > chosen.cumsum(axis=1)).sum(axis=1)
    reward = (rng.random(n) < MEANS[user % 2, item]).astype(float)
    columns = {"user": user, "item": item, "reward": reward}
    kind = np.array(["even", "odd"])[user % 2]
    return pd.DataFrame(columns).assign(propensity=chosen[np.arange(n), item], segment=kind)


UNIFORM = np.full((2, 3), 1 / 3)
BIASED = np.array([[0.7, 0.1, 0.2], [0.15, 0.25, 0.6]])


def replayed(log, choose, **more):
    """Return users, actions, rewards and acceptance of one pass over a log."""
    env = LoggedRatingsVectorEnv(20, log=log, in_turn=20, **more)
    _, info = env.reset(seed=0)
    seen = []
    for _ in range(env.n_rows // 20):
        users = env.table.users[info["user_id"]]
        actions = choose(users)
        _, reward, terminated, _, info = env.step(actions)
        assert terminated.all()
        seen.append((users, actions, reward, info["final_info"]["accepted"]))
    return [np.concatenate(parts) for parts in zip(*seen, strict=True)]


def test_each_row_comes_once_and_answers_only_its_own_item():
    log = logged(200, UNIFORM).assign(reward=np.arange(200) + 1.0)
    users, actions, reward, accepted = replayed(log, lambda users: users % 3)
    assert accepted.dtype == np.int8
    assert_array_equal(np.sort(users), np.sort(log["user"]))
    heard = accepted == 1
    assert 40 < heard.sum() < 100
    assert (reward[~heard] == 0).all()
    rows = reward[heard].astype(int) - 1
    assert len(set(rows)) == heard.sum()
    assert_array_equal(log["user"][rows], users[heard])
    assert_array_equal(log["item"][rows], actions[heard])
    wanted = log["item"] == log["user"] % 3
    assert heard.sum() == wanted.sum()  # nothing that could be heard was rejected


@pytest.mark.parametrize("policy", [UNIFORM, BIASED])
def test_a_policys_value_is_estimated_without_bias(policy):
    """By kind of user too; the log's own mean would be wrong by far."""
    log = logged(60_000, policy, seed=1)
    users, _, reward, accepted = replayed(log, lambda users: np.where(users % 2 == 0, 0, 1))
    for kind in (0, 1):
        part = reward[(accepted == 1) & (users % 2 == kind)]
        error = np.sqrt(MEANS[kind, kind] * (1 - MEANS[kind, kind]) / part.size)
        assert abs(part.mean() - MEANS[kind, kind]) < 4 * error
    kinds = users[accepted == 1] % 2
    assert abs(kinds.mean() - 0.5) < 4 * 0.5 / np.sqrt(kinds.size)
    assert abs(log["reward"].mean() - 0.85) > 0.2


def test_rows_are_left_out_until_all_items_were_shown_alike():
    log = FeedbackLog.of(logged(60_000, BIASED))
    env = LoggedRatingsVectorEnv(log=log)
    table = env.table
    assert abs(env.n_rows / (log.usable * 60_000) - 1) < 0.03
    assert abs(log.usable - 0.1 * 3) < 0.01
    for kind in (0, 1):
        counts = np.bincount(table.item_index[table.user_index % 2 == kind])
        assert np.abs(counts / counts.sum() - 1 / 3).max() < 4 * np.sqrt(2 / 9 / counts.sum())
    same = LoggedRatingsVectorEnv(log=logged(500, UNIFORM))
    assert same.n_rows == 500
    other = LoggedRatingsVectorEnv(log=log, world_seed=1)
    assert not np.array_equal(other.table.rating, table.rating)


def test_a_learner_learns_from_a_log_what_is_best():
    env = gym.make_vec(
        "pgrpo_envs/Ratings-v0",
        num_envs=20,
        mode="logged",
        log=logged(12_000, UNIFORM),
        in_turn=20,
    )
    env = env.unwrapped
    kinds = env.user_types
    tables = [
        simulate(rec, env, env.n_rows, seed=0, clusters=kinds)
        for rec in (Uniform(3, random_state=0), GaussianThompson(3, random_state=0))
    ]
    assert abs(tables[0]["reward"].mean() - MEANS.mean()) < 0.04
    assert abs(tables[1]["reward"][-1000:].mean() - 0.85) < 0.05
    assert_array_equal(tables[0]["user_type"], tables[0]["user"] % 2)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_acceptance_is_told_in_every_autoreset_mode(mode):
    env = LoggedRatingsVectorEnv(4, log=logged(40, UNIFORM), in_turn=4, autoreset_mode=mode)
    env.reset(seed=0)
    expected = env.table.item_index[env.state.row] == 1
    info = env.step(np.ones(4, dtype=int))[-1]
    told = info["final_info"] if mode is AutoresetMode.SAME_STEP else info
    assert_array_equal(told["accepted"], expected)
    assert told["_accepted"].all()
    if mode is AutoresetMode.NEXT_STEP:
        assert "accepted" not in env.step(np.ones(4, dtype=int))[-1]


def test_nothing_is_known_but_the_log():
    env = LoggedRatingsVectorEnv(4, in_turn=4, info_level="eval")
    for privilege in (
        "score",
        "expected_reward",
        "best_expected_reward",
        "uniform_expected_reward",
        "oracle_action",
        "get_state",
    ):
        assert not hasattr(env, privilege)
    env.reset(seed=0)
    info = env.step(np.zeros(4, dtype=int))[-1]
    assert {key for key in info["final_info"] if key[0] != "_"} == {
        "accepted",
        "user_id",
        "user_type",
    }


def test_what_can_be_replayed_is_reported_by_user_and_group():
    env = LoggedRatingsVectorEnv(log=FeedbackLog.of(logged(3000, UNIFORM), "mine"))
    assert env.group_names == ("even", "odd")
    assert_array_equal(env.user_types, env.table.users % 2)
    coverage = env.coverage
    assert list(coverage.columns) == ["segment", "n_users", "quantile", "n_rows"]
    odd = coverage.query("segment == 'odd' and quantile == 0.5")["n_rows"].item()
    assert odd == np.median(np.bincount(env.table.user_index)[1::2])
    assert "mine: 50 users, 3 items" in env.describe()
    assert "3,000 of 3,000 rows can be replayed, some 1,000 of them accepted" in env.describe()
    assert repr(env.world.log) == "FeedbackLog('mine': 3,000 rows, 50 users, 3 items, 3,000 usable)"


def test_pictures_count_accepted_rows_alone():
    log = logged(30, UNIFORM).assign(reward=1.0)
    env = LoggedRatingsVectorEnv(1, log=log, render_mode="ansi")
    env.reset(seed=0)
    heard = sum(int(env.step(np.zeros(1, int))[-1]["final_info"]["accepted"][0]) for _ in range(30))
    assert 0 < heard == env._diary.visits.sum() == env._diary.reward.sum()


def test_a_file_of_a_log(tmp_path):
    log = logged(100, UNIFORM)
    log.to_csv(tmp_path / "log.csv", index=False)
    env = LoggedRatingsVectorEnv(log=tmp_path / "log.csv")
    assert_array_equal(env.table.rating, log["reward"])


# --- bad logs ----------------------------------------------------------------------------------

GOOD = logged(30, UNIFORM)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (GOOD.drop(columns="propensity"), "shown at random cannot be replayed: .* 1 / K"),
        (GOOD.drop(columns="user"), "log='user' .* columns item, reward, propensity, segment"),
        (GOOD.assign(propensity=0.0), "propensities is 0.0 in row 0"),
        (GOOD.assign(propensity=np.nan), "propensities is nan in row 0"),
        (GOOD.assign(propensity=0.5), "inverse propensities average 2 .* about 3"),
        (GOOD.assign(reward="good"), "y has dtype"),
        (GOOD.assign(reward=np.inf), "y is inf in row 0"),
        (GOOD.assign(item=0, propensity=1.0), "at least 2 items"),
        (GOOD.assign(user=None), "user is None in row 0"),
        (GOOD.assign(user=0), "segment=.* had segment"),
        (GOOD.iloc[:0], "at least 2 items"),
        ([1, 2], "log='list' .* a FeedbackLog, a DataFrame"),
    ],
)
def test_bad_logs_are_refused(log, message):
    with pytest.raises(ValueError, match=message):
        LoggedRatingsScenario(log=log)


def test_rows_are_not_served_twice_at_a_time():
    with pytest.raises(ValueError, match=r"num_envs=4 .* in_turn=1, and rows would come twice"):
        LoggedRatingsVectorEnv(4)
    with pytest.raises(ValueError, match=r"in_turn=31 .* the 30 rows that can be replayed"):
        LoggedRatingsVectorEnv(4, log=GOOD, in_turn=31)
    with pytest.raises(ValueError, match=r"in_turn=0 .* at least 1"):
        LoggedRatingsVectorEnv(1, in_turn=0)
    with pytest.raises(ValueError, match="'visits' is not a parameter of LoggedRatingsScenario"):
        gym.make("pgrpo_envs/Ratings-v0", mode="logged", visits=3)
    with pytest.raises(ValueError, match=r"mode='log' .* one of"):
        gym.make("pgrpo_envs/Ratings-v0", mode="log")


# --- the contract ------------------------------------------------------------------------------


def test_contract():
    check_vector_env("pgrpo_envs/Ratings-v0", mode="logged", in_turn=4096)


def test_contract_of_the_classes():
    log = FeedbackLog.of(logged(9000, BIASED))
    check_vector_env(
        LoggedRatingsVectorEnv, LoggedRatingsEnv, log=log, in_turn=64, many_lanes=64, n_ends=50
    )
