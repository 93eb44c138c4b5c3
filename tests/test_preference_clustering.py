import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from pgrpo_rec.estimators.clustering import PreferenceClustering

N_USERS, N_ACTIONS = 120, 8
SHARES = (0.6, 0.25, 0.15)
SCALES, OFFSETS = np.array([5.0, 1.0, 0.2]), np.array([0.0, 2.0, -5.0])


class World:
    """Three kinds of users; rates of each item differ between kinds, and a bit inside."""

    def __init__(self, seed, shares=SHARES):
        self.rng = np.random.default_rng(seed)
        self.types = self.rng.choice(len(shares), N_USERS, p=shares)
        effects = np.exp(self.rng.normal(0, 0.8, (len(shares), N_ACTIONS)))
        rates = np.array([0.3, 0.12, 0.05])[: len(shares), None] * effects
        own = np.exp(self.rng.normal(0, 0.2, (N_USERS, N_ACTIONS)))
        self.rates = np.clip(rates[self.types] * own, 0.001, 0.95)

    def feedback(self, n, kind="binary", policy=None):
        users = self.rng.integers(N_USERS, size=n)
        actions = self.rng.integers(N_ACTIONS, size=n)
        if policy is not None:
            actions = policy(users, self.rng)
        rate = self.rates[users, actions]
        if kind == "binary":
            rewards = (self.rng.random(n) < rate).astype(float)
        else:
            noise = self.rng.normal(size=n)
            scale, offset = SCALES[self.types[users]], OFFSETS[self.types[users]]
            rewards = offset + scale * (3 * rate + noise)
        return rewards, {"actions": actions, "users": users}

    def score(self, clustering):
        return adjusted_rand_score(self.types[clustering.users_], clustering.labels_)


def fitted(seed=0, n=20_000, kind="binary", **arguments):
    world = World(seed)
    rewards, log = world.feedback(n, kind)
    return world, PreferenceClustering(random_state=0, **arguments).fit(None, rewards, **log)


def test_totals_are_the_sums_of_the_members():
    _, clustering = fitted(kind="real")
    parts = (clustering.count_, clustering.sum_, clustering.sumsq_)
    for total, part in zip(clustering.totals(), parts, strict=True):
        for p in range(clustering.n_clusters_):
            assert_allclose(total[p], part[clustering.labels_ == p].sum(axis=0), rtol=1e-9)


# --- what it finds -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "real"])
def test_auto_finds_three_kinds_of_users(kind):
    world, clustering = fitted(kind=kind)
    assert clustering.n_clusters_ == 3
    assert world.score(clustering) > 0.95
    assert (np.diff(clustering.shares_) < 0).all()
    assert_allclose(clustering.shares_.sum(), 1.0)
    assert clustering.means_.shape == (3, N_ACTIONS)
    best = clustering.criterion_[clustering.criterion_["criterion"].argmin()]
    assert best["n_clusters"] == 3


@pytest.mark.parametrize("kind", ["binary", "real"])
def test_auto_leaves_one_kind_of_users_together(kind):
    world = World(1, shares=(1.0,))
    rewards, log = world.feedback(20_000, kind)
    assert PreferenceClustering(random_state=0).fit(None, rewards, **log).n_clusters_ == 1


def test_kmeans_is_the_simple_rival():
    world, simple = fitted(n=60_000, method="kmeans", n_clusters=3)
    _, mixture = fitted(n=60_000, n_clusters=3)
    assert set(np.unique(simple.predict_proba(simple.users_))) == {0.0, 1.0}
    assert 0.2 < world.score(simple) <= world.score(mixture)


def test_feedback_that_follows_the_policy_does_not_mislead():
    world = World(2)
    clustering = PreferenceClustering(random_state=0)

    def greedy(users, rng):
        if not hasattr(clustering, "users_"):
            return rng.integers(N_ACTIONS, size=users.size)
        logits = 3 * np.log(clustering.means_[clustering.predict(users)])
        return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)

    for _ in range(150):
        rewards, log = world.feedback(200, policy=greedy)
        clustering.partial_fit(None, rewards, **log)
    counts = clustering.count_.sum(axis=0)
    assert counts.max() > 2 * np.median(counts)
    assert world.score(clustering) > 0.8


# --- fit and partial_fit -------------------------------------------------------------------


