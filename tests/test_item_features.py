"""Items known by their features: what is learned of one item tells of all."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.baselines import SharedLinTS, SharedLinUCB

N_ITEMS, N_FEATURES = 60, 3
ITEMS = np.random.default_rng(0).normal(size=(N_ITEMS, N_FEATURES))
TASTES = np.random.default_rng(1).normal(size=(2, 2, N_FEATURES))  # a group, of z and items
SCALES = np.array([100.0, 1.0])


def values(X, groups):
    """Return what every item is worth, bilinear in the features of visit and item."""
    z = np.hstack([np.ones((len(X), 1)), X])
    return np.einsum("nd,ndm,km->nk", z, TASTES[groups], ITEMS)


def taught(recommender, *, n=1500, binary=False, only=N_ITEMS, told="clusters", batch=100, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n // batch):
        people = rng.integers(40, size=batch)
        X, shown = rng.normal(size=(batch, 1)), rng.integers(only, size=batch)
        value = values(X, people % 2)[np.arange(batch), shown]
        if binary:
            rewards = (rng.random(batch) < 1.0 / (1.0 + np.exp(-value))).astype(float)
        else:
            rewards = SCALES[people % 2] * (value + rng.normal(size=batch))
        who = {"clusters": people % 2} if told == "clusters" else {"users": people}
        recommender.partial_fit(
            X, rewards, actions=shown, propensities=np.full(batch, 1.0 / only), **who
        )
    return recommender


def share_of_best(recommender, told="clusters"):
    """Return how much of what can be gained is gained by the greedy choice, a group each."""
    rng = np.random.default_rng(9)
    people, X = rng.integers(40, size=400), rng.normal(size=(400, 1))
    true = values(X, people % 2)
    who = {"clusters": people % 2} if told == "clusters" else {"users": people}
    got = true[np.arange(400), recommender.predict(X, **who)]
    gained = (got - true.mean(axis=1)) / (true.max(axis=1) - true.mean(axis=1))
    return [gained[people % 2 == p].mean() for p in (0, 1)]


@pytest.mark.parametrize("kind", [PGRPORecommender, SharedLinTS, SharedLinUCB])
def test_what_some_items_earned_tells_what_others_are_worth(kind):
    told = {} if kind is PGRPORecommender else {"standardise": True}
    recommender = kind(N_ITEMS, item_features=ITEMS, random_state=0, **told)
    taught(recommender, only=20)
    assert min(share_of_best(recommender)) > 0.95
    best = recommender.predict(np.zeros((2, 1)), clusters=[0, 1])
    assert_array_equal(best, values(np.zeros((2, 1)), np.array([0, 1])).argmax(axis=1))


def test_clicks_are_fitted_by_log_odds():
    recommender = PGRPORecommender(N_ITEMS, item_features=ITEMS, random_state=0)
    taught(recommender, n=6000, binary=True)
    assert min(share_of_best(recommender)) > 0.9


def test_without_features_of_visits_items_have_values_of_their_own():
    rng = np.random.default_rng(0)
    shown = rng.integers(N_ITEMS, size=800)
    rewards = ITEMS[shown] @ np.array([1.0, 2.0, -1.0]) + rng.normal(size=800)
    recommender = PGRPORecommender(N_ITEMS, item_features=ITEMS, random_state=0)
    recommender.fit(
        None,
        rewards,
        actions=shown,
        clusters=np.zeros(800, dtype=int),
        propensities=np.full(800, 1.0 / N_ITEMS),
    )
    assert recommender.predict(None, clusters=[0]) == (ITEMS @ [1.0, 2.0, -1.0]).argmax()


def test_groups_are_learned_by_the_features_that_people_like():
    recommender = PGRPORecommender(N_ITEMS, item_features=ITEMS, random_state=0)
    taught(recommender, n=4000, told="users")
    assert recommender.clustering_.n_clusters_ == 2
    labels = recommender.clustering_.labels_
    assert_array_equal(labels == labels[0], np.arange(40) % 2 == 0)
    assert min(share_of_best(recommender, told="users")) > 0.95


def test_what_is_shown_has_its_probability_and_is_available():
    recommender = taught(PGRPORecommender(N_ITEMS, item_features=ITEMS, random_state=0))
    X, clusters = np.random.default_rng(0).normal(size=(50, 1)), np.arange(50) % 3  # 2 is new
    available = np.random.default_rng(1).random((50, N_ITEMS)) < 0.3
    chances = recommender.predict_proba(X, clusters=clusters, available=available)
    assert_allclose(chances.sum(axis=1), 1.0)
    assert (chances[~available] == 0.0).all()
    items, propensities = recommender.recommend(X, clusters=clusters, available=available)
    assert_array_equal(propensities[:, 0], chances[np.arange(50), items[:, 0]])
    slates, _ = recommender.recommend(X, 4, clusters=clusters)
    assert all(len(set(slate)) == 4 for slate in slates.tolist())


def test_it_can_be_cloned_and_saved():
    recommender = PGRPORecommender(N_ITEMS, item_features=ITEMS, random_state=0)
    again = taught(clone(recommender))
    copy = pickle.loads(pickle.dumps(again))
    X, clusters = np.ones((3, 1)), [0, 1, 0]
    expected = taught(recommender).predict_proba(X, clusters=clusters)
    for other in (again, copy):
        assert_array_equal(other.predict_proba(X, clusters=clusters), expected)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (ITEMS[:-1], "has shape"),
        (ITEMS[:, 0], "has shape"),
        (np.full_like(ITEMS, np.nan), "has shape"),
        ([["a"]] * N_ITEMS, "must be numbers"),
    ],
)
def test_features_that_do_not_fit_are_refused_and_change_nothing(table, problem):
    for kind in (PGRPORecommender, SharedLinTS):
        recommender = kind(N_ITEMS, item_features=table)
        with pytest.raises(ValueError, match=f"item_features {problem}"):
            recommender.recommend(np.ones((2, 1)), clusters=[0, 1])
        with pytest.raises(ValueError, match=f"item_features {problem}"):
            recommender.fit(np.ones((2, 1)), [0.0, 1.0], actions=[0, 1], clusters=[0, 1])
        assert not hasattr(recommender, "actions_")


def test_first_order_solvers_and_too_many_products_are_refused():
    with pytest.raises(ValueError, match="item_features need solver='natural'"):
        PGRPORecommender(N_ITEMS, item_features=ITEMS, solver="adam").recommend(np.ones((2, 1)))
    recommender = PGRPORecommender(N_ITEMS, item_features=ITEMS)
    with pytest.raises(ValueError, match="1,204 products"):
        recommender.recommend(np.ones((2, 300)), clusters=[0, 1])
    assert not hasattr(recommender, "actions_")
    recommender.recommend(np.ones((2, 1)), clusters=[0, 1])
