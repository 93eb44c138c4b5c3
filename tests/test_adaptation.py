"""What one person's own answers add to the cluster's fit, against plain twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import norm

from pgrpo_rec.adaptation import (
    EXPLORED,
    FACTORS,
    MIN_PAIRS,
    OwnAnswers,
    adapt,
    measure_deviation,
    predictive_loglik,
    shrink,
    trusted_factor,
)

positive = st.floats(0.01, 10.0)
N_VISITS, N_ITEMS, N_CLUSTERS = 7, 4, 2


@given(
    mean=st.floats(-3, 3),
    variance=positive,
    answers=st.lists(st.floats(-5, 5), max_size=6),
    deviation=positive,
    within=positive,
)
def test_a_person_is_the_normal_posterior_around_the_clusters_value(
    mean, variance, answers, deviation, within
):
    """Given the cluster's value c: delta ~ N(0, tau^2), answers ~ N(c + delta, s^2)."""
    n, noise = len(answers), within + deviation
    within = max(within, 0.1 * noise)  # people's own noise is a tenth of all at least
    left = 1.0 / (1.0 / deviation + n / within)  # of delta's variance, whatever c is
    # E[c + delta | c] = c + left * sum(y - c) / s^2: a straight line in c, whose slope is kappa
    slope = 1.0 - left * n / within
    expected = slope * mean + left * sum(answers) / within
    own = float(np.mean(answers)) if answers else 0.0
    got = shrink(mean, variance, n, own, deviation, noise)
    assert_allclose(got, (expected, slope**2 * variance + EXPLORED * left), rtol=1e-9, atol=1e-9)


def test_unknown_people_are_the_cluster_and_known_ones_themselves():
    assert shrink(1.0, 0.5, 0.0, 0.0, 0.0, 1.0) == (1.0, 0.5)
    mean, variance = shrink(1.0, 0.5, 1e9, -2.0, 0.3, 1.0)
    assert_allclose((mean, variance), (-2.0, 0.0), atol=1e-6)


@pytest.fixture
def visits():
    """Return the clusters' means and widths at seven visits, and what the visitors answered."""
    rng = np.random.default_rng(0)
    shape = N_VISITS, N_ITEMS
    heard = rng.integers(0, 4, shape).astype(float)
    return {
        "mean": rng.normal(size=shape),
        "std": rng.uniform(0.1, 1.0, shape),
        "own": OwnAnswers(heard, heard * rng.normal(5.0, 2.0, shape)),
        "clusters": np.array([0, 1, 1, 0, 2, 0, 1]),  # 2 was not met when people were measured
        "unit": np.array([[5.0, 2.0], [4.0, 3.0], [0.0, 1.0]]),
        "noise": rng.uniform(0.5, 1.5, (3, N_ITEMS)),
    }


def of_person(v, i, k, tau2):
    """Return mean and variance of one visitor's value for one item."""
    p, heard = v["clusters"][i], v["own"].heard[i, k]
    level, unit = v["unit"][p]
    own = (v["own"].total[i, k] / heard - level) / unit if heard else 0.0
    return shrink(v["mean"][i, k], v["std"][i, k] ** 2, heard, own, tau2, v["noise"][p, k])


def test_every_value_is_adapted_to_who_is_here(visits):
    deviation = np.array([0.3, 0.0])
    got, width = visits["mean"].copy(), visits["std"].copy()
    known = [visits[name] for name in ("own", "clusters", "unit")]
    adapt(got, width, *known, deviation, visits["noise"])
    for i, p in enumerate(visits["clusters"]):
        for k in range(N_ITEMS):
            if p == 0:
                mean, variance = of_person(visits, i, k, 0.3)
            else:  # nobody deviates, or nobody knows
                mean, variance = visits["mean"][i, k], visits["std"][i, k] ** 2
            assert_allclose((got[i, k], width[i, k]), (mean, np.sqrt(variance)))


