"""How a recommender is told who is here, and what each of its arguments does."""

import copy
from numbers import Integral

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.estimators.audience import Everyone, KnownClusters, _mixing
from pgrpo_rec.estimators.parameters import check_choice, check_number
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.interactions import Interactions, Visits

ADAM = {"solver": "adam", "learning_rate": 0.1, "clip_range": 0.5, "batch_size": 32}


def log_of(clusters, rewards):
    """Rows of visits without features, of known clusters."""
    n = len(rewards)
    visits = Visits(np.empty((n, 0)), None, np.asarray(clusters), np.ones((n, 2), dtype=bool))
    return Interactions(visits, np.zeros(n, dtype=np.int64), np.asarray(rewards, dtype=float), None)


def draw_log(n=600, n_users=60, d=2, seed=0):
    """Two groups of users with opposite tastes for three items."""
    rng = np.random.default_rng(seed)
    users, actions = rng.integers(n_users, size=n), rng.integers(3, size=n)
    X = rng.normal(size=(n, d)) if d else None
    signal = 1.0 + X[:, 0] if d else 1.0
    y = np.where(users % 2 == 0, 1.0, -1.0) * (actions - 1) * signal + 0.5 * rng.normal(size=n)
    return X, y, users, {"actions": actions, "propensities": np.full(n, 1 / 3)}


# --- audiences -----------------------------------------------------------------------------


def test_known_clusters_keep_their_place_as_others_come():
    audience = KnownClusters(RewardHistory(0))
    index, mixing = audience.absorb(log_of([30, 10, 30], [1.0, 2.0, 3.0]))
    assert audience.labels == [10, 30]
    assert_array_equal(index, [1, 0, 1])
    assert mixing.shape == (2, 0)
    assert_array_equal(audience.index(log_of([5, 10, 99], [0.0] * 3).visits), [2, 0, 2])
    index, mixing = audience.absorb(log_of([5, 10], [7.0, 4.0]))
    assert audience.labels == [10, 30, 5]
    assert_array_equal(index, [2, 0])
    assert_array_equal(mixing, np.eye(3, 2))
    assert_allclose(audience.history.mean, [3.0, 2.0, 7.0])
    assert audience.absorb(log_of([5], [7.0]))[1] is None


def test_everyone_is_one_cluster():
    audience = Everyone(RewardHistory(1))
    index, mixing = audience.absorb(log_of([4, 9], [1.0, 5.0]))
    assert_array_equal(index, [0, 0])
    assert mixing is None
    assert_allclose(audience.history.mean, [3.0])


def test_new_clusters_are_made_of_old_ones_by_the_weight_of_their_users():
    old, new = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    got = _mixing(new, old, np.array([5.0, 1.0, 2.0, 1.0]), 3, 2)
    assert_allclose(got, [[1.0, 0.0], [0.25, 0.75], [0.0, 0.0]])


@pytest.mark.parametrize("solver", [{}, ADAM])
def test_labels_of_clusters_are_only_labels(solver):
    X, y, users, log = draw_log()
    labels = np.array(["zoo", "art"])
    known = PGRPORecommender(random_state=0, **solver).fit(X, y, clusters=users % 2, **log)
    named = PGRPORecommender(random_state=0, **solver).fit(X, y, clusters=labels[users % 2], **log)
    a = known.predict_proba(X, clusters=users % 2)
    assert_allclose(a, named.predict_proba(X, clusters=labels[users % 2]), atol=1e-12)


@pytest.mark.parametrize("solver", [{}, ADAM])
def test_clusters_never_met_are_served_and_then_learned(solver):
    X, y, users, log = draw_log()
    rec = PGRPORecommender(random_state=0, **solver).fit(X, y, clusters=users % 2, **log)
    known = rec.predict(X, clusters=users % 2)
    strange = rec.predict_proba(X, clusters=np.full(600, 77))
    assert_allclose(strange.sum(axis=1), 1.0)
    if not solver:
        assert_allclose(strange, 1 / 3)
    log["actions"] = 2 - log["actions"]  # the newcomers want the opposite
    for _ in range(10):
        rec.partial_fit(X, y, clusters=np.full(600, 77), **log)
    assert rec.history_.count.size == 3
    assert np.abs(rec.predict_proba(X, clusters=np.full(600, 77)) - strange).max() > 0.1
    assert (rec.predict_proba(X, clusters=users % 2).argmax(axis=1) == known).mean() > 0.8


