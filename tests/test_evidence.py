import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_natural import Log, kinds, log_evidence, posterior
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.linalg import block_diag

from pgrpo_rec.evidence import (
    NO_COMMON_PART,
    NO_PRODUCTS,
    choose_curvature,
    choose_priors,
    evidence,
    evidence_alone,
    evidence_of_cluster,
    measure_noise,
)
from pgrpo_rec.natural import RIDGES, Priors, add_answers, empty_fit, empty_sums, refresh

SEEDS = st.integers(0, 2**32 - 1)


def start(n_clusters):
    own = np.tile([4.0, 4.0, NO_PRODUCTS], (n_clusters, 1))
    return Priors(np.full(3, NO_COMMON_PART), own, np.ones(n_clusters), kinds(3))


def fitted(log, priors):
    sums, fit = empty_sums(*log.shape), empty_fit(*log.shape)
    add_answers(sums, log.z, log.clusters, log.actions, log.rewards, np.ones(log.rewards.size))
    stale = np.ones(sums.heard.shape, dtype=bool)
    priors = priors._replace(kinds=kinds(log.shape[2]))
    refresh(fit, sums, stale, log.mean, log.std, priors)
    return sums, fit


def chosen(log, priors=None):
    priors = start(log.shape[0]) if priors is None else priors
    priors = priors._replace(kinds=kinds(log.shape[2]))
    return choose_priors(*fitted(log, priors), log.mean, log.std, priors)


def naive_evidence(log, priors, clusters=None):
    """Sum over items; some clusters only if wanted."""
    which = range(log.shape[0]) if clusters is None else clusters
    items = [[log.rows(p, k) for p in which] for k in range(log.shape[1])]
    own, noise = priors.own[list(which)], priors.noise[list(which)]
    return sum(log_evidence(rows, priors.common, own, noise) for rows in items)


@given(SEEDS, st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None, max_examples=30)
def test_evidence_is_the_density_of_the_answers(seed, n_columns, n_clusters):
    """Up to a constant: differences between priors are those of the log-densities."""
    log = Log(seed, 40, n_columns, n_clusters)
    sums, _ = fitted(log, start(n_clusters))
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.5, 2.0, n_clusters)
    args = sums, np.arange(3), np.arange(n_clusters), log.mean, log.std
    got, right = [], []
    for _ in range(3):
        common, own = 10.0 ** rng.uniform(-1, 3, 3), 10.0 ** rng.uniform(-1, 3, (n_clusters, 3))
        priors = Priors(common, own, noise, kinds(n_columns))
        got.append(evidence(*args, priors))
        right.append(naive_evidence(log, priors))
    assert_allclose(np.diff(got), np.diff(right), atol=1e-6 * np.abs(right).max())


@given(SEEDS, st.integers(1, 3), st.floats(0.5, 200.0))
@settings(deadline=None, max_examples=20)
def test_evidence_alone_is_that_of_clusters_with_nothing_in_common(seed, n_columns, ridge):
    log = Log(seed, 60, n_columns, 2)
    sums, _ = fitted(log, start(2))
    priors = start(2)._replace(own=np.full((2, 3), ridge), kinds=kinds(n_columns))
    items, diagonal = np.arange(3), np.full(n_columns, ridge)
    for p in range(2):
        right = evidence(sums, items, np.array([p]), log.mean, log.std, priors)
        got = evidence_alone(sums, items, p, log.mean[p], log.std[p], diagonal, 1.0)
        assert_allclose(got, right, atol=1e-4)


@pytest.mark.parametrize("effect", [0.02, 0.3, 2.0])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_ridge_of_one_cluster_is_that_of_the_highest_density(n_columns, effect):
    """Against the density of the answers themselves, over the whole grid."""
    for seed in range(3):
        log = Log(seed, 90, n_columns, n_clusters=1, effect=effect)
        got = chosen(log)
        assert_array_equal(got.common, NO_COMMON_PART)
        slopes = RIDGES if n_columns > 1 else RIDGES[:1]
        grid = [(a, b) for a in RIDGES for b in slopes]
        trials = [got._replace(own=np.array([[*pair, NO_PRODUCTS]])) for pair in grid]
        best = max(naive_evidence(log, trial) for trial in trials)
        assert_allclose(naive_evidence(log, got), best, atol=1e-6)


