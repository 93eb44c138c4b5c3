"""Factors of users and items: each turn is a ridge regression, and sharing helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from pgrpo_rec.baselines import EpsilonGreedy, MatrixFactorisation, PerUser
from pgrpo_rec.baselines.matrix_factorisation import alternate, fold_in

SEEDS = st.integers(0, 2**32 - 1)
BAD = {"n_factors": 0, "ridge": 0.0, "n_sweeps": 0, "refit": 1.0, "epsilon": -1.0, "decay": -1.0}


@given(SEEDS, st.floats(0.1, 10.0))
@settings(deadline=None, max_examples=25)
def test_a_turn_is_scikit_learns_weighted_ridge(seed, ridge):
    rng = np.random.default_rng(seed)
    values, factors = rng.normal(size=(4, 6)), rng.normal(size=(6, 2))
    weights = rng.integers(0, 4, size=(4, 6)).astype(float)
    weights[:, 0] = 1.0
    got = fold_in(values, weights, factors, ridge)
    for u in range(4):
        model = Ridge(alpha=ridge, fit_intercept=False)
        model.fit(factors, values[u], sample_weight=weights[u])
        assert_allclose(got[u], model.coef_, atol=1e-8)


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_turns_never_raise_the_loss(seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=(8, 5)), rng.integers(0, 4, size=(8, 5)).astype(float)
    factors, losses = rng.normal(size=(5, 2)), []
    for _ in range(5):
        rows = fold_in(values, weights, factors, 0.5)
        squares = (weights * (values - rows @ factors.T) ** 2).sum()
        losses.append(squares + 0.5 * ((rows**2).sum() + (factors**2).sum()))
        factors = alternate(values, weights, factors, 0.5, 1)
    assert (np.diff(losses) < 1e-9).all()


def serve(rec, seed, n_rounds=100):
    """Return the regret of the last half: 40 users of 2 tastes, 20 items, 2,000 answers."""
    rng, lost = np.random.default_rng(seed), []
    for _ in range(n_rounds):
        users = rng.integers(40, size=20)
        items, _ = rec.recommend(None, users=users)
        rates = np.where(items[:, 0] % 2 == users % 2, 0.8, 0.2)
        clicks = (rng.random(20) < rates).astype(float)
        rec.partial_fit(None, clicks, actions=items[:, 0], users=users)
        lost.append(0.8 - rates.mean())
    return np.mean(lost[n_rounds // 2 :])


def test_factors_beat_pooling_and_one_model_a_user():
    lost = {"factors": [], "pooled": [], "per user": []}
    for seed in range(3):
        known = {"epsilon": 0.1, "random_state": seed}
        lost["factors"].append(serve(MatrixFactorisation(20, n_factors=2, **known), seed))
        lost["pooled"].append(serve(EpsilonGreedy(20, **known), seed))
        lost["per user"].append(serve(PerUser(EpsilonGreedy(20, **known)), seed))
    mean = {name: np.mean(values) for name, values in lost.items()}
    assert mean["factors"] < 0.7 * min(mean["pooled"], mean["per user"])


def test_propensities_are_epsilon_greedys_on_its_values():
    users, shown = np.repeat(np.arange(3), 4), np.arange(12) % 4
    rec = MatrixFactorisation(4, epsilon=0.3, decay=0.0, random_state=0)
    rec.fit(None, (shown == users).astype(float), actions=shown, users=users)
    best = rec.predict(None, users=[0, 1, 2])
    right = np.full((3, 4), 0.25)  # epsilon times 4 items is above 1
    assert_allclose(rec.predict_proba(None, users=[0, 1, 2]), right)
    rec.set_params(epsilon=0.1)
    right = np.full((3, 4), 0.1)
    right[np.arange(3), best] += 0.6
    assert_allclose(rec.predict_proba(None, users=[0, 1, 2]), right)
    masked = rec.predict_proba(None, users=[0], available=np.array([True, False, False, False]))
    assert_allclose(masked, [[1, 0, 0, 0]])


def test_strangers_are_served_by_the_items_means_and_refits_follow_the_schedule():
    users, shown = np.arange(40) % 4, np.arange(40) // 4 % 2
    rec = MatrixFactorisation(2, refit=3.0, random_state=0)
    rec.partial_fit(None, shown.astype(float), actions=shown, users=users)
    assert rec.predict(None, users=[99]) == 1
    factors = rec.factors_.copy()
    rec.partial_fit(None, 1.0 - shown, actions=shown, users=users)
    assert_array_equal(rec.factors_, factors)  # 80 answers, under 3 times 40
    rec.partial_fit(None, 1.0 - shown, actions=shown, users=users)
    assert not np.array_equal(rec.factors_, factors)


def test_the_same_seed_gives_the_same():
    one, other = (serve(MatrixFactorisation(20, random_state=3), 0, 20) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("name", BAD)
def test_an_argument_out_of_range_is_named(name):
    with pytest.raises(ValueError, match=f"^{name}="):
        MatrixFactorisation(3, **{name: BAD[name]}).recommend(None, users=[1])
