"""Objectives over groups: weights by hand, scale, and what their pressures settle at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pgrpo_rec.fairness import (
    MOST_PRESSURE,
    MOST_WEIGHT,
    OBJECTIVES,
    AlphaFair,
    Balanced,
    EachVisit,
    Floor,
    MaxMin,
    Standing,
    as_objective,
)

NAN = float("nan")


def standing(shares, satisfaction=None):
    shares = np.array(shares, dtype=float)
    known = np.full(shares.size, NAN) if satisfaction is None else np.array(satisfaction)
    return Standing(shares / shares.sum(), known)


@given(
    st.sampled_from(sorted(OBJECTIVES)),
    st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(-1.0, 1.2)), min_size=1, max_size=5),
    st.integers(0, 20_000),
)
def test_weights_have_mean_one_over_visits_and_the_worse_off_never_count_for_less(
    name, groups, n_visits
):
    where = standing(*zip(*groups, strict=True))
    objective = OBJECTIVES[name]
    pressure = objective.press(np.zeros(len(groups)), where, n_visits)
    weights = objective.weights(pressure, where)
    assert weights.min() >= 0.0
    if weights.max() < MOST_WEIGHT:
        assert_allclose(where.shares @ weights, 1.0)
    if name in ("max_min", "nash"):
        order = where.satisfaction.argsort(kind="stable")
        assert (np.diff(weights[order]) <= 1e-9).all()
    if len(groups) == 1:
        assert_allclose(weights, 1.0)


def test_weights_by_hand():
    where = standing([0.7, 0.2, 0.1], [0.8, 0.4, 0.2])
    none = np.zeros(3)
    assert_allclose(EachVisit().weights(none, where), 1.0)
    raw = np.array([0.7, 0.2, 0.1]) ** -0.5
    assert_allclose(Balanced().weights(none, where), raw / (where.shares @ raw))
    inverse = np.array([1 / 0.8, 1 / 0.4, 1 / 0.2])
    assert_allclose(AlphaFair().weights(none, where), inverse / (where.shares @ inverse))
    multipliers = np.array([0.0, 0.0, 0.1])
    assert_allclose(Floor().weights(multipliers, where), np.array([1, 1, 2]) / 1.1)
    assert_allclose(Balanced(0.0).weights(none, where), 1.0)
    assert_allclose(AlphaFair(0.0).weights(none, where), 1.0)


def test_a_group_of_which_nothing_is_known_stands_like_the_others():
    where = standing([1, 1, 2], [0.9, 0.3, NAN])
    assert_allclose(AlphaFair().weights(np.zeros(3), where)[2], 1 / 0.6 / (1 / 1.2 + 0.25 / 0.225))
    assert MaxMin().press(np.zeros(3), where, 1000)[2] == pytest.approx(0.0)
    assert Floor(0.9).press(np.ones(3), where, 1000)[2] == 1.0
    assert Floor(0.9).verdicts(np.zeros(3), where) == ["holds", "below", ""]
    unknown = standing([1, 1])
    for objective in OBJECTIVES.values():
        pressure = objective.press(np.zeros(2), unknown, 1000)
        assert_allclose(objective.weights(pressure, unknown), 1.0)
        assert objective.verdicts(pressure, unknown) == ["", ""]


def frontier(weights, shares):
    """Best response where group p gains s_p for an effort of s_p squared, efforts summing to 1."""
    worth = weights * shares
    return worth / np.sqrt((worth**2).sum())


def settle(objective, shares, n_steps=4000):
    shares, pressure = np.array(shares), np.zeros(len(shares))
    satisfaction = frontier(np.ones(shares.size), shares)
    path = []
    for _ in range(n_steps):
        where = Standing(shares, satisfaction)
        pressure = objective.press(pressure, where, 64)
        answer = frontier(objective.weights(pressure, where), shares)
        satisfaction = satisfaction + 0.1 * (answer - satisfaction)
        path.append(satisfaction)
    return np.mean(path[-500:], axis=0), pressure, Standing(shares, satisfaction)


def test_max_min_settles_where_all_are_equal():
    satisfaction, _, _ = settle(MaxMin(), [0.7, 0.2, 0.1])
    assert_allclose(satisfaction, 1 / np.sqrt(3), atol=0.01)


def test_alpha_fairness_settles_at_its_optimum():
    # maximise rho_1 log s_1 + rho_2 log s_2 on the circle: s_p = sqrt(rho_p)
    satisfaction, _, _ = settle(AlphaFair(), [0.8, 0.2])
    assert_allclose(satisfaction, np.sqrt([0.8, 0.2]), atol=0.01)


def test_a_floor_that_can_be_kept_is_kept_and_costs_no_more_than_it_must():
    satisfaction, pressure, where = settle(Floor(0.4, margin=0.0), [0.8, 0.2])
    assert_allclose(satisfaction, [np.sqrt(1 - 0.16), 0.4], atol=0.01)
    assert pressure[0] == 0.0
    assert "out of reach" not in Floor(0.4).verdicts(pressure, where)
    assert settle(Floor(0.2, margin=0.0), [0.8, 0.2])[1].max() == 0.0  # kept anyhow


def test_a_floor_that_nobody_can_keep_is_said_to_be_out_of_reach():
    objective = Floor(0.9)
    _, pressure, where = settle(objective, [0.8, 0.2], 20_000)
    assert pressure.max() == MOST_PRESSURE
    assert "out of reach" in objective.verdicts(pressure, where)
    assert objective.verdicts(np.zeros(2), where) != objective.verdicts(pressure, where)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Balanced(-1.0), "power"),
        (lambda: AlphaFair(NAN), "alpha"),
        (lambda: MaxMin(0.0), "rate"),
        (lambda: Floor(1.5), "least"),
        (lambda: Floor(0.5, rate=0.0), "rate"),
        (lambda: Floor(0.5, margin=-0.1), "margin"),
    ],
)
def test_numbers_out_of_range_are_named(make, name):
    with pytest.raises(ValueError, match=rf"^{name}=.* is not possible"):
        make()


def test_objectives_have_names():
    assert as_objective("balanced") == Balanced(0.5)
    assert as_objective(Floor(0.3)) == Floor(0.3)
    for unknown in ("sum", 3, None):
        with pytest.raises(ValueError, match=r"objective=.* is unknown"):
            as_objective(unknown)
