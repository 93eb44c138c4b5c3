"""`EchoChamber-v0`: clicks narrow tastes, and are paid for it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs.echo_chamber import EchoChamberEnv, EchoChamberScenario, EchoChamberVectorEnv


def make(n, preset="plain", seed=0, **changes):
    changes = {"autoreset_mode": "Disabled", "info_level": "eval", **changes}
    env = EchoChamberVectorEnv(n, preset=preset, **changes)
    env.reset(seed=seed)
    return env


def uniform(env, rng):
    return rng.integers(env.n_items, size=env.num_envs)


def myopic(env, rng):
    return env.oracle_action()


def entropy(parts):
    logs = np.log(np.where(parts > 0, parts, 1.0))
    return -(parts * logs).sum(axis=1) / np.log(parts.shape[1])


def live(policy, preset="plain", n=1000):
    """Live one episode; return the environment, objectives (H, n, 3) and loyalty (H, n)."""
    env, rng = make(n, preset), np.random.default_rng(0)
    infos = [env.step(policy(env, rng))[4] for _ in range(env.scenario.horizon)]
    return env, *(np.array([info[key] for info in infos]) for key in ("objectives", "loyalty"))


def first_tastes(env):
    return env.world.tastes[env._clock.user]


# --- dynamics --------------------------------------------------------------------------------


def test_a_click_moves_taste_towards_the_item_and_a_refusal_does_not():
    env = make(3000)
    before = env.state.taste.copy()
    items = uniform(env, np.random.default_rng(1))
    reward = env.step(items)[1]
    vectors = env.world.items[items]
    turned = ((env.state.taste - before) * vectors).sum(axis=1)
    assert (turned[reward == 1] > 0).all()
    assert_array_equal(env.state.taste[reward == 0], before[reward == 0])
    eta = env.world.susceptibility[env.user_types[env._clock.user]] * reward
    moved = before + eta[:, None] * vectors
    assert_allclose(env.state.taste, moved / np.linalg.norm(moved, axis=1, keepdims=True))


def test_taste_stays_on_the_sphere():
    env, *_ = live(myopic, "hard", n=200)
    assert_allclose(np.linalg.norm(env.state.taste, axis=1), 1.0)


def test_firm_tastes_do_not_move():
    env, _, loyalty = live(myopic, "firm", n=200)
    assert_array_equal(env.state.taste, first_tastes(env))
    assert_allclose(loyalty, 1.0)


def test_objectives_and_cost_by_hand():
    env, rng = make(40, window=5), np.random.default_rng(2)
    latest = [[j] * 40 for j in range(5)]  # the window of old: topics 0 to 4, harmless
    harmful = [[0] * 40] * 5
    for _ in range(12):
        items = uniform(env, rng)
        _, reward, _, _, info = env.step(items)
        latest = [*latest[1:], items % 8]
        harmful = [*harmful[1:], env.world.harm[items]]
        counts = np.array([np.bincount(column, minlength=8) for column in np.transpose(latest)])
        diversity = entropy(counts / 5)
        objectives = info["objectives"]
        assert_array_equal(objectives[:, 0], reward)
        assert_allclose(objectives[:, 1], diversity, atol=1e-12)
        assert_allclose(objectives[:, 2], 1.0 - np.mean(harmful, axis=0))
        loyalty = (env.state.taste * first_tastes(env)).sum(axis=1)
        assert_allclose(info["loyalty"], loyalty)
        assert_allclose(info["cost"], np.maximum(0.5 - diversity, 0.0), atol=1e-12)


def test_observation_by_hand():
    env = make(6, window=4, obs_noise=0.0)
    items = np.array([0, 1, 2, 3, 8, 9])
    for _ in range(4):
        obs, reward, *_ = env.step(items)
    layout = env.obs_layout
    assert_allclose(obs[:, layout["profile"]], first_tastes(env), rtol=1e-6)
    assert_allclose(obs[:, layout["exposure"]], np.eye(8)[items % 8])
    assert_allclose(obs[:, layout["harm"]][:, 0], env.world.harm[items])
    assert_allclose(obs[:, layout["time"]], 0.04)
    assert ((obs[:, layout["engagement"]] > 0).sum(axis=1) <= 1).all()
    assert reward.shape == (6,)


# --- truths ----------------------------------------------------------------------------------


def test_scores_are_unbiased_pure_and_first_the_step():
    env = make(400)
    for _ in range(3):
        env.step(uniform(env, np.random.default_rng(2)))
    candidates = np.random.default_rng(3).integers(env.n_items, size=(400, 256))
    before = env.get_state()
    score = env.score(candidates)
    for kept, now in zip(before, env.get_state(), strict=True):
        assert_array_equal(kept, now)
    expected = env.expected_reward(candidates)
    error = np.sqrt((expected * (1 - expected)).sum()) / expected.size
    assert abs(score["reward"].mean() - expected.mean()) < 4 * error
    _, reward, _, _, info = env.step(candidates[:, 0])
    assert_array_equal(reward, score["reward"][:, 0])
    assert_array_equal(info["cost"], score["cost"][:, 0])
    for name in ("objectives", "loyalty"):
        assert_array_equal(info[name], score[name][:, 0])


def test_loyalty_is_no_part_of_default_information():
    """How far a click moved the taste tells the susceptibility, and so the group."""
    env = make(4, info_level="basic")
    info = env.step(uniform(env, np.random.default_rng(2)))[4]
    assert "loyalty" not in info
    assert info["objectives"].shape == (4, len(env.objectives)) == (4, 3)


def test_expected_reward_is_the_formula():
    env = make(30, "hard")
    s = env.scenario
    group = env.user_types[env._clock.user]
    logit = np.array(s.base)[group][:, None] + s.slope * env.state.taste @ env.world.items.T
    logit += np.array(s.craving)[group][:, None] * env.world.harm
    right = np.array(s.scale)[group][:, None] / (1.0 + np.exp(-logit))
    assert_allclose(env.expected_reward(), right, rtol=1e-9)


@pytest.mark.parametrize("preset", sorted(EchoChamberScenario.PRESETS))
def test_oracle_beats_every_fixed_action_for_the_visit(preset):
    env = make(500, preset)
    for _ in range(5):
        values = env.expected_reward()
        assert env.best_expected_reward().mean() > values.mean(axis=0).max() + 0.02
        env.step(env.oracle_action())


# --- what a teacher relies on ------------------------------------------------------------------


def test_greed_makes_clicks_rise_while_tastes_narrow():
    env, objectives, loyalty = live(myopic)
    clicks = objectives[:, :, 0].mean(axis=1)
    before, after = entropy(first_tastes(env) ** 2).mean(), entropy(env.state.taste**2).mean()
    assert clicks[:20].mean() == pytest.approx(0.62, abs=0.05)
    assert clicks[-20:].mean() == pytest.approx(0.86, abs=0.05)
    assert before == pytest.approx(0.68, abs=0.05)
    assert after < before - 0.15
    assert objectives[-1, :, 1].mean() < 0.01
    angle = np.arccos(np.clip(loyalty[-1], -1, 1)).mean()
    assert angle == pytest.approx(0.8, abs=0.1)


def test_chance_leaves_tastes_alone():
    env, objectives, _ = live(uniform)
    before, after = entropy(first_tastes(env) ** 2).mean(), entropy(env.state.taste**2).mean()
    assert abs(after - before) < 0.03
    assert objectives[-20:, :, 0].mean() < 0.25
    assert objectives[-1, :, 1].mean() > 0.85


def test_susceptible_users_are_carried_furthest():
    env, _, loyalty = live(uniform)
    group = env.user_types[env._clock.user]
    loyal = [loyalty[-1, group == p].mean() for p in range(3)]
    assert loyal[0] > loyal[1] > loyal[2]


def test_the_prone_group_likes_harm():
    env = make(2000)
    values = env.expected_reward()
    group, harm = env.user_types[env._clock.user], env.world.harm == 1
    gap = [values[group == p][:, harm].mean() - values[group == p][:, ~harm].mean() for p in (0, 2)]
    assert gap[1] > gap[0] + 0.05


def test_single_environment_tells_objectives():
    env = EchoChamberEnv()
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(3)
    assert info["objectives"].shape == (3,)
    assert info["objectives"][0] == reward
    assert not terminated
    assert env.vector.objectives == ("clicks", "diversity", "safety")


BAD = [
    ("n_items", 7),
    ("n_topics", 1),
    ("n_users", 2),
    ("horizon", 0),
    ("window", 0),
    ("shares", (0.5, 0.2, 0.1)),
    ("conflict", -0.1),
    ("deviation", -0.1),
    ("slope", -1.0),
    ("base", (0.0,)),
    ("scale", (1.0, 1.0, 0.0)),
    ("susceptibility", (0.1, 0.1, -0.1)),
    ("harmful", 1.0),
    ("craving", (0.0, 0.0)),
    ("least_diversity", 1.5),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_parameters_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name}="):
        EchoChamberScenario.preset(**{name: value})
