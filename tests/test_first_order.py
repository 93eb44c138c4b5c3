"""The first-order learner seen through the recommender: reference policy, limits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from pgrpo_rec import PGRPORecommender

ITEMS = 3


def learn(rec, n_batches=30, seed=0):
    """Item 2 earns most; shown by the policy itself."""
    rng = np.random.default_rng(seed)
    for _ in range(n_batches):
        items, propensities = rec.recommend(np.zeros((32, 1)))
        rewards = items[:, 0] + rng.normal(size=32)
        rec.partial_fit(np.zeros((32, 1)), rewards, actions=items[:, 0], propensities=propensities)
    return rec


def made(**settings):
    defaults = {"solver": "adam", "learning_rate": 0.1, "random_state": 0}
    return PGRPORecommender(ITEMS, **{**defaults, **settings})


def policy(rec):
    return rec.predict_proba(np.zeros((1, 1)))[0]


@pytest.mark.parametrize("kl", ["exact", "k3"])
def test_a_heavy_divergence_holds_the_policy_to_where_it_began(kl):
    free, held = (policy(learn(made(kl=kl, kl_coef=coef))) for coef in (0.0, 100.0))
    assert free[2] > 0.9
    assert np.abs(held - 1 / 3).max() < 0.1


def test_a_reference_frozen_later_holds_the_policy_to_what_it_was_then():
    rec = learn(made(), 8)
    then = policy(rec)
    rec._learner.penalties = rec._learner.penalties._replace(kl_coef=100.0)
    rec.freeze_reference()
    assert 0.4 < then[2] < 0.95
    assert np.abs(policy(learn(rec, 30, seed=1)) - then).max() < 0.1


def test_the_reference_follows_as_a_moving_average_of_weights():
    rec = learn(made(reference_decay=0.9), 1)
    learner, expected = rec._learner, rec._learner.reference.copy()
    for seed in range(5):
        expected += 0.1 * (learner.weights - expected)
        learn(rec, 1, seed)
        assert_allclose(learner.reference, expected, rtol=1e-12)
    assert np.abs(learner.reference).max() > 0.0


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_a_reference_that_follows_only_slows_learning_down(decay):
    assert policy(learn(made(kl_coef=1.0, reference_decay=decay), 60))[2] > 0.8


def test_a_limited_gradient_moves_no_further_than_the_limit():
    rec = made(solver="sgd", learning_rate=2.0, max_grad_norm=0.01)
    rec = learn(rec, 1)
    assert np.linalg.norm(rec._learner.weights) <= 0.02 + 1e-12
    assert np.linalg.norm(learn(made(solver="sgd", learning_rate=2.0), 1)._learner.weights) > 0.1


def test_freezing_needs_a_first_order_policy():
    with pytest.raises(NotFittedError):
        made().freeze_reference()
    with pytest.raises(ValueError, match="solver='natural' has no reference policy"):
        learn(made(solver="natural"), 1).freeze_reference()


def test_without_divergence_the_reference_does_not_matter():
    a, b = (policy(learn(made(reference_decay=decay))) for decay in (0.0, 1.0))
    assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("setting", "value", "right"),
    [
        ("kl", "k2", "must be one of"),
        ("kl_coef", -0.1, "at least 0"),
        ("reference_decay", 1.5, "at most 1"),
        ("max_grad_norm", 0.0, "above 0"),
    ],
)
def test_settings_out_of_range(setting, value, right):
    with pytest.raises(ValueError, match=rf"{setting}=.*{right}"):
        made(**{setting: value}).recommend(np.zeros((1, 1)))
