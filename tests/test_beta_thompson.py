"""Beta posteriors: shown as often as drawn, to within the error that is told, visit by visit."""

import naive_bandits
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.baselines import BetaThompson
from pgrpo_rec.baselines.base import distinct_visits
from pgrpo_rec.baselines.beta_thompson import _largest as largest_beta

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("prior", "sharpness"), [((1.0, 1.0), 1.0), ((0.4, 1.6), 4.0)])
def test_beta_thompson_shows_items_as_often_as_its_posterior_draws_them(prior, sharpness):
    actions = np.repeat([0, 1, 2], [40, 40, 10])
    clicks = np.concatenate([np.arange(40) < 12, np.arange(40) < 16, np.arange(10) < 3])
    bandit = BetaThompson(3, prior=prior, sharpness=sharpness, random_state=0)
    bandit.fit(None, clicks.astype(float), actions=actions)
    a = sharpness * (prior[0] + np.array([12, 16, 3]))
    b = sharpness * (prior[1] + np.array([28, 24, 7]))
    best = np.random.default_rng(0).beta(a, b, size=(200_000, 3)).argmax(axis=1)
    drawn = np.bincount(best, minlength=3) / best.size
    assert_allclose(bandit.predict_proba(None, users=[0])[0], drawn, atol=0.005)


@given(SEEDS, st.integers(1, 20), st.sampled_from([0.5, 1.0, 4.0]))
@settings(deadline=None, max_examples=60)
def test_beta_thompsons_error_is_as_documented(seed, n_items, sharpness):
    """From nothing heard to a million answers an item, all rates or rates under a hundredth."""
    rng = np.random.default_rng(seed)
    n = 10.0 ** rng.uniform(0.0, 6.0, size=n_items)
    clicks = np.round(n * rng.beta(1.0, rng.choice([1.0, 100.0]), size=n_items))
    a, b = sharpness * (1.0 + clicks), sharpness * (1.0 + n - clicks)
    got = largest_beta(a, b, np.ones(n_items, dtype=bool))
    assert_allclose(got, naive_bandits.probability_of_largest_beta(a, b), atol=1e-4, rtol=0.0)


def test_visits_of_one_cluster_and_choice_of_items_are_one():
    clusters = np.array([5, 3, 5, 5, 3])
    available = np.ones((5, 11), dtype=bool)
    available[3, 10] = False
    first, inverse = distinct_visits(clusters, available)
    assert first.size == 3
    assert_array_equal(clusters[first][inverse], clusters)
    assert_array_equal(available[first][inverse], available)


def test_beta_thompson_masks_items_and_refuses_other_rewards():
    bandit = BetaThompson(3, random_state=0).fit(None, [1.0, 0.0], actions=[0, 1])
    masked = bandit.predict_proba(None, users=[0], available=np.array([False, True, True]))
    assert masked[0, 0] == 0.0
    assert_allclose(masked.sum(), 1.0)
    before = bandit.count_.copy()
    with pytest.raises(ValueError, match=r"0\.5 in row 1"):
        bandit.partial_fit(None, [1.0, 0.5], actions=[0, 1])
    assert_array_equal(bandit.count_, before)