def test_history_of_a_learned_cluster_is_that_of_its_members():
    X, y, users, log = draw_log(4000, d=0)
    rec = PGRPORecommender(random_state=0).fit(X, y, users=users, **log)
    clusters = rec.clustering_.predict(users)
    assert rec.clustering_.n_clusters_ == 2
    for p in range(2):
        mine = y[clusters == p]
        assert_allclose(rec.history_.count[p], mine.size)
        assert_allclose(rec.history_.mean[p], mine.mean())
        assert_allclose(rec.history_.std[p], mine.std(ddof=1))


@pytest.mark.parametrize("d", [0, 2])
def test_learned_groups_end_where_known_ones_do(d):
    """Once users are sorted out, all that was ever heard counts for their group."""
    X, y, users, log = draw_log(6000, d=d)
    learned = PGRPORecommender(n_clusters=2, random_state=0).fit(X, y, users=users, **log)
    known = PGRPORecommender(random_state=0).fit(X, y, clusters=users % 2, **log)
    a, b = learned.predict(X, users=users), known.predict(X, clusters=users % 2)
    assert (a == b).mean() > 0.97
    value = known.score(X, y, clusters=users % 2, **log)
    assert_allclose(learned.score(X, y, users=users, **log), value, atol=0.02)
    assert value > 0.9


def test_someone_never_met_is_served_as_the_groups_are_shared():
    X, y, users, log = draw_log(4000, d=0)
    rec = PGRPORecommender(random_state=0).fit(X, y, users=users, **log)
    stranger = rec.predict_proba(None, users=[1000])
    members = rec.predict_proba(None, users=[0, 1])
    shares = rec.clustering_.predict_proba([1000])
    order = rec.clustering_.predict([0, 1])
    assert_allclose(stranger[0], shares[0] @ members[np.argsort(order)], atol=0.02)


def test_clicks_of_people_who_are_alike_are_served_as_if_nobody_was_followed():
    rng = np.random.default_rng(0)
    X, users, actions = rng.normal(size=(4000, 3)), rng.integers(50, size=4000), np.arange(4000) % 4
    odds = (rng.normal(size=(4, 3))[actions] * X).sum(axis=1)
    y = (rng.random(4000) < 1 / (1 + np.exp(-odds))).astype(float)
    log = {"users": users, "actions": actions, "propensities": np.full(4000, 0.25)}
    one, other = (
        PGRPORecommender(n_clusters=1, user_adaptation=adapts, random_state=0)
        .fit(X, y, **log)
        .predict_proba(X[:200], users=users[:200])
        for adapts in (True, False)
    )
    assert_array_equal(one, other)


@pytest.mark.parametrize("adapts", [True, False])
def test_a_person_may_deviate_from_the_group(adapts):
    """Everyone ranks items by their number, and has two favourites of their own (+4.5)."""
    rng = np.random.default_rng(0)
    favourites = np.argsort(rng.random((60, 8)), axis=1)[:, :2]
    worth = np.tile(np.arange(8.0), (60, 1))
    np.put_along_axis(worth, favourites, np.take_along_axis(worth, favourites, 1) + 4.5, axis=1)
    users, actions = rng.integers(60, size=12_000), rng.integers(8, size=12_000)
    y = worth[users, actions] + rng.normal(size=12_000)
    log = {"users": users, "actions": actions, "propensities": np.full(12_000, 1 / 8)}
    rec = PGRPORecommender(n_clusters=1, user_adaptation=adapts, batch_size=500, random_state=0)
    best = rec.fit(None, y, **log).predict(None, users=np.arange(60))
    found = (best == worth.argmax(axis=1)).mean()
    assert (found > 0.9) == adapts


