"""The ratings table itself, its restrictions and descriptions, and the shipped sample."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from pgrpo_data import load_sample
from pgrpo_data.make_sample import sample_csv, sample_groups
from pgrpo_rec.datasets import RatingsError, RatingsTable, load_sample_ratings


def make_table(dense, **labels):
    dense = np.array(dense, dtype=float)
    user, item = np.nonzero(~np.isnan(dense))
    return RatingsTable(
        users=np.arange(dense.shape[0]),
        items=np.arange(dense.shape[1]),
        user_index=user,
        item_index=item,
        rating=dense[user, item],
        **labels,
    )


def naive_restrict(rated, per_user, per_item):
    """Remove one user or one item at a time until none has too few ratings."""
    users, items = set(range(rated.shape[0])), set(range(rated.shape[1]))
    while True:
        poor = [("u", u) for u in users if sum(rated[u, i] for i in items) < per_user]
        poor += [("i", i) for i in items if sum(rated[u, i] for u in users) < per_item]
        if not poor:
            return sorted(users), sorted(items)
        side, which = poor[-1]
        (users if side == "u" else items).remove(which)


@given(seed=st.integers(0, 2**32 - 1), per_user=st.integers(0, 4), per_item=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_restrict_is_the_fixed_point(seed, per_user, per_item):
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((7, 6)) < 0.5, rng.normal(size=(7, 6)), np.nan)
    table = make_table(dense, segments=np.array(list("abababa")))
    users, items = naive_restrict(~np.isnan(dense), per_user, per_item)
    if min(len(users), len(items)) < 2:
        with pytest.raises(RatingsError, match="two of each are needed"):
            table.restrict(min_user_ratings=per_user, min_item_ratings=per_item)
        return
    part = table.restrict(min_user_ratings=per_user, min_item_ratings=per_item)
    assert part.users.tolist() == users
    assert part.items.tolist() == items
    assert_array_equal(part.to_dense(), dense[np.ix_(users, items)])
    assert_array_equal(part.segments, table.segments[users])


def test_restrict_to_complete_rows_and_most_rated_items():
    nan = np.nan
    table = make_table([[1, 2, nan], [3, 4, 5], [nan, 6, 7], [8, 9, nan]], time=np.arange(9.0))
    complete = table.restrict(max_items=2, complete=True)
    assert complete.items.tolist() == [0, 1]
    assert complete.users.tolist() == [0, 1, 3]
    assert complete.is_dense
    assert complete.density == 1
    assert complete.time.tolist() == [0, 1, 2, 3, 7, 8]
    with pytest.raises(RatingsError, match="restrict leaves 1 of 4 users"):
        table.restrict(complete=True)
    with pytest.raises(RatingsError, match="max_items of at least 2, got 0, 0 and 1"):
        table.restrict(max_items=1)


def test_coverage_counts_all_and_each_segment():
    table = make_table([[1, 2], [3, np.nan], [4, 5]], segments=np.array(["x", "y", "x"]))
    coverage = table.coverage().set_index(["segment", "quantile"])
    assert coverage.loc[("all", 0.0), "n_ratings"] == 1
    assert coverage.loc[("all", 1.0), "n_ratings"] == 2
    assert coverage.loc[("y", 0.5)].tolist() == [1, 1]
    assert coverage.loc[("x", 0.5)].tolist() == [2, 2]


def test_table_describes_itself():
    table = make_table([[1, 2], [3, np.nan]], name="mini", segments=np.array(["x", "y"]))
    assert (
        repr(table)
        == "RatingsTable('mini': 2 users x 2 items, 3 ratings from 1 to 3, density 0.75)"
    )
    assert "not dense" in table.describe()
    assert "segments: x 50%, y 50%" in table.describe()
    assert "every user rated every item" in make_table([[1, 2], [3, 4]]).describe()


def test_table_is_frozen_and_checked():
    table = make_table([[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="read-only"):
        table.rating[0] = 5
    fields = {name: getattr(table, name) for name in ("users", "items", "user_index", "item_index")}
    with pytest.raises(RatingsError, match="rating must be finite"):
        RatingsTable(**fields, rating=np.array([1, 2, np.nan, 3]))
    with pytest.raises(RatingsError, match="user_index has 4 entries, rating 3"):
        RatingsTable(**fields, rating=np.ones(3))
    with pytest.raises(RatingsError, match=r"item_index must lie within 0\.\.0, found 1"):
        RatingsTable(**fields | {"items": np.array([0])}, rating=np.ones(4))
    with pytest.raises(RatingsError, match="segments has 1 entries, users 2"):
        make_table([[1, 2], [3, 4]], segments=np.array(["x"]))


def test_to_dense_refuses_what_would_not_fit():
    huge = RatingsTable(
        users=np.arange(50_000),
        items=np.arange(50_000),
        user_index=np.array([0]),
        item_index=np.array([0]),
        rating=np.array([1.0]),
    )
    with pytest.raises(RatingsError, match="more than 4 GB"):
        huge.to_dense()


# The shipped sample


def test_sample_is_what_its_recipe_makes():
    path = load_sample()
    assert gzip.decompress(path.read_bytes()).decode() == sample_csv()
    assert path.stat().st_size < 200_000


def test_sample_has_three_groups_that_disagree():
    table, groups = load_sample_ratings(), sample_groups()
    assert (table.n_users, table.n_items) == (300, 40)
    assert np.bincount(groups).tolist() == [210, 60, 30]
    assert set(table.rating) == {1, 2, 3, 4, 5}
    assert table.is_dense
    names = np.array(["majority", "minority", "tenth"])
    assert table.segments.tolist() == names[groups].tolist()
    dense = table.to_dense()
    liking = np.array([np.nanmean(dense[groups == g], axis=0) for g in range(3)])
    best_for_all = np.nanmean(dense, axis=0).argmax()
    assert best_for_all == liking[0].argmax()  # the majority decides ...
    gains = liking.max(axis=1) - liking[:, best_for_all]
    assert gains[0] == 0
    assert gains[1:].min() > 2  # ... and the others would give two stars more to their own


def test_sample_labels_tell_nothing_of_the_group():
    groups = sample_groups()
    halves = [np.mean(groups[:150] == 0), np.mean(groups[150:] == 0)]
    # sd of the difference of two halves of a shuffle: 2 * sqrt(.7 * .3 / 300) = .053
    assert abs(halves[0] - halves[1]) < 3 * 0.053
