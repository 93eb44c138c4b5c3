import gymnasium as gym
import naive_bandits
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import simulate
from pgrpo_rec.baselines import (
    EXP3,
    KLUCB,
    UCB1,
    BetaThompson,
    Boltzmann,
    BoltzmannGumbel,
    EpsilonGreedy,
    GaussianThompson,
    HybridLinTS,
    HybridLinUCB,
    LinTS,
    LinUCB,
    LogisticTS,
    Oracle,
    Popularity,
    SharedLinTS,
    SharedLinUCB,
    SquareCB,
    Uniform,
)
from pgrpo_rec.baselines.base import add_rewards, spread_over_best

SEEDS = st.integers(0, 2**32 - 1)
QUICK = [EpsilonGreedy, GaussianThompson, LinTS, LinUCB, Boltzmann, SquareCB]  # untuned
# what these know is sums of answers, whatever the batches
SUMS = [*QUICK, BoltzmannGumbel, KLUCB, EXP3, Popularity, UCB1, HybridLinTS, HybridLinUCB]
SUMS += [SharedLinTS, SharedLinUCB]
LEARNING = [*SUMS, LogisticTS]
RATES = {LogisticTS, KLUCB, EXP3}  # rewards must be from 0 to 1
BAD = {
    EpsilonGreedy: {"epsilon": -0.1, "decay": -1.0},
    GaussianThompson: {"prior_count": 0.0, "width": 0.0},
    LinTS: {"ridge": 0.0, "width": np.nan, "discount": 0.0},
    LinUCB: {"ridge": -1.0, "width": 0.0, "discount": 1.1},
    LogisticTS: {"prior_rate": 1.0, "ridge": 0.0, "width": 0.0, "discount": 0.0},
    Uniform: {"items": 0},
    UCB1: {"width": 0.0, "scale": 0.0, "discount": 0.0, "window": 0},
    KLUCB: {"width": 0.0, "log_log": -1.0, "discount": 2.0},
    Boltzmann: {"temperature": 0.0, "decay": -1.0},
    BoltzmannGumbel: {"width": 0.0, "discount": 0.0},
    EXP3: {"learning_rate": 0.0, "mixing": 1.5},
    HybridLinTS: {"ridge": 0.0, "shared_ridge": 0.0, "width": 0.0, "discount": 0.0},
    HybridLinUCB: {"ridge": 0.0, "shared_ridge": -1.0, "width": 0.0, "discount": 1.1},
    SharedLinTS: {"ridge": 0.0, "width": np.nan, "discount": 0.0},
    SharedLinUCB: {"ridge": -1.0, "width": 0.0, "discount": 1.1},
    SquareCB: {"ridge": 0.0, "gamma": 0.0, "growth": -1.0, "discount": 0.0},
}


def draw_log(seed=0, n=300, n_items=4, d=2):
    rng = np.random.default_rng(seed)
    X, actions = rng.normal(size=(n, d)), rng.integers(n_items, size=n)
    clusters = rng.integers(2, size=n)
    y = 5.0 + 0.2 * actions + X[:, 0] * (actions - 1) + 0.4 * clusters * actions
    told = {"clusters": clusters, "propensities": np.full(n, 1.0 / n_items)}
    return X, y + rng.normal(size=n), {"actions": actions, **told}


def draw_log_for(kind):
    """Rewards that a recommender can take: clicks, where it asks for them."""
    X, y, log = draw_log()
    return X, (y > np.median(y)).astype(float) if kind in RATES else y, log


def thompson_by_counting(mean, std, n=200_000):
    draws = np.random.default_rng(0).normal(mean, std, size=(n, len(mean)))
    return np.bincount(draws.argmax(axis=1), minlength=len(mean)) / n


def test_uniform_shares_among_what_is_available():
    rec = Uniform(4, random_state=0)
    available = np.array([[True, True, False, True], [False, False, True, False]])
    items, propensities = rec.recommend(np.zeros((2, 1)), available=available)
    assert_allclose(propensities[:, 0], [1 / 3, 1.0])
    assert items[1, 0] == 2
    right = [[1 / 3, 1 / 3, 0, 1 / 3], [0, 0, 1, 0]]
    assert_allclose(rec.predict_proba(np.zeros((2, 1)), available=available), right)


