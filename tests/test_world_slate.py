import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs.click_models import CLICK_MODELS
from pgrpo_envs.slate import SlateEnv, SlateScenario, SlateVectorEnv

STAY = {"hazard": 0.0}


def make(n, model="pbm", *, seed=0, **changes):
    env = SlateVectorEnv(n, preset=model, **changes)
    env.reset(seed=seed)
    return env


def draw_slates(env, seed, *shape):
    rng = np.random.default_rng(seed)
    return rng.integers(env.n_items, size=(env.num_envs, *shape, env.scenario.slate_size))


def walk(env, n_steps, seed=3):
    for t in range(n_steps):
        env.step(draw_slates(env, seed + t))


def of_topic(env, m):
    """The same slate for everybody: five items of one topic."""
    slate = np.flatnonzero(env.item_topics == m)[: env.scenario.slate_size]
    return np.tile(slate, (env.num_envs, 1))


def item_wise(env):
    """The items that are best one by one."""
    order = np.argsort(-env.expected_reward(), axis=1, kind="stable")
    return order[:, : env.scenario.slate_size]


def difference(a, b):
    """Mean paired difference and its standard error."""
    return (a - b).mean(), (a - b).std() / np.sqrt(a.size)


def episode_rewards(choose, model, *, n=1500, n_steps=25, **changes):
    """Mean reward a visit of every lane, users replaced as they leave."""
    env = make(n, model, **changes)
    total = np.zeros(n)
    for _ in range(n_steps):
        total += env.step(choose(env))[1]
    return total / n_steps


# --- truth ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", CLICK_MODELS)
def test_mean_score_is_the_expected_reward(model):
    env = make(4, model, scale=(1.0, 2.0, 0.5), **STAY)
    walk(env, 3)
    slates = np.repeat(draw_slates(env, 1, 1), 50_000, axis=1)
    slates[:, :, 2] = slates[:, :, 0]  # a repeated item must not count twice
    told = env.score(slates)
    right = env.expected_reward(slates[:, 0])
    error = told["reward"].std(axis=1) / np.sqrt(50_000)
    assert (np.abs(told["reward"].mean(axis=1) - right) < 4 * error).all()
    assert not told["clicks"][:, :, 2].any()


@pytest.mark.parametrize("model", CLICK_MODELS)
def test_score_is_pure_and_candidate_0_is_the_step(model):
    env = make(64, model)
    walk(env, 4)
    slates, before = draw_slates(env, 7, 3), env.get_state()
    told = env.score(slates)
    again = env.score(slates)
    for key in told:
        assert_array_equal(told[key], again[key])
    for kept, now in zip(before, env.get_state(), strict=True):
        assert_array_equal(kept, now)
    expected = env.expected_reward(slates)
    assert_array_equal(expected[:, 1], env.expected_reward(slates[:, 1]))
    _, reward, _, _, info = env.step(slates[:, 0])
    assert_array_equal(told["reward"][:, 0], reward)
    stay = info["_clicks"]
    assert_array_equal(told["clicks"][stay, 0], info["clicks"][stay])
    assert_array_equal(told["cost"][stay, 0], info["cost"][stay])


def test_common_noise_gives_equal_slates_equal_answers():
    env = make(32)
    slates = np.repeat(draw_slates(env, 7, 1), 4, axis=1)
    reward = env.score(slates, common_noise=True)["reward"]
    assert_array_equal(reward, reward[:, :1].repeat(4, axis=1))
    assert (env.score(slates)["reward"] != reward).any()


@pytest.mark.parametrize("model", CLICK_MODELS)
def test_oracle_and_uniform_values_against_random_slates(model):
    env = make(6, model)
    walk(env, 5)
    values = env.expected_reward(draw_slates(env, 2, 20_000))
    assert (values.max(axis=1) <= env.best_expected_reward()).all()
    assert_array_equal(env.expected_reward(env.oracle_action()), env.best_expected_reward())
    error = values.std(axis=1) / np.sqrt(20_000)
    assert (np.abs(values.mean(axis=1) - env.uniform_expected_reward()) < 4 * error).all()


@pytest.mark.parametrize("model", CLICK_MODELS)
def test_expected_reward_without_slates_is_of_an_item_alone_on_top(model):
    env = make(3, model, slate_size=1, scale=(1.0, 2.0, 0.5))
    items = np.broadcast_to(np.arange(env.n_items)[:, None], (3, env.n_items, 1))
    assert_allclose(env.expected_reward(), env.expected_reward(items), rtol=1e-12)


