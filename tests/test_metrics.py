"""Measures: values worked out by hand, bounds and invariances, twins in plain Python."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pgrpo_rec import metrics

AMOUNTS = st.lists(st.floats(0.0, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=8)


def test_indices_by_hand():
    assert_allclose(metrics.jain_index([1, 2, 3]), 36 / 42)
    assert_allclose(metrics.gini_index([1, 2, 3]), 2 / 9)  # pairs differ by 1, 1, 2; mean 2
    assert_allclose(metrics.nash_welfare([1, 4, 2]), 2.0)
    assert_allclose(metrics.nash_welfare([0.5, 1.0], [3, 1]), 0.5**0.75)
    assert_allclose(metrics.herfindahl_index([5, 3, 2]), 0.38)
    assert_allclose(metrics.entropy([2, 1, 1]), 1.5 * np.log(2))


def test_having_less_than_nothing_counts_as_nothing():
    assert metrics.jain_index([-1.0, 1.0]) == 0.5
    assert metrics.gini_index([-1.0, 1.0]) == 0.5
    assert metrics.nash_welfare([-1.0, 1.0]) == 0.0
    assert metrics.jain_index([-1.0, 0.0]) == 1.0
    assert metrics.gini_index([0.0, 0.0]) == 0.0


def naive_gini(values):
    pairs = [abs(a - b) for a in values for b in values]
    return sum(pairs) / (2 * len(values) * sum(values)) if sum(values) else 0.0


@given(AMOUNTS)
def test_gini_is_half_the_relative_mean_difference(values):
    assert_allclose(metrics.gini_index(values), naive_gini(values), atol=1e-9)


@given(AMOUNTS, st.floats(0.01, 100.0), st.randoms())
def test_indices_keep_their_bounds_and_ignore_units_and_order(values, unit, random):
    n = len(values)
    jain, gini = metrics.jain_index(values), metrics.gini_index(values)
    assert 1 / n - 1e-9 <= jain <= 1 + 1e-9
    assert -1e-9 <= gini <= (n - 1) / n + 1e-9
    other = [unit * value for value in values]
    random.shuffle(other)
    assert_allclose(metrics.jain_index(other), jain, rtol=1e-9)
    assert_allclose(metrics.gini_index(other), gini, atol=1e-9)
    welfare = metrics.nash_welfare(values)
    assert welfare <= np.mean(values) * (1 + 1e-9)
    assert_allclose(metrics.nash_welfare(other), unit * welfare, rtol=1e-9)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(sum))
def test_concentration_keeps_its_bounds_and_ignores_what_is_never_shown(counts):
    n = len(counts)
    assert 1 / n - 1e-12 <= metrics.herfindahl_index(counts) <= 1 + 1e-12
    assert 0.0 <= metrics.entropy(counts) <= np.log(n) + 1e-12
    assert_allclose(metrics.entropy([*counts, 0]), metrics.entropy(counts))
    assert_allclose(metrics.herfindahl_index([*counts, 0]), metrics.herfindahl_index(counts))


@pytest.mark.parametrize("bad", [[], [np.nan], [[1.0]]])
def test_amounts_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="finite numbers"):
        metrics.jain_index(bad)


@pytest.mark.parametrize("bad", [[0, 0], [-1, 2], [np.inf]])
def test_counts_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="not all 0"):
        metrics.entropy(bad)
    with pytest.raises(ValueError, match="not all 0"):
        metrics.nash_welfare([1.0, 1.0], [0, 0])


def make_log(n=400, seed=0):
    rng = np.random.default_rng(seed)
    log = pd.DataFrame(
        {
            "user": rng.integers(10, size=n),
            "user_type": rng.integers(3, size=n),
            "action": rng.integers(5, size=n),
            "uniform_reward": rng.random(n),
        }
    )
    log["best_reward"] = log["uniform_reward"] + rng.random(n)
    log["expected_reward"] = log["best_reward"] - rng.random(n)
    return log.assign(regret=log["best_reward"] - log["expected_reward"], seed=0)


def test_a_log_and_its_parts_give_the_same_measures():
    log = make_log()
    parts = log.assign(span=log["best_reward"] - log["uniform_reward"], n=1)
    parts = parts.groupby(["seed", "user", "user_type"], as_index=False)[
        ["n", "regret", "span"]
    ].sum()
    for measure in (metrics.group_satisfaction, metrics.fairness):
        pd.testing.assert_frame_equal(measure(log), measure(parts))
        of_seed = measure(log, by=["seed"])
        pd.testing.assert_frame_equal(of_seed.drop(columns="seed"), measure(log))


def test_satisfaction_ignores_scale_and_level_of_a_groups_rewards():
    log = make_log()
    scale = log["user_type"].map({0: 1.0, 1: 50.0, 2: 0.1})
    moved = log.assign(**{c: scale * log[c] + 7.0 for c in ("best_reward", "uniform_reward")})
    moved["regret"] = scale * log["regret"]
    pd.testing.assert_frame_equal(
        metrics.group_satisfaction(log), metrics.group_satisfaction(moved)
    )
    assert (
        metrics.fairness(log)["worst"][0] == metrics.group_satisfaction(log)["satisfaction"].min()
    )


def test_fairness_over_several_runs_is_that_of_each():
    logs = [make_log(seed=s).assign(seed=s, task="t") for s in (1, 2)]
    both = metrics.fairness(pd.concat(logs), by=["task", "seed"])
    assert list(both["seed"]) == [1, 2]
    for row, log in zip(both.to_dict("records"), logs, strict=True):
        alone = metrics.fairness(log).to_dict("records")[0]
        assert {key: row[key] for key in alone} == pytest.approx(alone)


def test_a_group_of_which_the_world_tells_nothing_is_left_out():
    log = make_log()
    log.loc[log["user_type"] == 2, ["best_reward", "uniform_reward", "regret"]] = np.nan
    assert metrics.group_satisfaction(log)["satisfaction"].isna().tolist() == [False, False, True]
    assert np.isfinite(metrics.fairness(log).to_numpy()).all()
    with pytest.raises(ValueError, match="tells nothing"):
        metrics.fairness(log.assign(regret=np.nan, best_reward=np.nan))


def test_wrong_tables_are_named():
    with pytest.raises(ValueError, match="lacks"):
        metrics.group_satisfaction(make_log().drop(columns="regret"))
    with pytest.raises(ValueError, match="no columns"):
        metrics.group_satisfaction(make_log(), group="segment")


def test_list_diversity_by_hand():
    similarity = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
    assert_allclose(metrics.list_diversity([[0, 1, 2], [1, 1, 1]], similarity), [1 - 0.7 / 3, 0.0])
    with pytest.raises(ValueError, match="at least 2"):
        metrics.list_diversity([[0]], similarity)


def test_exposure_of_each_person_and_of_all():
    log = pd.DataFrame({"user": [1, 1, 1, 1, 2], "action": ["a", "a", "a", "b", "c"]})
    each = metrics.exposure(log, 4, by=["user"])
    assert_allclose(each["coverage"], [0.5, 0.25])
    assert_allclose(each["top"], [0.75, 1.0])
    assert_allclose(each["gini"], [(3 * 3 + 1) / (4 * 4), 0.75])  # counts 0, 0, 1, 3
    assert metrics.exposure(log, 4)["coverage"][0] == 0.75
    with pytest.raises(ValueError, match="different items"):
        metrics.exposure(log, 2)
    with pytest.raises(ValueError, match="at least 2"):
        metrics.exposure(log, 1)


def test_a_bubble_that_closes_shows_inside_people_and_not_over_all():
    users = np.repeat(np.arange(6), 40)
    visit = np.tile(np.arange(40), 6)
    log = pd.DataFrame({"user": users, "action": np.where(visit < 20, visit % 6, users)})
    table = metrics.exposure_over_time(log, 6, window=20).set_index(["scope", "stretch"])
    assert table.loc[("user", 1), "herfindahl"] == 1.0
    assert table.loc[("user", 0), "herfindahl"] < 0.2
    assert_allclose(table.loc[("all", 1), "herfindahl"], 1 / 6)
    with pytest.raises(ValueError, match="window"):
        metrics.exposure_over_time(log, 6, window=0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_dominated_points_are_those_that_another_beats(points):
    for own, is_beaten in zip(points, metrics.dominated(points), strict=True):
        beats = [all(a >= b for a, b in zip(p, own, strict=True)) and p != own for p in points]
        assert any(beats) == is_beaten


def test_points_without_numbers_are_refused():
    with pytest.raises(ValueError, match="none missing"):
        metrics.dominated([[np.nan, 1.0]])
