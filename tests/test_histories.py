import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec._numba import jit
from pgrpo_rec.histories import (
    Moments,
    RewardHistory,
    empty_moments,
    fold_rewards,
    merge_by_label,
    read_rows,
    standard_deviation,
)

SEEDS = st.integers(0, 2**32 - 1)
EARLIER, NEW = np.array([0.0, 1.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])


def alone(n):
    return np.zeros(n, dtype=np.int64)


def history_of(*batches, decay=1.0, ddof=1):
    history = RewardHistory(1, decay=decay, ddof=ddof)
    for batch in batches:
        history.update(batch, alone(batch.size))
    return history


def assert_same(a, b, rtol=1e-9, offset=0.0):
    for left, right in zip(a.moments, b.moments, strict=True):
        assert_allclose(left, right, rtol=rtol, atol=rtol)
    assert_allclose(a.mean - offset, b.mean - offset, atol=1e-6)


def test_by_hand():
    """History [0, 1, 0, 0, 1], then [1, 1, 0, 0]."""
    before, after = history_of(EARLIER), history_of(EARLIER, NEW)
    assert_allclose([before.count[0], before.mean[0], before.moments.m2[0]], [5, 0.4, 1.2])
    assert_allclose(before.std, 0.5477226, rtol=1e-7)
    assert_allclose([after.count[0], after.mean[0], after.moments.m2[0]], [9, 4 / 9, 20 / 9])
    assert_allclose(after.std, 0.5270463, rtol=1e-7)
    mean, std = after.read(NEW, alone(4), leave_out=True)
    assert_allclose(mean, [0.375, 0.375, 0.5, 0.5])
    assert_allclose(std, [0.5175492, 0.5175492, 0.5345225, 0.5345225], rtol=1e-7)


def test_by_hand_with_forgetting():
    """Decay 0.9 a batch, and 0.9 a reward when each comes as a batch of its own."""
    m = history_of(EARLIER, NEW, decay=0.9).moments
    assert_allclose([m.weight[0], m.weight2[0], m.mean[0]], [8.5, 8.05, 0.4470588], rtol=1e-7)
    assert_allclose(m.m2[0], 2.1011765, rtol=1e-7)
    assert_allclose(history_of(EARLIER, NEW, decay=0.9).std ** 2, 0.2781931, rtol=1e-6)
    m = history_of(*EARLIER[:, None], decay=0.9).moments
    right = [4.0951, 3.4280082, 0.4222119, 0.9989956]
    assert_allclose([m.weight[0], m.weight2[0], m.mean[0], m.m2[0]], right, rtol=1e-6)


@given(SEEDS, st.integers(2, 200), st.sampled_from([0, 1]), st.sampled_from([0.0, 1e9]))
@settings(deadline=None)
def test_stream_equals_numpy(seed, n, ddof, offset):
    r = offset + np.random.default_rng(seed).normal(size=n)
    history = history_of(*np.array_split(r, 3), ddof=ddof)
    assert_allclose(history.mean, r.mean(), rtol=1e-12, atol=1e-12)
    assert_allclose(history.std, r.std(ddof=ddof), rtol=1e-6)


def test_large_rewards_where_the_naive_sum_of_squares_fails():
    """Rewards at 1e9 +- 1: merged = sequential = exact; the textbook shortcut is no number."""
    sign = np.where(np.random.default_rng(0).random(10_000) < 0.3, 1, -1)
    r = 1e9 + sign
    exact = naive.exact_std((10**9 + sign).tolist())
    merged = history_of(r[:17])
    for part in (r[17:4000], r[4000:4001], r[4001:]):
        merged.merge(history_of(part))
    assert_allclose(history_of(r).std, exact, rtol=1e-6)
    assert_allclose(merged.std, exact, rtol=1e-6)
    assert_allclose(merged.mean - 1e9, sign.mean(), atol=1e-6)
    naive_variance = ((r**2).sum() - r.size * r.mean() ** 2) / (r.size - 1)
    assert not 0.5 * exact**2 < naive_variance < 2 * exact**2


@given(SEEDS, st.lists(st.integers(0, 20), min_size=1, max_size=8), st.sampled_from([0.0, 1e9]))
@settings(deadline=None)
def test_merge_in_any_partition_and_order(seed, sizes, offset):
    """Associative and commutative up to rounding; an empty part is the identity."""
    rng = np.random.default_rng(seed)
    batches = [offset + rng.choice([-1.0, 0.3, 1.0], size=n) for n in sizes]
    sequential = history_of(*batches)
    parts = [history_of(batch) for batch in batches]
    while len(parts) > 1:
        i, j = rng.choice(len(parts), size=2, replace=False)
        parts[i].merge(parts[j])
        del parts[j]
    # at 1e9 one rounding of a reward is 1.2e-7
    assert_same(parts[0], sequential, rtol=1e-9 if offset == 0.0 else 1e-5, offset=offset)


@given(SEEDS, st.integers(1, 6), st.sampled_from([0.3, 0.9, 0.999]))
@settings(deadline=None)
def test_decayed_history_is_the_directly_weighted_one(seed, n_batches, decay):
    rng = np.random.default_rng(seed)
    batches = [rng.normal(5, 2, rng.integers(1, 6)) for _ in range(n_batches)] + [np.ones(2)]
    ages = np.repeat(np.arange(n_batches, -1, -1), [b.size for b in batches])
    values, weights = np.concatenate(batches), decay**ages
    history = history_of(*batches, decay=decay)
    got = [part[0] for part in history.moments]
    assert_allclose(got, naive.weighted_moments(values, weights), rtol=1e-9)
    assert_allclose(history.std, naive.weighted_std(values, weights), rtol=1e-9)


