"""Groups that differ in how they respond to features: the mixture of linear regressions."""

import pickle

import naive_clustering as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.clustering import linear, linear_search
from pgrpo_rec.clustering.memory import AnswerMemory, Kept, take_answers
from pgrpo_rec.estimators.clustering import PreferenceClustering
from pgrpo_rec.evidence import NO_COMMON_PART
from pgrpo_rec.natural import empty_fit, empty_sums, refresh

EFFORT = linear.Effort(2, 30, linear.SETTLED)


def draw(n_users=80, per_user=30, n_items=3, d=3, seed=0, opposite=True, binary=False):
    """Two halves of users who respond to features by opposite slopes, and alike on average."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), per_user)
    X = rng.normal(size=(users.size, d))
    actions = rng.integers(n_items, size=users.size)
    slopes = rng.normal(size=(n_items, d))
    sign = np.where(users % 2 == 0, 1.0, -1.0) if opposite else 1.0
    signal = sign * np.einsum("nj,nj->n", slopes[actions], X)
    if binary:
        rewards = (rng.random(users.size) < 1 / (1 + np.exp(-2 * signal))).astype(float)
    else:
        rewards = signal + rng.normal(size=users.size)
    return X, rewards, actions, users


def kept_of(X, rewards, actions, users):
    return Kept(users, np.hstack([np.ones((users.size, 1)), X]), actions, rewards)


def parameters_of(kept, n_users, n_items, n_clusters, seed=0):
    resp = np.random.default_rng(seed).dirichlet(np.ones(n_clusters), size=n_users)
    return linear.m_step(kept, n_items, resp, None, tune=False)


# --- kernels against their twins -----------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n_clusters=st.integers(1, 3))
def test_weighted_sums_match_naive(seed, n_clusters):
    kept = kept_of(*draw(5, 4, seed=seed))
    resp = np.random.default_rng(seed).dirichlet(np.ones(n_clusters), size=5)
    resp[resp < linear.NEGLIGIBLE] = 0.0
    sums = empty_sums(n_clusters, 3, 4)
    linear.add_weighted(sums, kept, resp)
    for got, want in zip(sums, naive.weighted_sums(kept, resp, 3), strict=True):
        assert_allclose(got, want, atol=1e-10)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), binary=st.booleans())
def test_log_densities_match_naive(seed, binary):
    kept = kept_of(*draw(6, 8, seed=seed, binary=binary))
    parameters = parameters_of(kept, 6, 3, 2, seed)
    got = linear.users_loglik(kept, 6, parameters, binary)
    assert_allclose(got, naive.regression_loglik(kept, 6, parameters, binary, linear.EDGE))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), binary=st.booleans(), n_clusters=st.integers(1, 3))
def test_left_out_densities_are_those_of_fits_to_the_others(seed, binary, n_clusters):
    kept = kept_of(*draw(6, 8, seed=seed, binary=binary))
    resp = np.random.default_rng(seed).dirichlet(np.ones(n_clusters), size=6)
    priors = linear._first_priors(n_clusters, 4, None)._replace(common=np.full(3, NO_COMMON_PART))
    parameters = linear.m_step(kept, 3, resp, priors, tune=False)
    got = np.zeros((6, n_clusters))
    p = parameters
    linear.add_left_out(got, kept, resp, p.fit, p.mean, p.std, binary)
    sorted_ones, of_blocks = take_answers(kept, np.argsort(kept.actions)), np.zeros_like(got)
    linear.add_left_out(of_blocks, sorted_ones, resp, p.fit, p.mean, p.std, binary)
    assert_allclose(of_blocks, got, rtol=1e-10)
    assert_allclose(got, naive.left_out_loglik(kept, 6, resp, p, binary, linear.EDGE), rtol=1e-8)


def test_left_out_of_clusters_that_are_one_is_left_out_of_that_one():
    """Clusters that may not differ are one cluster: a user's answers pull it as a whole."""
    kept = kept_of(*draw(6, 20, seed=1))
    sides = np.random.default_rng(0).dirichlet(np.ones(2), size=6)
    one = linear._first_priors(1, 4, None)._replace(own=np.full((1, 3), 3.0))
    two = linear._first_priors(2, 4, None)
    two = two._replace(own=np.full((2, 3), 1e5), common=np.full(3, 3.0))
    found = []
    for resp, priors in ((np.ones((6, 1)), one), (sides, two)):
        n_clusters = resp.shape[1]
        sums, fit = empty_sums(n_clusters, 3, 4), empty_fit(n_clusters, 3, 4)
        linear.add_weighted(sums, kept, resp)
        mean, std = np.zeros(n_clusters), np.ones(n_clusters)
        refresh(fit, sums, np.ones((n_clusters, 3), dtype=bool), mean, std, priors)
        fit.noise[:] = 1.0
        found.append(np.zeros((6, n_clusters)))
        linear.add_left_out(found[-1], kept, resp, fit, mean, std, False)
    assert_allclose(found[1], np.repeat(found[0], 2, axis=1), rtol=1e-3)


