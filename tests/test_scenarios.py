"""Scenarios bring values to the types of their fields, and refuse those of another kind."""

from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from pgrpo_envs.norms import NormsScenario, NormsVectorEnv
from pgrpo_envs.populations import draw_user_types
from pgrpo_envs.preference_bandit import PreferenceBanditScenario
from pgrpo_envs.ratings_world import RatingsScenario
from pgrpo_envs.recommend import RecommendScenario
from pgrpo_envs.scenarios import LONGEST, require_within
from pgrpo_envs.slate import SlateVectorEnv
from pgrpo_envs.treatment import TreatmentScenario
from pgrpo_envs.tutor import TutorScenario

SHARES = (0.5, 0.3, 0.2)


@pytest.mark.parametrize("kind", [list, np.array], ids=["list", "array"])
def test_lists_and_arrays_become_tuples(kind):
    for scenario in (NormsScenario(shares=kind(SHARES)), NormsScenario.preset(shares=kind(SHARES))):
        assert scenario == NormsScenario(shares=SHARES)
        assert type(scenario.shares) is tuple
        assert {type(share) for share in scenario.shares} == {float}


def test_so_do_lists_of_lists():
    rows = [[0.5, 0.2], [0.1, 0.4], [0.3, 0.3]]
    assert TutorScenario(effectiveness=rows).effectiveness == ((0.5, 0.2), (0.1, 0.4), (0.3, 0.3))


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_environments_take_lists(make):
    shares, scale = list(SHARES), [1, 1, 1]
    env = make("pgrpo_envs/Norms-v0", shares=shares, scale=scale)
    same = make("pgrpo_envs/Norms-v0", shares=SHARES)
    assert_array_equal(env.reset(seed=0)[0], same.reset(seed=0)[0])


def test_numbers_become_plain_ones():
    scenario = NormsScenario(n_items=np.int64(20), slope=3, conflict=np.float32(0.5))
    assert [type(x) for x in (scenario.n_items, scenario.slope, scenario.conflict)] == [
        int,
        float,
        float,
    ]


@pytest.mark.parametrize(
    ("cls", "name", "value", "right"),
    [
        (NormsScenario, "slope", "4", "a finite number"),
        (NormsScenario, "slope", float("nan"), "a finite number"),
        (NormsScenario, "slope", True, "a finite number"),
        (NormsScenario, "n_items", "16", "a whole number"),
        (NormsScenario, "n_items", 16.5, "a whole number"),
        (NormsScenario, "n_items", None, "a whole number"),
        (NormsScenario, "shares", "0.7,0.2,0.1", "a tuple or a list"),
        (NormsScenario, "shares", 1.0, "a tuple or a list"),
        (NormsScenario, "base", (0.0, float("inf"), 0.0), "a finite number"),
        (RecommendScenario, "arrival", (0, 0, 5.5), "a whole number"),
        (TreatmentScenario, "emax", (1.0, 0.75), "a tuple or a list"),
        (PreferenceBanditScenario, "curved", "yes", "True or False"),
        (PreferenceBanditScenario, "drift", "still", "a tuple or a list"),
        (RatingsScenario, "max_items", "all", "a whole number"),
        (RatingsScenario, "complete", 1, "True or False"),
    ],
)
def test_values_of_another_kind_are_named(cls, name, value, right):
    with pytest.raises(ValueError, match=rf"{name}.*is not possible.*{right}"):
        cls.preset(**{name: value})


@pytest.mark.parametrize(
    "bad",
    [
        {"num_envs": "4"},
        {"num_envs": 0},
        {"num_envs": 2.0},
        {"world_seed": "0"},
        {"world_seed": -1},
        {"world_seed": 1.5},
        {"replicas": "2"},
        {"replicas": 0},
        {"max_episode_steps": "5"},
        {"reveal_user_type": "no"},
        {"autoreset_mode": "sometimes"},
        {"info_level": 1},
        {"scenario": RecommendScenario()},
        {"scenario": {"n_items": 4}},
    ],
    ids=str,
)
def test_arguments_of_another_kind_are_named(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}=.*is not possible"):
        NormsVectorEnv(**bad)


@pytest.mark.parametrize("seed", ["7", 1.5, -1, 2**64, [1], [1, "2"], [1, 2.5], [1, 2**64]])
def test_seeds_of_another_kind_are_named_and_change_nothing(seed):
    env, twin = (NormsVectorEnv(2) for _ in range(2))
    for one in (env, twin):
        one.reset(seed=3)
    with pytest.raises(ValueError, match="seed"):
        env.reset(seed=seed)
    assert_array_equal(env.reset()[0], twin.reset()[0])


def test_long_values_are_cut_short():
    with pytest.raises(ValueError, match="seed") as error:
        SlateVectorEnv(2).reset(seed=list(range(10_000)))
    assert len(str(error.value)) < LONGEST + 200


@given(
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6),
    st.integers(0, 20),
)
def test_every_group_has_someone_even_among_few(parts, more):
    shares = tuple(part / sum(parts) for part in parts)
    n_users = len(shares) + more
    counts = np.bincount(
        draw_user_types(np.random.default_rng(0), n_users, shares), minlength=len(shares)
    )
    assert counts.sum() == n_users
    assert counts.min() >= 1
    assert np.abs(counts - np.array(shares) * n_users).max() <= len(shares)


@pytest.mark.parametrize(
    ("interval", "inside", "outside", "right"),
    [
        ("[0, 1]", [0, 1, (0.0, 1.0)], [-0.1, 1.1, (0.5, 2.0)], "at least 0 and at most 1"),
        ("(0, 1)", [0.5, ((0.1,), (0.9,))], [0, 1, ((0.5,), (0.0,))], "above 0 and below 1"),
        ("[2, inf)", [2, 1e9, (3, 4)], [1, (2, 1), ()], "at least 2"),
    ],
)
def test_numbers_must_lie_within_an_interval(interval, inside, outside, right):
    for value in inside:
        require_within(SimpleNamespace(dial=value), interval, "dial")
    for value in outside:
        with pytest.raises(ValueError, match=r"dial=.* is not possible") as error:
            require_within(SimpleNamespace(other=5, dial=value), interval, "dial")
        assert str(error.value).endswith(right if value != () else "at least one number")
