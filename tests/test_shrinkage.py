import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.shrinkage import Pool, pool_of, shrink

SEEDS = st.integers(0, 2**32 - 1)


def history_of(*rewards):
    history = RewardHistory(len(rewards))
    for p, of_cluster in enumerate(rewards):
        history.update(np.asarray(of_cluster, dtype=float), np.full(len(of_cluster), p))
    return history


def test_by_hand():
    """Counts 50, 10, 3, means 1, 1.5, 3, variance inside .25."""
    kappa, pooled = 0.4467806, 1.1746032
    n, mean = np.array([50.0, 10.0, 3.0]), np.array([1.0, 1.5, 3.0])
    pool = Pool(np.array(pooled), np.array(0.5), np.array(kappa))
    got, std = shrink(mean, np.full(3, 0.5), n, pool)
    assert_allclose(got, [1.0015464, 1.4860837, 2.7633874], rtol=1e-6)
    assert_allclose(std, 0.5)


@given(SEEDS)
@settings(deadline=None)
def test_readouts_lie_between_the_own_and_the_pools(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, size=4)
    history = history_of(*(rng.normal(rng.normal(), 1.0, n) for n in sizes))
    pool = pool_of(history.moments)
    if pool.std == 0.0:
        return
    mean, std = shrink(history.mean, history.std, history.count, pool)
    for new, own, pooled in ((mean, history.mean, pool.mean), (std, history.std, pool.std)):
        assert (new >= np.minimum(own, pooled) - 1e-12).all()
        assert (new <= np.maximum(own, pooled) + 1e-12).all()


def test_clusters_that_do_not_differ_are_read_as_one():
    history = history_of([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [1.0])
    pool = pool_of(history.moments)
    assert pool.kappa == np.inf
    mean, std = shrink(history.mean, history.std, history.count, pool)
    assert_allclose(mean, 1.0)
    assert_allclose(std, 1.0)


def test_much_history_is_its_own():
    rng = np.random.default_rng(0)
    history = history_of(rng.normal(size=100_000), rng.normal(2.0, 1.0, 10))
    pool = pool_of(history.moments)
    mean, _ = shrink(history.mean, history.std, history.count, pool)
    assert_allclose(mean[0], history.mean[0], atol=1e-4)


def test_nothing_is_moved_by_a_pool_without_spread_or_worth():
    """A pool that has seen no variance would destroy every scale."""
    mean, std, count = np.array([1.0, 0.0]), np.array([2.0, 0.0]), np.array([9.0, 0.0])
    for pool in (
        Pool(np.array(5.0), np.array(0.0), np.array(np.inf)),
        Pool(np.array(5.0), np.array(3.0), np.array(0.0)),
        pool_of(history_of([1.0], [0.0]).moments),
        pool_of(RewardHistory(2).moments),
    ):
        got = shrink(mean, std, count, pool)
        assert_array_equal(got[0], mean)
        assert_array_equal(got[1], std)


def test_one_reward_has_a_mean_and_takes_the_spread_of_the_pool():
    pool = Pool(np.array(0.0), np.array(3.0), np.array(1.0))
    mean, std = shrink(np.array([4.0]), np.array([0.0]), np.array([1.0]), pool)
    assert_allclose([mean[0], std[0]], [2.0, 3.0])


@pytest.mark.parametrize("shrinkage", [0.0, 5.0, "auto"])
def test_a_new_cluster_begins_where_others_are(shrinkage):
    """Its first answer is compared with the others' history, or with itself alone."""
    rng = np.random.default_rng(0)
    rec = PGRPORecommender(
        2, solver="sgd", learning_rate=1.0, history_shrinkage=shrinkage, random_state=0
    )
    for _ in range(20):
        items, propensities = rec.recommend(None, clusters=np.arange(32) % 3)
        y = rng.normal(size=32)
        rec.partial_fit(
            None, y, actions=items[:, 0], propensities=propensities, clusters=np.arange(32) % 3
        )
    before = rec.predict_proba(None, clusters=["new"])
    rec.partial_fit(None, [2.0], actions=[0], propensities=[0.5], clusters=[9])
    moved = rec.predict_proba(None, clusters=[9])[0, 0] - before[0, 0]
    assert moved > 0.1 if shrinkage else abs(moved) < 0.01
