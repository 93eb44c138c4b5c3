"""Ratings-v0: rewards are real ratings, what is unknown is never a reward, groups stay apart."""

import pickle
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from ratings_tables import NAN, played, table_of
from sklearn.metrics import adjusted_rand_score

from pgrpo_data.make_sample import sample_groups
from pgrpo_envs import checker
from pgrpo_envs.checker_privileges import PRIVILEGES
from pgrpo_envs.checker_tools import Subject
from pgrpo_envs.ratings import RatingsEnv, RatingsScenario, RatingsVectorEnv
from pgrpo_rec.datasets import load_sample_ratings

# --- rewards ---------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"max_items": 9}, {"n_profile": 10}, {"preset": "full"}])
def test_rewards_are_what_the_user_said_of_the_item(changes):
    table = load_sample_ratings()
    said = {
        (str(table.users[u]), str(table.items[k])): r
        for u, k, r in zip(table.user_index, table.item_index, table.rating, strict=True)
    }
    env = RatingsVectorEnv(64, **changes)
    for users, actions, reward in played(env, 5):
        for user, action, r in zip(users, actions, reward, strict=True):
            assert said[str(env.table.users[user]), str(env.table.items[action])] == r


def test_every_kept_user_comes_and_the_mask_is_what_the_user_rated():
    dense = [[1, NAN, 3], [NAN, NAN, 2], [5, 4, NAN]]
    env = RatingsVectorEnv(200, ratings=table_of(dense))
    _, info = env.reset(seed=0)
    assert set(info["user_id"]) == {0, 1, 2}
    assert info["action_mask"].dtype == np.int8
    assert_array_equal(info["action_mask"], np.isfinite(dense)[info["user_id"]])
    assert_array_equal(env.expected_reward(), np.nan_to_num(dense)[info["user_id"]])
    assert_array_equal(env.best_expected_reward(), np.array([3, 2, 5.0])[info["user_id"]])
    assert_array_equal(env.uniform_expected_reward(), np.array([2, 2, 4.5])[info["user_id"]])


def test_an_action_that_nobody_can_answer_is_refused_and_changes_nothing():
    env = RatingsVectorEnv(4, ratings=table_of([[1, NAN, 3], [2, NAN, 3], [NAN, 4, NAN]]))
    _, info = env.reset(seed=3)
    actions = np.where(info["user_id"] == 2, 1, 0)
    lane = int(np.flatnonzero(info["user_id"] != 2)[-1])
    wrong = actions.copy()
    wrong[lane] = 1
    before = env.get_state()
    told = rf"actions\[{lane}\]=1 .* user 'u{info['user_id'][lane]}' did not rate item 'i1'"
    with pytest.raises(ValueError, match=told):
        env.step(wrong)
    with pytest.raises(ValueError, match="action_mask"):
        env.score(np.stack([actions, wrong], axis=1))
    for array, kept in zip(env.get_state(), before, strict=True):
        assert_array_equal(array, kept)
    env.step(actions)


def test_a_lane_that_is_only_reset_may_be_given_anything():
    env = RatingsVectorEnv(8, preset="observed", autoreset_mode=AutoresetMode.NEXT_STEP)
    env.reset(seed=0)
    env.step(env.oracle_action())
    _, reward, *_ = env.step(np.argmin(env.action_mask(), axis=1))
    assert (reward == 0).all()


def test_gymnasium_draws_within_the_mask():
    env = RatingsEnv(ratings=table_of([[NAN, 2, NAN], [NAN, NAN, 1]]))
    env.action_space.seed(0)
    for seed in range(20):
        _, info = env.reset(seed=seed)
        env.step(env.action_space.sample(info["action_mask"]))


def test_noise_is_added_around_the_rating():
    env = RatingsVectorEnv(200, noise=0.5)
    env.reset(seed=0)
    actions = np.repeat(env.oracle_action()[:, None], 500, axis=1)
    left = env.score(actions)["reward"] - env.expected_reward()[np.arange(200), actions.T].T
    assert abs(left.mean()) < 4 * 0.5 / np.sqrt(left.size)
    assert abs(left.std() - 0.5) < 0.01
    assert np.abs(np.corrcoef(left[:, 0], left[:, 1])[0, 1]) < 0.3
    alike = env.score(actions, common_noise=True)["reward"]
    assert_array_equal(alike, np.repeat(alike[:, :1], 500, axis=1))
    assert_array_equal(alike[:, 0], env.score(actions)["reward"][:, 0])
    assert_array_equal(alike[:, 0], env.step(actions[:, 0])[1])


def test_the_best_of_each_user_beats_every_fixed_item():
    env = RatingsVectorEnv(500, preset="full")
    env.reset(seed=0)
    values = env.expected_reward()
    assert env.best_expected_reward().mean() > values.mean(axis=0).max() + 0.5
    assert_allclose(env.uniform_expected_reward(), values.mean(axis=1))


# --- what is kept ------------------------------------------------------------------------------


