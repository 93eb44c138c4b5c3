import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit

from pgrpo_rec.clicks import TwoValues, add_clicks, expected_rates, most_probable
from pgrpo_rec.natural import Priors, empty_fit, empty_sums, read_values, refresh

SEEDS = st.integers(0, 2**32 - 1)


@given(st.floats(-8, 8), st.floats(1e-6, 50), st.sampled_from([0.0, 1.0]))
@settings(deadline=None)
def test_most_probable_log_odds_after_one_answer(mean, variance, clicked):
    def loss(eta):
        log_rate = -np.logaddexp(0.0, -eta) if clicked else -np.logaddexp(0.0, eta)
        return (eta - mean) ** 2 / (2.0 * variance) - log_rate

    right = minimize_scalar(
        loss,
        bounds=(mean - variance - 1, mean + variance + 1),
        options={"xatol": 1e-9},
        method="bounded",
    )
    assert_allclose(most_probable(mean, variance, clicked), right.x, atol=1e-4)


@given(st.floats(-40.0, 40.0), st.floats(0.0, 1e6), st.sampled_from([0.0, 1.0]))
@example(3.0, 26.0, 0.0)  # Newton's method swings inside the bracket
@settings(deadline=None)
def test_most_probable_log_odds_are_a_root_however_wide_the_doubt(mean, variance, clicked):
    eta = most_probable(mean, variance, clicked)
    assert abs(eta - mean - variance * (clicked - expit(eta))) <= 1e-11 * (1.0 + variance)


def naive_pass(beta, covariance, z, clicked, centre):
    """Fold answers in one by one, each as a weighted working response (plain NumPy)."""
    gram, moment = np.zeros_like(covariance), np.zeros_like(beta)
    for row, y in zip(z, clicked, strict=True):
        eta = most_probable(centre + row @ beta, row @ covariance @ row, y)
        v = max(expit(eta) * (1 - expit(eta)), 1e-4)
        response = eta + (y - expit(eta)) / v
        gram += v * np.outer(row, row)
        moment += v * response * row
        precision = np.linalg.inv(covariance) + v * np.outer(row, row)
        told = np.linalg.inv(covariance) @ beta + v * (response - centre) * row
        covariance = np.linalg.inv(precision)
        beta = covariance @ told
    return beta, covariance, gram, moment


def started(n_columns):
    priors = Priors(
        np.full(3, 1e9),
        np.array([[2.0, 1.0, 1e9]]),
        np.ones(1),
        np.array([0, *[1] * (n_columns - 1)]),
    )
    sums, fit = empty_sums(1, 1, n_columns), empty_fit(1, 1, n_columns)
    refresh(fit, sums, np.ones((1, 1), dtype=bool), np.zeros(1), np.ones(1), priors)
    return sums, fit, priors


def answers(seed, n, n_columns, base=-1.0):
    rng = np.random.default_rng(seed)
    z = np.hstack([np.ones((n, 1)), rng.normal(size=(n, n_columns - 1))])
    weights = np.array([base, *rng.normal(size=n_columns - 1)])
    return z, (rng.uniform(size=n) < expit(z @ weights)).astype(float), weights


@given(SEEDS, st.integers(1, 3))
@settings(deadline=None, max_examples=20)
def test_sums_and_fit_are_those_of_the_naive_pass(seed, n_columns):
    z, clicked, _ = answers(seed, 15, n_columns)
    sums, fit, priors = started(n_columns)
    prior = fit.covariance[0, 0].copy()
    zeros = np.zeros(z.shape[0], dtype=np.int64)
    add_clicks(sums, fit, z, zeros, zeros, clicked, np.array([-0.7]), np.ones(len(z)))
    right = naive_pass(np.zeros(n_columns), prior, z, clicked, -0.7)
    got = fit.beta[0, 0], fit.covariance[0, 0], sums.gram[0, 0], sums.moment[0, 0]
    for a, b in zip(got, right, strict=True):
        assert_allclose(a, b, atol=1e-7)
    moved = [part.copy() for part in (fit.beta, fit.covariance)]
    refresh(fit, sums, np.ones((1, 1), dtype=bool), np.array([-0.7]), np.ones(1), priors)
    for a, b in zip((fit.beta, fit.covariance), moved, strict=True):
        assert_allclose(a, b, atol=1e-7)  # what was moved on the way is the fit of the sums


