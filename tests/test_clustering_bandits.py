"""Bandits that learn groups of users: their steps, and that groups help where there are some."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.baselines import CLUB, SCLUB, DynUCB, LinUCB, PerUser
from pgrpo_rec.baselines.groups import add_sums, regroup, unchanged
from pgrpo_rec.baselines.ridge import add_rows, empty_regressions, empty_sums

SEEDS = st.integers(0, 2**32 - 1)
KINDS = [CLUB, SCLUB, DynUCB]
RATES = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]])


def serve(rec, n_rounds=200, n_users=45, seed=0, told="users"):
    """Return the mean regret of the last third; three types of users, as many of each."""
    rng, lost = np.random.default_rng(seed), []
    for _ in range(n_rounds):
        users = rng.integers(n_users, size=20)
        ids = {"users": users, "clusters": users % 3}.get(told)
        who = {} if ids is None else {told: ids}
        X = np.zeros((20, 1)) if ids is None else None
        items, propensities = rec.recommend(X, **who)
        shown = items[:, 0]
        clicks = (rng.random(20) < RATES[users % 3, shown]).astype(float)
        rec.partial_fit(X, clicks, actions=shown, propensities=propensities[:, 0], **who)
        lost.append(0.9 - RATES[users % 3, shown].mean())
    return np.mean(lost[-n_rounds // 3 :])


def truth_of(rec):
    """Return the true type of every user, in the order in which they were met."""
    return np.array(rec._audience.labels) % 3


@pytest.mark.parametrize("kind", KINDS)
def test_groups_beat_pooling_where_groups_are_clear(kind):
    pooled, grouped = [], []
    for seed in range(3):
        pooled.append(serve(LinUCB(3, width=0.5, random_state=seed), seed=seed))
        grouped.append(serve(kind(3, width=0.5, random_state=seed), seed=seed))
    assert np.mean(grouped) < 0.6 * np.mean(pooled)


@pytest.mark.parametrize("kind", [CLUB, SCLUB])
def test_groups_hold_users_of_one_type(kind):
    """Everyone in a group with others has the type of most of them."""
    rec = kind(3, width=2.0, random_state=0)
    serve(rec, 300)
    truth, same = truth_of(rec), 0
    for group in np.unique(rec.groups_):
        same += np.bincount(truth[rec.groups_ == group]).max()
    assert same / truth.size > 0.9
    assert np.unique(rec.groups_).size < 30


def test_sclub_groups_users_of_a_type_again_where_club_cannot():
    n_groups = {}
    for kind in (CLUB, SCLUB):
        rec = kind(3, separation=0.7, width=1.0, random_state=0)
        serve(rec, 300)
        n_groups[kind] = np.unique(rec.groups_).size
    assert n_groups[SCLUB] <= n_groups[CLUB]


def test_links_once_cut_stay_cut_and_wide_separation_cuts_none():
    rec = CLUB(3, width=1.0, random_state=0)
    serve(rec, 100)
    before = rec._linked.copy()
    serve(rec, 50, seed=1)
    assert not (rec._linked & ~before).any()
    assert_array_equal(rec._linked, rec._linked.T)
    together = CLUB(3, separation=100.0, random_state=0)
    serve(together, 50)
    assert np.unique(together.groups_).size == 1


def test_dyn_ucb_keeps_its_number_of_groups():
    rec = DynUCB(3, n_clusters=5, random_state=0)
    serve(rec, 100)
    assert rec.groups_.max() < 5
    assert len(rec._of_groups.theta) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_is_the_ridge_regression_of_its_members(kind):
    rng = np.random.default_rng(0)
    X, users, shown = rng.normal(size=(300, 2)), rng.integers(6, size=300), np.arange(300) % 3
    y = X[:, 0] * np.where(users % 2, 1.0, -1.0) * (shown - 1) + rng.normal(size=300)
    rec = kind(3, ridge=2.0, width=0.7, random_state=0)
    for rows in np.split(np.arange(300), 10):
        rec.partial_fit(X[rows], y[rows], actions=shown[rows], users=users[rows])
    z = np.hstack([np.ones((300, 1)), X])
    met = np.array(rec._audience.labels)
    for group in np.unique(rec.groups_):
        members = np.isin(users, met[rec.groups_ == group])
        for k in range(3):
            rows = members & (shown == k)
            inverse = np.linalg.inv(2.0 * np.eye(3) + z[rows].T @ z[rows])
            assert_allclose(rec._of_groups.inverse[group, k], inverse, atol=1e-9)
            assert_allclose(
                rec._of_groups.theta[group, k], inverse @ z[rows].T @ y[rows], atol=1e-9
            )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", ["clusters", None])
def test_without_users_it_is_linucb(kind, told):
    rng = np.random.default_rng(0)
    X, shown = rng.normal(size=(90, 2)), rng.integers(3, size=90)
    y = X[:, 0] * (shown - 1)
    who = {} if told is None else {told: rng.integers(2, size=90)}
    mine, plain = (k(3, random_state=0).fit(X, y, actions=shown, **who) for k in (kind, LinUCB))
    assert_allclose(mine.predict_proba(X, **who), plain.predict_proba(X, **who))
    assert_array_equal(mine.predict(X, **who), plain.predict(X, **who))


@pytest.mark.parametrize("rec", [*(kind(3) for kind in KINDS), PerUser(LinUCB(3))], ids=str)
def test_who_is_here_is_told_the_same_way_at_every_call(rec):
    rec.fit(None, [1.0, 0.0], actions=[0, 1], users=[1, 2])
    with pytest.raises(ValueError, match="was told users= before and clusters= now"):
        rec.predict(None, clusters=[1])


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_are_served_as_the_largest_group_is(kind):
    rec = kind(3, random_state=0)
    assert_allclose(rec.recommend(None, users=["a"])[1], 1 / 3)
    users = np.repeat(["a", "b", "c", "d"], 30)
    clicks = (np.arange(120) % 3 == np.where(users == "d", 0, 2)).astype(float)
    for rows in np.split(np.arange(120).reshape(4, 10, 3).swapaxes(0, 1).ravel(), 10):
        rec.partial_fit(None, clicks[rows], actions=rows % 3, users=users[rows])
    home = np.bincount(rec.groups_).argmax()
    member = np.array(rec._audience.labels)[rec.groups_ == home][0]
    got = rec.predict_proba(None, users=["stranger", member])
    assert_array_equal(got[0], got[1])
    available = np.array([True, False, False])
    assert_array_equal(rec.predict_proba(None, users=["a"], available=available), [[1, 0, 0]])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same(kind):
    one, other = kind(3, random_state=5), kind(3, random_state=5)
    assert serve(one, 40) == serve(other, 40)
    assert_array_equal(one.groups_, other.groups_)


@pytest.mark.parametrize(
    ("kind", "name"), [(CLUB, "separation"), (SCLUB, "separation"), (DynUCB, "n_clusters")]
)
def test_an_argument_out_of_range_is_named(kind, name):
    with pytest.raises(ValueError, match=f"^{name}=0"):
        kind(3, **{name: 0}).recommend(None, users=[1])


@given(SEEDS)
@settings(deadline=None, max_examples=30)
def test_regrouping_is_solving_all_groups_anew(seed):
    rng = np.random.default_rng(seed)
    z, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    users, actions = rng.integers(7, size=60), rng.integers(3, size=60)
    old, new = rng.integers(3, size=7), rng.integers(4, size=7)
    new = np.where(rng.random() < 0.5, old, new)
    sums, known = empty_sums(7, 3, 2), empty_regressions(3, 3, 2, 0.5)
    add_sums(sums, z, users, actions, y)
    add_rows(known, z, old[users], actions, y)
    got = regroup(known, sums, new, old, 4, 0.5)
    right = empty_regressions(4, 3, 2, 0.5)
    add_rows(right, z, new[users], actions, y)
    assert_allclose(got.inverse, right.inverse, atol=1e-8)
    assert_allclose(got.theta, right.theta, atol=1e-8)


def test_groups_are_taken_over_only_with_the_very_same_members():
    old, new = np.array([0, 0, 1, 1, 2, -1]), np.array([1, 1, 0, 2, 3, 3])
    assert_array_equal(unchanged(new, old, 5), [-1, 0, -1, -1, -1])