@pytest.mark.parametrize(("epsilon", "decay"), [(0.5, 0.5), (2.0, 0.7), (0.05, 0.0), (0.0, 1.0)])
def test_epsilon_greedy_is_its_formula(epsilon, decay):
    X, y, log = draw_log()
    rec = EpsilonGreedy(epsilon=epsilon, decay=decay).fit(X, y, actions=log["actions"])
    means = [y[log["actions"] == k].mean() for k in range(4)]
    share = min(1.0, epsilon * 4 / 300**decay)
    right = np.full(4, share / 4)
    right[np.argmax(means)] += 1.0 - share
    assert_allclose(rec.predict_proba(X[:3]), np.tile(right, (3, 1)))
    assert rec.predict(X[:1])[0] == np.argmax(means)


def test_items_never_shown_count_as_best_and_ties_are_shared():
    rec = EpsilonGreedy(4, epsilon=0.0).fit(np.zeros((3, 1)), [1.0, 9.0, 5.0], actions=[0, 1, 1])
    assert_allclose(rec.predict_proba([[0.0]]), [[0.0, 0.0, 0.5, 0.5]])
    tied = spread_over_best(np.array([[1.0, 3.0, 3.0, 9.0]]), np.array([[True, True, True, False]]))
    assert_allclose(tied, [[0.0, 0.5, 0.5, 0.0]])


@given(SEEDS, st.integers(1, 6), st.integers(1, 8))
@settings(deadline=None, max_examples=40)
def test_the_best_share_as_in_numpy(seed, n, n_items):
    rng = np.random.default_rng(seed)
    values = rng.choice([-np.inf, -1.0, 0.0, 2.0, np.inf], size=(n, n_items))
    available = rng.random((n, n_items)) < 0.6
    available[:, 0] = True
    right = naive_bandits.spread_over_best(values, available)
    assert_array_equal(spread_over_best(values, available), right)


@pytest.mark.parametrize(("prior_count", "width"), [(1.0, 1.0), (20.0, 2.0), (0.5, 0.3)])
def test_gaussian_thompson_is_counted_draws(prior_count, width):
    X, y, log = draw_log(n=40)
    rec = GaussianThompson(prior_count=prior_count, width=width).fit(X, y, actions=log["actions"])
    count = np.bincount(log["actions"], minlength=4)
    total = np.bincount(log["actions"], weights=y, minlength=4)
    mean = (total + prior_count * y.mean()) / (count + prior_count)
    std = width * y.std(ddof=1) / np.sqrt(count + prior_count)
    assert_allclose(rec.predict_proba(X[:1])[0], thompson_by_counting(mean, std), atol=0.005)
    assert rec.predict(X[:1])[0] == np.argmax(mean)


def ridge(X, y, penalty):
    z = np.hstack([np.ones((len(X), 1)), X])
    inverse = np.linalg.inv(z.T @ z + penalty * np.eye(z.shape[1]))
    return inverse, inverse @ z.T @ y


@pytest.mark.parametrize(("penalty", "width"), [(1.0, 1.0), (30.0, 2.0)])
def test_linear_thompson_is_counted_draws_of_numpys_ridge(penalty, width):
    X, y, log = draw_log(n=60)
    rec = LinTS(ridge=penalty, width=width).fit(X, y, actions=log["actions"])
    z = np.array([1.0, 0.4, -0.7])
    fits = [ridge(X[log["actions"] == k], y[log["actions"] == k], penalty) for k in range(4)]
    mean = np.array([theta @ z for _, theta in fits])
    std = width * y.std(ddof=1) * np.sqrt([z @ inverse @ z for inverse, _ in fits])
    got = rec.predict_proba(z[None, 1:])[0]
    assert_allclose(got, thompson_by_counting(mean, std), atol=0.005)
    assert rec.predict(z[None, 1:])[0] == np.argmax(mean)


def test_logistic_thompson_learns_rates_and_refuses_what_is_none():
    rng = np.random.default_rng(0)
    X, actions = rng.normal(size=(4000, 1)), rng.integers(2, size=4000)
    rate = 1.0 / (1.0 + np.exp(-(X[:, 0] * np.where(actions == 0, 1.5, -0.5) - 1.0)))
    clicks = (rng.random(4000) < rate).astype(float)
    rec = LogisticTS(2, ridge=0.1, random_state=0).fit(X, clicks, actions=actions)
    logit, _ = rec._posterior(rec._check_fitted_visits([[1.0]], None, None, None), 0.0, 0.0)
    assert_allclose(logit, [[0.5, -1.5]], atol=0.25)
    with pytest.raises(ValueError, match="a click rate needs rewards from 0 to 1"):
        rec.partial_fit(X[:2], [0.0, 2.0], actions=[0, 1])


