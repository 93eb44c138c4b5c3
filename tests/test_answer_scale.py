"""The scale of answers: advantages as they are, clicks by their expected rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from pgrpo_rec.estimators.answer_scale import AnswerScale
from pgrpo_rec.histories import RewardHistory

SEEDS = st.integers(0, 2**32 - 1)


def heard(rewards, clusters, *, with_features=True):
    """Return the scale after some answers of two clusters."""
    scale, history = AnswerScale(with_features=with_features), RewardHistory(2)
    scale.two_values.grow(2)
    scale.two_values.watch(rewards, clusters)
    history.update(rewards, clusters)
    scale.update(history)
    return scale, history


def clicks_of(seed, n=60):
    rng = np.random.default_rng(seed)
    clusters = np.arange(n) % 2
    clicked = (rng.uniform(size=n) < np.where(clusters == 0, 0.6, 0.2)).astype(float)
    clicked[:4] = [0.0, 0.0, 1.0, 1.0]  # both values, in both clusters
    return rng, clicked, clusters


@pytest.mark.parametrize(("third_value", "with_features"), [(0.5, True), (1.0, False)])
def test_rewards_that_are_no_clicks_are_advantages_already(third_value, with_features):
    rng, rewards, clusters = clicks_of(0)
    rewards[-1] = third_value
    scale, history = heard(rewards, clusters, with_features=with_features)
    mean, std = rng.normal(size=(3, 4)), rng.uniform(0.1, 1.0, size=(3, 4))
    assert scale.to_advantages(mean, std, np.array([0, 1, 1])) == (mean, std)
    assert_array_equal(scale.centre, history.mean)


@given(SEEDS, st.floats(0.5, 50.0), st.floats(-20.0, 20.0))
@settings(deadline=None)
def test_advantages_of_clicks_do_not_depend_on_how_clicks_are_written(seed, high, low):
    rng, clicked, clusters = clicks_of(seed)
    scale, history = heard(clicked, clusters)
    other, _ = heard(low + high * clicked, clusters)
    log_odds, std, who = rng.normal(size=(3, 4)), np.full((3, 4), 1e-6), np.array([0, 1, 1])
    got, width = scale.to_advantages(log_odds, std, who)
    rates = 1.0 / (1.0 + np.exp(-(scale.centre[who, None] + log_odds)))  # nothing is uncertain
    assert_allclose(got, (rates - history.mean[who, None]) / history.std[who, None], atol=1e-6)
    assert_allclose(other.to_advantages(log_odds, std, who), (got, width), atol=1e-6)


@given(SEEDS)
@settings(deadline=None)
def test_loglik_is_that_of_a_normal_advantage_or_of_a_click(seed):
    rng, rewards, clusters = clicks_of(seed)
    mean, std, noise = rng.normal(size=60), rng.uniform(0.1, 1.0, 60), rng.uniform(0.5, 1.0, 60)
    told = rewards, clusters, mean, std, noise
    plain, history = heard(rewards, clusters, with_features=False)
    advantages = (rewards - history.mean[clusters]) / history.std[clusters]
    assert_allclose(
        plain.loglik(*told),
        norm.logpdf(advantages, mean, np.sqrt(std**2 + noise)) + 0.5 * np.log(2.0 * np.pi),
    )
    clicks, _ = heard(rewards, clusters)
    missed = clicks.loglik(np.zeros(60), clusters, mean, std, noise)
    clicked = clicks.loglik(np.ones(60), clusters, mean, std, noise)
    assert_allclose(np.exp(missed) + np.exp(clicked), 1.0)
    assert_array_equal(clicks.loglik(*told), np.where(rewards == 1.0, clicked, missed))
