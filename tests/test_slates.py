"""Slates: draws from what is left, the Plackett-Luce gradient, learning from lists."""

import itertools
import math

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.baselines import GaussianThompson, RankedThompson
from pgrpo_rec.objectives import Penalties, PolicyBatch, surrogate
from pgrpo_rec.slates import left_over, position_probabilities

SEEDS = st.integers(0, 2**32 - 1)
OFF = Penalties(math.inf, math.inf, 0.0, 0.0)
SOLVERS = [{}, {"solver": "adam"}, {"solver": "sgd", "learning_rate": 0.3}]


def draw_slates_of(rng, n, n_items, m):
    return np.array([rng.permutation(n_items)[:m] for _ in range(n)])


@given(SEEDS, st.integers(1, 4))
@settings(deadline=None)
def test_what_is_left_is_what_does_not_stand_above(seed, m):
    rng = np.random.default_rng(seed)
    slates, available = draw_slates_of(rng, 5, 4, m), rng.random((5, 4)) < 0.7
    left = left_over(slates, available).reshape(5, m, 4)
    for i, s, k in itertools.product(range(5), range(m), range(4)):
        assert left[i, s, k] == (available[i, k] and k not in slates[i, :s])


@given(SEEDS, st.integers(1, 4))
@settings(deadline=None)
def test_positions_multiply_to_plackett_luce(seed, m):
    rng = np.random.default_rng(seed)
    odds, slates = rng.exponential(size=(6, 4)), draw_slates_of(rng, 6, 4, m)
    got = position_probabilities(odds, slates)
    right = [naive.plackett_luce(p, slate) for p, slate in zip(odds, slates, strict=True)]
    assert_allclose(got.prod(axis=1), right)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_plackett_luce_propensities_sum_to_one_over_all_ordered_slates(m):
    every = np.array(list(itertools.permutations(range(4), m)))
    odds = np.broadcast_to(np.array([0.5, 0.01, 0.3, 0.19]), (len(every), 4))
    assert_allclose(position_probabilities(odds, every).prod(axis=1).sum(), 1.0)


def test_a_sure_policy_has_no_rounding_below_the_top():
    sure = np.array([[1.0, 1e-30, 3e-30]])
    assert_allclose(position_probabilities(sure, np.array([[0, 2]])), [[1.0, 0.75]])
    assert_allclose(position_probabilities(np.eye(3)[:1], np.array([[0, 2]])), [[1.0, 0.0]])


def unfolded(weights, z, clusters, slates, advantages, available):
    """Rows of the surrogate for slates shown by the policy itself, on its own weights."""
    n, m = slates.shape
    rows = np.repeat(np.arange(n), m)
    left = left_over(slates, available)
    batch = PolicyBatch(
        z[rows], clusters[rows], slates.ravel(), advantages.ravel(), None, left, np.ones(n * m)
    )
    shown = naive.probabilities(weights, batch)[np.arange(n * m), slates.ravel()]
    return batch._replace(propensities=shown)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("m", [1, 2, 3])
def test_gradient_of_slates_is_that_of_finite_differences_of_their_log_probability(m, masked):
    """A slate's advantage times the gradient of log Plackett-Luce, summed over its rows."""
    rng = np.random.default_rng(m)
    n, n_items, d, n_clusters = 5, 4, 3, 2
    weights = 0.5 * rng.normal(size=(1 + n_clusters, n_items, d))
    z, clusters = rng.normal(size=(n, d)), rng.integers(n_clusters, size=n)
    slates, advantages = draw_slates_of(rng, n, n_items, m), rng.normal(size=n)
    available = np.ones((n, n_items), dtype=bool)
    if masked:
        available = rng.random((n, n_items)) < 0.5
        np.put_along_axis(available, slates, True, axis=1)
    batch = unfolded(
        weights, z, clusters, slates, np.repeat(advantages[:, None], m, axis=1), available
    )

    def value(w):
        logits = np.einsum("ikd,id->ik", w[0] + w[1 + clusters], z)
        odds = naive.softmax(logits, available)
        chances = [naive.plackett_luce(p, slate) for p, slate in zip(odds, slates, strict=True)]
        return (advantages * np.log(chances)).sum() / (n * m)

    _, gradient = surrogate(batch, OFF, weights, weights)
    right = naive.central_differences(value, weights)
    assert_allclose(gradient, right, rtol=0, atol=1e-6 * np.abs(right).max())


@pytest.mark.parametrize("downwards", [False, True])
def test_slate_gradient_is_unbiased_by_enumeration(downwards):
    """Expected gradient over all slates = that of the expected reward, for both credits.

    Rewards depend on the item, its position and the items above it, as with readers who start
    at the top; only then may a position be spared what the items above it earned.
    """
    rng = np.random.default_rng(0)
    logits = np.array([0.3, -0.5, 0.9])
    every = np.array(list(itertools.permutations(range(3), 2)))
    top, below = rng.normal(size=3), rng.normal(size=(3, 3))
    rewards = np.array([[top[a], below[a, b]] for a, b in every])
    credits = rewards[:, ::-1].cumsum(axis=1)[:, ::-1] if downwards else rewards.sum(axis=1)
    credits = credits if downwards else np.repeat(credits[:, None], 2, axis=1)
    weights = np.stack([logits[:, None], np.zeros((3, 1))])

    def expected(w):
        odds = naive.softmax(w[0, :, 0] + w[1, :, 0], True)
        chances = [naive.plackett_luce(odds, slate) for slate in every]
        return np.dot(chances, rewards.sum(axis=1))

    total = 0.0
    for slate, credit in zip(every, credits - [0.7, -0.2], strict=True):  # any past history
        one = np.ones((1, 1)), np.zeros(1, dtype=np.int64), slate[None], credit[None]
        batch = unfolded(weights, *one, np.ones((1, 3), dtype=bool))
        chance = naive.plackett_luce(naive.softmax(logits, True), slate)
        total += 2 * chance * surrogate(batch, OFF, weights, weights)[1]
    assert_allclose(total, naive.central_differences(expected, weights), atol=1e-9)