def told(how, users):
    return {"users": {"users": users}, "clusters": {"clusters": users % 2}, "neither": {}}[how]


@pytest.mark.parametrize("first", ["users", "clusters", "neither"])
@pytest.mark.parametrize("later", ["users", "clusters", "neither"])
def test_groups_must_be_told_the_same_way_at_every_call(first, later):
    X, y, users, log = draw_log()
    rec = PGRPORecommender(random_state=0).fit(X, y, **told(first, users), **log)
    if first == later:
        assert rec.predict(X, **told(later, users)).shape == (600,)
        return
    twin = copy.deepcopy(rec)
    message = f"told its groups by {first}.* now by {later}"
    for call in (rec.predict, rec.predict_proba, rec.recommend):
        with pytest.raises(ValueError, match=message):
            call(X, **told(later, users))
    with pytest.raises(ValueError, match=message):
        rec.partial_fit(X, y, **told(later, users), **log)
    with pytest.raises(ValueError, match="users or clusters, not both"):
        rec.partial_fit(X, y, users=users, clusters=users, **log)
    a, b = (r.predict_proba(X, **told(first, users)) for r in (rec, twin))
    assert_array_equal(a, b)
    rec.fit(X, y, **told(later, users), **log)  # a new beginning may be another way


# --- every argument does something ---------------------------------------------------------

