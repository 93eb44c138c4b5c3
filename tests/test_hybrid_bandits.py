"""Hybrid linear bandits: the block solution is one big ridge regression, and sharing helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.baselines import HybridLinTS, HybridLinUCB, LinTS, LinUCB
from pgrpo_rec.baselines.hybrid import (
    add_hybrid,
    empty_hybrid_sums,
    read_hybrid,
    shared_columns,
    solve_hybrid,
)

SEEDS = st.integers(0, 2**32 - 1)


def stacked(z, shared, actions, n_items):
    """One row an answer of the big regression: shared columns, then a block an item."""
    blocks = np.zeros((len(z), n_items, z.shape[1]))
    blocks[np.arange(len(z)), actions] = z
    return np.hstack([shared, blocks.reshape(len(z), -1)])


@given(SEEDS, st.integers(0, 2), st.floats(0.2, 20.0), st.floats(0.2, 20.0))
@settings(deadline=None, max_examples=30)
def test_blocks_are_one_big_ridge_regression(seed, m, ridge, shared_ridge):
    rng = np.random.default_rng(seed)
    n, n_items, d = 25, 3, 2
    z, y, features = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=(n_items, m))
    actions, clusters = rng.integers(n_items, size=n), np.zeros(n, dtype=np.int64)
    weights = rng.random(n)
    shared = shared_columns(z, features)
    mine = shared[np.arange(n), actions]
    sums = empty_hybrid_sums(1, n_items, d, shared.shape[2])
    add_hybrid(sums, z, mine, clusters, actions, y, weights)
    known = solve_hybrid(sums, ridge, shared_ridge)

    big = stacked(z, mine, actions, n_items)
    penalty = np.r_[np.full(shared.shape[2], shared_ridge), np.full(n_items * d, ridge)]
    inverse = np.linalg.inv(np.diag(penalty) + (big * weights[:, None]).T @ big)
    for column, target in enumerate((y, np.ones(n))):
        right = inverse @ big.T @ (weights * target)
        theta, beta = known.theta[..., column].copy(), known.beta[..., column].copy()
        mean, width = read_hybrid(known, theta, beta, z, shared, clusters)
        for k in range(n_items):
            rows = stacked(z, shared[:, k], np.full(n, k), n_items)
            assert_allclose(mean[:, k], rows @ right, atol=1e-8)
            square = np.einsum("nd,de,ne->n", rows, inverse, rows)
            assert_allclose(width[:, k], np.sqrt(square), atol=1e-8)


def test_shared_columns_are_visit_times_item():
    z, features = np.array([[1.0, 3.0]]), np.array([[2.0], [5.0]])
    assert_allclose(shared_columns(z, features), [[[1, 3, 2, 6], [1, 3, 5, 15]]])


@pytest.mark.parametrize(("hybrid", "disjoint"), [(HybridLinTS, LinTS), (HybridLinUCB, LinUCB)])
def test_sharing_nothing_it_is_disjoint(hybrid, disjoint):
    rng = np.random.default_rng(0)
    X, actions, clusters = rng.normal(size=(200, 2)), rng.integers(3, size=200), np.arange(200) % 2
    y = X[:, 0] * (actions - 1) * (1 + 50 * clusters) + rng.normal(size=200)
    log = {"actions": actions, "clusters": clusters}
    for form in ({}, {"standardise": True}, {"discount": 0.98}):
        one = hybrid(3, shared_ridge=1e9, ridge=0.7, **form).fit(X, y, **log)
        other = disjoint(3, ridge=0.7, **form).fit(X, y, **log)
        who = {"clusters": np.r_[clusters[:20], 7, 7]}
        a, b = (rec.predict_proba(X[:22], **who) for rec in (one, other))
        assert_allclose(a, b, atol=1e-4)
        assert_array_equal(*(rec.predict(X[:20], clusters=clusters[:20]) for rec in (one, other)))


def serve(rec, seed, features):
    """Return the regret of 600 answers where items' values are linear in their features."""
    rng, lost = np.random.default_rng(seed), 0.0
    table = np.random.default_rng(100 + seed).normal(size=(2, 2))
    for _ in range(60):
        X = rng.normal(size=(10, 1))
        values = np.hstack([np.ones((10, 1)), X]) @ table @ features.T
        items, _ = rec.recommend(X)
        chosen = values[np.arange(10), items[:, 0]]
        rec.partial_fit(X, chosen + 0.5 * rng.normal(size=10), actions=items[:, 0])
        lost += (values.max(axis=1) - chosen).sum()
    return lost


@pytest.mark.parametrize(("hybrid", "disjoint"), [(HybridLinTS, LinTS), (HybridLinUCB, LinUCB)])
def test_hybrid_beats_disjoint_where_items_share(hybrid, disjoint):
    """40 items, each too rarely shown to be learned alone; paired seeds."""
    features = np.random.default_rng(0).normal(size=(40, 2))
    pairs = []
    for seed in range(5):
        shared = hybrid(40, item_features=features, ridge=20.0, width=0.3, random_state=seed)
        alone = disjoint(40, width=0.3, random_state=seed)
        pairs.append((serve(shared, seed, features), serve(alone, seed, features)))
    with_sharing, without = np.array(pairs).T
    assert (with_sharing < without).sum() >= 4
    assert with_sharing.mean() < 0.6 * without.mean()


def test_without_item_features_a_new_item_is_expected_to_be_like_the_others():
    rng = np.random.default_rng(0)
    actions = np.arange(300) % 2
    rec = HybridLinUCB(3, shared_ridge=0.1).fit(
        rng.normal(size=(300, 1)), 5.0 + rng.normal(size=300), actions=actions
    )
    mean, width = rec._posterior(
        rec._check_fitted_visits([[0.0]], None, None, None), -np.inf, np.inf
    )
    assert mean[0, 2] > 3.0
    assert width[0, 2] > width[0, 0]


@pytest.mark.parametrize("table", [np.zeros((2, 1)), np.zeros(3), np.full((3, 1), np.nan)])
def test_item_features_that_do_not_fit_are_refused_and_change_nothing(table):
    for begin in (
        lambda rec: rec.recommend(None, users=[1]),
        lambda rec: rec.fit(None, [1.0, 1.0, 1.0], actions=[0, 1, 2]),
    ):
        rec = HybridLinTS(3, item_features=table)
        with pytest.raises(ValueError, match="item_features has shape"):
            begin(rec)
        assert not hasattr(rec, "actions_")
