"""`Recommend-v0`: direction of every dynamic, exact truths, and what the presets promise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs.recommend import RecommendEnv, RecommendScenario, RecommendVectorEnv


def make(n, preset="plain", seed=0, **changes):
    env = RecommendVectorEnv(n, preset=preset, **changes)
    env.reset(seed=seed)
    return env


def uniform(env, rng):
    return rng.integers(env.n_items, size=env.num_envs)


def myopic(env, rng):
    return env.oracle_action()


def far_sighted(env, rng):
    """Prefer clicks that satisfy: the lure, which wins clicks now, counts against an item."""
    return (env.expected_reward() * (1.0 - 2.0 * env.world.lures)).argmax(axis=1)


def first_sessions(policy, n=600, preset="churn", **changes):
    """Return the return of every lane's first session."""
    env, rng = make(n, preset, seed=5, **changes), np.random.default_rng(0)
    total, alive = np.zeros(n), np.ones(n, dtype=bool)
    for _ in range(env.scenario.horizon):
        _, reward, terminated, truncated, _ = env.step(policy(env, rng))
        total += reward * alive
        alive &= ~(terminated | truncated)
    assert not alive.any()
    return total


def mean_reward(policy, preset="plain", n=400, n_steps=60):
    env, rng = make(n, preset), np.random.default_rng(1)
    return np.mean([env.step(policy(env, rng))[1].mean() for _ in range(n_steps)])


# --- dynamics --------------------------------------------------------------------------------


def test_satiation_lowers_the_repeat_reward_and_recovers():
    env = make(64, tired=(1.0, 1.0, 1.0))
    fresh = env.expected_reward()
    for _ in range(5):
        env.step(np.full(64, 3))
    tired = env.expected_reward()
    same_topic = np.arange(env.n_items) % 8 == 3
    assert (tired[:, same_topic] < fresh[:, same_topic]).all()
    assert_array_equal(tired[:, ~same_topic], fresh[:, ~same_topic])
    for _ in range(60):
        env.step(np.full(64, 4))
    rested = env.expected_reward()
    assert_allclose(rested[:, same_topic], fresh[:, same_topic], atol=1e-2)
    assert (rested[:, same_topic] > tired[:, same_topic]).all()


def test_novelty_seekers_tire_most():
    env = make(2000)
    best = env.best_expected_reward()
    item = env.oracle_action()
    for _ in range(10):
        env.step(item)
    lost = 1.0 - env.expected_reward(item) / best
    comfort, novelty, third = (lost[env.state.group == p].mean() for p in range(3))
    assert comfort < third < novelty


def test_stock_satisfaction_and_memory_by_hand():
    env = make(50, "churn", ceiling=0.0)
    s, w = env.scenario, env.world
    rng = np.random.default_rng(0)
    stock, satisfaction = np.zeros((50, 8)), np.zeros(50)
    seen, clicked = np.zeros((50, 8)), np.zeros((50, 8))
    keep = np.array(s.keep)[env.state.group]
    for _ in range(30):
        items = uniform(env, rng)
        obs, reward, *_ = env.step(items)
        shown = np.eye(8)[items % 8]
        stock = keep[:, None] * stock + s.amount * shown
        satisfaction += s.rate * (-w.lures[items] * reward - satisfaction)
        seen = 0.9 * seen + 0.1 * shown
        clicked = 0.9 * clicked + 0.1 * shown * reward[:, None]
    assert_allclose(env.state.stock, stock)
    assert_allclose(env.state.satisfaction, satisfaction)
    layout = env.obs_layout
    assert_allclose(obs[:, layout["exposure"]], seen, rtol=1e-5)
    assert_allclose(obs[:, layout["engagement"]], clicked, rtol=1e-5)
    assert_allclose(obs[:, layout["time"]], 30 / s.horizon)


def test_expected_reward_is_the_formula():
    env = make(20, "hard")
    s, w = env.scenario, env.world
    for _ in range(4):
        env.step(np.arange(20))
    group = env.state.group.astype(int)
    logit = np.array(s.base)[group][:, None] + s.lure * w.lures + env.state.taste @ w.items.T
    logit -= np.array(s.tired)[group][:, None] * env.state.stock[:, np.arange(s.n_items) % 8]
    right = np.array(s.scale)[group][:, None] / (1.0 + np.exp(-logit))
    assert_allclose(env.expected_reward(), right, rtol=1e-9)


def test_dissatisfied_users_leave_sooner_and_as_often_as_the_hazard_says():
    rates = []
    for level in (-0.3, 0.0, 0.3):
        env = make(20_000, "churn", autoreset_mode="Disabled")
        env.state.satisfaction[:] = level
        left = env.step(np.zeros(20_000, dtype=np.int64))[2]
        s, group = env.scenario, env.state.group.astype(int)
        gap = s.leave_slope * (np.array(s.threshold)[group] - env.state.satisfaction)
        risk = s.ceiling / (1.0 + np.exp(-gap))
        assert abs(left.mean() - risk.mean()) < 4 * np.sqrt((risk * (1 - risk)).sum()) / 20_000
        rates.append(left.mean())
    assert rates[0] > rates[1] + 0.05 > rates[2] + 0.1


def test_taste_wanders_only_where_it_should_and_stays_on_the_sphere():
    still, drifting = make(200), make(200, "drift")
    start = drifting.state.taste.copy()
    assert_array_equal(start, still.state.taste)
    for _ in range(99):
        still.step(np.zeros(200, dtype=np.int64))
        drifting.step(np.zeros(200, dtype=np.int64))
    assert_array_equal(still.state.taste, start)
    assert_allclose(np.linalg.norm(drifting.state.taste, axis=1), 1.0)
    moved = 1.0 - (drifting.state.taste * start).sum(axis=1)
    by_group = [moved[drifting.state.group == p].mean() for p in range(3)]
    assert 0 < by_group[0] < by_group[1] < by_group[2]


