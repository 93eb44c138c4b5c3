"""Kernels of the linear bandits: regressions kept up to date, and the mode of a logistic one."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize

from pgrpo_rec.baselines.logistic_ts import laplace
from pgrpo_rec.baselines.ridge import (
    add_forgetting,
    add_rows,
    empty_regressions,
    empty_sums,
)
from pgrpo_rec.interactions import with_constant
from pgrpo_rec.readout import read_linear

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 5), st.floats(0.1, 100))
@settings(deadline=None, max_examples=40)
def test_rank_one_updates_are_the_inverse(seed, n_columns, penalty):
    """Sherman and Morrison, row by row, against one numpy.linalg.inv."""
    rng = np.random.default_rng(seed)
    z, y = with_constant(rng.normal(size=(30, n_columns - 1))), rng.normal(size=30)
    actions, clusters = rng.integers(2, size=30), np.zeros(30, dtype=np.int64)
    known = empty_regressions(1, 2, n_columns, penalty)
    add_rows(known, z, clusters, actions, y)
    mean, std = read_linear(known.theta, known.inverse, z, clusters)
    for k in range(2):
        mine = actions == k
        right = np.linalg.inv(penalty * np.eye(n_columns) + z[mine].T @ z[mine])
        assert_allclose(known.inverse[0, k], right, atol=1e-9)
        assert_allclose(mean[:, k], z @ right @ z[mine].T @ y[mine], atol=1e-8)
        assert_allclose(known.of_ones(penalty)[0, k], right @ z[mine].sum(axis=0), atol=1e-8)
        assert_allclose(std[:, k], np.sqrt(np.einsum("nd,de,ne->n", z, right, z)), atol=1e-9)


@given(SEEDS, st.floats(0.5, 0.999))
@settings(deadline=None, max_examples=30)
def test_forgetting_is_weighted_ridge(seed, discount):
    """Two batches; an answer weighs discount to the number of its cluster's later ones."""
    rng = np.random.default_rng(seed)
    z, y = with_constant(rng.normal(size=(30, 2))), rng.normal(size=30)
    actions, clusters = rng.integers(2, size=30), rng.integers(2, size=30)
    known, sums = empty_regressions(2, 2, 3, 0.7), empty_sums(2, 2, 3)
    for rows in (slice(0, 12), slice(12, 30)):
        batch = (z[rows], clusters[rows], actions[rows], y[rows])
        add_forgetting(known, sums, *batch, 0.7, discount)
    for p in range(2):
        later = (clusters == p).sum() - np.cumsum(clusters == p)
        weight = discount**later * (clusters == p)
        for k in range(2):
            mine = weight * (actions == k)
            right = np.linalg.inv(0.7 * np.eye(3) + (z * mine[:, None]).T @ z)
            assert_allclose(known.inverse[p, k], right, atol=1e-9)
            assert_allclose(known.theta[p, k], right @ z.T @ (mine * y), atol=1e-9)
            assert_allclose(known.of_ones(0.7)[p, k], right @ z.T @ mine, atol=1e-9)


@given(SEEDS, st.floats(0.1, 20.0))
@example(272, 1.0)  # far from its prior, needs more than a few steps
@settings(deadline=None, max_examples=30)
def test_laplace_is_the_mode_and_its_curvature(seed, ridge_):
    """Against SciPy's minimum of the same loss."""
    rng = np.random.default_rng(seed)
    z, y = rng.normal(size=(20, 3)), rng.integers(2, size=20).astype(float)
    prior = rng.normal(size=3)

    def loss(w):
        logit = z @ w
        fit = np.logaddexp(0.0, logit) - y * logit
        return fit.sum() + 0.5 * ridge_ * ((w - prior) ** 2).sum()

    mean, precision, covariance = prior.copy(), ridge_ * np.eye(3), np.eye(3) / ridge_
    laplace(mean, precision, covariance, z, y)
    best = optimize.minimize(loss, prior, tol=1e-10).x
    assert_allclose(mean, best, atol=1e-4)
    rate = 1.0 / (1.0 + np.exp(-z @ best))
    right = ridge_ * np.eye(3) + (z * (rate * (1 - rate))[:, None]).T @ z
    assert_allclose(precision, right, rtol=1e-3, atol=1e-3)
    assert_allclose(covariance @ precision, np.eye(3), atol=1e-8)
