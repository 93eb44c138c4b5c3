"""Mean and width of linear values against NumPy, and that visits do not depend on each other."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_values import regressions
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.readout import BLOCK, read_linear

SEEDS = st.integers(0, 2**32 - 1)


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
