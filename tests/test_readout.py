"""Mean and width of linear values against NumPy, and that visits do not depend on each other."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.readout import BLOCK, NARROWEST, WORTH, bound_widths, read_contenders, read_linear

SEEDS = st.integers(0, 2**32 - 1)


def regressions(seed, n, n_clusters, n_columns, n_items=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_clusters, n_items, n_columns, n_columns))
    covariance = root @ root.transpose(0, 1, 3, 2)
    beta = rng.normal(size=(n_clusters, n_items, n_columns))
    return beta, covariance, rng.normal(size=(n, n_columns)), rng.integers(n_clusters, size=n)


@given(SEEDS, st.integers(0, 2 * BLOCK + 3), st.integers(1, 4), st.integers(1, 11))
@settings(deadline=None, max_examples=60)
def test_mean_and_width_are_those_of_the_formula(seed, n, n_clusters, n_columns):
    beta, covariance, z, clusters = regressions(seed, n, n_clusters, n_columns)
    mean, width = read_linear(beta, covariance, z, clusters)
    assert_allclose(mean, np.einsum("nkd,nd->nk", beta[clusters], z), atol=1e-9)
    square = np.einsum("nd,nkde,ne->nk", z, covariance[clusters], z)
    assert_allclose(width**2, square, rtol=1e-9, atol=1e-9)


@given(SEEDS, st.integers(2, 2 * BLOCK), st.integers(1, 3), st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_a_value_does_not_depend_on_who_else_is_there(seed, n, n_clusters, n_columns):
    beta, covariance, z, clusters = regressions(seed, n, n_clusters, n_columns)
    together = read_linear(beta, covariance, z, clusters)
    for i in (0, n // 2, n - 1):
        alone = read_linear(beta, covariance, z[i : i + 1], clusters[i : i + 1])
        for a, b in zip(alone, together, strict=True):
            assert_array_equal(a[0], b[i])


def test_a_variance_that_rounding_made_negative_is_a_width_of_0():
    covariance = np.array([[[[1.0, -1.0], [-1.0, 1.0 - 1e-15]]]])
    _, width = read_linear(np.zeros((1, 1, 2)), covariance, np.ones((1, 2)), np.zeros(1, dtype=int))
    assert width[0, 0] == 0.0


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
    mean, width = read_contenders(beta, covariance, z, clusters, available, *ends)
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
    _, width = read_contenders(beta, covariance, z, clusters, everything, 1.0, 1.0)
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
