"""Completion: a planted structure is found, and what is a guess says so or is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ratings_tables import NAN, sample_with_gaps, table_of

from pgrpo_envs.completion import complete_ratings, holdout_error, least_ratings
from pgrpo_envs.ratings import RatingsVectorEnv


def naive_completion(ratings, rng, n_factors, ridge, n_sweeps=15):
    n_users, n_items = ratings.shape
    seen = np.isfinite(ratings)
    mean, scale = ratings[seen].mean(), ratings[seen].std()
    z = (ratings - mean) / scale
    b, c = np.zeros(n_users), np.zeros(n_items)
    for _ in range(n_sweeps):
        for k in range(n_items):
            left = [z[u, k] - b[u] for u in range(n_users) if seen[u, k]]
            c[k] = sum(left) / (len(left) + ridge)
        for u in range(n_users):
            left = [z[u, k] - c[k] for k in range(n_items) if seen[u, k]]
            b[u] = sum(left) / (len(left) + ridge)
    z = z - b[:, None] - c
    q = rng.normal(scale=0.1, size=(n_items, n_factors))
    p = np.zeros((n_users, n_factors))
    eye = ridge * np.eye(n_factors)
    for _ in range(n_sweeps):
        for u in range(n_users):
            x = q[seen[u]]
            p[u] = np.linalg.solve(x.T @ x + eye, x.T @ z[u, seen[u]])
        for k in range(n_items):
            x = p[seen[:, k]]
            q[k] = np.linalg.solve(x.T @ x + eye, x.T @ z[seen[:, k], k])
    guess = mean + scale * (b[:, None] + c + p @ q.T)
    return np.where(seen, ratings, np.clip(guess, ratings[seen].min(), ratings[seen].max()))


def planted(rng, n_users=60, n_items=30, share=0.6):
    truth = 3 + rng.normal(size=(n_users, 2)) @ rng.normal(size=(2, n_items))
    truth += rng.normal(size=(n_users, 1))
    return truth, np.where(rng.random(truth.shape) < share, truth, NAN)


def test_completion_equals_its_naive_twin():
    _, ratings = planted(np.random.default_rng(0), 20, 10)
    ours = complete_ratings(ratings, np.random.default_rng(1), n_factors=2, ridge=2.0)
    twin = naive_completion(ratings, np.random.default_rng(1), 2, 2.0)
    assert_allclose(ours, twin, rtol=1e-9)


def test_completion_finds_a_planted_structure_and_tells_its_error():
    truth, ratings = planted(np.random.default_rng(1))
    groups = np.arange(60) % 2
    rng = np.random.default_rng
    errors = {}
    for n_factors in (0, 2):
        filled = complete_ratings(ratings, rng(0), n_factors=n_factors, ridge=1.0)
        missing = np.isnan(ratings)
        assert_array_equal(filled[~missing], ratings[~missing])
        assert np.nanmin(ratings) <= filled.min() <= filled.max() <= np.nanmax(ratings)
        real = np.sqrt(np.mean((filled - truth)[missing] ** 2))
        told = holdout_error(ratings, groups, rng(1), n_factors=n_factors, ridge=1.0)
        assert told.shape == (2,)
        assert 0.5 < told.mean() / real < 2
        errors[n_factors] = real
    assert errors[2] < 0.5 * errors[0]


def test_completed_keeps_what_is_real_and_says_what_is_not():
    env = RatingsVectorEnv(20, preset="completed", ratings=sample_with_gaps())
    real = env.table.to_dense()
    seen = np.isfinite(real)
    assert_array_equal(env.world.values[seen], real[seen])
    assert 1 <= env.world.values.min() <= env.world.values.max() <= 5
    assert env.is_completed
    assert env.action_mask().all()
    assert "action_mask" not in env.reset(seed=0)[1]
    assert "19 % of the truth is a model's" in env.describe()
    assert "do not judge fairness" in env.describe()
    assert not RatingsVectorEnv(preset="full").is_completed
    assert not RatingsVectorEnv(preset="full", mode="completed").is_completed


def test_completion_is_refused_where_users_rated_too_little():
    assert [least_ratings(k) for k in (5, 16, 40, 100)] == [3, 8, 20, 20]
    rng = np.random.default_rng(0)
    dense = rng.integers(1, 6, size=(30, 50)).astype(float)
    dense[:7, 19:] = NAN
    with pytest.raises(
        ValueError, match=r"7 of 30 users rated fewer than 20 .* min_user_ratings=20"
    ):
        RatingsVectorEnv(ratings=table_of(dense), mode="completed")
    env = RatingsVectorEnv(ratings=table_of(dense), mode="completed", min_user_ratings=20)
    assert env.n_users == 23
