import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pgrpo_rec.evaluation import snips_value
from pgrpo_rec.evaluation.statistics import (
    difference_interval,
    interquartile_mean,
    iqm_interval,
    mean_interval,
    performance_profile,
    probability_of_improvement,
)

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


# --- over seeds and scenarios --------------------------------------------------------------


def test_interquartile_mean_by_hand():
    """Of 8 values the 2 lowest and the 2 highest go; of 5 values one at each end."""
    assert interquartile_mean([100.0, 1, 2, 3, 4, 5, 6, -100]) == 3.5
    assert interquartile_mean([9.0, 1, 2, 3, -9]) == 2.0
    assert_allclose(interquartile_mean([[0.0, 2, 4, 9], [1, 1, 1, 1]]), [3.0, 1.0])


@given(SEEDS, st.lists(st.integers(2, 12), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_stratified_interval_is_that_of_the_twin(seed, sizes):
    """Draw each scenario's seeds again, pool the runs, trim, take quantiles: the long way."""
    rng = np.random.default_rng(seed)
    samples = [rng.normal(size=n) for n in sizes]
    n_draws = 12_000  # a share of .025 has a standard error of .0014 then, in either
    got = iqm_interval(*samples, n_resamples=n_draws, seed=1)
    assert got == iqm_interval(*samples, n_resamples=n_draws, seed=1)
    drawn = np.hstack([rng.choice(sample, (n_draws, len(sample))) for sample in samples])
    cut = drawn.shape[1] // 4
    means = np.sort(drawn, axis=1)[:, cut : drawn.shape[1] - cut].mean(axis=1)
    pooled = np.sort(np.concatenate(samples))
    cut = len(pooled) // 4
    assert_allclose(got.mean, pooled[cut : len(pooled) - cut].mean())
    for bound, share in ((got.low, 0.025), (got.high, 0.975)):  # ties: few distinct resamples
        assert np.mean(means < bound - 1e-12) < share + 0.015
        assert np.mean(means <= bound + 1e-12) > share - 0.015


@pytest.mark.parametrize("spread", [(1.0, 1.0), (0.1, 5.0)])
def test_stratified_interval_covers_about_as_often_as_it_says(spread):
    """Percentile intervals from 20 seeds a scenario cover a little less than 95 %."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        samples = [0.3 + s * rng.standard_t(5, size=20) for s in spread]
        interval = iqm_interval(*samples, n_resamples=400)
        covered += interval.low <= 0.3 <= interval.high
    assert 0.91 < covered / 400 < 0.98


def test_between_scenarios_nothing_is_drawn():
    """Scenarios far apart, seeds that agree: the stratified interval has no width."""
    assert_allclose(iqm_interval([0.0] * 5, [1.0] * 5), [0.5, 0.5, 0.5])
    low = iqm_interval(np.concatenate([[0.0] * 5, [1.0] * 5])).low
    assert low < 0.3


def test_differences_by_hand():
    """Differences 1, 2 and 3: mean 2, half width t(.975, 2) / sqrt(3)."""
    got = difference_interval([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    half = 4.3026527 / math.sqrt(3)
    assert_allclose(got, [2.0, 2.0 - half, 2.0 + half])
    with pytest.raises(ValueError, match=r"of the same seeds; there are \[2\] and \[3\]"):
        difference_interval([1.0, 2.0], [1.0, 2.0, 3.0])


def test_probability_of_improvement_by_hand():
    """1 ties with 1 and beats 0; 2 and 3 beat all three: 7.5 of nine pairs."""
    ours, theirs = [1.0, 2.0, 3.0], [1.0, 1.5, 0.0]
    assert_allclose(probability_of_improvement([ours], [theirs]).mean, 7.5 / 9)
    both = probability_of_improvement([ours, [0.0, 0.0]], [theirs, [1.0, 1.0]])
    assert_allclose(both.mean, 0.5 * 7.5 / 9)
    same = probability_of_improvement([ours], [ours])
    assert_allclose(same, [0.5, 0.5, 0.5])  # the same runs are drawn for both


@given(SEEDS, st.integers(2, 15))
@settings(deadline=None, max_examples=25)
def test_probability_of_improvement_is_mann_whitneys(seed, n):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(0, 5, n).astype(float), rng.integers(0, 5, n).astype(float)
    got = probability_of_improvement([ours], [theirs], n_resamples=50)
    assert_allclose(got.mean, stats.mannwhitneyu(ours, theirs).statistic / n**2)
    back = probability_of_improvement([theirs], [ours], n_resamples=50)
    assert_allclose(got.mean + back.mean, 1.0)
    assert 0.0 <= got.low <= got.high <= 1.0


def test_probability_of_improvement_covers_about_as_often_as_it_says():
    """Shifted normals, pairs that share most of their luck; the truth is Phi(shift / spread)."""
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(0.5 / math.sqrt(2 * 1.25))
    covered = 0
    for _ in range(300):
        luck, ours, theirs = rng.normal(size=(3, 20))
        interval = probability_of_improvement(
            [0.5 + luck + 0.5 * ours], [luck + 0.5 * theirs], n_resamples=400
        )
        covered += interval.low <= truth <= interval.high
    assert 0.89 < covered / 300 < 0.98


def test_profile_by_hand():
    """Four runs of one scenario, two of another, each scenario weighing one half."""
    profile = performance_profile([[0.1, 0.3, 0.5, 0.7], [0.6, 0.6]], [0.0, 0.4, 0.65, 1.0])
    assert_allclose(profile.share, [1.0, 0.75, 0.125, 0.0])
    assert (profile.low <= profile.share).all()
    assert (profile.share <= profile.high).all()
    assert_allclose([profile.low[0], profile.high[3]], [1.0, 0.0])
    assert profile.low[1] < 0.75 < profile.high[1]


def test_what_has_no_spread_has_no_interval():
    for interval in (
        iqm_interval([0.3]),
        iqm_interval([0.3, 0.4], [0.5]),
        probability_of_improvement([[1.0]], [[0.0]]),
    ):
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert not math.isnan(interval.mean)
    for samples in ((), ([],), ([1.0], [])):
        with pytest.raises(ValueError, match="every scenario needs at least one seed"):
            iqm_interval(*samples)
