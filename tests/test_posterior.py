import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from pgrpo_rec._numba import jit
from pgrpo_rec.posterior import _probability_of_best, normal_at, probability_of_best

SEEDS = st.integers(0, 2**32 - 1)


def best(means, stds, available=None):
    means = np.atleast_2d(np.asarray(means, dtype=float))
    mask = np.broadcast_to(True if available is None else available, means.shape)
    return probability_of_best(means, np.atleast_2d(np.asarray(stds, dtype=float)), mask)


def draw_problem(seed, n_items, ratio=5.0):
    """Posteriors whose widths differ by exactly the given ratio."""
    rng = np.random.default_rng(seed)
    stds = ratio ** rng.uniform(size=n_items)
    stds[:2] = 1.0, ratio
    return rng.normal(size=n_items) * rng.choice([1.0, stds.mean()]), stds


@given(st.floats(-4, 4), st.floats(-1.3, 1.3))
@settings(deadline=None)
def test_two_items_in_closed_form(gap, log_width):
    """P = Phi((m1 - m2) / sqrt(s1^2 + s2^2)), widths up to 20 apart."""
    stds = np.array([10.0**log_width, 1.0])
    means = gap * np.hypot(*stds) * np.array([1.0, 0.0])
    assert_allclose(best(means, stds)[0, 0], stats.norm.cdf(gap), atol=2e-5)


@given(SEEDS, st.integers(2, 8), st.sampled_from([1.0, 5.0, 20.0]))
@settings(deadline=None, max_examples=40)
def test_matches_brute_force(seed, n_items, ratio):
    means, stds = draw_problem(seed, n_items, ratio)
    assert_allclose(best(means, stds)[0], naive.probability_of_best(means, stds), atol=2e-5)


def draw_hard_problem(seed, n_items, ratio):
    """Few wide among many narrow, or the reverse; all at one mean, level at an end, or anywhere."""
    rng = np.random.default_rng(seed)
    alone = np.where(np.arange(n_items) == 0, ratio, 1.0)
    shapes = (ratio ** rng.uniform(size=n_items), alone, ratio / alone)
    stds = (*shapes, np.where(rng.random(n_items) < 0.5, 1.0, ratio))[rng.integers(4)]
    anywhere = rng.uniform(-5.5, 5.5, size=n_items)
    places = (np.zeros(n_items), np.full(n_items, anywhere[0]), anywhere, rng.normal(size=n_items))
    return places[rng.integers(4)] * stds, stds


