"""Objectives over groups, seen through the recommender: who is served, and what is said of it."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.fairness import AlphaFair, Balanced, Floor, MaxMin

# Two groups at war over items 0 and 1, and an item 2 that both could live with: uniform .6.
VALUES = np.array([[1.0, 0.0, 0.8], [0.0, 1.0, 0.8]])
SHARE = 0.9


def serve(objective, n_rounds=250, told="clusters", seed=0, scale=(1.0, 1.0), **settings):
    """Let people come by; nine in ten are of group "a". Return the recommender."""
    defaults = {"solver": "adam", "cluster_part": "none", "entropy_coef": 0.02}
    rec = PGRPORecommender(3, objective=objective, random_state=seed, **{**defaults, **settings})
    rng = np.random.default_rng(seed)
    for _ in range(n_rounds):
        users = rng.integers(100, size=64)
        groups = (users >= 100 * SHARE).astype(int)
        who = {"clusters": np.array(["a", "b"])[groups]} if told == "clusters" else {"users": users}
        items, propensities = rec.recommend(None, **who)
        rewards = VALUES[groups, items[:, 0]] + 0.3 * rng.normal(size=64)
        rec.partial_fit(
            None,
            np.array(scale)[groups] * rewards,
            actions=items[:, 0],
            propensities=propensities[:, 0],
            **who,
        )
    return rec


def policy(rec):
    return rec.predict_proba(None, clusters=["a", "b"])


def test_each_visit_counts_alike_and_the_majority_has_its_way():
    served = policy(serve("visits"))
    assert_array_equal(served[0], served[1])  # one policy for all
    assert served[0, 0] > 0.8


@pytest.mark.parametrize("objective", [Balanced(1.0), "max_min", AlphaFair(4.0), Floor(0.3)])
def test_objectives_that_look_after_the_minority_find_the_compromise(objective):
    assert policy(serve(objective, 400))[0, 2] > 0.7


def test_satisfaction_is_learned_from_answers_alone_whatever_the_scale():
    for scale in ((1.0, 1.0), (100.0, 0.1)):
        rec = serve("max_min", 400, scale=scale)
        truth = (policy(rec) * VALUES - 0.2).sum(axis=1)[:2] / 0.4
        groups = rec.groups_
        assert list(groups["cluster"]) == ["a", "b"]
        assert_allclose(groups["share"], [0.9, 0.1], atol=0.02)
        assert_allclose(groups["satisfaction"], truth, atol=0.15)
        assert groups["weight"][1] > groups["weight"][0]


def test_a_floor_is_said_to_hold_or_to_be_out_of_reach():
    holds = serve(Floor(0.2, margin=0.1), 500)
    assert list(holds.groups_["verdict"]) == ["holds", "holds"]
    with pytest.warns(UserWarning, match=r"floor of 0\.9 .* out of reach"):
        beyond = serve(Floor(0.9, rate=20.0), 200)
    assert "out of reach" in set(beyond.groups_["verdict"])


def test_groups_that_are_learned_are_weighed_too():
    rec = serve("max_min", 150, told="users", n_clusters=2)
    assert rec.groups_["weight"].max() > 1.5
    assert rec.groups_["share"].idxmin() == rec.groups_["weight"].idxmax()


def test_clusters_have_the_part_that_they_are_given():
    X, groups = np.ones((200, 2)), np.arange(200) % 2
    rng = np.random.default_rng(0)
    X[:, 0] = rng.normal(size=200)
    actions = rng.integers(3, size=200)
    told = {"actions": actions, "clusters": groups, "propensities": np.full(200, 1 / 3)}
    for part, columns in (("full", 3), ("bias", 1), ("none", 0)):
        rec = PGRPORecommender(solver="adam", cluster_part=part, random_state=0)
        rec.fit(X, VALUES[groups, actions] + X[:, 0] * actions, **told)
        own = rec._learner.weights[1:]
        assert np.flatnonzero((own != 0.0).any(axis=(0, 1))).size == columns


def test_the_same_seed_gives_the_same_result_and_state_can_be_carried_away():
    once, again = serve(MaxMin(2.0), 30), serve(MaxMin(2.0), 30)
    assert_array_equal(policy(once), policy(again))
    there = pickle.loads(pickle.dumps(once))
    assert there.groups_.equals(once.groups_)


def test_groups_are_told_before_any_answer_comes():
    with pytest.raises(AttributeError, match="no feedback"):
        _ = PGRPORecommender(3).groups_
    rec = PGRPORecommender(3, random_state=0)
    rec.recommend(np.ones((1, 1)))
    rec.partial_fit(np.ones((1, 1)), [1.0], actions=[0], propensities=[1 / 3])
    assert rec.groups_["weight"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "balanced"}, "objective='balanced' needs a first-order solver"),
        ({"objective": "sum"}, "objective='sum' is unknown"),
        ({"cluster_part": "none"}, "cluster_part='none' needs a first-order solver"),
        ({"cluster_part": "some", "solver": "adam"}, "cluster_part='some' is unknown"),
        (
            {"cluster_part": "none", "solver": "adam", "cluster_shrinkage": 0.1},
            "nothing to shrink",
        ),
        ({"max_share": 0.0}, "max_share=0.0 is not possible"),
        ({"max_share": 0.2}, "max_share=0.2 is not possible with 3 items: .* 1/3"),
        ({"categories": {0: 0}}, "categories are there for max_share="),
        ({"max_share": 0.9, "categories": {0: "x", 1: "y"}}, "lacks 1 items, among them 2"),
        ({"max_share": 0.4, "categories": {0: 0, 1: 0, 2: 1}}, "with 2 categories"),
    ],
)
def test_settings_that_cannot_be_had_are_named_and_nothing_is_started(settings, message):
    rec = PGRPORecommender(3, **settings)
    with pytest.raises(ValueError, match=message):
        rec.recommend(None, clusters=["a"])
    assert not hasattr(rec, "actions_")


def test_an_objective_over_groups_needs_groups():
    rec = PGRPORecommender(3, solver="adam", objective="balanced")
    with pytest.raises(ValueError, match="weighs groups: give clusters= or users="):
        rec.recommend(np.ones((1, 1)))


@pytest.mark.parametrize("solver", ["natural", "adam"])
def test_a_cap_holds_at_every_visit_with_exact_propensities(solver):
    rec = PGRPORecommender(3, solver=solver, max_share=0.5, learning_rate=0.2, random_state=0)
    who, rng = {"clusters": np.zeros(64, dtype=int)}, np.random.default_rng(0)
    for _ in range(60):
        items, propensities = rec.recommend(None, **who)
        shown = rec.predict_proba(None, **who)
        assert shown.max() <= 0.5 + 1e-12
        assert_allclose(np.take_along_axis(shown, items, axis=1), propensities)
        rewards = VALUES[0, items[:, 0]] + 0.3 * rng.normal(size=64)
        rec.partial_fit(None, rewards, actions=items[:, 0], propensities=propensities[:, 0], **who)
    assert shown[0, 0] == pytest.approx(0.5)
    assert rec.predict(None, clusters=[0]) == [0]


def test_a_cap_on_categories_leaves_items_of_a_category_their_proportions():
    settings = {"max_share": 0.5, "categories": {0: "x", 2: "x", 1: "y"}}
    rec = serve("visits", 100, **settings)
    shown = policy(rec)[0]
    assert shown[0] + shown[2] == pytest.approx(0.5)
    assert shown[0] > 1.5 * shown[2]