def test_the_most_rated_items_are_kept_and_users_without_any_leave():
    dense = [[1, 2, NAN], [3, 4, NAN], [NAN, 5, NAN], [NAN, NAN, 2]]
    env = RatingsVectorEnv(ratings=table_of(dense), max_items=2)
    assert env.table.items.tolist() == ["i0", "i1"]
    assert env.table.users.tolist() == ["u0", "u1", "u2"]
    assert_array_equal(env.world.values, [[1, 2], [3, 4], [0, 5]])
    env = RatingsVectorEnv(ratings=table_of(dense), max_items=2, min_user_ratings=2)
    assert env.table.users.tolist() == ["u0", "u1"]


@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_what_is_kept_keeps_its_promises(seed, max_items, least, n_profile):
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((12, 8)) < 0.5, rng.integers(1, 6, (12, 8)), NAN)
    how = {"max_items": max_items, "min_user_ratings": least, "n_profile": n_profile}
    try:
        env = RatingsVectorEnv(ratings=table_of(dense), **how)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert any(words in refusal for words in ("at least 2", "two of each"))
        return
    w, table = env.world, env.table
    assert (w.available.sum(axis=1) >= least).all()
    assert w.available.any(axis=0).all()
    assert not set(env.profile_items) & set(table.items)
    assert env.profile_items.size == n_profile
    assert table.n_items <= max_items
    rows = [int(u[1:]) for u in table.users]
    offered = [int(k[1:]) for k in table.items]
    assert_array_equal(np.where(w.available, w.values, NAN), dense[np.ix_(rows, offered)])
    profile = [int(k[1:]) for k in env.profile_items]
    assert_array_equal(env.profile_ratings, dense[np.ix_(rows, profile)])


def test_a_path_is_read_again_only_if_the_file_changed(tmp_path):
    file = tmp_path / "ratings.csv"
    file.write_text("user,item,rating\na,x,1\na,y,2\nb,x,3\nb,y,1\n")
    first, second = (RatingsVectorEnv(ratings=p) for p in (str(file), tmp_path))
    assert RatingsVectorEnv(ratings=file).world is first.world
    assert_array_equal(first.world.values, second.world.values)
    file.write_text("user,item,rating\na,x,5\na,y,22\nb,x,3\nb,y,1\n")
    assert RatingsVectorEnv(ratings=file).world.values[0].tolist() == [5, 22]


def test_the_sample_says_that_it_is_generated_and_tables_of_ones_own_do_not():
    assert "generated, not real" in RatingsVectorEnv().describe()
    text = RatingsVectorEnv(ratings=table_of([[1, NAN], [2, 3]]), noise=0.1).describe()
    assert "generated" not in text
    assert "2 of 2 users, 2 of 2 items" in text
    assert "3 of 3 ratings, from 1 to 3, density 0.75" in text
    assert "every reward is a rating that this user gave" in text


# --- groups and profiles -----------------------------------------------------------------------


def test_segments_are_the_groups_that_reports_go_by():
    dense = [[1, 2], [NAN, 1], [2, 2], [NAN, 1]]
    segments = np.array(["red", "blue", "blue", "green"])
    env = RatingsVectorEnv(ratings=table_of(dense, segments))
    assert env.group_names == ("blue", "green", "red")
    assert env.user_types.tolist() == [2, 0, 0, 1]
    assert env.table.segments.tolist() == segments.tolist()
    assert "groups: blue 50 %, green 25 %, red 25 %" in env.describe()
    median = env.coverage.query("quantile == 0.5").set_index("segment")["n_ratings"]
    assert median.to_dict() == {"all": 1.5, "blue": 1.5, "green": 1.0, "red": 2.0}
    plain = RatingsVectorEnv(ratings=table_of(dense))
    assert plain.group_names == ("everybody",)
    assert plain.n_groups == 1
    _, info = RatingsVectorEnv(4, ratings=table_of(dense, segments)).reset(seed=0)
    assert set(info) == {"user_id", "_user_id", "action_mask", "_action_mask"}


def test_a_group_whose_users_all_leave_is_no_group():
    dense = [[1, 2, NAN], [NAN, 1, NAN], [2, 2, NAN], [NAN, NAN, 1]]
    segments = np.array(["red", "blue", "blue", "green"])
    env = RatingsVectorEnv(ratings=table_of(dense, segments), max_items=2)
    assert env.group_names == ("blue", "red")
    assert env.user_types.tolist() == [1, 0, 0]


def test_the_observation_is_the_users_centred_ratings_of_items_never_offered():
    env = RatingsVectorEnv(50, n_profile=12)
    obs, info = env.reset(seed=0)
    ratings = env.profile_ratings[info["user_id"]]
    centred = ratings - np.nanmean(ratings, axis=1, keepdims=True)
    assert_allclose(obs, np.nan_to_num(centred), atol=1e-6)
    assert env.obs_layout == {"profile": slice(0, 12)}
    other = RatingsVectorEnv(50, n_profile=12, world_seed=1)
    assert set(other.profile_items) != set(env.profile_items)
    obs, _ = RatingsVectorEnv(3).reset(seed=0)
    assert obs.tolist() == [[1.0]] * 3