@given(
    SEEDS,
    st.sampled_from([1, 2, 3, 5, 10, 20, 50, 200, 1000]),
    st.sampled_from([1.0, 1.2, 2.0, 5.0, 30.0, 1e3, 1e5]),
)
@settings(deadline=None, max_examples=150)
def test_the_error_is_as_documented(seed, n_items, ratio):
    means, stds = draw_hard_problem(seed, n_items, ratio)
    right = naive.probability_of_best_by_panels(means, stds)
    assert_allclose(best(means, stds)[0], right, atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("n_items", [20, 500])
def test_one_wide_among_many_narrow(n_items):
    """The narrow ones' best is narrower still, far below the resolution of the wide one."""
    stds = np.where(np.arange(n_items) == 0, 1e4, 1.0)
    right = naive.probability_of_best_by_panels(np.zeros(n_items), stds)
    assert_allclose(best(np.zeros(n_items), stds)[0], right, atol=1e-5, rtol=0.0)


def test_widths_under_the_resolution_of_the_means():
    assert_allclose(best([1e9, 1e9], [1e-12, 1e-12]), [[0.5, 0.5]])
    assert_allclose(best([0.0, 0.0], [1e-12, 1e12]), [[0.5, 0.5]], atol=1e-5)


@pytest.mark.parametrize("ratio", [100.0, 1000.0, 1e5])
def test_very_different_widths(ratio):
    """A well known item against a hardly known one of the same mean: 1/2 each."""
    assert_allclose(best([0.0, 0.0], [1.0, ratio]), [[0.5, 0.5]], atol=1e-5)


@pytest.mark.parametrize("ratio", [1.0, 20.0])
def test_matches_counted_draws(ratio):
    means, stds = draw_problem(2, 5, ratio)
    n = 100_000
    draws = np.random.default_rng(0).normal(means, stds, size=(n, 5))
    right = best(means, stds)[0]
    counts = np.bincount(draws.argmax(axis=1), minlength=5)
    assert (np.abs(counts - n * right) <= 4.5 * np.sqrt(n * right * (1 - right)) + 2).all()


@given(SEEDS, st.integers(1, 12), st.sampled_from([1.0, 30.0, 1e4]))
@settings(deadline=None)
def test_rows_sum_to_one_and_masked_items_have_none(seed, n_items, ratio):
    rng = np.random.default_rng(seed)
    means, stds = rng.normal(size=(4, n_items)), ratio ** rng.uniform(size=(4, n_items))
    available = rng.random((4, n_items)) < 0.5
    available[:, 0] = True
    got = best(means, stds, available)
    assert_allclose(got.sum(axis=1), 1.0)
    assert_array_equal(got[~available], 0.0)
    for i in range(4):
        alone = best(means[i, available[i]], stds[i, available[i]])[0]
        assert_allclose(got[i, available[i]], alone, rtol=1e-12)


@given(SEEDS, st.integers(1, 30), st.sampled_from([1.0, 2.0, 100.0]))
@settings(deadline=None, max_examples=30)
def test_a_row_does_not_depend_on_the_others(seed, n_items, ratio):
    problems = [draw_hard_problem(seed + i, n_items, ratio) for i in range(2)]
    means, stds = np.array(problems).transpose(1, 0, 2)
    together = best(means, stds)
    for i in range(2):
        assert_array_equal(best(means[i], stds[i])[0], together[i])


@given(SEEDS, st.floats(-1e3, 1e3), st.floats(-3, 3))
@settings(deadline=None)
def test_shift_and_unit_do_not_matter(seed, shift, log_unit):
    means, stds = draw_problem(seed, 5)
    unit = 10.0**log_unit
    moved = best(shift + unit * means, unit * stds)
    assert_allclose(moved, best(means, stds), atol=1e-8)


def test_a_better_mean_is_more_probable_and_a_hopeless_one_is_not():
    p = best([0.0, 0.5, 1.0], np.ones(3))[0]
    assert (np.diff(p) > 0.05).all()
    assert_array_equal(best([0.0, 1e6, 0.0], np.ones(3)), [[0.0, 1.0, 0.0]])
    assert_array_equal(best([3.0], [0.1]), [[1.0]])


@pytest.mark.parametrize("n_items", [2, 10, 500])
def test_equal_items_share(n_items):
    assert_allclose(best(np.zeros(n_items), np.ones(n_items)), 1 / n_items, rtol=1e-12)


def test_normal_at_many_points():
    z = np.concatenate([np.linspace(-30.0, 30.0, 4001), [-1e6, 1e6]])
    below, density, floats = (np.empty(z.size) for _ in range(3))
    normal_at(z.copy(), z.size, floats, floats.view(np.int64), below, density)
    assert_allclose(below, stats.norm.cdf(z), atol=2e-8)
    assert (below > 0.0).all()
    near = np.abs(z) < 7.9
    assert_allclose(density[near], stats.norm.pdf(z[near]), rtol=1e-6)
    assert_allclose(below[near], stats.norm.cdf(z[near]), rtol=5e-5)
    assert density[~near].max() < 2e-14


@jit
def from_a_kernel(means, stds, available):
    result = np.empty(means.shape)
    _probability_of_best(means, stds, available, result)
    return result


def test_inside_a_kernel_and_with_read_only_arrays():
    means, stds = (np.broadcast_to(row, (3, 4)) for row in draw_problem(1, 4))
    available = np.broadcast_to(np.array([True, True, False, True]), (3, 4))
    right = best(means.copy(), stds.copy(), available.copy())
    got = from_a_kernel(means, stds, available)
    assert_allclose(got, right, rtol=1e-12)
