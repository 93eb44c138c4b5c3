"""Widths that may matter are those of all items, the others cannot; no width exceeds its bound."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_values import regressions
from numpy.testing import assert_array_equal

from pgrpo_rec.contenders import WORTH, bound_widths, read_contenders
from pgrpo_rec.readout import BLOCK, NARROWEST, read_linear

SEEDS = st.integers(0, 2**32 - 1)

ENDS = st.sampled_from([(1.0, 1.0), (-4.5, 5.3), (0.0, 0.0), (0.0, 2.0), (-2.0, 0.0)])


def contend(mean, width, available, low, high):
    """The definition: the high end reaches the low end of the best that is available."""
    floor = np.where(available, mean + low * width, -np.inf).max(axis=1, keepdims=True)
    return available & (mean + high * width >= floor)


@given(SEEDS, st.integers(1, 2 * BLOCK + 3), st.integers(1, 4), st.integers(1, 11), ENDS)
@settings(deadline=None, max_examples=100)
def test_what_may_be_the_best_is_read_as_all_is(seed, n, n_clusters, n_columns, ends):
    beta, covariance, z, clusters = regressions(seed, n, n_clusters, n_columns, n_items=6)
    rng = np.random.default_rng(seed)
    covariance *= rng.choice([1e-4, 1e-2, 1.0], size=(n_clusters, 6, 1, 1))
    available = rng.random((n, 6)) < 0.7
    available[:, 2] = True
    all_means, all_widths = read_linear(beta, covariance, z, clusters)
    mean, width = read_contenders(beta, covariance, 1.0, z, clusters, available, *ends)
    assert_array_equal(mean, all_means)
    read = width == all_widths
    assert_array_equal(width[~read], NARROWEST)
    assert read[contend(all_means, all_widths, available, *ends)].all()


def test_of_items_that_are_far_apart_hardly_any_other_is_read():
    rng = np.random.default_rng(0)
    beta, z = rng.normal(size=(1, 20, 5)), rng.normal(size=(500, 5))
    covariance = np.broadcast_to(1e-4 * np.eye(5), (1, 20, 5, 5)).copy()
    everything = np.ones((500, 20), dtype=bool)
    clusters = np.zeros(500, dtype=np.int64)
    _, width = read_contenders(beta, covariance, 1.0, z, clusters, everything, 1.0, 1.0)
    assert 500 <= (width > NARROWEST).sum() < 550


@given(SEEDS, st.integers(1, 12), st.integers(WORTH, BLOCK))
@settings(deadline=None, max_examples=40)
def test_no_width_exceeds_its_bound(seed, n_columns, n):
    """Not even where it equals it: of one column, or of one width in all directions."""
    _, covariance, z, clusters = regressions(seed, n, 1, n_columns)
    covariance[0, 0] = 0.3 * np.eye(n_columns)
    _, width = read_linear(np.zeros((1, 3, n_columns)), covariance, z, clusters)
    columns, bounds = np.empty((n_columns, BLOCK)), np.empty((3, BLOCK))
    columns[:, :n] = z.T
    bound_widths(covariance[0], columns, n, bounds)
    assert (width <= bounds[:, :n].T).all()
