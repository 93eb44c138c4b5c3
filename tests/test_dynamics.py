"""Dynamics: directions, limits and plain NumPy twins of the shared kernels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs import dynamics
from pgrpo_rec._random import uniform

unhurried = settings(deadline=None)  # the first call compiles


@unhurried
@given(st.floats(-1e6, 1e6))
def test_swift_sigmoid_is_the_sigmoid(z):
    assert abs(dynamics.swift_sigmoid(z) - 1.0 / (1.0 + np.exp(-np.clip(z, -500, 500)))) < 1e-9


def test_swift_sigmoid_never_falls():
    values = np.array([dynamics.swift_sigmoid(z) for z in np.linspace(-35, 35, 20_001)])
    assert (np.diff(values) >= 0).all()
    assert dynamics.swift_sigmoid(0.0) == 0.5


def test_hazard_falls_with_satisfaction_and_is_half_at_the_threshold():
    risks = [dynamics.hazard(q, 0.2, 0.6, 8.0) for q in np.linspace(-1, 1, 50)]
    assert (np.diff(risks) < 0).all()
    assert dynamics.hazard(0.2, 0.2, 0.6, 8.0) == pytest.approx(0.3)
    assert 0 < min(risks) < max(risks) < 0.6
    assert dynamics.hazard(-1.0, 0.2, 0.0, 8.0) == 0.0


def test_satiate_by_hand_and_its_limit():
    stock = np.array([[1.0, 2.0], [5.0, 6.0]])
    dynamics.satiate(stock, 0, 0.5, 1, 0.3)
    assert_allclose(stock, [[0.5, 1.3], [5.0, 6.0]])
    for _ in range(500):
        dynamics.satiate(stock, 1, 0.9, 0, 0.3)
    assert_allclose(stock[1], [0.3 / (1 - 0.9), 0.0], atol=1e-12)


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0.001, 2.0))
def test_reinforce_matches_numpy_and_turns_towards_the_item(seed, n_topics, step):
    rng = np.random.default_rng(seed)
    taste, items = rng.normal(size=(2, 3, n_topics))
    taste /= np.linalg.norm(taste, axis=1, keepdims=True)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    before = taste.copy()
    dynamics.reinforce(taste, 1, items, 2, step)
    moved = before[1] + step * items[2]
    assert_allclose(taste[1], moved / np.linalg.norm(moved), atol=1e-9)
    assert_array_equal(taste[[0, 2]], before[[0, 2]])
    if abs(before[1] @ items[2]) < 0.999:
        assert taste[1] @ items[2] > before[1] @ items[2]


def test_reinforce_by_nothing_changes_nothing():
    taste = np.array([[0.6, 0.8]])
    dynamics.reinforce(taste, 0, np.eye(2), 0, 0.0)
    assert_array_equal(taste, [[0.6, 0.8]])


def test_taste_stays_on_the_sphere_after_many_steps():
    rng = np.random.default_rng(0)
    taste = np.array([[1.0, 0.0, 0.0]])
    items, _ = dynamics.topic_items(rng, 5, 3, 0.5)
    for t in range(10_000):
        dynamics.reinforce(taste, 0, items, t % 5, 0.3)
        dynamics.wander(taste, 0, 0.1, np.uint64(7), 0, t, 0)
    assert np.linalg.norm(taste) == pytest.approx(1.0, abs=1e-12)


def test_wander_matches_numpy():
    taste = np.array([[0.0, 1.0, 0.0]])
    dynamics.wander(taste, 0, 0.2, np.uint64(9), 3, 4, 100)
    noise = np.array([uniform(np.uint64(9), 3, 4, 100 + j) for j in range(3)]) - 0.5
    moved = np.array([0.0, 1.0, 0.0]) + 0.2 * np.sqrt(12.0) * noise
    assert_allclose(taste[0], moved / np.linalg.norm(moved))


def test_wander_has_the_variance_it_claims():
    steps = np.array([_one_step(i) for i in range(4000)])
    # Across the taste a step has the standard deviation asked for; 4 standard errors.
    assert_allclose(steps[:, 1:].std(axis=0), 0.01, atol=4 * 0.01 / np.sqrt(2 * 4000))
    assert_allclose(steps[:, 1:].mean(axis=0), 0.0, atol=4 * 0.01 / np.sqrt(4000))


def _one_step(i):
    taste = np.array([[1.0, 0.0, 0.0]])
    dynamics.wander(taste, 0, 0.01, np.uint64(1), i, 0, 0)
    return taste[0]


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_dot_rows_is_the_inner_product(seed, n_topics):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 4, n_topics))
    assert_allclose(dynamics.dot_rows(a, 1, b, 3), a[1] @ b[3], atol=1e-12)


def test_blend_by_hand():
    assert dynamics.blend(1.0, 3.0, 0.25) == 1.5


def test_shares_between_two_mixes():
    shares = np.empty(2)
    for progress, right in [(0.0, (0.75, 0.25)), (0.5, (0.5, 0.5)), (1.0, (0.0, 1.0))]:
        first, last = np.array([0.75, 0.25]), np.array([0.0, 1.0])
        dynamics.shares_at(progress, first, last, shares)
        expected = (1 - progress) * first + progress * last
        assert_allclose(shares, expected / expected.sum())
        assert progress != 0.0 or tuple(shares) == right


def test_pick_follows_shares_and_never_picks_none():
    shares = np.array([0.0, 0.3, 0.0, 0.7, 0.0])
    picked = np.array([dynamics.pick(u, shares) for u in np.linspace(0, 1, 1001)[:-1]])
    assert_allclose(np.bincount(picked, minlength=5) / 1000, shares, atol=0.002)
    assert dynamics.pick(1.0, shares) == 3


def test_topic_items_are_nearest_their_topic():
    items, topics = dynamics.topic_items(np.random.default_rng(0), 32, 8, 0.2)
    assert_allclose(np.linalg.norm(items, axis=1), 1.0)
    assert_array_equal(items.argmax(axis=1), topics)
    assert_array_equal(np.bincount(topics), 4)
