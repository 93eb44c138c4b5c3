"""`PreferenceBandit-v0`: the truth by hand, and presets that are the problems they name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_preference_bandit import mean_rewards
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs.preference_bandit import PreferenceBanditScenario, PreferenceBanditVectorEnv

PRESETS = tuple(PreferenceBanditScenario.PRESETS)
THREE = {"n_items": 20, "n_features": 8, "shares": (0.7, 0.2, 0.1), "spread": 0.7, "noise": 1.0}


def make(n=32, preset="plain", seed=0, **changes):
    env = PreferenceBanditVectorEnv(n, preset=preset, **changes)
    env.reset(seed=seed)
    return env


# --- expected rewards ------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    preset=st.sampled_from([p for p in PRESETS if p != "many"]),
    deviation=st.sampled_from([0.0, 0.4]),
    curved=st.booleans(),
    drift=st.permutations(["still", "replaced", "rotating"]),
    visits=st.sampled_from([0, 1, 333, 334, 700, 1000, 5000]),
    seed=st.integers(0, 99),
)
def test_expected_rewards_are_the_formula(preset, deviation, curved, drift, visits, seed):
    changes = {"deviation": deviation, "curved": curved, "drift": tuple(drift), "n_users": 40}
    env = make(6, preset, seed, **changes)
    env._clock.episode[:] = visits
    right = [
        mean_rewards(env.world, user, visits, z)
        for user, z in zip(env._clock.user, env.state.z, strict=True)
    ]
    assert_allclose(env.expected_reward(), right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
def test_candidates_have_the_expected_reward_of_their_column(preset):
    env = make(9, preset)
    env._clock.episode[:] = np.arange(9) * 100
    values = env.expected_reward()
    actions = np.random.default_rng(0).integers(env.n_items, size=(9, 4))
    assert_array_equal(env.expected_reward(actions), np.take_along_axis(values, actions, axis=1))
    assert_array_equal(env.expected_reward(actions[:, 0]), values[np.arange(9), actions[:, 0]])


# --- presets ---------------------------------------------------------------------------------


def test_click_rates_are_the_bases_times_a_lognormal_within_their_limits():
    rates = np.array([make(1, "clicks", world_seed=w).world.bias for w in range(60)])  # (60, 3, 20)
    assert rates.shape[1:] == (3, 20)
    assert rates.min() >= 0.001
    assert rates.max() <= 0.95
    for p, base in enumerate((0.3, 0.1, 0.03)):
        logs = np.log(rates[:, p] / base)
        assert abs(np.median(logs)) < 4 * 1.25 * 0.6 / np.sqrt(logs.size)
        inner = np.log(rates[:, p] / base)[rates[:, p] < base]  # the lower half is never clipped
        assert abs(np.sqrt((inner**2).mean()) - 0.6) < 4 * 0.6 / np.sqrt(2 * inner.size)
    env = make(200, "clicks")
    types = env.user_types[env._clock.user]
    assert_array_equal(env.expected_reward(), env.world.bias[types])
    assert set(env.obs_layout) == {"constant"}


@pytest.mark.parametrize(
    ("preset", "response", "base", "scale", "offset", "curved"),
    [
        ("scales", "gaussian", (0, 0, 0), (5, 1, 0.2), (0, 2, -5), False),
        ("nonlinear", "gaussian", (0, 0, 0), (5, 1, 0.2), (0, 2, -5), True),
        ("logit", "logit", (-0.5, -1.5, -3.5), (1, 1, 1), (0, 0, 0), False),
        ("drift", "logit", (-0.5, -1.5, -3.5), (1, 1, 1), (0, 0, 0), False),
        ("nonlinear_logit", "logit", (-0.5, -1.5, -3.5), (1, 1, 1), (0, 0, 0), True),
    ],
)
def test_problems_of_visits_with_features(preset, response, base, scale, offset, curved):
    env = make(20_000, preset)
    told = {name: getattr(env.scenario, name) for name in THREE}
    assert told == THREE
    s = env.scenario
    assert (s.response, s.base, s.scale, s.offset) == (response, base, scale, offset)
    assert (s.curved, s.context) == (curved, "visit")
    weights, types, z = env.world.weights[0], env.user_types[env._clock.user], env.state.z
    assert abs(weights.std() - 0.7) < 4 * 0.7 / np.sqrt(2 * weights.size)
    assert_array_equal(z[:, 0], 1.0)
    for p in range(3):
        mine = z[types == p, 1:]
        error = 4 / np.sqrt(len(mine))
        assert (np.abs(mine.mean(axis=0) - env.world.shift[p, 1:]) < error).all()
        assert (np.abs(mine.std(axis=0) - 1.0) < error).all()


def test_one_group_is_replaced_at_a_third_one_turns_slowly_one_stays():
    env = make(3, "drift")
    env.state.z[:] = np.random.default_rng(0).normal(size=8)
    env._clock.user[:] = [np.flatnonzero(env.user_types == p)[0] for p in range(3)]
    values = []
    for visits in (0, 333, 334, 999):
        env._clock.episode[:] = visits
        values.append(env.expected_reward())
    start, before, after, end = values
    assert_array_equal(before[0], start[0])
    assert (after[0] != start[0]).all()
    assert_array_equal(end[0], after[0])
    assert np.abs(after[1] - before[1]).max() < 0.01 < np.abs(end[1] - start[1]).max()
    assert_array_equal(end[2], start[2])


def test_many_items_are_linear_in_user_times_item_features():
    env = make(64, "many")
    assert env.item_features.shape == (10_000, 16)
    assert env.best_expected_reward().shape == (64,)
    types = env.user_types[env._clock.user]
    unit = (env.expected_reward() - env.world.offset[types, None]) / env.world.scale[types, None]
    fit = np.linalg.lstsq(env.item_features, unit.T, rcond=None)[0]
    assert_allclose(env.item_features @ fit, unit.T, atol=1e-9)
