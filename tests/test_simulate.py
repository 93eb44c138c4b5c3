import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.testing import assert_allclose, assert_array_equal

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.baselines import GaussianThompson, Oracle, Uniform
from pgrpo_rec.datasets import read_ratings
from pgrpo_rec.simulate import COLUMNS


class Bare(gym.Env):
    """Three items, one answer an episode; tells nothing but what Gymnasium asks for."""

    def __init__(self):
        self.observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.signal = self.np_random.choice([-1.0, 1.0])
        return np.array([self.signal, 0.5], dtype=np.float32), {}

    def step(self, action):
        reward = 10.0 + self.signal * (action - 1) + 0.1 * self.np_random.normal()
        obs, info = self.reset()
        return obs, reward, True, False, info


class Spy(Uniform):
    """Uniform, and remembers what it was told."""

    def __init__(self, items=None, *, random_state=None):
        super().__init__(items, random_state=random_state)
        self.calls = []

    def recommend(self, X, n_items=1, **told):
        self.calls.append(("recommend", X, told))
        return super().recommend(X, n_items, **told)

    def partial_fit(self, X, y, **told):
        self.calls.append(("partial_fit", X, {"y": y, **told}))
        return super().partial_fit(X, y, **told)


def world(name="PreferenceBandit", n=16, **arguments):
    defaults = {"preset": "hard"} if name == "PreferenceBandit" else {}
    return gym.make_vec(f"pgrpo_envs/{name}-v0", num_envs=n, **{**defaults, **arguments})


def test_one_row_an_answer_with_all_columns():
    env = world()
    table = simulate(Uniform(12, random_state=0), env, 100, seed=0)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 112  # seven rounds of 16: the last one is finished
    assert_array_equal(table["round"], np.repeat(np.arange(7), 16))
    assert not table.isna().any().any()
    assert_allclose(table["propensity"], 1 / 12)
    assert_array_equal(table["user_type"], env.unwrapped.user_types[table["user"]])
    assert_allclose(table["regret"], table["best_reward"] - table["expected_reward"])
    assert (table["regret"] >= 0.0).all()
    assert (table["uniform_reward"] <= table["best_reward"]).all()
    assert table["action"].between(0, 11).all()


def test_rewards_are_answers_around_what_was_expected():
    table = simulate(Uniform(12, random_state=0), world(n=512), 51_200, seed=0)
    error = table["reward"] - table["expected_reward"]
    assert abs(error.mean()) < 5 * error.std() / np.sqrt(len(table))
    gap = table["uniform_reward"] - table["expected_reward"]
    assert abs(gap.mean()) < 5 * gap.std() / np.sqrt(len(table))


@pytest.mark.parametrize("name", ["PreferenceBandit", "Recommend", "Ratings"])
def test_same_seed_same_table(name):
    def run(world_noise, policy):
        env = world(name, n=8)
        rec = PGRPORecommender(env.unwrapped.n_items, random_state=policy)
        return simulate(rec, env, 160, seed=world_noise)

    pd.testing.assert_frame_equal(run(0, 0), run(0, 0))
    assert not run(0, 0).equals(run(1, 0))
    assert not run(0, 0).equals(run(0, 1))


@pytest.mark.parametrize("kind", ["single", "sync"])
def test_a_world_that_tells_nothing_is_learned_all_the_same(kind):
    """No user ids, no truth: those columns say so, and every row is a real answer."""
    env = Bare()
    if kind == "sync":
        env = SyncVectorEnv([Bare] * 4, autoreset_mode=AutoresetMode.SAME_STEP)
    rec = PGRPORecommender(3, random_state=0)
    table = simulate(rec, env, 600, seed=0)
    assert len(table) == 600
    truth = ["expected_reward", "best_reward", "uniform_reward", "regret"]
    assert table[truth].isna().all().all()
    assert (table["user"] == -1).all()
    assert (table["user_type"] == -1).all()
    assert (table["reward"] > 8.0).all()
    assert table["reward"][-100:].mean() > 10.8
    assert_array_equal(rec.predict([[-1.0, 0.5], [1.0, 0.5]]), [0, 2])