@given(SEEDS, st.integers(1, 3))
@settings(deadline=None, max_examples=10)
def test_an_answer_of_weight_two_tells_twice_as_much(seed, n_columns):
    z, clicked, _ = answers(seed, 1, n_columns)
    zeros = np.zeros(1, dtype=np.int64)
    once, fit, _ = started(n_columns)
    add_clicks(once, fit, z, zeros, zeros, clicked, np.zeros(1), np.ones(1))
    twice, heavy, priors = started(n_columns)
    add_clicks(twice, heavy, z, zeros, zeros, clicked, np.zeros(1), np.full(1, 2.0))
    for a, b in zip(once, twice, strict=True):
        assert_allclose(2.0 * a, b, rtol=1e-12)
    moved = heavy.beta.copy()
    refresh(heavy, twice, np.ones((1, 1), dtype=bool), np.zeros(1), np.ones(1), priors)
    assert_allclose(heavy.beta, moved, atol=1e-7)


@pytest.mark.parametrize("base", [-3.0, 0.0, 2.0])
def test_log_odds_are_found(base):
    z, clicked, weights = answers(3, 6000, 3, base)
    sums, fit, _ = started(3)
    zeros = np.zeros(len(z), dtype=np.int64)
    add_clicks(sums, fit, z, zeros, zeros, clicked, np.array([-1.0]), np.ones(len(z)))
    assert_allclose(fit.beta[0, 0] + [-1.0, 0, 0], weights, atol=0.25)
    mean, std = read_values(fit, z[:5], zeros[:5])
    assert (std < 0.3).all()
    assert_allclose(expected_rates(mean[:, 0] - 1.0, std[:, 0]), expit(z[:5] @ weights), atol=0.06)


def test_sums_may_have_more_columns_than_the_fit():
    z, clicked, _ = answers(0, 30, 3)
    sums, _, _ = started(3)
    few, fit, _ = started(2)
    zeros = np.zeros(len(z), dtype=np.int64)
    add_clicks(sums, fit, z, zeros, zeros, clicked, np.zeros(1), np.ones(len(z)))
    _, fit, _ = started(2)
    two = np.ascontiguousarray(z[:, :2])
    add_clicks(few, fit, two, zeros, zeros, clicked, np.zeros(1), np.ones(len(z)))
    assert_allclose(sums.gram[:, :, :2, :2], few.gram)
    assert_allclose(sums.moment[:, :, :2], few.moment)


class TestTwoValues:
    def test_any_two_values_will_do_a_third_will_not(self):
        values = TwoValues()
        values.grow(2)
        values.watch(np.array([0.0, 7.0, 1.0, 1007.0]), np.array([0, 1, 0, 1]))
        assert values.hold
        assert_array_equal(
            values.clicked(np.array([1.0, 7.0, 1007.0]), np.array([0, 1, 1])), [1.0, 0.0, 1.0]
        )
        values.watch(np.array([0.5]), np.array([1]))
        assert not values.hold
        values.watch(np.array([0.5]), np.array([1]))
        assert not values.hold

    def test_who_said_yes_only_is_turned_at_the_first_no(self):
        values = TwoValues()
        values.grow(1)
        assert values.watch(np.ones(3), np.zeros(3, dtype=int)).size == 0
        assert_array_equal(values.watch(np.zeros(1), np.zeros(1, dtype=int)), [0])
        assert values.watch(np.zeros(1), np.zeros(1, dtype=int)).size == 0

    def test_log_odds_do_not_depend_on_the_unit(self):
        values = TwoValues()
        values.grow(3)
        values.watch(np.array([0.0, 1.0, 7.0, 1007.0]), np.array([0, 0, 1, 1]))
        got = values.log_odds(np.array([0.25, 257.0, 0.0]), np.array([8.0, 8.0, 0.0]))
        assert_allclose(got, [np.log(2.5 / 6.5), np.log(2.5 / 6.5), 0.0])