# --- groups that move ------------------------------------------------------------------------


def group_shares(env, n_episodes):
    """Return the shares of groups in each lane's episode 0, 1, ..., shape (n_episodes, P)."""
    rows = []
    for _ in range(n_episodes):
        rows.append(np.bincount(env.state.group.astype(int), minlength=3) / env.num_envs)
        for _ in range(env.scenario.horizon):
            env.step(np.zeros(env.num_envs, dtype=np.int64))
    return np.array(rows)


def test_shares_move_to_the_later_ones():
    env = make(5000, "moving", horizon=1, moving_episodes=10)
    shares = group_shares(env, 12)
    assert_allclose(shares[0], (0.7, 0.2, 0.1), atol=0.03)
    assert_allclose(shares[5], (0.5, 0.2, 0.3), atol=0.03)
    assert_allclose(shares[11], (0.3, 0.2, 0.5), atol=0.03)


def test_a_new_group_arrives_after_its_episode():
    shares = group_shares(make(2000, "newcomers", horizon=1), 7)
    assert (shares[:5, 2] == 0).all()
    assert (shares[5:, 2] > 0.1).all()


def test_tastes_turn_from_episode_to_episode():
    env = make(500, "moving", horizon=1)
    similar = []
    for _ in range(11):
        first = env.world.tastes[0, env._clock.user]
        similar.append((first * env.state.taste).sum(axis=1).mean())
        env.step(np.zeros(500, dtype=np.int64))
    assert similar[0] == pytest.approx(1.0)
    assert (np.diff(similar) < 0).all()


# --- truths ----------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["plain", "hard"])
def test_scores_are_unbiased_pure_and_first_the_step(preset):
    env = make(400, preset)
    for _ in range(3):
        env.step(uniform(env, np.random.default_rng(2)))
    candidates = np.random.default_rng(3).integers(env.n_items, size=(400, 256))
    before = env.get_state()
    score = env.score(candidates)["reward"]
    assert_array_equal(env.score(candidates)["reward"], score)
    for kept, now in zip(before, env.get_state(), strict=True):
        assert_array_equal(kept, now)
    expected = env.expected_reward(candidates)
    scale = env.world.scale[env.state.group][:, None]
    error = np.sqrt((expected * (scale - expected)).sum()) / score.size
    assert abs(score.mean() - expected.mean()) < 4 * error
    assert_array_equal(env.step(candidates[:, 0])[1], score[:, 0])


@pytest.mark.parametrize("preset", sorted(RecommendScenario.PRESETS))
def test_oracle_beats_every_fixed_action_for_the_visit(preset):
    env = make(500, preset)
    best = env.best_expected_reward()
    for _ in range(10):
        values = env.expected_reward()
        assert best.mean() > values.mean(axis=0).max() + 0.02
        env.step(env.oracle_action())
        best = env.best_expected_reward()


# --- what a teacher relies on ------------------------------------------------------------------


def test_reference_rewards_of_the_plain_preset():
    assert mean_reward(uniform) == pytest.approx(0.235, abs=0.02)
    assert mean_reward(myopic) == pytest.approx(0.50, abs=0.03)


def test_myopic_oracle_is_no_better_than_chance_over_a_session():
    chance, greedy, wise = (
        first_sessions(policy).mean() for policy in (uniform, myopic, far_sighted)
    )
    assert 2.5 < chance < 4.5
    assert chance < greedy < 5.5
    assert wise > 1.8 * greedy
    assert 13 < wise < 20


def test_without_churn_lures_pay():
    greedy, wise = (first_sessions(p, ceiling=0.0).mean() for p in (myopic, far_sighted))
    assert greedy > 1.2 * wise


def test_group_is_neither_observed_nor_told():
    env = RecommendVectorEnv(4, preset="hard")
    _, info = env.reset(seed=0)
    info |= env.step(np.zeros(4, dtype=np.int64))[4]
    assert {key for key in info if not key.startswith("_")} <= {
        "user_id",
        "final_obs",
        "final_info",
    }
    assert env.single_observation_space.shape == (25,)


def test_single_environment_is_lane_zero():
    single, vector = RecommendEnv(preset="churn"), make(1, "churn", seed=[4])
    obs, _ = single.reset(seed=4)
    assert_array_equal(obs, vector.reset(seed=[4])[0][0])
    for item in range(3):
        one, many = single.step(item), vector.step(np.array([item]))
        assert one[1] == many[1][0]
        if one[2]:
            break
        assert_array_equal(one[0], many[0][0])


BAD = [
    ("n_items", 7),
    ("n_users", 2),
    ("horizon", 0),
    ("shares", (0.7, 0.2, 0.2)),
    ("conflict", 1.5),
    ("deviation", -0.1),
    ("obs_noise", -1.0),
    ("slope", -1.0),
    ("base", (0.0,)),
    ("scale", (1.0, 0.0, 1.0)),
    ("tired", (-1.0, 0.0, 0.0)),
    ("keep", (1.0, 0.5, 0.5)),
    ("lure", -0.5),
    ("rate", 0.0),
    ("ceiling", 1.1),
    ("leave_slope", -1.0),
    ("wandering", (0.0, 0.0, -0.1)),
    ("later_shares", (0.5, 0.2)),
    ("later_shares", (0.5, 0.2, 0.1)),
    ("arrival", (1, 1, 1)),
    ("arrival", (0, 0, -1)),
    ("turn", -0.1),
    ("moving_episodes", 0),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_parameters_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name}="):
        RecommendScenario.preset(**{name: value})