def test_partial_fit_keeps_the_statistics_of_fit():
    world = World(0)
    rewards, log = world.feedback(3000, "real")
    whole = PreferenceClustering(random_state=0).fit(None, rewards, **log)
    parts = PreferenceClustering(random_state=0)
    for rows in np.array_split(np.arange(3000), 40):
        parts.partial_fit(
            None, rewards[rows], actions=log["actions"][rows], users=log["users"][rows]
        )
    assert_array_equal(parts.users_, whole.users_)
    for name in ("count_", "sum_", "sumsq_"):
        assert_allclose(getattr(parts, name), getattr(whole, name))
    want = np.zeros((N_USERS, N_ACTIONS))
    np.add.at(want, (log["users"], log["actions"]), rewards**2)
    assert_allclose(whole.sumsq_, want[whole.users_])
    assert parts.n_feedback_ == whole.n_feedback_ == 3000


def test_refits_follow_a_doubling_schedule():
    world = World(0)
    clustering = PreferenceClustering(min_feedback=500, random_state=0)
    refits = []
    for _ in range(40):
        rewards, log = world.feedback(100)
        refits.append(clustering.partial_fit(None, rewards, **log).n_refits_)
    at = 100 * (1 + np.flatnonzero(np.diff([0, *refits])))
    assert_array_equal(at, [500, 1000, 2000, 4000])


def test_before_the_first_refit_there_is_one_cluster():
    clustering = PreferenceClustering(3, random_state=0)
    clustering.partial_fit(None, [1.0, 0.0], actions=["a", "b"], users=["u", "v"])
    assert clustering.n_clusters_ == 1
    assert_array_equal(clustering.predict(["u", "never met"]), [0, 0])
    assert clustering.means_.shape == (1, 2)
    assert clustering.means_[0, 0] > clustering.means_[0, 1]


def test_only_users_who_gave_feedback_are_placed_anew():
    _world, clustering = fitted()
    before = clustering.predict_proba(clustering.users_)
    shares, means = clustering.shares_, clustering.means_
    clustering.partial_fit(
        None, np.ones(30), actions=np.arange(30) % N_ACTIONS, users=np.full(30, 7)
    )
    after = clustering.predict_proba(clustering.users_)
    moved = (before != after).any(axis=1)
    assert_array_equal(clustering.users_[moved], [7])
    assert_array_equal(clustering.shares_, shares)
    assert_array_equal(clustering.means_, means)


def test_labels_stay_where_they_were():
    world = World(3)
    clustering = PreferenceClustering(random_state=0, min_feedback=5000)
    while clustering.__dict__.get("n_refits_", 0) < 1:
        rewards, log = world.feedback(1000)
        clustering.partial_fit(None, rewards, **log)
    users, labels = clustering.users_, clustering.labels_
    while clustering.n_refits_ < 4:
        rewards, log = world.feedback(1000)
        clustering.partial_fit(None, rewards, **log)
    assert np.unique(labels).size > 1
    assert (clustering.predict(users) == labels).mean() > 0.8


def test_new_users_and_new_items_may_come_at_any_time():
    _world, clustering = fitted(n=10_000)
    means = clustering.means_
    clustering.partial_fit(None, [1.0, 0.0, 1.0], actions=[-1, 3, 50], users=[-9, 500, 500])
    assert_array_equal(clustering.users_, [-9, *range(N_USERS), 500])
    assert_array_equal(clustering.actions_, [-1, *range(N_ACTIONS), 50])
    assert_allclose(clustering.means_[:, 1:-1], means)
    assert clustering.count_[-1].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert clustering.labels_.shape == (N_USERS + 2,)


def test_kmeans_takes_new_users_and_items_too():
    _, clustering = fitted(n=10_000, method="kmeans", n_clusters=2)
    clustering.partial_fit(None, [1.0, 0.0], actions=[-1, 3], users=[-9, 500])
    assert clustering.labels_.shape == (N_USERS + 2,)
    assert clustering.means_.shape == (2, N_ACTIONS + 1)


def test_a_fractional_reward_changes_the_kind_of_rewards():
    _world, clustering = fitted()
    clustering.partial_fit(None, [0.5], actions=[0], users=[0])
    assert clustering.n_refits_ == 2
    assert clustering.predict_proba([0]).shape == (1, clustering.n_clusters_)


def test_fit_forgets():
    _, clustering = fitted(n=4000)
    clustering.fit(None, [0.0, 1.0], actions=["x", "y"], users=["ann", "bob"])
    assert clustering.users_.tolist() == ["ann", "bob"]
    assert clustering.actions_.tolist() == ["x", "y"]
    assert clustering.n_feedback_ == 2