def test_steps_that_only_reset_are_refused():
    env = SyncVectorEnv([Bare] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    with pytest.raises(ValueError, match="whose rewards answer nothing: make it with"):
        simulate(Uniform(3), env, 10, seed=0)


def test_what_a_recommender_is_told_is_what_a_live_system_would_see():
    env = world()
    spy = Spy(12, random_state=0)
    table = simulate(spy, env, 32, seed=0)
    (_, X, told), (_, X_learned, learned) = spy.calls[:2]
    assert X.shape == (16, 6)
    assert_array_equal(X, X_learned)
    assert set(told) == {"users", "available"}
    assert set(learned) == {"y", "actions", "propensities", "users"}
    assert_array_equal(learned["y"], table["reward"][:16])
    assert_array_equal(learned["actions"], table["action"][:16])
    assert_array_equal(learned["propensities"], table["propensity"][:16])
    assert_array_equal(learned["users"], table["user"][:16])


def test_users_are_not_identified_where_that_is_not_wanted():
    spy = Spy(12, random_state=0)
    simulate(spy, world(), 32, seed=0, identify=False)
    assert all(set(told) & {"users", "clusters"} == set() for _, _, told in spy.calls)


def test_clusters_are_told_in_place_of_users():
    env = world(n_users=50)
    clusters = np.array(["a", "b", "c"])[env.unwrapped.user_types]
    spy = Spy(12, random_state=0)
    table = simulate(spy, env, 64, seed=0, clusters=clusters)
    heard = np.concatenate([told["clusters"] for verb, _, told in spy.calls if verb == "recommend"])
    assert_array_equal(heard, clusters[table["user"]])
    assert all("users" not in told for _, _, told in spy.calls)
    with pytest.raises(ValueError, match="clusters= needs a world that gives user_id"):
        simulate(Uniform(3), Bare(), 10, seed=0, clusters=clusters)


def test_an_observation_that_is_a_constant_is_no_feature():
    env = world(preset="clicks")
    spy = Spy(20, random_state=0)
    simulate(spy, env, 32, seed=0)
    assert all(X is None for _, X, _ in spy.calls)


def test_masks_of_the_world_are_honoured(tmp_path):
    """Ratings-v0 shows nobody what they did not rate."""
    rng = np.random.default_rng(0)
    ratings = np.where(rng.random((60, 5)) < 0.6, rng.integers(1, 6, (60, 5)), np.nan)
    ratings[:, 0] = 3.0
    table = pd.DataFrame(ratings, columns=list("vwxyz"))
    table.to_csv(tmp_path / "ratings.csv", index=False)
    env = world("Ratings", n=32, ratings=read_ratings(tmp_path / "ratings.csv"))
    spy = Spy(env.unwrapped.n_items, random_state=0)
    table = simulate(spy, env, 640, seed=0)
    masks = np.concatenate([t["available"] for verb, _, t in spy.calls if verb == "recommend"])
    assert masks.dtype == bool
    assert not masks.all()
    assert masks[np.arange(640), table["action"]].all()
    assert_allclose(table["propensity"], 1.0 / masks.sum(axis=1))
    rated = env.unwrapped.table.to_dense()
    assert_allclose(rated[table["user"], table["action"]], table["expected_reward"])


@pytest.mark.parametrize("kind", ["vector", "single"])
def test_what_a_log_rejects_is_neither_learned_nor_returned(kind):
    """The recommender hears exactly the rows of the log in which its item was shown."""
    users, items = np.divmod(np.arange(200), 4)
    log = pd.DataFrame({"user": users % 9, "item": items, "reward": 10.0 + np.arange(200)})
    log["propensity"] = 0.25
    env = world("Ratings", n=8, mode="logged", log=log, in_turn=8)
    if kind == "single":
        env = gym.make("pgrpo_envs/Ratings-v0", mode="logged", log=log)
    spy = Spy(4, random_state=0)
    table = simulate(spy, env, 200, seed=0)
    assert 20 < len(table) < 90
    assert table["reward"].is_unique
    row = (table["reward"] - 10).astype(int)
    assert_array_equal(table["user"], log["user"][row])
    assert_array_equal(table["action"], log["item"][row])
    truth = ["expected_reward", "best_reward", "uniform_reward", "regret"]
    assert table[truth].isna().all().all()
    learned = [told for verb, _, told in spy.calls if verb == "partial_fit"]
    assert all(told["y"].size > 0 for told in learned)
    for key, column in (("y", "reward"), ("actions", "action"), ("users", "user")):
        assert_array_equal(np.concatenate([told[key] for told in learned]), table[column])
    assert (np.concatenate([told["propensities"] for told in learned]) == 0.25).all()


def test_a_log_that_accepts_nothing_returns_no_rows():
    log = pd.DataFrame({"user": 0, "item": np.arange(50) % 2, "reward": 1.0, "propensity": 0.5})
    env = gym.make("pgrpo_envs/Ratings-v0", mode="logged", log=log)
    env.reset(seed=0)
    shown = env.unwrapped.vector.table.item_index[env.unwrapped.vector.state.row[0]]

    class Never(Spy):
        def recommend(self, X, n_items=1, **told):
            items, propensities = super().recommend(X, n_items, **told)
            return np.full_like(items, 1 - shown), propensities

    spy = Never(2, random_state=0)
    assert simulate(spy, env, 1, seed=0).shape == (0, len(COLUMNS))
    assert [verb for verb, _, _ in spy.calls] == ["recommend"]


def test_candidates_of_one_visit_are_all_answered():
    """Four rows a visit, of the same user and best reward; answers count singly."""
    rec = PGRPORecommender(12, advantage="grpo", group_size=4, solver="adam", random_state=0)
    table = simulate(rec, world(n=8), 640, seed=0)
    assert len(table) == 640
    assert table["round"].nunique() == 20
    for column in ("user", "best_reward", "uniform_reward", "round"):
        assert (table[column].to_numpy().reshape(-1, 4).std(axis=1) == 0).all()
    assert (table["action"].to_numpy().reshape(-1, 4).std(axis=1) > 0).any()
    assert (table["regret"] >= 0.0).all()
    with pytest.raises(ValueError, match=r"group_size=4 needs a world that can score candidates"):
        simulate(rec, Bare(), 10, seed=0)


def test_the_recommender_learns_in_place_and_beats_chance():
    tables = {}
    for rec in (GaussianThompson(12, random_state=0), Uniform(12, random_state=0)):
        tables[type(rec)] = simulate(rec, world(preset="plain"), 3200, seed=0)["regret"][-800:]
    assert tables[GaussianThompson].mean() < 0.9 * tables[Uniform].mean()
    env = world()
    assert simulate(Oracle(env), env, 320, seed=0)["regret"].abs().max() < 1e-12


@pytest.mark.parametrize("bad", [0, -5])
def test_at_least_one_interaction(bad):
    with pytest.raises(ValueError, match=f"n_interactions={bad} is not possible: at least 1"):
        simulate(Uniform(12), world(), bad, seed=0)


def test_the_progress_bar_is_on_standard_error_and_only_if_wanted(capfd):
    simulate(Uniform(12), world(), 32, seed=0)
    assert capfd.readouterr() == ("", "")
    simulate(Uniform(12), world(), 32, seed=0, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "simulate" in err


@pytest.mark.parametrize("preset", ["substitutes", "pbm"])
def test_slates_are_served_whole_and_told_item_by_item(preset):
    env = world("Slate", n=32, preset=preset, scale=(1.0, 0.5, 3.0), hazard=0.9)
    spy = Spy(100, random_state=0)
    table = simulate(spy, env, 32 * 30, seed=0)
    assert tuple(table.columns) == COLUMNS
    assert not table.isna().any().any()
    assert {len(set(slate)) for slate in table["action"]} == {5}
    assert_allclose(table["propensity"], 1 / np.prod(np.arange(100, 95, -1.0)))
    told = [columns for verb, _, columns in spy.calls if verb == "partial_fit"]
    y = np.concatenate([columns["y"] for columns in told])
    assert y.shape == (960, 5)
    assert_allclose(y.sum(axis=1), table["reward"])
    scale = np.array([1.0, 0.5, 3.0])[table["user_type"]]
    assert set(np.unique(y / scale[:, None])) == {0.0, 1.0}
    assert (y.sum(axis=0) > 0).all()
    assert preset == "pbm" or (y > 0).sum(axis=1).max() == 1
    gap = table["uniform_reward"] - table["reward"]
    assert abs(gap.mean()) < 0.2 * table["best_reward"].mean()


def test_slates_as_candidates_are_scored_before_one_is_shown():
    env = world("Slate", n=8, preset="substitutes")
    rec = PGRPORecommender(100, solver="adam", advantage="grpo", group_size=3, random_state=0)
    table = simulate(rec, env, 8 * 3 * 5, seed=0)
    assert len(table) == 120
    assert table["best_reward"].groupby([table["round"], table["user"]]).nunique().max() == 1
    assert table["expected_reward"].nunique() > 40
