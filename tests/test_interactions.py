import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from pgrpo_rec.interactions import (
    Interactions,
    Visits,
    check_available,
    check_column,
    check_propensities,
    check_rewards,
)


@pytest.mark.parametrize("values", [[1, 2, 3], ["a", "b", "c"], pd.Series([0.5, 1.0, 2.0])])
def test_a_column_keeps_its_values(values):
    column = check_column("users", values, 3)
    assert isinstance(column, np.ndarray)
    assert column.tolist() == list(values)
    assert_array_equal(check_column("users", values, None), column)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1], [2], [3]], r"users has shape \(3, 1\)"),
        (5, r"users has shape \(\)"),
        ([1, 2], "users has 2 values for 3 visits"),
        ([1.0, np.nan, 2.0], "users is nan in row 1"),
        (np.array(["a", "b", None], dtype=object), "users is None in row 2"),
        (pd.Series(["a", None, "b"]), "users is nan in row 1"),
        (pd.Series([1, None, 2], dtype="Int64"), "users is (nan|<NA>) in row 1"),
    ],
)
def test_a_bad_column_is_named_with_its_row(values, message):
    with pytest.raises(ValueError, match=message):
        check_column("users", values, 3)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float32])
def test_rewards_of_any_number_type_become_float64(dtype):
    rewards = check_rewards(np.array([0, 1], dtype=dtype), 2)
    assert rewards.dtype == np.float64
    assert rewards.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.inf], "y is inf in row 1; rewards must be finite"),
        ([-np.inf, 1.0], "y is -inf in row 0"),
        ([np.nan, 1.0], "y is nan in row 0"),
        (["good", "bad"], "y has dtype .*; rewards are numbers"),
        ([1.0], "y has 1 values for 2 visits"),
    ],
)
def test_bad_rewards_are_errors(values, message):
    with pytest.raises(ValueError, match=message):
        check_rewards(values, 2)


def test_propensities_of_a_slate_are_multiplied():
    assert_array_equal(check_propensities([0.5, 1.0], 2), [0.5, 1.0])
    assert_array_equal(check_propensities([[0.5, 0.25], [1.0, 0.5]], 2), [0.125, 0.5])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, 0.0], "propensities is 0.0 in row 1; it must be in"),
        ([-0.1, 0.5], "propensities is -0.1 in row 0"),
        ([0.5, 1.1], "propensities is 1.1 in row 1"),
        ([0.5, np.nan], "propensities is nan in row 1"),
        ([[0.5, 0.5], [0.0, 1.0]], "propensities is 0.0 in row 1"),
        ([0.5], "propensities has 1 values for 2 visits"),
    ],
)
def test_bad_propensities_are_errors(values, message):
    with pytest.raises(ValueError, match=message):
        check_propensities(values, 2)


def test_availability_of_all_visits_takes_no_memory():
    """Defaults and shared masks are broadcast: a stride of 0, not n rows."""
    everything = check_available(None, 1000, 3)
    shared = check_available(np.array([True, False, True]), 1000, 3)
    for mask in (everything, shared):
        assert mask.shape == (1000, 3)
        assert mask.strides[0] == 0
    assert everything.all()
    assert_array_equal(shared[17], [True, False, True])
    own = np.array([[True, False], [False, True]])
    assert_array_equal(check_available(own, 2, 2), own)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 3)), "dtype float64; it must be bool"),
        (np.ones((3, 3), dtype=bool), r"shape \(3, 3\) .*of shape \(3,\) or \(2, 3\)"),
        ([[True, False, True], [False, False, False]], "nothing to show in row 1"),
        ([False, False, False], "nothing to show in row 0"),
    ],
)
def test_bad_availability_is_an_error(values, message):
    with pytest.raises(ValueError, match=message):
        check_available(values, 2, 3)


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0]), np.array([True, False, True])])
def test_take_takes_the_same_rows_of_everything(rows):
    numbers = np.arange(3)
    mask = np.broadcast_to(np.True_, (3, 2))
    full = Interactions(
        Visits(numbers[:, None] / 2, numbers, None, mask), numbers, -1.0 * numbers, None
    )
    part = full.take(rows)
    kept = numbers[rows]
    assert part.visits.n == kept.size
    assert_array_equal(part.visits.features[:, 0], kept / 2)
    assert_array_equal(part.visits.users, kept)
    assert_array_equal(part.actions, kept)
    assert_array_equal(part.rewards, -1.0 * kept)
    assert part.visits.available.shape == (kept.size, 2)
    assert part.visits.clusters is None
    assert part.propensities is None
    known = full._replace(propensities=numbers / 4).take(rows)
    assert_array_equal(known.propensities, kept / 4)