# --- asking --------------------------------------------------------------------------------


def test_someone_never_met_gets_the_shares():
    _world, clustering = fitted()
    proba = clustering.predict_proba([0, 10_000, 1])
    assert_allclose(proba[1], clustering.shares_)
    assert_allclose(proba.sum(axis=1), 1.0)
    assert proba[[0, 2]].max() > 0.9


def test_little_feedback_leaves_doubt():
    _world, clustering = fitted()
    clustering.partial_fit(None, [0.0], actions=[0], users=[999])
    once = clustering.predict_proba([999])[0]
    assert 0.01 < once.min() < once.max() < 0.99
    assert not np.allclose(once, clustering.shares_)


def test_score_is_higher_for_the_right_clusters():
    world, right = fitted(kind="real")
    _, one = fitted(kind="real", n_clusters=1)
    rewards, log = world.feedback(2000, "real")
    assert right.score(None, rewards, **log) > one.score(None, rewards, **log) + 0.1
    n = right.n_feedback_
    assert right.score(None, rewards, **log) == right.score(None, rewards, **log)
    assert right.n_feedback_ == n


def test_score_adds_up_to_one_over_outcomes():
    _world, clustering = fitted(n=5000)
    scores = [clustering.score(None, [y], actions=[2], users=[5]) for y in (0.0, 1.0)]
    assert_allclose(np.exp(scores).sum(), 1.0)


def test_fit_predict_answers_per_feedback():
    world = World(0)
    rewards, log = world.feedback(5000)
    clustering = PreferenceClustering(random_state=0)
    labels = clustering.fit_predict(None, rewards, **log)
    assert_array_equal(labels, clustering.predict(log["users"]))


# --- the same result, whatever is around it ---------------------------------------------------


@pytest.mark.parametrize("method", ["mixture", "kmeans"])
def test_same_seed_same_bits_on_any_number_of_threads(method):
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            _, clustering = fitted(n=8000, kind="real", method=method, n_clusters=3)
        results.append((clustering.predict_proba(clustering.users_), clustering.means_))
    for one, two in zip(*results, strict=True):
        assert_array_equal(one, two)


def test_strings_and_numbers_give_the_same_clusters():
    world = World(0)
    rewards, log = world.feedback(5000)
    numbers = PreferenceClustering(random_state=0).fit(None, rewards, **log)
    names = np.array([f"user {u:03d}" for u in log["users"]])
    items = np.array([f"item {a}" for a in log["actions"]], dtype=object)
    strings = PreferenceClustering(random_state=0).fit(None, rewards, actions=items, users=names)
    assert_array_equal(strings.labels_, numbers.labels_)
    assert strings.users_[3] == "user 003"


def test_clone_and_pickle():
    world, clustering = fitted(n=5000, max_clusters=4)
    copy = pickle.loads(pickle.dumps(clustering))
    rewards, log = world.feedback(100)
    for one in (clustering, copy):
        one.partial_fit(None, rewards, **log)
    assert_array_equal(copy.predict_proba(copy.users_), clustering.predict_proba(copy.users_))
    assert clone(clustering).get_params() == clustering.get_params()
    assert not hasattr(clone(clustering), "users_")


# --- errors ----------------------------------------------------------------------------------

GOOD = {"y": [1.0, 0.0], "actions": [0, 1], "users": [0, 1]}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"y": [1.0]}, "y has 1 values for 2"),
        ({"y": [1.0, np.nan]}, "(?i)y is nan in row 1"),
        ({"y": [1.0, np.inf]}, "finite"),
        ({"actions": [0]}, "actions has 1 values"),
        ({"actions": ["a", "b"]}, "actions are strings now"),
        ({"users": ["a", "b"]}, "users are strings now"),
    ],
)
def test_bad_feedback_changes_nothing(bad, message):
    _, clustering = fitted(n=3000)
    held = pickle.dumps(clustering.__dict__)
    arguments = {**GOOD, **bad}
    with pytest.raises(ValueError, match=message):
        clustering.partial_fit(None, arguments.pop("y"), **arguments)
    assert pickle.dumps(clustering.__dict__) == held


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_clusters": 0}, "n_clusters=0"),
        ({"n_clusters": "three"}, "n_clusters='three'"),
        ({"method": "kmeans"}, "k-means needs a number"),
        ({"method": "gmm"}, "method='gmm'"),
        ({"refit_factor": 1.0}, "refit_factor=1.0"),
        ({"min_feedback": 0}, "min_feedback=0"),
        ({"tol": -1.0}, "tol=-1.0"),
        ({"items": 1}, "actions has .*1.*, which is not among items"),
        ({"items": 0}, "items=0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PreferenceClustering(**arguments).fit(
            None, GOOD["y"], actions=GOOD["actions"], users=GOOD["users"]
        )


