"""The cap on shares: kept, nearest, and the same as cutting and handing on by hand."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from pgrpo_rec.constraints import cap_shares

POLICIES = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=9)


def everything(n_items, n=1):
    return np.ones((n, n_items), dtype=bool)


@given(POLICIES, st.floats(0.0, 1.0), st.data())
def test_the_cap_is_kept_and_nothing_else_changes(masses, looseness, data):
    policy = np.array([masses]) / sum(masses)
    n = len(masses)
    categories = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    categories[:3] = [0, 1, 2]
    cap = 1 / 3 + looseness * 2 / 3
    result = cap_shares(policy, categories, cap, everything(n))[0]
    assert_allclose(result, naive.capped(policy[0], categories, cap), atol=1e-7)
    assert_allclose(result.sum(), 1.0)
    assert np.bincount(categories, result).max() <= cap + 1e-12
    order = policy[0].argsort(kind="stable")
    items = cap_shares(policy, np.arange(n), max(cap, 1 / n), everything(n))[0]
    assert (np.diff(items[order]) >= -1e-9).all()


def test_no_policy_under_the_cap_is_nearer():
    policy = np.array([0.6, 0.25, 0.1, 0.05])
    result = cap_shares(policy[None], np.arange(4), 0.4, everything(4))[0]

    def divergence(q):
        return float(q @ np.log(q / policy))

    whole = {"type": "eq", "fun": lambda q: q.sum() - 1}
    best = minimize(divergence, np.full(4, 0.25), bounds=[(1e-9, 0.4)] * 4, constraints=whole)
    assert_allclose(result, best.x, atol=1e-3)


def test_a_policy_under_the_cap_is_left_alone():
    policy = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])
    assert_allclose(cap_shares(policy, np.arange(3), 0.5, everything(3, 2)), policy, atol=1e-8)


def test_what_is_not_available_stays_out_and_certainty_is_spread():
    policy, available = np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[True, True, True, False]])
    result = cap_shares(policy, np.arange(4), 0.4, available)
    assert_allclose(result, [[0.4, 0.3, 0.3, 0.0]])
    tight = cap_shares(policy, np.arange(4), 1 / 3, available)
    assert_allclose(tight, [[1 / 3, 1 / 3, 1 / 3, 0.0]])


def test_a_cap_that_cannot_be_kept_names_the_visit():
    available = np.array([[True, True, True], [True, True, False]])
    with pytest.raises(ValueError, match=r"visit 1, where 2 .* at least 1/2"):
        cap_shares(np.array([[0.4, 0.3, 0.3], [0.5, 0.5, 0.0]]), np.arange(3), 0.4, available)
