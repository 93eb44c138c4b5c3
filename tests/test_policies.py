import itertools

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from pgrpo_rec._numba import jit
from pgrpo_rec.objectives import PolicyBatch
from pgrpo_rec.policies import action_probabilities, draw_actions, draw_slates

SEEDS = st.integers(0, 2**32 - 1)
ODDS = np.array([0.5, 0.0, 0.3, 0.15, 0.05])


def draw_problem(seed, n=6, n_items=5, n_features=3, n_clusters=2):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(1 + n_clusters, n_items, n_features))
    z = np.hstack([np.ones((n, 1)), rng.normal(size=(n, n_features - 1))])
    available = rng.random((n, n_items)) < 0.6
    available[np.arange(n), rng.integers(n_items, size=n)] = True
    return weights, z, rng.integers(n_clusters, size=n), available


@given(SEEDS)
@settings(deadline=None)
def test_probabilities_match_naive(seed):
    weights, z, clusters, available = draw_problem(seed)
    batch = PolicyBatch(z, clusters, None, None, None, available, None)
    got = action_probabilities(weights, z, clusters, available)
    assert_allclose(got, naive.probabilities(weights, batch), rtol=1e-12)
    assert_allclose(got.sum(axis=1), 1.0)
    assert_array_equal(got[~available], 0.0)


def test_tabular_policy_by_hand():
    """Without features the weights are logits: shared plus the cluster's own."""
    weights = np.log([[[1.0], [2.0]], [[3.0], [1.0]], [[1.0], [1.0]]])
    got = action_probabilities(weights, np.ones((2, 1)), np.array([0, 1]), np.ones((2, 2), bool))
    assert_allclose(got, [[3 / 5, 2 / 5], [1 / 3, 2 / 3]])


@given(SEEDS, st.floats(-500, 500))
@settings(deadline=None)
def test_a_constant_added_to_all_logits_changes_nothing(seed, constant):
    weights, z, clusters, available = draw_problem(seed)
    moved = weights.copy()
    moved[0, :, 0] += constant  # z[:, 0] is 1
    right = action_probabilities(weights, z, clusters, available)
    assert_allclose(action_probabilities(moved, z, clusters, available), right, rtol=1e-9)


def test_extreme_logits_stay_finite():
    """Also where the largest logit is that of an item that is not available."""
    weights = np.array([[[1e4], [5.0], [-1e4]], [[0.0], [0.0], [0.0]]])
    available = np.array([[True, True, True], [False, True, True], [False, False, True]])
    got = action_probabilities(weights, np.ones((3, 1)), np.zeros(3, dtype=np.int64), available)
    assert_array_equal(got, np.eye(3))


def test_actions_come_as_often_as_they_should():
    """The statistic's chance was one in a thousand before the seed was fixed."""
    n = 100_000
    uniforms = np.random.default_rng(1).random(n)
    actions, propensities = draw_actions(np.broadcast_to(ODDS, (n, 5)), uniforms)
    counts = np.bincount(actions, minlength=5)
    assert_array_equal(propensities, ODDS[actions])
    shown = ODDS > 0
    assert counts[1] == 0
    assert stats.chisquare(counts[shown], n * ODDS[shown]).pvalue > 0.001


def test_actions_invert_the_cumulative_probabilities():
    uniforms = np.array([0.0, 0.499, 0.5, 0.799, 0.801, 0.949, 0.951, 1 - 2**-53])
    actions, _ = draw_actions(np.broadcast_to(ODDS, (8, 5)), uniforms)
    assert_array_equal(actions, [0, 0, 2, 2, 3, 3, 4, 4])


@given(SEEDS, st.sampled_from([0.0, 1 - 2**-53]))
@settings(deadline=None)
def test_a_masked_item_is_never_drawn(seed, uniform):
    """Not even where rounding leaves the cumulative sum below the uniform number."""
    probabilities = action_probabilities(*draw_problem(seed)) * (1 - 1e-9)
    n = len(probabilities)
    actions, _ = draw_actions(probabilities, np.full(n, uniform))
    assert (probabilities[np.arange(n), actions] > 0).all()
    slates, propensities = draw_slates(probabilities, np.full((n, 1), uniform))
    assert (probabilities[np.arange(n), slates[:, 0]] > 0).all()
    assert (propensities > 0).all()


@pytest.mark.parametrize("n_slots", [1, 2, 3])
def test_slates_are_plackett_luce(n_slots):
    """Every ordered slate occurs; propensities sum to 1 and are those of the definition."""
    n, items = 60_000, [0, 2, 3, 4]
    uniforms = np.random.default_rng(n_slots).random((n, n_slots))
    slates, steps = draw_slates(np.broadcast_to(ODDS, (n, 5)), uniforms)
    chances = dict(zip(map(tuple, slates.tolist()), steps.prod(axis=1).tolist(), strict=True))
    every = list(itertools.permutations(items, n_slots))
    assert set(chances) == set(every)
    assert_allclose(sum(chances.values()), 1.0)
    right = np.array([naive.plackett_luce(ODDS, slate) for slate in every])
    assert_allclose([chances[slate] for slate in every], right)
    counts = [int((slates == slate).all(axis=1).sum()) for slate in every]
    assert stats.chisquare(counts, n * right).pvalue > 0.001


def test_a_slate_of_one_is_an_action():
    probabilities = action_probabilities(*draw_problem(3, n=500))
    uniforms = np.random.default_rng(0).random(500)
    slates, propensities = draw_slates(probabilities, uniforms[:, None])
    actions, shares = draw_actions(probabilities, uniforms)
    assert_array_equal(slates[:, 0], actions)
    assert_allclose(propensities[:, 0], shares)


@given(SEEDS)
@settings(deadline=None)
def test_slates_do_not_repeat_and_need_no_unit_sum(seed):
    rng = np.random.default_rng(seed)
    odds, uniforms = rng.exponential(size=(20, 6)), rng.random((20, 6))
    slates, propensities = draw_slates(odds, uniforms)
    assert_array_equal(np.sort(slates, axis=1), np.tile(np.arange(6), (20, 1)))
    assert_allclose(propensities[:, -1], 1.0)
    again = draw_slates(odds / 7, uniforms)
    assert_array_equal(again[0], slates)
    assert_allclose(again[1], propensities)


@jit
def show(weights, z, clusters, available, uniforms):
    probabilities = action_probabilities(weights, z, clusters, available)
    return draw_actions(probabilities, uniforms[:, 0]), draw_slates(probabilities, uniforms)


def test_kernels_inside_a_kernel_and_with_broadcast_masks():
    weights, z, clusters, _ = draw_problem(5)
    uniforms = np.random.default_rng(5).random((6, 2))
    z.flags.writeable = False
    everything = np.broadcast_to(np.True_, (6, 5))
    one_mask = np.broadcast_to(np.array([True, False, True, True, False]), (6, 5))
    for available in (everything, one_mask):
        right = show.py_func(weights, z, clusters, available.copy(), uniforms)
        actions, (slates, propensities) = show(weights, z, clusters, available, uniforms)
        assert_array_equal(actions, right[0])
        assert_array_equal(slates, right[1][0])
        assert_allclose(propensities, right[1][1])