@pytest.mark.parametrize("model", CLICK_MODELS)
def test_oracle_beats_a_slate_for_all_over_episodes(model):
    env = make(1000, model)
    fixed = np.argsort(-env.expected_reward().mean(axis=0))[:5]
    best = episode_rewards(lambda env: env.oracle_action(), model)
    pooled = episode_rewards(lambda env: np.tile(fixed, (env.num_envs, 1)), model)
    uniform = episode_rewards(lambda env: draw_slates(env, int(env._clock.t[0])), model)
    for rival in (pooled, uniform):
        mean, error = difference(best, rival)
        assert mean > 4 * error


# --- what a teacher relies on -----------------------------------------------------------


def gain_of_coverage(model, world_seed):
    """How far the best slate is above the items best one by one, from 0 (uniform) to 1."""
    env = make(1000, model, world_seed=world_seed)
    best, uniform = env.best_expected_reward(), env.uniform_expected_reward()
    one_by_one = env.expected_reward(item_wise(env))
    return 1 - ((one_by_one - uniform).mean() / (best - uniform).mean())


@pytest.mark.parametrize("world_seed", [0, 1, 2])
def test_only_where_items_substitute_each_other_does_coverage_pay(world_seed):
    assert gain_of_coverage("substitutes", world_seed) > 0.5  # .67 to .81 in 24 worlds
    for model in ("pbm", "cascade", "dcm", "mnl"):
        assert_allclose(gain_of_coverage(model, world_seed), 0.0, atol=1e-9)


def test_the_best_slate_covers_several_needs():
    env = make(500, "substitutes")
    n_topics = [len(set(slate)) for slate in env.item_topics[env.oracle_action()]]
    assert np.mean(n_topics) > 3.5
    assert np.mean([len(set(s)) for s in env.item_topics[item_wise(env)]]) < 2.5


@pytest.mark.parametrize("model", CLICK_MODELS)
def test_groups_conflict(model):
    """What is best for the majority is much worse than the best for each minority."""
    env = make(3000, model)
    types = env.user_types[env._clock.user]
    expected, best = env.expected_reward(), env.oracle_action()
    top = np.argsort(-expected[types == 0].mean(axis=0))[:5]
    pooled = env.expected_reward(np.tile(top, (3000, 1)))
    share = pooled / env.expected_reward(best)
    assert share[types == 0].mean() > 0.5
    for p in (1, 2):
        assert share[types == p].mean() < 0.3
        assert env.niche_items[best[types == p]].mean() > 0.5
    assert env.niche_items[best[types == 0]].mean() < 0.1


# --- dynamics ---------------------------------------------------------------------------


def test_satiation_lowers_the_same_slate_and_recovers():
    env = make(200, **STAY)
    slate = of_topic(env, 0)
    start = env.expected_reward(slate)
    for _ in range(5):
        env.step(slate)
    sated = env.expected_reward(slate)
    assert (sated < 0.8 * start).all()
    for _ in range(30):
        env.step(of_topic(env, 1))
    rested = env.expected_reward(slate)
    assert_allclose(rested, start, rtol=0.01)


def test_satiation_dial():
    slate = of_topic(make(1), 0)[0]

    def after_one_visit(satiation):
        env = make(50, satiation=(satiation,) * 3, **STAY)
        slates = np.tile(slate, (50, 1))
        before = env.expected_reward(slates)
        env.step(slates)
        return env.expected_reward(slates) / before

    assert_array_equal(after_one_visit(0.0), 1.0)
    assert (after_one_visit(3.0) < after_one_visit(1.0)).all()


def test_observation_tells_what_was_shown_and_clicked():
    env = make(300, **STAY)
    layout, memory = env.obs_layout, env.scenario.memory
    slate = of_topic(env, 3)
    obs, _, _, _, info = env.step(slate)
    right = np.zeros(env.scenario.n_topics)
    right[3] = 1 - memory
    assert_allclose(obs[:, layout["exposure"]], np.tile(right, (300, 1)), rtol=1e-6)
    assert_array_equal(obs[:, layout["clicks"]], info["clicks"])
    engagement = (1 - memory) * info["clicks"].mean(axis=1)
    assert_allclose(obs[:, layout["engagement"]][:, 3], engagement, rtol=1e-6)
    assert_allclose(obs[:, layout["time"]][:, 0], 1 / env.scenario.horizon, rtol=1e-6)
    assert layout["time"].stop == env.single_observation_space.shape[0]
    for _ in range(100):
        obs = env.step(slate)[0]
    assert env.observation_space.contains(obs)