def test_clicks_have_probabilities():
    """Both outcomes of an answer add up to one, however far the line leads."""
    for expected in (-9.0, -1.0, 0.2, 1.0, 9.0):
        both = [linear.log_density(r, expected, 1.0, 0.1, 0.3, True) for r in (0.0, 1.0)]
        assert_allclose(np.exp(both).sum(), 1.0)


def test_log_mean_weighs_densities():
    resp, loglik = np.array([[0.25, 0.75]]), np.array([[-1000.0, -1001.0]])
    want = -1000.0 + np.log(0.25 + 0.75 * np.exp(-1.0))
    assert_allclose(linear.log_mean(resp, loglik), [want])


def test_moves_are_bayes_rule():
    moved = linear.move(np.array([[0.2, 0.8], [1.0, 0.0]]), np.log([[0.5, 0.1], [1e-9, 0.9]]))
    assert_allclose(moved[0], [0.1 / 0.18, 0.08 / 0.18])
    assert moved[1, 1] < moved[1, 0]  # nobody is lost for good, nor moved by one answer


# --- fits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_opposite_slopes_are_told_apart(binary):
    log = draw(binary=binary)
    fit, trials = linear_search.fit_linear(
        kept_of(*log), 80, 3, None, 4, EFFORT, np.random.default_rng(0)
    )
    assert fit.resp.shape[1] == 2
    assert adjusted_rand_score(np.arange(80) % 2, fit.resp.argmax(axis=1)) > 0.9
    assert trials[1][1] > trials[0][1]


def test_one_kind_of_users_stays_together():
    fit, _ = linear_search.fit_linear(
        kept_of(*draw(opposite=False)), 80, 3, None, 4, EFFORT, np.random.default_rng(0)
    )
    assert fit.resp.shape[1] == 1


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_found_from_few_answers_a_coefficient(seed):
    """Judged by fits with their own answers in them, people seem to belong where they are."""
    fit, _ = linear_search.fit_linear(
        kept_of(*draw(60, 20, 3, 10, seed=seed, binary=True)),
        60,
        3,
        None,
        4,
        EFFORT,
        np.random.default_rng(0),
    )
    assert fit.resp.shape[1] == 2
    assert adjusted_rand_score(np.arange(60) % 2, fit.resp.argmax(axis=1)) > 0.9


def test_what_is_found_in_noise_does_not_count(monkeypatch):
    kept = kept_of(*draw(300, 20, 5, 5, opposite=False))
    effort = EFFORT._replace(max_iter=300)
    for deals, n_found in ((0, 2), (2, 1)):
        monkeypatch.setattr(linear_search, "DEALS", deals)
        fit, _ = linear_search.fit_linear(kept, 300, 5, None, 2, effort, np.random.default_rng(0))
        assert fit.resp.shape[1] == n_found


def test_order_of_clusters_is_only_an_order():
    kept = kept_of(*draw(10, 10))
    parameters = parameters_of(kept, 10, 3, 3)
    order = np.array([2, 0, 1])
    turned = linear.reordered(parameters, order)
    got = linear.users_loglik(kept, 10, turned, False)
    assert_allclose(got, linear.users_loglik(kept, 10, parameters, False)[:, order])


def test_large_logs_are_searched_on_a_sample_of_users(monkeypatch):
    monkeypatch.setattr(linear_search, "SAMPLE_SIZE", 1200)
    fit, _ = linear_search.fit_linear(
        kept_of(*draw()), 80, 3, 2, 4, EFFORT, np.random.default_rng(0)
    )
    assert adjusted_rand_score(np.arange(80) % 2, fit.resp.argmax(axis=1)) > 0.9