def test_remaining_weight_of_a_long_decayed_history():
    """Weight sum W^2 / V tends to (1 + g) / (1 - g) rewards."""
    m = history_of(*np.zeros((500, 1)), decay=0.9).moments
    assert_allclose(m.weight**2 / m.weight2, 1.9 / 0.1)


@given(SEEDS, st.integers(1, 12), st.sampled_from([1.0, 0.8]), st.sampled_from([0.0, 1e6]))
@settings(deadline=None)
def test_leaving_out_equals_never_having_seen(seed, n, decay, offset):
    rng = np.random.default_rng(seed)
    earlier, new = offset + rng.normal(size=4), offset + rng.normal(size=n)
    full = history_of(earlier, new, decay=decay)
    mean, std = full.read(new, alone(n), leave_out=True)
    for i in range(n):
        rest = history_of(earlier, np.delete(new, i), decay=decay)
        assert_allclose(mean[i], rest.mean[0], rtol=1e-12, atol=1e-12)
        assert_allclose(std[i], rest.std[0], rtol=1e-6)


def test_leaving_out_the_only_reward_leaves_nothing():
    """The reward is compared with itself: advantage 0, not the reward."""
    mean, std = history_of(np.array([7.0])).read(np.array([7.0]), alone(1), leave_out=True)
    assert_array_equal([mean[0], std[0]], [7.0, 0.0])


def test_std_is_zero_until_it_is_defined():
    assert_array_equal(RewardHistory(2).std, [0.0, 0.0])
    assert_array_equal(history_of(np.array([3.0])).std, [0.0])
    assert_array_equal(history_of(np.full(7, 0.1)).std, [0.0])
    assert_array_equal(history_of(np.ones(1), np.zeros(1), ddof=0).std, [0.5])
    decayed = history_of(np.array([3.0]), np.zeros(0), np.zeros(0), decay=0.5)
    assert_array_equal(decayed.std, [0.0])


def test_clusters_do_not_mix():
    rng = np.random.default_rng(0)
    r, clusters = rng.normal(size=300), rng.integers(4, size=300)
    history = RewardHistory(5)
    history.update(r, clusters)
    for p in range(4):
        assert_allclose(history.mean[p], r[clusters == p].mean())
        assert_allclose(history.std[p], r[clusters == p].std(ddof=1))
    assert history.count[4] == 0.0


@given(SEEDS, st.integers(1, 5))
@settings(deadline=None)
def test_history_of_clusters_is_the_merge_of_their_members(seed, n_clusters):
    """Re-clustering keeps every reward: nothing needs matching."""
    rng = np.random.default_rng(seed)
    r, users = rng.normal(size=200), rng.integers(30, size=200)
    labels = rng.integers(-1, n_clusters, size=30)
    of_users, direct = RewardHistory(30), RewardHistory(n_clusters)
    of_users.update(r, users)
    kept = labels[users] >= 0
    direct.update(r[kept], labels[users][kept])
    assert_same(of_users.grouped(labels, n_clusters), direct)
    pooled = of_users.grouped(np.zeros(30, dtype=np.int64), 1)
    assert_same(pooled, history_of(r))


def test_grown_and_merged_histories_keep_what_they_had():
    few, many = history_of(EARLIER), RewardHistory(3)
    many.update(NEW, np.array([0, 2, 2, 1]))
    few.merge(many)
    assert_array_equal(few.count, [6, 1, 2])
    assert_allclose(few.mean, [0.5, 0, 0.5])
    few.grow(2)
    assert few.count.size == 3


@pytest.mark.parametrize("decay", [0.0, -1.0, 1.1, np.nan])
def test_impossible_decay_is_an_error(decay):
    with pytest.raises(ValueError, match=r"decay=.*above 0 and at most 1"):
        RewardHistory(1, decay=decay)


@jit
def fold_merge_and_read(into, parts, rewards, clusters, leave_out):
    fold_rewards(into, rewards, clusters)
    merge_by_label(parts, clusters[: parts.mean.size], into)
    return read_rows(into, rewards, clusters, leave_out, 1)


@pytest.mark.parametrize("leave_out", [True, False])
def test_kernels_inside_a_kernel_and_with_read_only_arrays(leave_out):
    rewards, clusters = np.broadcast_to(2.5, 3), np.broadcast_to(np.int64(1), 3)
    parts = Moments(*(np.broadcast_to(v, 2) for v in (4.0, 4.0, 1.0, 2.0)))
    results = []
    for kernel in (fold_merge_and_read, fold_merge_and_read.py_func):
        into = empty_moments(2)
        results.append((*into, *kernel(into, parts, rewards, clusters, leave_out)))
    assert results[0][0][1] == 11.0
    for left, right in zip(*results, strict=True):
        assert_array_equal(left, right)


def test_standard_deviation_of_rounding_is_zero():
    """A divisor that is only rounding would blow the smallest error up."""
    weight = 0.9**5
    assert standard_deviation(weight, weight**2, 1e-30, 1) == 0.0