def test_each_factor_is_scored_by_what_it_says_of_the_answers(visits):
    deviation = np.array([0.3, 0.2])
    rng = np.random.default_rng(1)
    actions = rng.integers(N_ITEMS, size=N_VISITS)
    rewards = rng.normal(5.0, 2.0, N_VISITS)
    expected = np.zeros(FACTORS.size)
    for i, (p, k) in enumerate(zip(visits["clusters"], actions, strict=True)):
        if p >= deviation.size:
            continue
        advantage = (rewards[i] - visits["unit"][p, 0]) / visits["unit"][p, 1]
        for f, factor in enumerate(FACTORS):
            tau2, noise = factor * deviation[p], visits["noise"][p, k]
            mean, variance = of_person(visits, i, k, tau2)
            std = np.sqrt(variance + max(noise - tau2, 0.1 * noise))
            expected[f] += norm.logpdf(advantage, mean, std) + 0.5 * np.log(2.0 * np.pi)
    before = [visits[name] for name in ("mean", "std", "own", "clusters")]
    after = visits["unit"], deviation, visits["noise"]
    assert_allclose(predictive_loglik(*before, actions, rewards, *after), expected)


def people(rng, tau, n_people=400, n_answers=5, std=2.0):
    """Return sums of people who differ by ``tau`` on every item, in units of ``std``."""
    taste = rng.normal(size=N_ITEMS) + rng.normal(0.0, tau, (n_people, N_ITEMS))
    rewards = std * (taste + rng.normal(size=(n_answers, n_people, N_ITEMS)))
    count = np.full((n_people, N_ITEMS), n_answers)
    return count, rewards.sum(axis=0), (rewards**2).sum(axis=0)


@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_deviation_is_measured_within_its_error(tau):
    rng = np.random.default_rng(2)
    sums = people(rng, tau)
    labels = rng.integers(N_CLUSTERS, size=400)
    got = measure_deviation(*sums, labels, np.full(N_CLUSTERS, 2.0))
    # a person and item: 20 products of 5 answers, their mean off by some (tau^2 + 1 / 5) sqrt(2)
    error = (tau**2 + 0.2) * np.sqrt(2.0 / (200 * N_ITEMS))
    assert_allclose(got, tau**2, atol=4.0 * error)


def test_deviation_is_the_mean_product_of_two_answers_of_one_person():
    rng = np.random.default_rng(3)
    taste = rng.normal(size=(30, 1))
    answers = taste + rng.normal(size=(30, 5))  # of thirty people to one item
    sums = [np.full((30, 1), 5), answers.sum(axis=1)[:, None], (answers**2).sum(axis=1)[:, None]]
    apart = answers - answers.mean()
    products = [a[i] * a[j] for a in apart for i in range(5) for j in range(5) if i != j]
    assert len(products) >= MIN_PAIRS
    got = measure_deviation(*sums, np.zeros(30, dtype=int), np.array([0.5]))
    assert np.mean(products) > 0.0
    assert_allclose(got, np.mean(products) / 0.25)


def test_answers_of_one_person_that_disagree_are_no_deviation():
    answers = np.tile([1.0, -1.0, 1.0, -1.0], (30, 1))
    sums = [np.full((30, 1), 4), answers.sum(axis=1)[:, None], (answers**2).sum(axis=1)[:, None]]
    assert measure_deviation(*sums, np.zeros(30, dtype=int), np.array([1.0])) == 0.0


def test_deviation_is_not_measured_from_a_few_pairs():
    rng = np.random.default_rng(4)
    sums = people(rng, 1.0, n_people=2)
    assert measure_deviation(*sums, np.zeros(2, dtype=int), np.array([2.0])) == 0.0


@pytest.mark.parametrize(
    ("predicted", "factor"),
    [((19.0, 5.0, 0.0), 0.0), ((-75.0, -79.0, -100.0), 1.0), ((21.0, 25.0, 1.0), 0.25)],
)
def test_people_are_followed_only_where_that_predicts_clearly_better(predicted, factor):
    assert trusted_factor(np.array(predicted)) == factor
