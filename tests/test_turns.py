"""Orders that seeds shuffle: one to one, any size, alike for all places and keys."""

import naive_turns
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import chisquare

from pgrpo_envs.turns import shuffled

KEYS = st.integers(0, 2**64 - 1)


def order(n, key):
    return np.array([shuffled(place, n, np.uint64(key)) for place in range(n)])


@given(st.integers(1, 300), KEYS)
@settings(deadline=None)
def test_everybody_has_one_place(n, key):
    assert_array_equal(np.sort(order(n, key)), np.arange(n))


@given(st.integers(1, 2**40), KEYS, st.data())
@settings(deadline=None)
def test_equals_its_naive_twin(n, key, data):
    place = data.draw(st.integers(0, n - 1))
    assert shuffled(place, n, np.uint64(key)) == naive_turns.shuffled(place, n, key)


@pytest.mark.parametrize("n", [3, 4, 5, 17])
def test_neighbours_go_anywhere(n):
    """Over many keys all places of a pair of neighbours are about as frequent."""
    keys = np.random.default_rng(n).integers(2**63, size=4000)
    orders = np.array([order(n, key)[:2] for key in keys])
    assert chisquare(np.bincount(orders[:, 0], minlength=n)).pvalue > 1e-4
    pairs = np.bincount(orders @ [n, 1], minlength=n * n).reshape(n, n)
    assert chisquare(pairs[~np.eye(n, dtype=bool)]).pvalue > 1e-4