def test_no_feedback_is_no_clusters():
    with pytest.raises(ValueError, match="y is empty"):
        PreferenceClustering().fit(None, [], actions=[], users=[])


def test_asking_too_early():
    with pytest.raises(NotFittedError):
        PreferenceClustering().predict([0])


@pytest.mark.parametrize("change", [{"actions": [0, 99]}, {"y": [0.5, 1.0]}])
def test_score_refuses_what_it_cannot_judge(change):
    _, clustering = fitted(n=3000)
    arguments = {**GOOD, **change}
    with pytest.raises(ValueError, match=r"score needs|must be 0 or 1"):
        clustering.score(None, arguments.pop("y"), **arguments)


class TestMaxUsers:
    """Who gave no feedback for longest is forgotten, with all answers."""

    def told(self, max_users, n_batches=12, features=0, **arguments):
        rng = np.random.default_rng(0)
        clustering = PreferenceClustering(
            max_users=max_users, items=4, min_feedback=100, random_state=0, **arguments
        )
        sizes = []
        for batch in range(n_batches):
            users = np.repeat([f"person-{batch:02d}-{i:02d}" for i in range(10)], 6)
            actions = rng.integers(4, size=60)
            likes = np.where(np.arange(60) // 6 % 2 == 0, actions < 2, actions >= 2)
            rewards = (rng.random(60) < np.where(likes, 0.9, 0.1)).astype(float)
            X = rng.normal(size=(60, features)) if features else None
            clustering.partial_fit(X, rewards, actions=actions, users=users)
            sizes.append(clustering.users_.size)
        return clustering, sizes

    @pytest.mark.parametrize("features", [0, 2])
    def test_there_are_never_more_and_the_last_ones_stay(self, features):
        clustering, sizes = self.told(35, features=features)
        assert max(sizes) <= 35
        assert min(sizes[3:]) >= 31  # a tenth at once, and no more
        newest = [f"person-11-{i:02d}" for i in range(10)]
        assert np.isin(newest, clustering.users_).all()
        assert not np.isin("person-00-00", clustering.users_)
        count, _ = clustering.feedback_of(newest)
        assert count.sum() == 60
        assert clustering.predict_proba(clustering.users_).shape == (
            sizes[-1],
            clustering.n_clusters_,
        )

    @pytest.mark.parametrize("features", [0, 2])
    def test_nothing_of_who_is_forgotten_is_left(self, features):
        clustering, _ = self.told(35, features=features)
        saved = pickle.dumps(clustering)
        assert b"person-11-00" in saved or "person-11-00".encode("utf-32-le") in saved
        for secret in ("person-00-00", "person-03-05"):
            assert secret.encode() not in saved
            assert secret.encode("utf-32-le") not in saved
        count, total = clustering.feedback_of(["person-00-00"])
        assert count.sum() == total.sum() == 0.0

    def test_who_comes_again_stays(self):
        rng = np.random.default_rng(1)
        clustering = PreferenceClustering(max_users=20, items=2, random_state=0)
        for batch in range(10):
            users = np.array(["faithful", *(f"{batch}-{i}" for i in range(5))])
            rewards, actions = rng.random(6), rng.integers(2, size=6)
            clustering.partial_fit(None, rewards, actions=actions, users=users)
        count, _ = clustering.feedback_of(["faithful"])
        assert count.sum() == 10

    def test_a_batch_of_more_people_stays_together(self):
        clustering = PreferenceClustering(max_users=3, items=2, random_state=0)
        for first in (0, 10):
            users = np.arange(first, first + 10)
            clustering.partial_fit(None, np.ones(10), actions=np.zeros(10, int), users=users)
        assert clustering.users_.tolist() == list(range(10, 20))

    def test_room_enough_changes_nothing(self):
        (bounded, _), (free, _) = self.told(120), self.told(None)
        assert_array_equal(bounded.labels_, free.labels_)
        assert_array_equal(bounded.means_, free.means_)

    @pytest.mark.parametrize("value", [0, -1, 2.5, "many"])
    def test_bad_numbers_are_told(self, value):
        with pytest.raises(ValueError, match="max_users"):
            self.told(value, n_batches=1)
