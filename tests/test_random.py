import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, lane_key, mix, normal, uniform

COUNTERS = st.integers(0, 2**40)
SHAPE = (32, 16, 16, 16)  # lanes, episodes, times, slots

PINNED_KEYS = [
    5197578548964807871,
    15916886550466581944,
    5162896908779471425,
    14052760543186631191,
]
PINNED_UNIFORMS = [
    0.09899374104691572,
    0.24169010896648213,
    0.38792625541522574,
    0.0024893756772452758,
]
PINNED_NORMAL = 1.328346951831299


@jit
def fill(root, out, gaussian):
    """One number for every lane, episode, time and slot."""
    for lane in range(out.shape[0]):
        key = lane_key(root, lane)
        for episode in range(out.shape[1]):
            for t in range(out.shape[2]):
                for slot in range(out.shape[3]):
                    if gaussian:
                        out[lane, episode, t, slot] = normal(key, episode, t, slot)
                    else:
                        out[lane, episode, t, slot] = uniform(key, episode, t, slot)


@jit
def fill_keys(roots, lanes, out):
    for i in range(roots.size):
        for j in range(lanes.size):
            out[i, j] = lane_key(roots[i], lanes[j])


def numbers(root, shape=SHAPE, gaussian=False):
    out = np.empty(shape)
    fill(root, out, gaussian)
    return out


def test_splitmix_reference_stream():
    """First numbers of SplitMix64 from seed 1234567, as its other implementations print them."""
    golden, state = 0x9E3779B97F4A7C15, 1234567
    got = [int(mix(np.uint64((state + i * golden) % 2**64))) for i in (1, 2, 3)]
    assert got == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(COUNTERS, COUNTERS, COUNTERS, COUNTERS, st.integers(0, 2**20))
@settings(deadline=None)
def test_matches_naive_in_whole_numbers(root, lane, episode, t, slot):
    key = int(lane_key(root, lane))
    assert key == naive.lane_key(root, lane)
    place = (episode, t, slot)
    assert uniform(np.uint64(key), *place) == naive.uniform(key, *place)


def test_numbers_are_pinned():
    """Published results must come out again: these constants never change."""
    keys = [int(lane_key(root, lane)) for root, lane in ((0, 0), (1, 0), (0, 1), (7, 4095))]
    assert keys == PINNED_KEYS
    places = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    assert [uniform(np.uint64(keys[0]), *place) for place in places] == PINNED_UNIFORMS
    assert_allclose(normal(np.uint64(keys[0]), 1, 2, 3), PINNED_NORMAL, rtol=1e-14)


def test_a_key_is_the_same_signed_or_not():
    """Python hands a small key over as a signed number; a kernel never does."""
    small = next(k for k in (int(lane_key(r, 0)) for r in range(20)) if k < 2**63)
    assert uniform(small, 1, 2, 3) == uniform(np.uint64(small), 1, 2, 3)


def test_numbers_are_uniform():
    u = numbers(0)
    assert u.min() >= 0.0
    assert u.max() < 1.0
    for bits in (u, (u * 2**20) % 1):  # the high bits, and lower ones
        counts = np.histogram(bits, bins=256, range=(0, 1))[0]
        assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("axis", range(4))
def test_each_lane_episode_time_and_slot_is_uniform_by_itself(axis):
    means = numbers(1).mean(axis=tuple(i for i in range(4) if i != axis))
    error = np.sqrt(1 / 12 / (np.prod(SHAPE) / SHAPE[axis]))
    assert np.abs(means - 0.5).max() < 4.5 * error


def strongest_correlation(table):
    """Largest |correlation| between two rows, in standard errors."""
    n = table.shape[1]
    return np.abs(np.corrcoef(table) - np.eye(len(table))).max() * np.sqrt(n)


@pytest.mark.parametrize("axis", range(4))
def test_no_correlation_between_lanes_episodes_times_or_slots(axis):
    """At most 496 pairs: 5 standard errors are exceeded in 1 of 3,000 seeds."""
    rows = np.moveaxis(numbers(2), axis, 0).reshape(SHAPE[axis], -1)
    assert strongest_correlation(rows) < 5


def test_no_correlation_between_neighbouring_seeds():
    """Seed s and seed s + 1, also when one is shifted by a lane."""
    tables = [numbers(seed).reshape(SHAPE[0], -1) for seed in range(4)]
    assert strongest_correlation(np.array([t.ravel() for t in tables])) < 5
    assert strongest_correlation(np.concatenate(tables)) < 5.5


def test_no_lane_is_shared_between_seeds():
    keys = np.empty((200, 5000), dtype=np.uint64)
    fill_keys(np.arange(200), np.arange(5000), keys)
    assert np.unique(keys).size == keys.size


def test_no_number_is_used_twice():
    assert np.unique(numbers(3)).size == np.prod(SHAPE)


def test_a_lane_does_not_know_how_many_there_are():
    assert_array_equal(numbers(4, (8, 2, 3, 4)), numbers(4)[:8, :2, :3, :4])
    assert (numbers(4, (8, 2, 3, 4)) != numbers(5, (8, 2, 3, 4))).all()


def test_normal_numbers_are_normal():
    x = numbers(0, gaussian=True)
    assert np.isfinite(x).all()
    assert stats.kstest(x.ravel()[::4], "norm").pvalue > 0.001
    assert_allclose([x.mean(), x.std()], [0, 1], atol=4.5 / np.sqrt(x.size))
    rows = np.moveaxis(x, 3, 0).reshape(SHAPE[3], -1)
    assert strongest_correlation(rows) < 5


def first(*args):
    return float(generator(*args).random())


def test_generators_hang_in_a_tree():
    seeds = [(s, *path) for s in range(5) for path in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))]
    draws = [first(*seed) for seed in seeds]
    assert draws == [first(*seed) for seed in seeds]
    assert len(set(draws)) == len(draws)


def test_generator_takes_what_scikit_learn_users_have():
    assert first(7) == float(np.random.default_rng(7).random())
    sequence = np.random.SeedSequence(7)
    assert first(sequence, 1, 2) == first(7, 1, 2)
    assert first(sequence.spawn(3)[2], 1) == first(7, 2, 1)
    assert first(np.random.RandomState(3), 1) == first(np.random.RandomState(3), 1)
    assert first(np.random.RandomState(3), 1) != first(np.random.RandomState(4), 1)
    assert first(None) != first(None)
    rng = np.random.default_rng(7)
    assert generator(rng) is rng
    assert first(np.random.default_rng(7), 1) == first(np.random.default_rng(7), 1)
    assert first(np.random.default_rng(7), 1) != first(np.random.default_rng(7), 2)
