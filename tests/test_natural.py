import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_natural import Log, kinds, posterior
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec._numba import jit
from pgrpo_rec.algebra import invert
from pgrpo_rec.estimators.book import Book
from pgrpo_rec.natural import (
    INFINITE,
    NOISE_PRIOR,
    Priors,
    add_answers,
    empty_fit,
    empty_sums,
    first_columns,
    invert_ridged,
    pass_on,
    read_shown,
    read_values,
    refresh,
    residual_square,
    ridge_of,
    standardised,
    widened,
)

SEEDS = st.integers(0, 2**32 - 1)
PRIORS = Priors(
    np.array([1.5, 20.0, 1e9]),
    np.array([[4.0, 60.0, 1e9], [0.5, 9.0, 1e9]]),
    np.array([0.8, 1.7]),
    kinds(3),
)
ALONE = PRIORS._replace(own=PRIORS.own[:1], noise=PRIORS.noise[:1])


def sums_of(log):
    sums = empty_sums(*log.shape)
    add_answers(sums, log.z, log.clusters, log.actions, log.rewards, np.ones(log.rewards.size))
    return sums


def fitted(log, priors=PRIORS, sums=None):
    sums = sums_of(log) if sums is None else sums
    fit = empty_fit(*sums.moment.shape)
    stale = np.ones(sums.heard.shape, dtype=bool)
    priors = priors._replace(kinds=kinds(sums.moment.shape[2]))
    refresh(fit, sums, stale, log.mean, log.std, priors)
    return fit


@given(SEEDS, st.integers(1, 7), st.floats(0, 6))
@settings(deadline=None)
def test_invert_is_numpys(seed, n, log_condition):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(n, n)))
    matrix = (rotation * 10.0 ** (log_condition * rng.uniform(size=n))) @ rotation.T
    matrix = 0.5 * (matrix + matrix.T)
    inverse = np.empty((n, n))
    logdet = invert(matrix, inverse)
    assert_allclose(inverse @ matrix, np.eye(n), atol=1e-8)
    assert_allclose(logdet, np.linalg.slogdet(matrix)[1], atol=1e-8)


def test_a_ridge_is_one_value_for_each_kind_of_column():
    values = np.array([2.0, 7.0, 9.0])
    assert_array_equal(ridge_of(values, np.array([0, 1, 1, 2])), [2.0, 7.0, 7.0, 9.0])
    assert_array_equal(ridge_of(values, np.array([0])), [2.0])


