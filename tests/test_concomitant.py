"""Features of users in place of the clusters' shares, for those of whom little is heard."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from naive_clustering import feature_tilt
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.clustering import concomitant
from pgrpo_rec.clustering.concomitant import Gate, Known, UserFeatures, fit_gate
from pgrpo_rec.estimators.clustering import PreferenceClustering

N_USERS, N_ITEMS, RATES = 150, 6, (0.6, 0.1)
SHARES = np.array([0.6, 0.4])


class Town:
    """Two kinds of people who like opposite items; ``reveal`` 0: features say nothing."""

    def __init__(self, seed, reveal=3.0, n_users=N_USERS):
        self.rng = np.random.default_rng(seed)
        self.types = self.rng.choice(2, n_users, p=SHARES)
        self.about = 40.0 + 12.0 * self.rng.normal(size=(n_users, 2))
        self.about[:, 0] += 12.0 * reveal * (self.types - 0.5)

    def answers(self, n, users=None):
        users = self.rng.integers(self.types.size, size=n) if users is None else users
        actions = self.rng.integers(N_ITEMS, size=n)
        likes = (actions < N_ITEMS // 2) == (self.types[users] == 0)
        rewards = (self.rng.random(n) < np.where(likes, *RATES)).astype(float)
        return rewards, {"actions": actions, "users": users}

    def fitted(self, n=6000, told=True, **arguments):
        rewards, log = self.answers(n)
        about = self.about[log["users"]] if told else None
        clustering = PreferenceClustering(items=N_ITEMS, random_state=0, **arguments)
        return clustering.fit(None, rewards, user_features=about, **log)

    def strangers(self, n=400, reveal=3.0):
        other = Town(self.rng.integers(2**31), reveal, n_users=n)
        return 10_000 + np.arange(n), other


def cluster_of_type_0(clustering, town):
    """Return the label of the first kind of people."""
    return np.bincount(clustering.predict(np.flatnonzero(town.types == 0))).argmax()


def share_right(clustering, town, found, types):
    return ((found == cluster_of_type_0(clustering, town)) == (types == 0)).mean()


# --- placing -------------------------------------------------------------------------------


def test_strangers_are_placed_by_what_is_known_of_them():
    town = Town(0)
    clustering = town.fitted()
    who, other = town.strangers()
    found = clustering.predict(who, other.about)
    best = ((other.about[:, 0] < 40.0 + 12.0 * np.log(1.5) / 3.0) == (other.types == 0)).mean()
    assert share_right(clustering, town, found, other.types) > best - 0.03 > 0.85
    proba = clustering.predict_proba(who, other.about)
    assert_allclose(proba.sum(axis=1), 1.0)
    sure = proba.max(axis=1)
    right = (found == cluster_of_type_0(clustering, town)) == (other.types == 0)
    assert_allclose(sure.mean(), right.mean(), atol=0.05)  # as sure as it is right
    assert_allclose(clustering.predict_proba(who), np.tile(clustering.shares_, (400, 1)))


def test_features_that_say_nothing_leave_the_shares():
    believed = 0
    for seed in range(20):
        town = Town(seed, reveal=0.0)
        clustering = town.fitted(n=3000, n_clusters=2)
        who, other = town.strangers(20, 0.0)
        proba = clustering.predict_proba(who, other.about)
        believed += not np.array_equal(proba, np.tile(clustering.shares_, (20, 1)))
    assert believed <= 1


def test_of_whom_little_is_heard_features_count_until_answers_do():
    town = Town(1)
    with_features, without = (town.fitted(told=told) for told in (True, False))
    who, other = town.strangers()
    for n_answers in (1, 40):
        right = []
        for clustering, about in ((with_features, other.about), (without, None)):
            new, places = copy.deepcopy(clustering), np.repeat(np.arange(400), n_answers)
            other.rng = np.random.default_rng(5)
            rewards, log = other.answers(places.size, places)
            log["users"] = who[places]
            told = None if about is None else about[places]
            new.partial_fit(None, rewards, user_features=told, **log)
            right.append(share_right(new, town, new.predict(who), other.types))
        gain = right[0] - right[1]
        assert gain > 0.1 if n_answers == 1 else abs(gain) < 0.03


def test_clusters_are_made_by_answers_alone():
    town, again = Town(2), Town(2)
    with_features, without = town.fitted(), again.fitted(told=False)
    assert_array_equal(with_features.means_, without.means_)
    assert_array_equal(with_features.shares_, without.shares_)


def test_whoever_tells_no_features_is_placed_as_ever():
    town = Town(3)
    rewards, log = town.answers(6000)
    half = log["users"] % 2 == 0
    parts = [PreferenceClustering(items=N_ITEMS, random_state=0) for _ in range(2)]
    for rows in (half, ~half):
        told = {name: column[rows] for name, column in log.items()}
        about = town.about[told["users"]] if rows is half else None
        parts[0].partial_fit(None, rewards[rows], user_features=about, **told)
        parts[1].partial_fit(None, rewards[rows], **told)
    odd, even = np.arange(1, N_USERS, 2), np.arange(0, N_USERS, 2)
    assert_allclose(parts[0].predict_proba(odd), parts[1].predict_proba(odd), rtol=1e-12)
    assert not np.array_equal(parts[0].predict_proba(even), parts[1].predict_proba(even))


def test_labels_totals_and_score_follow_the_same_placing():
    town = Town(4)
    clustering = town.fitted(n=1500)
    assert_array_equal(clustering.labels_, clustering.predict(clustering.users_))
    sums = clustering.sum_
    for p in range(2):
        members = sums[clustering.labels_ == p].sum(axis=0)
        assert_allclose(clustering.totals()[1, p], members)
    who, other = town.strangers()
    rewards, log = other.answers(4000)
    about = other.about[log["users"]]
    log["users"] = who[log["users"]]
    scores = [clustering.score(None, rewards, user_features=a, **log) for a in (about, None)]
    assert scores[0] > scores[1] + 0.005
    first = {name: column[:1] for name, column in log.items()}
    chances = [clustering.score(None, [y], user_features=about[:1], **first) for y in (0.0, 1.0)]
    assert_allclose(np.exp(chances).sum(), 1.0)


@pytest.mark.parametrize("arguments", [{"method": "kmeans", "n_clusters": 2}, {}])
def test_both_methods_and_features_of_visits_beside_them(arguments):
    town = Town(5)
    rewards, log = town.answers(6000)
    X = None if arguments else town.rng.normal(size=(6000, 1))
    clustering = PreferenceClustering(random_state=0, n_clusters=2, items=N_ITEMS)
    clustering.set_params(**arguments)
    clustering.fit(X, rewards, user_features=town.about[log["users"]], **log)
    who, other = town.strangers()
    found = clustering.predict(who, other.about)
    assert share_right(clustering, town, found, other.types) > 0.85


# --- the logits ----------------------------------------------------------------------------


def test_tilts_are_the_formula():
    rng = np.random.default_rng(0)
    mean, n_visits = rng.normal(size=(30, 4)), rng.integers(1, 6, size=30)
    weights, constants = rng.normal(size=(3, 4)), rng.normal(size=3)
    shares = np.array([0.5, 0.3, 0.2])
    for correlation in (1.0, 0.3, 0.0):
        gate = Gate(weights, constants, np.log(shares), correlation)
        want = feature_tilt(mean, n_visits, weights, constants, shares, correlation)
        got = gate.tilt(mean, n_visits)
        assert_allclose(got, want, rtol=1e-9)
        assert_allclose((got * shares).sum(axis=1), 1.0)


@pytest.mark.parametrize("of_the_person", [True, False])
def test_visits_are_counted_as_often_as_they_say_something_new(of_the_person):
    rng = np.random.default_rng(1)
    types, n_visits = rng.integers(2, size=300), np.full(300, 12)
    x = types[:, None, None] + rng.normal(size=(300, 1 if of_the_person else 12, 1))
    resp = np.where(types[:, None] == np.arange(2), 0.999, 0.001)
    known = Known(x.mean(axis=1), x[:, -1], n_visits)
    gate = fit_gate(known, resp, np.full(2, 0.5), np.random.default_rng(0))
    assert gate is not None
    assert gate.correlation == 1.0 if of_the_person else gate.correlation < 0.1
    found = gate.tilt(known.mean, n_visits).argmax(axis=1)
    assert (found == types).mean() > (0.65 if of_the_person else 0.92)


def test_rows_of_one_visit_count_once():
    features = UserFeatures(1)
    features.add(np.array([0, 0, 0, 1, 0]), np.array([[5.0], [5.0], [7.0], [7.0], [5.0]]))
    known = features._known(np.array([0, 1]))
    assert_array_equal(known.n_visits, [3, 1])
    assert_allclose(known.mean[:, 0], [17.0 / 3.0, 7.0])
    assert_array_equal(known.last[:, 0], [5.0, 7.0])


@pytest.mark.parametrize("column", [0.0, 1e12])
def test_a_feature_that_is_the_same_for_all_is_ignored(column):
    town = Town(6)
    town.about[:, 1] = column
    clustering = town.fitted()
    who, other = town.strangers()
    other.about[:, 1] = -3.0
    found = clustering.predict(who, other.about)
    assert share_right(clustering, town, found, other.types) > 0.85
    town.about[:, 0] = 7.0
    clustering = town.fitted()
    assert_array_equal(clustering.predict_proba(who[:1], other.about[:1])[0], clustering.shares_)


# --- forgetting, saving, threads -------------------------------------------------------------


def test_who_is_forgotten_leaves_no_features():
    town = Town(7, n_users=60)
    clustering = PreferenceClustering(
        2, items=N_ITEMS, max_users=40, min_feedback=400, random_state=0
    )
    for _ in range(40):
        rewards, log = town.answers(300, town.rng.integers(40, size=300))
        clustering.partial_fit(None, rewards, user_features=town.about[log["users"]], **log)
    for u in range(40, 60):
        rewards, log = town.answers(20, np.full(20, u))
        clustering.partial_fit(None, rewards, user_features=town.about[log["users"]], **log)
    assert clustering.users_.size <= 40
    gone = np.setdiff1d(np.arange(40), clustering.users_)
    assert gone.size >= 16
    assert_array_equal(clustering.predict_proba(gone), np.tile(clustering.shares_, (gone.size, 1)))
    assert clustering._about._last.shape[0] <= 2 * 40  # room for those who are kept
    data = pickle.dumps(clustering)
    assert not any(town.about[u].tobytes() in data for u in gone)
    assert all(town.about[u].tobytes() in data for u in clustering.users_)


def test_same_seed_same_bits_on_any_number_of_threads():
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            town = Town(8)
            clustering = pickle.loads(pickle.dumps(town.fitted(n=3000)))
            who, other = town.strangers()
            results.append(clustering.predict_proba(who, other.about))
    assert_array_equal(*results)
    assert np.ptp(results[0], axis=0).max() > 0.5


# --- input ---------------------------------------------------------------------------------

BAD = [
    (lambda a: a[:-1], r"user_features has shape \(499, 2\); it must be \(500, q\)"),
    (lambda a: a[:, 0], r"user_features has shape \(500,\)"),
    (lambda a: a[:, :0], "at least one column"),
    (lambda a: np.where(np.arange(500)[:, None] == 3, np.nan, a), "not finite in row 3"),
    (lambda a: np.where(np.arange(500)[:, None] == 9, np.inf, a), "not finite in row 9"),
    (lambda a: np.full((500, 1), "female"), "user_features must be numbers"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_bad_features_change_nothing(spoil, message):
    town = Town(9)
    clustering = town.fitted(n=3000)
    before = pickle.dumps(clustering)
    rewards, log = town.answers(500)
    bad = spoil(town.about[log["users"]])
    for call in (clustering.partial_fit, clustering.fit, clustering.score):
        with pytest.raises(ValueError, match=message):
            call(None, rewards, user_features=bad, **log)
    with pytest.raises(ValueError, match=message):
        clustering.predict_proba(log["users"], bad)
    assert pickle.dumps(clustering) == before


def test_other_columns_than_before_are_refused():
    town = Town(9)
    clustering = town.fitted(n=3000)
    rewards, log = town.answers(500)
    with pytest.raises(ValueError, match="user_features has 1 columns, the first ones had 2"):
        clustering.partial_fit(None, rewards, user_features=np.ones((500, 1)), **log)
    with pytest.raises(ValueError, match="the first ones had 2"):
        clustering.predict([1], [[1.0, 2.0, 3.0]])
    clustering.fit(None, rewards, user_features=np.ones((500, 1)), **log)  # a new beginning


def test_features_never_learned_from_say_nothing():
    town = Town(10)
    clustering = town.fitted(told=False)
    proba = clustering.predict_proba([3, 77_777], np.ones((2, 5)))
    assert_array_equal(proba, clustering.predict_proba([3, 77_777]))


def test_asking_changes_nothing():
    town = Town(10)
    clustering = town.fitted()
    rewards, log = town.answers(500, np.arange(500) % 100)
    log["users"] += 5000  # without features, beside those who have told them
    clustering.partial_fit(None, rewards, **log)
    before = pickle.dumps(clustering)
    for told in (None, np.ones((600, 2))):
        clustering.predict_proba(4950 + np.arange(600), told)
    assert pickle.dumps(clustering) == before


def test_very_many_features_are_fitted_to_fewer_people(monkeypatch):
    sizes = []

    def fit(known, *_args):
        sizes.append(known.last.shape[0])

    monkeypatch.setattr(concomitant, "fit_gate", fit)
    for n_features in (10, 1000, 20_000):
        features = UserFeatures(n_features)
        features.add(np.arange(200), np.ones((200, n_features)))
        features.refit(np.ones((200, 4)) / 4, np.ones(4) / 4, np.random.default_rng(0))
    assert sizes == [200, 125, 6]


# --- recommending --------------------------------------------------------------------------


class Strangers:
    """Serves everyone as someone never met, and learns nothing."""

    def __init__(self, recommender):
        self.recommender = recommender

    def recommend(self, X, *, users, **told):
        return self.recommender.recommend(X, users=users + 10_000, **told)

    def partial_fit(self, *_args, **_told):
        return self


def world():
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0", num_envs=64, preset="scales", n_users=200, world_seed=0
    )


def test_strangers_are_served_as_the_features_of_the_visit_say():
    rec = PGRPORecommender(20, random_state=0)
    simulate(rec, world(), 6400, seed=0)
    blind = copy.deepcopy(rec)
    blind.clustering_._about = None
    regret, regret_blind = (
        simulate(Strangers(r), world(), 2000, seed=1)["regret"].sum() for r in (rec, blind)
    )
    assert regret < 0.8 * regret_blind


def test_who_ignores_features_remembers_none():
    town = Town(11)
    rewards, log = town.answers(500)
    rec = PGRPORecommender(N_ITEMS, policy="tabular", random_state=0)
    rec.fit(town.about[log["users"]], rewards, propensities=np.full(500, 1 / N_ITEMS), **log)
    data = pickle.dumps(rec)
    assert not any(row.tobytes() in data for row in town.about)