def test_linear_ucb_shows_the_highest_bound_and_shares_ties():
    X, y, log = draw_log(n=60)
    rec = LinUCB(5, ridge=2.0, width=0.7).fit(X, y, actions=log["actions"])
    z = np.array([1.0, 0.4, -0.7])
    fits = [ridge(X[log["actions"] == k], y[log["actions"] == k], 2.0) for k in range(5)]
    index = [t @ z + 0.7 * y.std(ddof=1) * np.sqrt(z @ inverse @ z) for inverse, t in fits]
    assert rec.predict_proba(z[None, 1:])[0].argmax() == np.argmax(index)
    assert_allclose(LinUCB(4).recommend(np.ones((1, 2)))[1], 0.25)


@pytest.mark.parametrize("kind", [GaussianThompson, BetaThompson, LinTS, LinUCB, LogisticTS])
def test_forgetting_follows_tastes_that_changed(kind):
    """First item 0 is right, then item 1: who forgets gets there, who does not lags."""
    rng = np.random.default_rng(0)
    value = {}
    for discount in (1.0, 0.95):
        rec = kind(2, discount=discount, random_state=0)
        right = 0.0
        for turn in range(60):
            wanted = int(turn >= 40)
            items, _ = rec.recommend(np.zeros((10, 1)))
            clicks = rng.random(10) < np.where(items[:, 0] == wanted, 0.9, 0.2)
            rec.partial_fit(np.zeros((10, 1)), clicks.astype(float), actions=items[:, 0])
            right += (items[:, 0] == wanted).mean() * (turn >= 45)
        value[discount] = right / 15
    assert value[0.95] > 0.6
    assert value[0.95] > value[1.0] + 0.1


def test_sums_per_cluster_and_item():
    count, total, square = np.zeros((3, 2, 2))
    clusters, actions = np.array([0, 1, 1]), np.array([1, 0, 0])
    add_rewards(count, total, square, clusters, actions, np.array([2.0, 3.0, -1.0]))
    assert_array_equal(count, [[0, 1], [2, 0]])
    assert_array_equal(total, [[0, 2], [2, 0]])
    assert_array_equal(square, [[0, 4], [10, 0]])


@pytest.mark.parametrize("kind", [GaussianThompson, LinTS])
def test_told_clusters_there_is_one_model_a_cluster(kind):
    """Each is what it would be alone, but for the spread, which is that of all rewards."""
    X, y, log = draw_log(n=600)
    rec = kind(4).fit(X, y, **log)
    for cluster in (0, 1):
        mine = log["clusters"] == cluster
        alone = kind(4).fit(X[mine], y[mine], actions=log["actions"][mine])
        alone.set_params(width=y.std(ddof=1) / y[mine].std(ddof=1))
        got = rec.predict_proba(X, clusters=np.full(600, cluster))
        assert_allclose(got, alone.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("kind", LEARNING)
def test_clusters_never_met_get_the_prior(kind):
    X, y, log = draw_log_for(kind)
    rec = kind(4).fit(X, y, **log)
    strange = rec.predict_proba(X[:5], clusters=np.full(5, 9))
    assert_allclose(strange, 0.25, atol=1e-6)
    rec.partial_fit(X, y, **{**log, "clusters": np.full(300, 9)})
    assert rec.count_.shape == (3, 4)
    assert np.abs(rec.predict_proba(X[:5], clusters=np.full(5, 9)) - strange).max() > 0.05


@pytest.mark.parametrize("kind", LEARNING)
def test_users_are_accepted_and_ignored(kind):
    X, y, log = draw_log_for(kind)
    del log["clusters"]
    told, untold = (kind(4).fit(X, y, **log, **who) for who in ({"users": y}, {}))
    assert_array_equal(told.predict_proba(X, users=y), untold.predict_proba(X))


@pytest.mark.parametrize("kind", LEARNING)
def test_clusters_are_told_always_or_never(kind):
    X, y, log = draw_log_for(kind)
    with pytest.raises(ValueError, match="clusters must be given at every call or at none"):
        kind(4).fit(X, y, **log).predict(X)
    clusters = log.pop("clusters")
    with pytest.raises(ValueError, match="clusters must be given at every call or at none"):
        kind(4).fit(X, y, **log).predict(X, clusters=clusters)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in BAD for n in BAD[k]])