@pytest.mark.parametrize("model", ["cascade", "mnl", "substitutes"])
def test_at_most_one_click(model):
    info = make(2000, model, **STAY).step(np.tile(np.arange(5), (2000, 1)))[4]
    assert info["clicks"].sum(axis=1).max() == 1


def test_a_slate_of_one_item_is_that_item_once():
    env = make(2000, **STAY)
    same = np.repeat(item_wise(env)[:, :1], 5, axis=1)
    clicks = env.step(same)[4]["clicks"]
    assert clicks[:, 0].mean() > 0.4
    assert not clicks[:, 1:].any()


def test_cost_is_the_share_of_items_from_no_niche():
    env = make(8, **STAY)
    niche, other = np.flatnonzero(env.niche_items), np.flatnonzero(~env.niche_items)
    assert niche.size == 10
    slate = np.tile([niche[0], other[0], other[1], niche[1], other[2]], (8, 1))
    assert_allclose(env.step(slate)[4]["cost"], 0.6)


def share_who_left(choose, **changes):
    env = make(4000, autoreset_mode="Disabled", **changes)
    for _ in range(5):
        _, _, terminated, _, _ = env.step(choose(env))
        env._clock.ended[:] = False
    return terminated.mean(), 0.5 / np.sqrt(4000)


def test_people_leave_sooner_when_nothing_pleases_and_when_they_demand_more():
    def worst(env):
        return np.argsort(env.expected_reward(), axis=1)[:, :5]

    pleased, error = share_who_left(lambda env: env.oracle_action())
    bored, _ = share_who_left(worst)
    demanding, _ = share_who_left(lambda env: env.oracle_action(), demand=(1.0, 1.0, 1.0))
    assert bored - pleased > 4 * error
    assert demanding - pleased > 4 * error
    assert share_who_left(worst, **STAY)[0] == 0


def test_horizon_truncates():
    env = make(5, horizon=3, **STAY)
    flags = [env.step(draw_slates(env, t))[3].all() for t in range(6)]
    assert flags == [False, False, True, False, False, True]


def test_nothing_tells_the_group_but_the_profile():
    env = make(3000, "pbm", obs_noise=100.0)
    obs, info = env.reset(seed=1)
    assert "user_type" not in info
    rest = obs[:, env.obs_layout["profile"].stop :]
    assert not rest.any()


# --- world ------------------------------------------------------------------------------


def test_single_environment_knows_the_same_truth():
    env = SlateEnv(preset="substitutes", info_level="eval")
    env.reset(seed=4)
    assert env.action_space == gym.spaces.MultiDiscrete([100] * 5)
    best = env.vector.oracle_action()[0]
    *_, info = env.step(best)
    assert info["expected_reward"] == info["best_expected_reward"]
    assert info["clicks"].shape == (5,)


def test_one_group_needs_no_niches():
    one = dict.fromkeys(("base", "scale", "satiation", "demand"), (0.5,))
    env = make(4, shares=(1.0,), **one)
    assert not env.niche_items.any()
    assert set(env.item_topics) == set(range(10))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("click_model", "dbn"),
        ("n_items", 4),
        ("slate_size", 0),
        ("n_topics", 4),
        ("niches", 0),
        ("niche_share", 1.0),
        ("n_users", 2),
        ("n_features", 1),
        ("shares", (0.5, 0.2, 0.1)),
        ("conflict", 1.1),
        ("deviation", -0.1),
        ("obs_noise", -1.0),
        ("slope", -1.0),
        ("quality", -1.0),
        ("base", (0.0,)),
        ("scale", (1.0, 1.0, 0.0)),
        ("satiation", (1.0, 1.0, -1.0)),
        ("memory", 1.0),
        ("examination", 0.0),
        ("continuation", 1.1),
        ("hazard", 1.1),
        ("steepness", -1.0),
        ("demand", (0.5, 0.5, 1.5)),
        ("recency", 0.0),
        ("horizon", 0),
    ],
)
def test_bad_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        SlateScenario(**{name: value})


def test_bad_slates_are_named():
    env = make(3)
    good = draw_slates(env, 0)
    bad = good.copy()
    bad[1, 4] = 100
    for call in (env.step, env.expected_reward, lambda a: env.score(a[:, None])):
        with pytest.raises(ValueError, match=r"actions\[1\]"):
            call(bad)
    with pytest.raises(ValueError, match="shape"):
        env.step(good[:, :4])
    for wrong in (good[:, 0], good[:, :4], good[:2], good[:, None, None]):
        with pytest.raises(ValueError, match="shape"):
            env.expected_reward(wrong)