def test_reference_groups_find_the_samples_hidden_groups():
    env = RatingsVectorEnv(preset="profile")
    assert adjusted_rand_score(sample_groups(), env.user_types) > 0.85
    assert (np.diff(np.bincount(env.user_types)) <= 0).all()
    assert env.group_names == ("reference 0", "reference 1", "reference 2")


def test_no_rating_that_is_ever_a_reward_has_a_part_in_reference_groups():
    table = load_sample_ratings()
    env = RatingsVectorEnv(ratings=table, preset="profile")
    is_profile = np.isin(table.items[table.item_index], env.profile_items)
    noise = np.random.default_rng(0).integers(1, 6, table.n_ratings)
    other = replace(table, rating=np.where(is_profile, table.rating, noise))
    other_env = RatingsVectorEnv(ratings=other, preset="profile")
    assert not np.array_equal(env.world.values, other_env.world.values)
    assert_array_equal(env.user_types, other_env.user_types)
    assert_array_equal(env.world.profiles, other_env.world.profiles)


def test_groups_can_gain_on_the_sample_when_users_are_told_apart_by_their_profiles():
    w = RatingsVectorEnv(preset="profile").world
    means = [
        np.divide(*(x[w.user_types == p].sum(axis=0) for x in (w.values, w.available)))
        for p in range(3)
    ]
    everybody = w.values.sum(axis=0) / w.available.sum(axis=0)
    for p in (1, 2):  # the minorities
        assert means[p].max() > means[p][everybody.argmax()] + 1.5


# --- bad parameters ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "logged"}, "mode='logged'"),
        ({"mode": "full", "ratings": table_of([[1, NAN], [2, 3]])}, "mode='full' .* 25% of the 2"),
        ({"max_items": 1}, "max_items=1"),
        ({"min_user_ratings": 0}, "min_user_ratings=0"),
        ({"min_user_ratings": 41}, "min_user_ratings=41 .* 0 of 300 users"),
        ({"n_profile": -1}, "n_profile=-1"),
        ({"n_profile": 39}, "n_profile=39 .* the table has 40 items"),
        ({"n_reference_groups": 3}, "n_reference_groups=3 .* n_profile above 0"),
        ({"n_profile": 5, "n_reference_groups": 301}, "n_reference_groups=301"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"n_factors": -1}, "n_factors=-1"),
        ({"ridge": 0.0}, r"ridge=0\.0"),
        ({"ratings": [[1, 2], [3, 4]]}, "ratings='list' .* RatingsTable"),
        ({"ratings": "no/such/file.csv"}, "no such file"),
        ({"items": 3}, "'items' is not a parameter"),
    ],
)
def test_bad_parameters_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        RatingsVectorEnv(**changes)


@pytest.mark.parametrize("dense", [[[1, 2, 3]], [[1], [2]]])
def test_one_user_or_one_item_is_no_world(dense):
    with pytest.raises(ValueError, match="two of each are needed"):
        RatingsVectorEnv(ratings=table_of(dense))


def test_a_table_too_large_to_hold_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr("pgrpo_envs.ratings_world.MOST_CELLS", 1000)
    with pytest.raises(ValueError, match=r"300 users x 39 items .* choose fewer with max_items"):
        RatingsVectorEnv(max_items=39)


# --- the contract ------------------------------------------------------------------------------


def test_contract_without_a_mask():
    checker.check_vector_env(RatingsVectorEnv, RatingsEnv, preset="full", noise=0.5)


@pytest.mark.parametrize("changes", [{"noise": 0.5}, {"preset": "profile"}])
def test_contract_with_a_mask(changes):
    subject = Subject(RatingsVectorEnv, RatingsEnv, 7, 40, 300, 4096, changes)
    for check in (
        checker._check_spaces,
        checker._check_outputs,
        checker._check_fresh_arrays,
        checker._check_seeds,
        checker._check_lanes,
        checker._check_wrong_actions,
        checker._check_copies,
        checker._check_reset_mask,
        checker.check_against_singles,
        *(check for check in PRIVILEGES if check.__name__ != "_check_score"),
    ):
        check(subject)


def test_a_table_survives_make_and_pickle():
    table = table_of([[1, NAN, 3], [NAN, 4, 2]])
    gym.register("RatingsForTests-v0", RatingsEnv, vector_entry_point=RatingsVectorEnv)
    try:
        env = gym.make("RatingsForTests-v0", ratings=table)
        many = gym.make_vec("RatingsForTests-v0", num_envs=3, ratings=table)
    finally:
        del gym.registry["RatingsForTests-v0"]
    assert env.unwrapped.vector.world is many.unwrapped.world
    scenario = pickle.loads(pickle.dumps(RatingsScenario(ratings=table, noise=0.5)))
    assert_array_equal(
        RatingsVectorEnv(scenario=scenario).world.values, many.unwrapped.world.values
    )
    assert "RatingsTable('tiny'" in str(RatingsScenario(ratings=table))