def test_an_argument_out_of_range_is_named_and_changes_nothing(kind, name):
    X, y, log = draw_log_for(kind)
    rec = kind(4, random_state=0).fit(X, y, **log)
    before, good = rec.predict_proba(X, clusters=log["clusters"]), rec.get_params()[name]
    rec.set_params(**{name: BAD[kind][name]})
    with pytest.raises(ValueError, match=f"^{name}="):
        rec.fit(X[:, :1], y, **log)
    rec.set_params(**{name: good})
    assert_array_equal(rec.predict_proba(X, clusters=log["clusters"]), before)
    fresh = kind(**{"items": 4, name: BAD[kind][name]})
    with pytest.raises(ValueError, match=f"^{name}="):
        fresh.recommend(X)
    assert not hasattr(fresh, "actions_")


@pytest.mark.parametrize("kind", SUMS)
def test_batches_one_by_one_are_one_log(kind):
    X, y, log = draw_log_for(kind)
    whole, parts = kind(4).fit(X, y, **log), kind(4)
    for start in range(0, 300, 50):
        rows = slice(start, start + 50)
        parts.partial_fit(X[rows], y[rows], **{name: column[rows] for name, column in log.items()})
    a, b = (r.predict_proba(X, clusters=log["clusters"]) for r in (whole, parts))
    assert_allclose(a, b, atol=1e-9)


def world(seed):
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0", num_envs=32, preset="plain", world_seed=seed
    )


@pytest.mark.parametrize("kind", QUICK)
def test_better_than_uniform_on_every_one_of_five_worlds(kind):
    """Paired: the same worlds and visitors for both."""
    for seed in range(5):
        tables = [
            simulate(k(12, random_state=0), world(seed), 3000, seed=1) for k in (kind, Uniform)
        ]
        regret = [table["regret"][-1000:].mean() for table in tables]
        assert regret[0] < 0.8 * regret[1]


def test_oracle_has_no_regret_and_serves_only_the_visits_it_knows():
    env = world(0)
    oracle = Oracle(env)
    assert oracle.items == 12
    table = simulate(oracle, env, 640, seed=0)
    assert_allclose(table["regret"], 0.0, atol=1e-12)
    assert_allclose(table["propensity"], 1.0)
    with pytest.raises(ValueError, match="the world holds 32 visits, 3 were asked for"):
        oracle.predict(np.zeros((3, 6)))


# --- who else is there, and rewards measured against the cluster's history -------------------


@pytest.mark.parametrize("kind", [LinTS, LinUCB, LogisticTS, GaussianThompson, BetaThompson])
def test_what_is_shown_does_not_depend_on_who_else_is_there(kind):
    """Of a large block only widths that matter are computed, of a small one all are."""
    rng = np.random.default_rng(0)
    X, actions = rng.normal(size=(600, 3)), rng.integers(5, size=600)
    clicks = (X[:, 0] * (actions - 2.0) + rng.normal(size=600) > 0.0).astype(float)
    rec = kind(5, random_state=0).fit(X, clicks, actions=actions)
    together = rec.predict_proba(X[:64])
    alone = np.vstack([rec.predict_proba(X[i : i + 1]) for i in range(64)])
    assert_array_equal(together, alone)


def test_standardised_lin_ts_does_not_see_the_units_of_a_cluster():
    rng = np.random.default_rng(0)
    X, actions, clusters = rng.normal(size=(400, 2)), rng.integers(3, size=400), np.arange(400) % 2
    rewards = rng.normal(size=400) + X[:, 0] * actions
    other_units = np.where(clusters == 1, 1000.0 * rewards + 7.0, rewards)
    for standardise, same in ((True, True), (False, False)):
        one, other = (
            LinTS(3, standardise=standardise, random_state=0)
            .fit(X, y, actions=actions, clusters=clusters)
            .predict_proba(X[:20], clusters=clusters[:20])
            for y in (rewards, other_units)
        )
        assert np.allclose(one, other, atol=1e-7) == same