@given(SEEDS, st.integers(1, 4), st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_columns_of_infinite_ridge_are_left_out_of_an_inverse(seed, n_finite, n_infinite):
    n = n_finite + n_infinite
    rows = np.random.default_rng(seed).normal(size=(12, n))
    ridge = np.array([*[2.0] * n_finite, *[INFINITE] * n_infinite])
    inverse = np.empty((n, n))
    invert_ridged(rows.T @ rows, ridge, inverse)
    assert_allclose(inverse, np.linalg.inv(rows.T @ rows + np.diag(ridge)), atol=1e-7)


def test_fit_of_the_first_columns_is_that_of_answers_without_the_others():
    log = Log(0, n_columns=3)
    few = first_columns(sums_of(log), 2)
    log.z = np.ascontiguousarray(log.z[:, :2])
    log.shape = 2, 3, 2
    for a, b in zip(few, sums_of(log), strict=True):
        assert_allclose(a, b)
    assert first_columns(few, 2) is few


def test_what_a_cluster_tells_of_the_common_part():
    inverse, ridge = np.array([[0.5, 0.1], [0.1, 0.2]]), np.diag([1.0, 3.0])
    precision, told = np.eye(2), np.ones(2)
    pass_on(inverse, np.diag(ridge).copy(), np.array([2.0, -1.0]), precision, told, 4.0)
    assert_allclose(precision, np.eye(2) + ridge - ridge @ inverse @ ridge)
    assert_allclose(told, 1.0 + ridge @ inverse @ [2.0, -1.0] / 4.0)


@given(SEEDS, st.integers(1, 4), st.integers(0, 60))
@settings(deadline=None, max_examples=40)
def test_sums_are_those_of_the_rows(seed, n_columns, n):
    log = Log(seed, n + 2, n_columns, n_clusters=1, n_items=2)
    sums = sums_of(log)
    for k in range(2):
        mine = log.actions == k
        z, r = log.z[mine], log.rewards[mine]
        assert sums.heard[0, k] == mine.sum()
        assert_allclose(sums.gram[0, k], z.T @ z, atol=1e-12)
        assert_allclose(sums.moment[0, k], z.T @ r, rtol=1e-9, atol=1e-9 * np.abs(r).sum())
        assert_allclose(sums.square[0, k], r @ r)


@given(SEEDS, st.floats(-50, 50), st.floats(-3, 3))
@settings(deadline=None, max_examples=40)
def test_standardised_sums_are_those_of_standardised_rewards(seed, mean, log_std):
    log = Log(seed, n_clusters=1, n_items=1)
    sums, std = sums_of(log), 10.0**log_std
    moment, square = standardised(sums, 0, 0, mean, std)
    advantages = (log.rewards - mean) / std
    assert_allclose(moment, log.z.T @ advantages, rtol=1e-7, atol=1e-7 * np.abs(advantages).max())
    assert_allclose(square, advantages @ advantages, rtol=1e-6)
    beta = np.array([0.3, -0.2, 0.1])
    residual = residual_square(sums.gram[0, 0], moment, square, beta)
    assert_allclose(residual, ((advantages - log.z @ beta) ** 2).sum(), rtol=1e-6)


@given(SEEDS, st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_posterior_is_that_of_the_joint_model(seed, n_columns):
    """Common part, clusters' weights and their covariance, against one inverse of them all."""
    log = Log(seed, n_columns=n_columns)
    fit = fitted(log)
    for k in range(3):
        mean, covariance = posterior(log.item(k), PRIORS.common, PRIORS.own)
        assert_allclose(fit.common[k], mean[0], atol=1e-7)
        assert_allclose(fit.common_inverse[k], covariance[0, :, 0], atol=1e-9)
        for p in range(2):
            assert_allclose(fit.beta[p, k], mean[1 + p], atol=1e-7)
            assert_allclose(fit.covariance[p, k], covariance[1 + p, :, 1 + p], atol=1e-9)
            z, advantages = log.rows(p, k)
            residual = ((advantages - z @ mean[1 + p]) ** 2).sum()
            right = (residual + NOISE_PRIOR * PRIORS.noise[p]) / (len(z) + NOISE_PRIOR)
            assert_allclose(fit.noise[p, k], right, rtol=1e-6)


@given(SEEDS, st.floats(0.5, 1.0))
@settings(deadline=None, max_examples=20)
def test_a_batch_fades_as_its_answers_do_one_by_one(seed, kept):
    log = Log(seed)
    one_by_one, at_once = (Book(*log.shape[1:3], first_ridge=4.0) for _ in range(2))
    for book in (one_by_one, at_once):
        book.follow(log.shape[0], keep=False)
    columns = log.z, log.clusters, log.actions, log.rewards
    for i in range(log.rewards.size):
        one_by_one.add_fading(*(column[i : i + 1] for column in columns), kept)
    at_once.add_fading(*columns, kept)
    for a, b in zip(one_by_one.sums, at_once.sums, strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def told(log, priors, repeat=1):
    """A book that was told each answer as often as asked."""
    book = Book(*log.shape[1:3], first_ridge=4.0)
    book.follow(log.shape[0], keep=False)
    for _ in range(repeat):
        book.add(log.z, log.clusters, log.actions, log.rewards)
    book.refresh(log.mean, log.std, priors)
    return book


@given(SEEDS, st.integers(1, 4), st.sampled_from([2, 3, 5]))
@settings(deadline=None, max_examples=30)
def test_each_answer_counts_as_one_over_the_width_squared(seed, n_columns, times):
    """A sharpened fit is the plain one after every answer has come so many times."""
    log = Log(seed, n_columns=n_columns)
    priors, width = PRIORS._replace(kinds=kinds(n_columns)), times**-0.5
    sharp, plain = told(log, priors), told(log, priors, repeat=times)
    z, clusters = log.z, log.clusters
    mean, std = sharp.read_sharp(z, clusters, width)
    right, wide = plain.read(z, clusters)
    assert_allclose(mean, right, rtol=1e-8, atol=1e-10)
    right = wide / np.sqrt(plain.fit.noise[clusters])  # noise is measured, and not the same
    assert_allclose(width * std / np.sqrt(sharp._sharp.noise[clusters]), right, rtol=1e-7)


@pytest.mark.parametrize("width", [1e-9, 0.25, 1.0, 2.0])
def test_sharpening_leaves_the_prior_as_wide_as_it_was(width):
    log = Log(2, n_clusters=1, n_items=3)
    log.shape = 1, 5, 3
    book = told(log, ALONE._replace(common=np.full(3, 1e9)))
    z, known = log.z[:4], np.zeros(4, dtype=np.int64)
    held = max(width, 1e-3)  # ridges must stay such that matrices are invertible
    for who, items in ((known, slice(3, 5)), (known + 1, slice(0, 5))):
        _, believed = book.read(z, who)
        _, shown = book.read_sharp(z, who, width)
        assert_allclose(held * shown[:, items], believed[:, items], rtol=1e-6)
    change = width * book.read_sharp(z, known, width)[1] - book.read(z, known)[1]
    assert (np.sign(change[:, :3].round(12)) == np.sign(width - 1.0)).all()


def test_sharpening_keeps_infinite_ridges_and_those_of_products():
    priors = Priors(np.array([1e9, 2.0, 3.0]), np.array([[8.0, 1e9, 5.0]]), np.ones(1), kinds(2))
    wide = widened(priors, 0.25)
    assert_array_equal(wide.common, [1e9, 0.5, 3.0])
    assert_array_equal(wide.own, [[2.0, 1e9, 5.0]])
    assert_array_equal(priors.own, [[8.0, 1e9, 5.0]])


@pytest.mark.parametrize("first_ridge", [1.0, 4.0])
def test_a_cluster_never_met_is_as_uncertain_as_its_first_ridge_says(first_ridge):
    book = Book(2, 3, first_ridge)
    book.follow(1, keep=False)
    book.refresh(np.zeros(1), np.ones(1), ALONE)
    z = np.array([[0.0, 2.0, 0.0]])
    _, known = book.read(z, np.zeros(1, dtype=int))
    _, stranger = book.read(z, np.ones(1, dtype=int))
    of_common = z[0] @ book.fit.common_inverse[0] @ z[0]
    assert_allclose(stranger[0, 0] ** 2, of_common + 4.0 / first_ridge)
    assert known[0, 0] != stranger[0, 0]


def test_a_small_cluster_borrows_and_a_large_one_speaks_for_itself():
    """Cluster 1 has heard nothing of item 0: it takes over what cluster 0 says, less surely."""
    log = Log(0, 3000, 2)
    keep = ~((log.clusters == 1) & (log.actions == 0))
    sums = empty_sums(*log.shape)
    columns = log.z, log.clusters, log.actions, log.rewards, np.ones(keep.size)
    add_answers(sums, *(column[keep] for column in columns))
    close = Priors(np.full(3, 0.01), np.full((2, 3), 50.0), np.ones(2), kinds(2))
    fit = fitted(log, close, sums)
    assert_allclose(fit.beta[1, 0], fit.common[0], atol=1e-12)
    assert_allclose(fit.beta[1, 0], fit.beta[0, 0], atol=0.05)
    assert (np.diag(fit.covariance[1, 0]) > 5 * np.diag(fit.covariance[0, 0])).all()
    apart = close._replace(common=np.full(3, 1e9))
    assert_allclose(fitted(log, apart, sums).beta[1, 0], 0.0, atol=1e-6)


def test_items_never_shown_have_the_prior():
    log = Log(1, 200, 2, n_clusters=1, n_items=3)
    log.shape = 1, 5, 2
    fit = fitted(log, ALONE)
    assert_allclose(fit.covariance[0, 4], np.diag((1.0 / ALONE.own[0] + 1.0 / ALONE.common)[:2]))
    assert_array_equal(fit.beta[0, 4], 0.0)
    assert_allclose(fit.noise[0, 4], ALONE.noise[0])


@given(SEEDS, st.floats(-3, 3), st.floats(-100, 100))
@settings(deadline=None, max_examples=40)
def test_unit_and_level_of_a_clusters_rewards_do_not_matter(seed, log_unit, level):
    log, moved = Log(seed), Log(seed)
    loud, unit = log.clusters == 1, 10.0**log_unit
    plain = (log.rewards - log.mean[1]) / log.std[1]
    moved.rewards = np.where(loud, unit * plain + unit * level, log.rewards)
    moved.mean = np.array([log.mean[0], moved.rewards[loud].mean()])
    moved.std = np.array([log.std[0], moved.rewards[loud].std()])
    for a, b in zip(fitted(log), fitted(moved), strict=True):
        assert_allclose(a, b, atol=1e-6)


def test_only_what_is_stale_is_inverted_but_means_follow_the_history():
    log = Log(2)
    sums, fit = sums_of(log), fitted(log)
    old = [part.copy() for part in fit]
    stale = np.zeros((2, 3), dtype=bool)
    stale[0, 1] = True
    mean = log.mean + np.array([0.0, 2.0]) * log.std
    more = PRIORS._replace(own=3.0 * PRIORS.own)
    refresh(fit, sums, stale, mean, log.std, more)
    assert_array_equal((fit.inverse != old[0]).any(axis=(2, 3)), stale)
    assert_array_equal((fit.common_inverse != old[1]).any(axis=(1, 2)), stale.any(axis=0))
    assert (np.abs(fit.beta[1] - old[3][1]).max(axis=1) > 0.05).all()


def test_a_history_without_spread_is_read_in_raw_units():
    log = Log(0, 20, n_clusters=1)
    log.std = np.zeros(1)
    raw = fitted(log, ALONE)
    log.std = np.ones(1)
    for a, b in zip(raw, fitted(log, ALONE), strict=True):
        assert_array_equal(a, b)


@given(SEEDS, st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_values_read_for_a_visit(seed, n_columns):
    """Mean beta.z, and standard deviation sqrt(noise z' covariance z)."""
    log = Log(seed, n_columns=n_columns)
    fit, z, clusters = fitted(log), log.z[:10], log.clusters[:10]
    mean, std = read_values(fit, z, clusters)
    assert_allclose(mean, np.einsum("nkd,nd->nk", fit.beta[clusters], z), atol=1e-10)
    square = np.einsum("nd,nkde,ne->nk", z, fit.covariance[clusters], z) * fit.noise[clusters]
    assert_allclose(std, np.sqrt(square))
    rows, actions = np.arange(10), log.actions[:10]
    shown_mean, shown_std = read_shown(fit, z, clusters, actions)
    assert_allclose(shown_mean, mean[rows, actions], atol=1e-10)
    assert_allclose(shown_std, std[rows, actions])


@jit
def all_from_a_kernel(sums, fit, z, clusters, actions, rewards, mean, std, priors):
    add_answers(sums, z, clusters, actions, rewards, np.ones(rewards.size))
    refresh(fit, sums, sums.heard >= 0.0, mean, std, priors)
    return read_values(fit, z, clusters)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_inside_a_kernel(n_columns):
    log = Log(5, n_columns=n_columns)
    columns = log.z, log.clusters, log.actions, log.rewards, log.mean, log.std
    priors = PRIORS._replace(kinds=kinds(n_columns))
    got = all_from_a_kernel(empty_sums(*log.shape), empty_fit(*log.shape), *columns, priors)
    for a, b in zip(got, read_values(fitted(log), log.z, log.clusters), strict=True):
        assert_allclose(a, b, rtol=1e-9)