# --- recommenders that learn from slates ---------------------------------------------------


def serve(rec, n_rounds=80, by_item=True, seed=0):
    """Visitors want 0 (or its twin 1) more often than 2; one click at most; none want 3."""
    rng = np.random.default_rng(seed)
    X = np.zeros((32, 1))
    for _ in range(n_rounds):
        slates, propensities = rec.recommend(X, 2)
        wants = rng.choice([0, 0, 0, 1, 1], size=(32, 1))
        suits = np.array([0, 0, 1, 2])[slates] == wants
        clicks = suits & (suits.cumsum(axis=1) == 1)
        y = clicks if by_item else clicks.any(axis=1)
        rec.partial_fit(X, y, actions=slates, propensities=propensities)
    return np.sort(rec.recommend(np.zeros((400, 1)), 2)[0], axis=1)


def covers(slates):
    """Share of slates that serve both wants."""
    return ((slates[:, 0] < 2) & (slates[:, 1] == 2)).mean()


@pytest.mark.parametrize(
    ("arguments", "by_item"),
    [
        ({"slate_credit": "slate"}, False),
        ({"slate_credit": "slate"}, True),
        ({"slate_credit": "below"}, True),
    ],
)
def test_a_policy_learns_that_twins_replace_each_other(arguments, by_item):
    rec = PGRPORecommender(4, solver="adam", random_state=0, **arguments)
    assert covers(serve(rec, 150, by_item)) > 0.8


def test_ranked_thompson_learns_that_twins_replace_each_other():
    assert covers(serve(RankedThompson(4, random_state=0))) > 0.8


def test_a_bandit_of_single_items_fills_the_slate_with_twins():
    slates = serve(GaussianThompson(4, random_state=0))
    assert covers(slates) < 0.7


@pytest.mark.parametrize("arguments", SOLVERS)
def test_a_slate_of_one_is_an_action(arguments):
    rng = np.random.default_rng(0)
    X, actions, y = rng.normal(size=(200, 2)), rng.integers(3, size=200), rng.normal(size=200)
    plain, listed = (PGRPORecommender(3, random_state=0, **arguments) for _ in range(2))
    told = {"actions": actions, "propensities": np.full(200, 1 / 3)}
    as_list = {name: column[:, None] for name, column in told.items()}
    plain.fit(X, y, **told)
    listed.fit(X, y, **as_list)
    assert_array_equal(plain.predict_proba(X), listed.predict_proba(X))
    assert plain.score(X, y, **told) == listed.score(X, y, **as_list)


@pytest.mark.parametrize("arguments", SOLVERS)
@pytest.mark.parametrize("by_item", [False, True])
def test_score_of_slates_is_snips_over_whole_slates(arguments, by_item):
    rng = np.random.default_rng(1)
    X, slates = rng.normal(size=(60, 2)), draw_slates_of(rng, 60, 4, 2)
    y, shown = rng.normal(size=(60, 2)), rng.uniform(0.2, 0.9, size=(60, 2))
    rec = PGRPORecommender(4, random_state=0, **arguments)
    rec.fit(X, y, actions=slates, propensities=shown)
    odds = rec.predict_proba(X)
    chances = [naive.plackett_luce(p, slate) for p, slate in zip(odds, slates, strict=True)]
    weights = chances / shown.prod(axis=1)
    told = y if by_item else y.sum(axis=1)
    got = rec.score(X, told, actions=slates, propensities=shown)
    assert_allclose(got, weights @ y.sum(axis=1) / weights.sum())


def test_candidates_may_be_slates():
    """Two slates a visit, compared position by position; visits differ in level far more."""
    rng = np.random.default_rng(0)
    rec = PGRPORecommender(
        4, advantage="grpo", group_size=2, solver="adam", learning_rate=0.2, random_state=0
    )
    for _ in range(60):
        slates, propensities = rec.recommend(np.zeros((64, 1)), 2)
        y = (slates == 3).any(axis=1) + np.repeat(20.0 * rng.normal(size=32), 2)
        rec.partial_fit(np.zeros((64, 1)), y, actions=slates, propensities=propensities)
    slates, _ = rec.recommend(np.zeros((200, 1)), 2)
    assert (slates == 3).any(axis=1).mean() > 0.9
    with pytest.raises(ValueError, match="63 rows are no whole number of visits of group_size=2"):
        rec.partial_fit(np.zeros((63, 1)), y[1:], actions=slates[:63])


def test_ranked_thompson_has_the_propensities_it_draws_by():
    rec = RankedThompson(3, random_state=0)
    slates = np.array([[0, 1], [1, 2], [2, 0]] * 5)
    rec.partial_fit(np.zeros((15, 1)), np.arange(30.0).reshape(15, 2) % 7, actions=slates)
    drawn, propensities = rec.recommend(np.zeros((30_000, 1)), 2)
    for slate in itertools.permutations(range(3), 2):
        rows = (drawn == slate).all(axis=1)
        chance = propensities[rows][0].prod()
        assert_allclose(propensities[rows].prod(axis=1), chance)
        assert abs(rows.sum() - 30_000 * chance) < 5 * np.sqrt(30_000 * chance) + 1
