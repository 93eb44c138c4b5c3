"""Whom to serve a person as while that is in doubt: kernels against twins, and what it is for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.estimators.learners import Outlook
from pgrpo_rec.estimators.serving import Visitors, serve
from pgrpo_rec.identification import cost_and_gain, information_directed

SEEDS = st.integers(0, 2**32 - 1)


def doubt(rng, n=5, n_clusters=3, n_items=4):
    shares = rng.dirichlet(np.full(n_clusters, 0.5), size=n)
    policies = rng.dirichlet(np.full(n_items, 0.5), size=(n, n_clusters))
    values, rewards = rng.normal(size=(2, n, n_clusters, n_items))
    return shares, policies, values, rewards, rng.uniform(0.1, 2.0, rewards.shape)


def naive_cost_and_gain(b, pi, v, mu, noise):
    """The formulas as written, one visit."""
    n_clusters, n_items = mu.shape
    cost, gain = np.zeros(n_clusters), np.zeros(n_clusters)
    for j in range(n_clusters):
        for p in range(n_clusters):
            best = max(pi[m] @ v[p] for m in range(n_clusters))
            cost[j] += b[p] * (best - pi[j] @ v[p])
        for k in range(n_items):
            variance = b @ (mu[:, k] - b @ mu[:, k]) ** 2
            told = 0.5 * np.log(1.0 + variance / (b @ noise[:, k]))
            gain[j] += pi[j, k] * min(told, np.log(n_clusters))
    return cost, gain


@given(SEEDS)
@settings(deadline=None)
def test_cost_and_gain_are_the_formulas(seed):
    tables = doubt(np.random.default_rng(seed))
    cost, gain = cost_and_gain(*tables)
    for i, of_visit in enumerate(zip(*tables, strict=True)):
        expected = naive_cost_and_gain(*of_visit)
        assert_allclose((cost[i], gain[i]), expected, rtol=1e-9, atol=1e-12)
    assert (cost >= 0.0).all()


@given(SEEDS)
@settings(deadline=None)
def test_no_mixture_has_a_lower_ratio_than_two_clusters_have(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), size=6)
    cost, gain = rng.exponential(size=(2, 6, 4))
    cost[rng.random(cost.shape) < 0.2] = 0.0
    gain[rng.random(gain.shape) < 0.2] = 0.0
    weights = information_directed(shares, cost, gain)
    assert_allclose(weights.sum(axis=1), 1.0)
    assert ((weights > 0.0).sum(axis=1) <= 2).all()

    def ratio(w):
        return (w * cost).sum(-1) ** 2 / ((w * gain).sum(-1) + 1e-300)

    others = rng.dirichlet(np.full(4, 0.3), size=(500, 6))
    assert (ratio(weights) <= ratio(others) * (1.0 + 1e-9)).all()
    assert (ratio(weights) <= ratio(np.eye(4)[:, None]) * (1.0 + 1e-9)).all()


def test_who_is_of_one_cluster_for_certain_is_served_as_that():
    shares = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    weights = information_directed(shares, np.zeros((2, 3)), np.ones((2, 3)))
    assert_array_equal(weights[0], [0.0, 1.0, 0.0])
    assert weights[1, 1] == 0.0


def test_clusters_that_cannot_be_told_apart_cost_and_tell_nothing():
    shares = np.array([[0.3, 0.7]])
    alike = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    cost, gain = cost_and_gain(shares, alike, alike, alike, np.ones((1, 2, 2)))
    assert_array_equal(cost, [[0.0, 0.0]])
    assert_array_equal(gain, [[0.0, 0.0]])
    assert information_directed(shares, cost, gain).sum() == 1.0


@pytest.mark.parametrize("size", [1e-60, 1.0, 1e60])
def test_any_scale_of_costs_is_weighed(size):
    """Also where nothing is told, nobody is served as a cluster they cannot be of."""
    shares, cost = np.array([[0.0, 0.5, 0.5]]), np.array([[0.0, 2.0, 1.0]]) * size
    assert_array_equal(information_directed(shares, cost, np.zeros((1, 3))), [[0.0, 0.0, 1.0]])


def test_certain_answers_tell_no_more_than_which_cluster_it_is():
    shares, policies = np.array([[0.5, 0.5]]), np.array([[[1.0], [1.0]]])
    rewards = np.array([[[0.0], [1.0]]])
    _, gain = cost_and_gain(shares, policies, rewards, rewards, np.zeros((1, 2, 1)))
    assert_allclose(gain, np.log(2.0))


RATES = np.array([[0.7, 0.3, 0.2, 0.1], [0.05, 0.3, 0.1, 0.2], [0.02, 0.02, 0.05, 0.12]])


def clicks_lost(weights_of, n=2_000, visits=60):
    """Clicks lost a person while their group is found out; rates are known."""
    rng = np.random.default_rng(0)
    prior = np.array([0.7, 0.2, 0.1])
    types = rng.choice(3, size=n, p=prior)
    logits, best = np.tile(np.log(prior), (n, 1)), RATES.argmax(axis=1)
    lost = 0.0
    for _ in range(visits):
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights = weights_of(shares / shares.sum(axis=1, keepdims=True))
        served = (weights.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
        shown = best[served]
        rate = RATES[types, shown]
        lost += (RATES[types, best[types]] - rate).sum()
        clicked = rng.random(n) < rate
        of_groups = RATES[:, shown].T
        logits += np.log(np.where(clicked[:, None], of_groups, 1.0 - of_groups))
    return lost / n


def by_information(shares):
    level = RATES.mean(axis=1, keepdims=True)
    values = (RATES - level) / np.sqrt(level * (1.0 - level))
    policies = np.eye(4)[RATES.argmax(axis=1)]
    tables = (policies, values, RATES, RATES * (1.0 - RATES))
    each = [np.broadcast_to(table, (len(shares), 3, 4)) for table in tables]
    return information_directed(shares, *cost_and_gain(shares, *each))


def test_people_are_found_out_at_less_cost_than_by_drawing_their_group():
    assert clicks_lost(by_information) < 0.8 * clicks_lost(lambda shares: shares)


class Shows:
    """A learner that shows cluster p item p, which is worth 1 to it and others nothing."""

    def __init__(self, knows):
        self.knows = knows

    def probabilities(self, z, clusters, available, own):
        return np.eye(3)[clusters]

    def outlook(self, z, clusters):
        values = np.eye(3)[clusters]
        return Outlook(values, values, np.ones(values.shape)) if self.knows else None


def in_parts(shares):
    rows = np.arange(len(shares))
    return [(rows[s > 0], np.full((s > 0).sum(), p), s[s > 0]) for p, s in enumerate(shares.T)]


@pytest.mark.parametrize("room", [1, 1_000_000])
def test_certain_people_get_their_clusters_policy_and_others_the_mixture(room, monkeypatch):
    monkeypatch.setattr("pgrpo_rec.estimators.serving.ROOM", room)
    shares = np.array([[1.0, 0.0, 0.0], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0], [0.2, 0.3, 0.5]])
    visitors = Visitors(np.ones((4, 1)), np.ones((4, 3), bool), None, np.ones(4, bool))
    shown = serve(Shows(knows=True), visitors, in_parts(shares))
    policies = np.broadcast_to(np.eye(3), (4, 3, 3))
    tables = (policies, policies, np.ones((4, 3, 3)))
    expected = information_directed(shares, *cost_and_gain(shares, policies, *tables))
    assert_allclose(shown, expected)
    assert_array_equal(shown[[0, 2]], shares[[0, 2]])


@pytest.mark.parametrize(("knows", "met"), [(False, True), (True, False)])
def test_strangers_and_people_of_unknown_outlook_get_policies_by_shares(knows, met):
    shares = np.array([[0.6, 0.4, 0.0], [0.2, 0.3, 0.5]])
    visitors = Visitors(np.ones((2, 1)), np.ones((2, 3), bool), None, np.full(2, met))
    assert_allclose(serve(Shows(knows=knows), visitors, in_parts(shares)), shares)


def test_propensities_are_those_of_the_mixture():
    """What was shown is what `predict_proba` says, also to people in doubt and strangers."""
    rng = np.random.default_rng(0)
    users = rng.integers(60, size=4_000)
    actions = rng.integers(4, size=4_000)
    rewards = (rng.random(4_000) < RATES[users % 3, actions]).astype(float)
    model = PGRPORecommender(4, random_state=0)
    model.fit(None, rewards, actions=actions, users=users, propensities=np.full(4_000, 0.25))
    asked = np.repeat([0, 1, 2, 999], 5_000)
    chance = model.predict_proba(None, users=asked)
    shown, propensities = model.recommend(None, users=asked)
    assert_allclose(propensities[:, 0], chance[np.arange(20_000), shown[:, 0]])
    for person in (0, 1, 2, 999):
        often = np.bincount(shown[asked == person, 0], minlength=4) / 5_000
        assert_allclose(often, chance[asked == person][0], atol=0.03)