CHANGES = {
    "items": ({}, 3, 5),
    "policy": ({}, "linear", "tabular"),
    "advantage": (ADAM, "pgrpo", "reinforce"),
    "solver": ({}, "natural", "adam"),
    "n_clusters": ({}, 1, 2),
    "group_size": ({**ADAM, "advantage": "grpo"}, 2, 4),
    "exploration": ({}, 0.5, 1.0),
    "user_adaptation": ({}, True, False),
    "memory": ({}, 200, 100_000),
    "max_users": ({}, None, 10),
    "learning_rate": (ADAM, 0.1, 0.2),
    "clip_range": ({**ADAM, "n_epochs": 4}, 0.5, 0.05),
    "clip_range_high": ({**ADAM, "n_epochs": 4}, None, 0.05),
    "n_epochs": (ADAM, 1, 2),
    "entropy_coef": (ADAM, 0.01, 0.3),
    "cluster_shrinkage": (ADAM, 0.0, 0.5),
    "kl_coef": (ADAM, 0.0, 0.5),
    "kl": ({**ADAM, "kl_coef": 0.5}, "exact", "k3"),
    "reference_decay": ({**ADAM, "kl_coef": 0.5}, 1.0, 0.5),
    "max_grad_norm": (ADAM, None, 0.01),
    "gamma": ({}, 0.5, 0.9),
    "slate_credit": (ADAM, "slate", "below"),
    "history_shrinkage": (ADAM, 0.0, "auto"),
    "advantage_clip": (ADAM, None, 0.5),
    "history_order": (ADAM, "before", "after"),
    "history_decay": ({}, 1.0, 0.5),
    "batch_size": (ADAM, 32, 64),
    "n_passes": (ADAM, 10, 1),
    "objective": (ADAM, "visits", "balanced"),
    "cluster_part": (ADAM, "full", "none"),
    "item_features": ({}, None, ((0.0,), (1.0,), (3.0,))),
    "max_share": ({}, None, 0.4),
    "categories": ({"max_share": 0.5}, {0: 0, 1: 1, 2: 1}, {0: 0, 1: 0, 2: 1}),
    "random_state": ({}, 0, 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_changes_the_outcome(name):
    base, *values = CHANGES[name]
    X, y, users, log = draw_log(3000 if name == "memory" else 1200)
    by_user = name in ("memory", "max_users", "n_clusters", "user_adaptation")
    who = {"users": users} if by_user else {"clusters": users % 2}
    if name == "user_adaptation":  # of people who differ; else nothing is adapted
        y = y + 3.0 * ((7 * users + log["actions"]) % 5)
    if name == "gamma":
        log["sessions"] = users
    if name == "slate_credit":  # of two items, each with a reward
        log["actions"] = np.column_stack([log["actions"], (log["actions"] + 1) % 3])
        log["propensities"] = np.full((1200, 2), 0.5)
        y = np.column_stack([y, np.roll(y, 1)])
    outcomes = []
    for value in (*values, values[0]):
        rec = PGRPORecommender(**{"random_state": 0, **base, name: value})
        rec.fit(X, y, **who, **log)
        shown = rec.recommend(X, **who) if name == "random_state" else []
        outcomes.append((rec.predict_proba(X, **who), *shown))
    one, other, again = outcomes
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_every_argument_is_tried():
    assert set(CHANGES) == set(PGRPORecommender().get_params())


BAD = {
    "items": [0, -1, 2.5, True, [], [1, 1], [[1, 2]]],
    "policy": ["cubic", None],
    "advantage": ["ppo", "grpo", "reinforce"],  # candidates needed; a first-order solver needed
    "solver": ["lbfgs", 1],
    "n_clusters": [0, 1.5, "many", True],
    "group_size": [0, 2.0, None],
    "exploration": [0.0, -1.0, np.nan, "much"],
    "user_adaptation": ["yes", None, 0.5],
    "memory": [0, 1e5],
    "max_users": [0, 2.5, "many"],
    "learning_rate": [0.0, -0.1, np.nan],
    "clip_range": [-0.1, None],
    "clip_range_high": [0.0, -1.0],
    "n_epochs": [0, 1.0],
    "entropy_coef": [-0.1, None],
    "cluster_shrinkage": [-0.5],
    "kl_coef": [-0.1, None],
    "kl": ["k2", None],
    "reference_decay": [-0.1, 1.1, None],
    "max_grad_norm": [0.0, "none"],
    "gamma": [-0.1, 1.1, "all"],
    "slate_credit": ["item", None],
    "history_shrinkage": [-1.0, "some", None],
    "advantage_clip": [0.0, "none"],
    "history_order": ["during"],
    "history_decay": [0.0, 1.1, np.nan],
    "batch_size": [0, 64.0],
    "n_passes": [0],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n in BAD for v in BAD[n]], ids=str)
def test_an_argument_out_of_range_is_named_and_changes_nothing(name, value):
    X, y, users, log = draw_log(60)
    told_clusters = {"clusters": users % 2}
    rec = PGRPORecommender(random_state=0).fit(X, y, **told_clusters, **log)
    twin, old = copy.deepcopy(rec), rec.get_params()[name]
    rec.set_params(**{name: value})
    with pytest.raises(ValueError, match=f"^{name}"):
        rec.fit(X[:, :1], y, **told_clusters, **log)
    fresh = PGRPORecommender(**{name: value})
    with pytest.raises(ValueError, match=f"^{name}"):
        fresh.partial_fit(X, y, **told_clusters, **log)
    assert not hasattr(fresh, "actions_")
    rec.set_params(**{name: old})
    results = [r.recommend(X, 2, **told_clusters) for r in (rec, twin)]
    assert_array_equal(results[0], results[1])


def test_checks_of_arguments_say_what_would_be_right():
    check_number("rate", 0.5, float, above=0.0, high=1.0)
    check_number("size", np.int64(3), Integral, low=3, high=3)
    with pytest.raises(ValueError, match=r"size=2 is not .* a whole number, at least 3$"):
        check_number("size", 2, Integral, low=3)
    with pytest.raises(ValueError, match=r"size=2 is not .* above 2, at most 9$"):
        check_number("size", 2, Integral, above=2, high=9)
    with pytest.raises(ValueError, match=r"kind='c' is unknown; it must be one of \['a', 'b'\]"):
        check_choice("kind", "c", ("a", "b"))