# --- the memory ----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8), size=st.integers(1, 12))
def test_memory_keeps_the_last(sizes, size):
    memory, every = AnswerMemory(size), np.arange(sum(sizes))
    for part in np.split(every, np.cumsum(sizes)[:-1]):
        memory.add(Kept(part, part[:, None] * 1.0, part, part * 1.0))
    assert_array_equal(memory.all().users, every[-size:] if every.size else every)


def test_memory_makes_room_for_new_items():
    memory = AnswerMemory(9)
    memory.add(Kept(np.zeros(3, int), np.ones((3, 1)), np.arange(3), np.zeros(3)))
    memory.insert_items(np.array([1, 3]))
    assert_array_equal(memory.all().actions, [0, 2, 3])


# --- the estimators ------------------------------------------------------------------------


def test_clustering_takes_features():
    X, rewards, actions, users = draw()
    clustering = PreferenceClustering(random_state=0)
    clustering.fit(X, rewards, actions=actions, users=users)
    assert clustering.n_clusters_ == 2
    assert adjusted_rand_score(clustering.users_ % 2, clustering.labels_) > 0.9
    blind = PreferenceClustering(2, random_state=0)
    blind.fit(None, rewards, actions=actions, users=users)
    assert adjusted_rand_score(blind.users_ % 2, blind.labels_) < 0.3
    assert clustering.means_.shape == (2, 3)
    fresh = draw(seed=0, per_user=31)
    new = np.arange(30, fresh[3].size, 31)
    score = clustering.score(
        fresh[0][new], fresh[1][new], actions=fresh[2][new], users=fresh[3][new]
    )
    assert np.isfinite(score)
    again = pickle.loads(pickle.dumps(clustering))
    assert_array_equal(again.predict_proba(users), clustering.predict_proba(users))


def test_online_the_groups_are_found_too_and_strangers_are_placed_at_once():
    X, rewards, actions, users = draw(per_user=40)
    order = np.random.default_rng(1).permutation(users.size)
    clustering = PreferenceClustering(random_state=0, min_feedback=500)
    late = order[users[order] >= 78]
    for part in np.array_split(order[users[order] < 78], 20):
        clustering.partial_fit(X[part], rewards[part], actions=actions[part], users=users[part])
    assert clustering.n_clusters_ == 2
    refits = clustering.n_refits_
    clustering.partial_fit(X[late], rewards[late], actions=actions[late], users=users[late])
    assert clustering.n_refits_ == refits
    proba = clustering.predict_proba(np.arange(80))
    assert proba.max(axis=1).min() > 0.6
    assert adjusted_rand_score(np.arange(80) % 2, proba.argmax(axis=1)) > 0.9


def test_new_items_are_learned_with_features():
    X, rewards, actions, users = draw()
    first = actions > 0
    clustering = PreferenceClustering(random_state=0, min_feedback=300)
    for rows in (first, ~first):
        clustering.partial_fit(X[rows], rewards[rows], actions=actions[rows], users=users[rows])
    assert clustering.means_.shape == (clustering.n_clusters_, 3)
    assert clustering.n_clusters_ == 2


def test_bad_features_change_nothing():
    X, rewards, actions, users = draw(10, 10)
    log = {"actions": actions, "users": users}
    clustering = PreferenceClustering(random_state=0).partial_fit(X, rewards, **log)
    with pytest.raises(ValueError, match="X has 2 features, the first feedback had 3"):
        clustering.partial_fit(X[:, :2], rewards, **log)
    with pytest.raises(ValueError, match="X has 0 features"):
        clustering.partial_fit(None, rewards, **log)
    with pytest.raises(ValueError, match="99 rows"):
        clustering.partial_fit(X[:99], rewards, **log)
    with pytest.raises(ValueError, match="takes no features"):
        PreferenceClustering(2, method="kmeans").fit(X, rewards, **log)
    assert clustering.n_feedback_ == 100


def test_the_recommender_follows_groups_of_opposite_slopes():
    X, rewards, actions, users = draw(per_user=60)
    log = {"actions": actions, "propensities": np.full(users.size, 1 / 3)}
    learned = PGRPORecommender(random_state=0).fit(X, rewards, users=users, **log)
    told = PGRPORecommender(random_state=0).fit(X, rewards, clusters=users % 2, **log)
    assert learned.clustering_.n_clusters_ == 2
    same = learned.predict(X, users=users) == told.predict(X, clusters=users % 2)
    assert same.mean() > 0.9
    blind = PGRPORecommender(policy="tabular", random_state=0).fit(X, rewards, users=users, **log)
    assert blind.clustering_.n_clusters_ == 1
