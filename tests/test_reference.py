import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

from benchmarks.reference_values import POLICIES, check, scenarios
from pgrpo_envs import WORLDS
from pgrpo_envs.reference import find_world, reference_values

TABLE = pd.concat([reference_values(world.name) for world in WORLDS], ignore_index=True)
KEYS = ["world", "preset", "policy", "user_type"]
ONE_VISIT = TABLE[TABLE["n_visits"] == TABLE["n_episodes"]]


def by_policy(rows):
    return [rows.pivot(index=KEYS[:2] + KEYS[3:], columns="policy", values=v)
            for v in ("mean_reward", "standard_error")]  # fmt: skip


def test_every_world_preset_policy_and_group_has_one_row():
    assert not TABLE.duplicated(KEYS).any()
    wanted = set()
    for name, preset in scenarios():
        world = gym.make_vec(find_world(name).id, num_envs=1, preset=preset).unwrapped
        types = ["all", *map(str, range(world.n_groups))]
        wanted |= {(name, preset, policy, p) for policy in POLICIES for p in types}
    assert set(TABLE[KEYS].itertuples(index=False, name=None)) == wanted


def test_values_are_numbers_and_precise():
    assert np.isfinite(TABLE["mean_reward"]).all()
    assert (TABLE["standard_error"] >= 0).all()
    assert (TABLE["n_visits"] >= TABLE["n_episodes"]).all()
    assert (TABLE["n_episodes"] > 0).all()
    all_users = TABLE[TABLE["user_type"] == "all"].set_index(KEYS)
    spread = (
        all_users["mean_reward"].groupby(level=[0, 1]).max()
        - all_users["mean_reward"].groupby(level=[0, 1]).min()
    )
    worst = all_users["standard_error"].groupby(level=[0, 1]).max()
    assert (worst < 0.03 * spread).all()


def test_everybody_is_the_mean_of_the_groups():
    parts = TABLE[TABLE["user_type"] != "all"]
    parts = parts.assign(total=parts["mean_reward"] * parts["n_visits"])
    sums = parts.groupby(KEYS[:3])[["total", "n_visits", "n_episodes"]].sum()
    whole = TABLE[TABLE["user_type"] == "all"].set_index(KEYS[:3]).loc[sums.index]
    assert (sums["n_visits"] == whole["n_visits"]).all()
    assert (sums["n_episodes"] == whole["n_episodes"]).all()
    gap = (sums["total"] / sums["n_visits"] - whole["mean_reward"]).abs()
    assert (gap < 1e-4 * parts.groupby(KEYS[:3])["mean_reward"].agg(lambda m: m.abs().max())).all()


def test_where_a_visit_stands_alone_the_oracle_is_best_for_every_group():
    mean, error = by_policy(ONE_VISIT)
    assert len(mean) > 80
    for rival in ("best_fixed", "uniform"):
        slack = 4 * np.hypot(error["oracle"], error[rival])
        assert (mean["oracle"] >= mean[rival] - slack).all()


def test_where_a_visit_stands_alone_the_best_fixed_action_beats_chance_for_all():
    mean, error = by_policy(ONE_VISIT[ONE_VISIT["user_type"] == "all"])
    gap = mean["best_fixed"] - mean["uniform"]
    assert (gap > 4 * np.hypot(error["best_fixed"], error["uniform"])).all()


def test_best_fixed_rows_alone_tell_an_action():
    fixed = TABLE["policy"] == "best_fixed"
    assert (TABLE["action"] != "").eq(fixed).all()
    slates = TABLE[fixed & (TABLE["world"] == "Slate")]
    assert slates["action"].str.split().map(len).eq(5).all()
    assert slates["note"].str.contains("greedy fixed slate").all()


@pytest.mark.parametrize(
    ("world", "preset", "policy"),
    [
        ("PreferenceBandit", "hard", "best_fixed"),
        ("Recommend", "churn", "oracle"),
        ("Tutor", "plain", "oracle"),
        ("Treatment", "tolerant", "best_fixed"),
        ("Norms", "sparse", "oracle"),
        ("Ratings", "observed", "uniform"),
    ],
)
def test_a_short_simulation_agrees(world, preset, policy):
    rows = check(world, preset, policy)
    assert len(rows) == 4
    assert (rows["gap"] < 5).all()


def test_a_wrong_value_would_be_noticed(monkeypatch):
    wrong = reference_values("Norms", "plain")
    wrong["mean_reward"] *= 1.1
    monkeypatch.setattr("benchmarks.reference_values.reference_values", lambda *_: wrong)
    assert check("Norms", "plain", "oracle")["gap"].max() > 5


@pytest.mark.parametrize("name", ["Tutor", "Tutor-v0", "pgrpo_envs/Tutor-v0"])
def test_names_of_worlds(name):
    assert find_world(name).id == "pgrpo_envs/Tutor-v0"
    assert set(reference_values(name)["world"]) == {"Tutor"}


def test_unknown_names_are_told_with_the_known_ones():
    with pytest.raises(ValueError, match=r"world='Moon' is unknown; there are Pref.*, Ratings$"):
        reference_values("Moon")
    with pytest.raises(ValueError, match=r"preset='x' is unknown to Slate; it has 'pbm', "):
        reference_values("Slate", "x")


def test_what_is_returned_is_the_callers_own():
    mine = reference_values("Norms")
    mine["mean_reward"] = 0.0
    assert (reference_values("Norms")["mean_reward"] > 0).all()