def test_noise_is_what_the_fit_leaves():
    """Squared residuals over answers less those that the coefficients have used up."""
    log = Log(4, 300)
    own = np.array([[4.0, 60.0, NO_PRODUCTS], [0.5, 9.0, NO_PRODUCTS]])
    priors = Priors(np.array([3.0, 9.0, NO_COMMON_PART]), own, np.ones(2), kinds(3))
    sums, fit = fitted(log, priors)
    got = measure_noise(sums, fit, log.mean, log.std, priors)
    for p in range(2):
        residual, freedom = 0.0, 0.0
        for k in range(3):
            z, advantages = log.rows(p, k)
            mean, _ = posterior(log.item(k), priors.common, priors.own)
            own = np.diag([priors.own[p, 0], *[priors.own[p, 1]] * 2])
            residual += ((advantages - z @ mean[1 + p]) ** 2).sum()
            freedom += len(z) - np.trace(z @ np.linalg.inv(z.T @ z + own) @ z.T)
        assert_allclose(got[p], residual / freedom, rtol=1e-6)


def test_items_that_differ_less_are_held_together_more():
    ridges = [
        chosen(Log(3, 4000, n_clusters=1, n_items=6, effect=effect)).own[0]
        for effect in (0.02, 0.3, 2.0)
    ]
    assert (np.diff(ridges, axis=0)[:, :2] < 0).all()


def test_clusters_share_what_they_have_in_common_and_nothing_else():
    alike = chosen(Log(1, 900, n_clusters=3, n_items=8, effect=0.05, common=0.8))
    assert (alike.common[:2] < 100.0).all()
    assert (alike.own[:, :2] > 30.0 * alike.common[:2]).all()
    assert (alike.own == alike.own[0]).all()
    strangers = chosen(Log(1, 900, n_clusters=3, n_items=8, effect=0.8, common=0.0))
    assert (strangers.common >= strangers.own.max(axis=0)).all()


def test_who_has_not_been_heard_keeps_what_was_assumed():
    log = Log(0, 300)
    log.clusters[:] = 0
    log.std[1] = 0.0
    got = chosen(log)
    assert_array_equal(got.own[1], [4.0, 4.0, NO_PRODUCTS])
    assert got.noise[1] == 1.0
    log.std[0] = 0.0
    for a, b in zip(chosen(log), start(2), strict=True):
        assert_array_equal(a, b)


def curved_log(seed, bend, n=900):
    """Answers of one cluster to items whose values have a square in them, or have not."""
    rng = np.random.default_rng(seed)
    log = Log(seed, n, 2, n_clusters=1, n_items=2)
    x = log.z[:, 1]
    log.z = np.column_stack([np.ones(n), x, x * x])
    log.shape = 1, 2, 3
    log.rewards = 3.0 + 0.1 * (x + bend * (x * x - 1.0) + rng.normal(size=n))
    log.mean, log.std = log.rewards.mean(keepdims=True), log.rewards.std(keepdims=True)
    return log


@pytest.mark.parametrize("bend", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_products_are_used_where_values_are_curved_and_nowhere_else(seed, bend):
    log = curved_log(seed, bend)
    sums = empty_sums(*log.shape)
    add_answers(sums, log.z, log.clusters, log.actions, log.rewards, np.ones(log.rewards.size))
    priors = start(1)._replace(kinds=np.array([0, 1, 2]))
    got = choose_curvature(sums, log.mean, log.std, priors)
    assert (got[0] < NO_PRODUCTS) == (bend > 0.0)


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_evidence_of_one_cluster_is_a_multivariate_t(seed):
    """With Gamma(1/2, 1/2) on the precision, answers are t with 1 degree of freedom."""
    log = Log(seed, 40, 3, n_clusters=1)
    sums, _ = fitted(log, start(1))
    got, right = [], []
    for ridge in (np.array([1.0, 3.0, 3.0]), np.array([9.0, 0.5, 0.5])):
        args = sums, np.arange(3), 0, log.mean[0], log.std[0]
        got.append(evidence_of_cluster(*args, ridge))
        rows = log.item(0)[0], log.item(1)[0], log.item(2)[0]
        blocks = [np.eye(len(z)) + z / ridge @ z.T for z, _ in rows]
        shape = block_diag(*blocks)
        answers = np.concatenate([a for _, a in rows])
        right.append(stats.multivariate_t.logpdf(answers, shape=shape, df=1))
    assert_allclose(np.diff(got), np.diff(right), atol=1e-6)
