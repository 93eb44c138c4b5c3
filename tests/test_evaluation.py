import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pgrpo_rec.evaluation import snips_value
from pgrpo_rec.evaluation.statistics import mean_interval

SEEDS = st.integers(0, 2**32 - 1)


def draw_log(seed, n, logging, policy, rewards):
    """Rows logged by one policy over K items, and what another thinks of them."""
    rng = np.random.default_rng(seed)
    actions = rng.choice(len(logging), size=n, p=logging)
    answers = (rng.random(n) < np.asarray(rewards)[actions]).astype(float)
    return answers, np.asarray(policy)[actions], np.asarray(logging)[actions]


def test_snips_by_hand():
    """Weights 2, 1 and 0.5: (2 * 1 + 1 * 3 + 0.5 * 5) / 3.5."""
    rewards, weights = np.array([1.0, 3.0, 5.0]), np.array([2.0, 1.0, 0.5])
    propensities = np.array([0.1, 0.5, 0.8])
    assert_allclose(snips_value(rewards, weights * propensities, propensities), 7.5 / 3.5)


@pytest.mark.parametrize("policy", [(0.1, 0.1, 0.8), (0.0, 1.0, 0.0), (1 / 3, 1 / 3, 1 / 3)])
def test_snips_finds_the_value_of_a_policy_that_never_ran(policy):
    rewards = (0.2, 0.9, 0.4)
    log = draw_log(0, 200_000, (0.7, 0.1, 0.2), policy, rewards)
    assert_allclose(snips_value(*log), np.dot(policy, rewards), atol=0.01)
    assert abs(log[0].mean() - np.dot(policy, rewards)) > 0.05


@given(SEEDS, st.floats(-100, 100), st.floats(0.01, 1))
@settings(deadline=None)
def test_snips_moves_with_the_rewards_and_stays_among_them(seed, shift, unit):
    rewards, shown, logged = draw_log(seed, 50, (0.6, 0.4), (0.3, 0.7), (0.5, 0.8))
    value = snips_value(rewards, shown, logged)
    assert 0.0 <= value <= 1.0
    assert_allclose(snips_value(rewards + shift, shown, logged), value + shift, atol=1e-9)
    assert_allclose(snips_value(rewards, shown, unit * logged), value)
    assert_allclose(snips_value(rewards, logged, logged), rewards.mean())


def test_snips_without_overlap_is_nan():
    assert math.isnan(snips_value(np.ones(3), np.zeros(3), np.full(3, 0.5)))


def test_interval_by_hand():
    """Five seeds, t quantile 2.776 at 4 degrees of freedom."""
    interval = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764451 * math.sqrt(2.5 / 5)
    assert_allclose(interval, [3.0, 3.0 - half, 3.0 + half])
    assert_allclose(interval.half, half)


@given(SEEDS, st.integers(2, 40), st.sampled_from([0.5, 0.9, 0.99]))
@settings(deadline=None)
def test_interval_is_that_of_the_t_test(seed, n, confidence):
    sample = np.random.default_rng(seed).normal(3, 2, n)
    right = stats.ttest_1samp(sample, 0.0).confidence_interval(confidence)
    got = mean_interval(sample, confidence)
    assert_allclose([got.low, got.high], [right.low, right.high])


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_interval_covers_as_often_as_it_says(confidence):
    """4,000 experiments of 5 seeds; 4 standard errors around the promise."""
    samples = np.random.default_rng(0).normal(1.0, 3.0, size=(4000, 5))
    intervals = [mean_interval(sample, confidence) for sample in samples]
    covered = np.mean([i.low <= 1.0 <= i.high for i in intervals])
    assert abs(covered - confidence) < 4 * math.sqrt(confidence * (1 - confidence) / 4000)


def test_pairs_see_what_two_intervals_do_not():
    """Seeds that differ much, methods that differ by 0.1 on each of them."""
    rng = np.random.default_rng(0)
    ours = rng.normal(0.0, 1.0, 20)
    theirs = ours - 0.1 + rng.normal(0.0, 0.01, 20)
    a, b = mean_interval(ours), mean_interval(theirs)
    assert a.low < b.high
    assert mean_interval(ours - theirs).low > 0.09


def test_one_seed_has_no_interval_and_none_is_an_error():
    one = mean_interval([0.3])
    assert one.mean == 0.3
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert math.isnan(one.half)
    with pytest.raises(ValueError, match="values is empty; a mean needs at least one seed"):
        mean_interval([])
