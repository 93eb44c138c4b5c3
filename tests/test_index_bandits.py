"""Bandits without features: their formulas, and their regret against the rates known of them."""

import math

import naive_bandits as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.baselines import (
    EXP3,
    KLUCB,
    UCB1,
    BetaThompson,
    Boltzmann,
    BoltzmannGumbel,
    EpsilonGreedy,
    GaussianThompson,
    PerUser,
    Popularity,
)
from pgrpo_rec.baselines.boltzmann import _NODES, _WEIGHTS, gumbel_best
from pgrpo_rec.baselines.kl_ucb import divergence, upper_ends
from pgrpo_rec.baselines.window import empty_window, slide

SEEDS = st.integers(0, 2**32 - 1)
COUNT, TOTAL = np.array([40, 40, 10]), np.array([12.0, 16.0, 3.0])


def taught(bandit):
    """40, 40 and 10 answers, of which 12, 16 and 3 are clicks."""
    clicks = np.concatenate([np.arange(n) < k for n, k in zip(COUNT, TOTAL, strict=True)])
    log = {"actions": np.repeat([0, 1, 2], COUNT), "propensities": np.full(90, 1 / 3)}
    return bandit.fit(None, clicks.astype(float), **log)


def policy(bandit, available=None):
    return bandit.predict_proba(None, users=[0], available=available)[0]


def play(bandit, rates, n_rounds, n_runs=60, seed=0, change=None):
    """Return the regret so far of every round, of n_runs independent runs: clusters, told."""
    rng, runs, rates = np.random.default_rng(seed), np.arange(n_runs), np.array(rates)
    regret = np.zeros((n_rounds, n_runs))
    for turn in range(n_rounds):
        rates = rates[::-1] if turn == change else rates
        items, propensities = bandit.recommend(None, clusters=runs)
        shown = items[:, 0]
        clicks = (rng.random(n_runs) < rates[shown]).astype(float)
        log = {"actions": shown, "propensities": propensities[:, 0], "clusters": runs}
        bandit.partial_fit(None, clicks, **log)
        regret[turn] = rates.max() - rates[shown]
    return regret.cumsum(axis=0).mean(axis=1)


# --- formulas --------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scale"), [(1.0, 1.0), (0.3, 0.5)])
def test_ucb1_is_its_formula(width, scale):
    index = TOTAL / COUNT + width * scale * np.sqrt(2 * np.log(90) / COUNT)
    rec = taught(UCB1(3, width=width, scale=scale))
    assert_array_equal(policy(rec), np.eye(3)[index.argmax()])
    assert_array_equal(policy(rec, np.array([True, False, False])), [1, 0, 0])
    assert rec.predict(None, users=[0]) == 1


def test_without_a_scale_ucb1_does_not_see_the_units():
    X, shown = None, np.arange(200) % 3
    y = np.random.default_rng(0).normal(size=200) + 0.1 * shown
    for width in (0.1, 1.0):
        one, other = (UCB1(3, width=width).fit(X, r, actions=shown) for r in (y, 50 * y - 7))
        assert_array_equal(policy(one), policy(other))


@given(SEEDS)
@settings(deadline=None, max_examples=40)
def test_upper_ends_are_roots_of_the_divergence(seed):
    rng = np.random.default_rng(seed)
    count = rng.integers(0, 50, size=(4, 3)).astype(float)
    mean = np.where(count > 0, rng.integers(0, 5, size=(4, 3)) / 4, np.inf)
    budget = rng.exponential(3.0, size=4)
    got = upper_ends(mean, count, budget)
    for i, k in np.ndindex(4, 3):
        if count[i, k] == 0:
            assert got[i, k] == np.inf
        else:
            assert_allclose(
                got[i, k], naive.kl_upper_end(mean[i, k], count[i, k], budget[i]), atol=1e-9
            )


def test_kl_ucb_refuses_what_is_no_rate():
    with pytest.raises(ValueError, match=r"y is 1\.5 in row 1; a click rate needs rewards"):
        KLUCB(2).fit(None, [1.0, 1.5], actions=[0, 1])


def test_boltzmann_is_its_formula():
    heat = 0.7 * taught(GaussianThompson(3))._spread() * 90**-0.25
    odds = np.exp(TOTAL / COUNT / heat)
    rec = taught(Boltzmann(3, temperature=0.7, decay=0.25))
    assert_allclose(policy(rec), odds / odds.sum())
    assert_allclose(
        policy(rec, np.array([True, False, True])), odds * [1, 0, 1] / odds[[0, 2]].sum()
    )


@given(SEEDS, st.floats(0.01, 100.0))
@settings(deadline=None, max_examples=25)
def test_gumbel_probabilities_are_the_integral(seed, ratio):
    rng = np.random.default_rng(seed)
    value, noise = rng.normal(size=(1, 4)), np.exp(rng.normal(size=(1, 4)))
    noise[0, 0] *= ratio
    available = np.array([[True, True, True, False]])
    got = gumbel_best(value, noise, available, _NODES, _WEIGHTS)[0]
    assert_allclose(got[:3], naive.gumbel_best(value[0, :3], noise[0, :3]), atol=1e-4)
    assert got[3] == 0.0


def test_boltzmann_gumbel_shows_what_its_noise_would():
    rec = taught(BoltzmannGumbel(3, width=0.8))
    noise = np.random.default_rng(0).gumbel(size=(200_000, 3))
    drawn = TOTAL / COUNT + 0.8 * rec._spread() * noise / np.sqrt(COUNT)
    assert_allclose(policy(rec), np.bincount(drawn.argmax(axis=1)) / 200_000, atol=0.005)


@pytest.mark.parametrize("kind", [UCB1, KLUCB, Boltzmann, BoltzmannGumbel, EpsilonGreedy])
def test_what_was_never_shown_comes_first(kind):
    rec = kind(4, **({"epsilon": 0.0} if kind is EpsilonGreedy else {}))
    rec.fit(None, [1.0, 1.0], actions=[0, 1])
    assert_allclose(policy(rec), [0, 0, 0.5, 0.5])
    assert_allclose(policy(rec, np.array([True, True, False, True])), [0, 0, 0, 1])
    assert_allclose(policy(rec, np.array([True, False, False, False])), [1, 0, 0, 0])


def test_exp3_is_its_formula():
    clicks = np.array([1.0, 0.0, 0.0, 0.5])
    shown, propensities = np.array([0, 0, 1, 2]), np.array([0.5, 0.2, 0.4, 0.1])
    rec = EXP3(3, learning_rate=2.0, mixing=0.1)
    rec.fit(None, clicks, actions=shown, propensities=propensities)
    loss = np.array([5.0, 2.5, 5.0])
    assert_allclose(rec.loss_, [loss])
    odds = np.exp(-2.0 * np.sqrt(np.log(3) / 12) * loss)
    assert_allclose(policy(rec), 0.9 * odds / odds.sum() + 0.1 / 3)


def test_exp3_says_once_what_it_assumes_without_propensities():
    rec = EXP3(2, random_state=0)
    with pytest.warns(UserWarning, match="taken as shown by this policy"):
        rec.partial_fit(None, [0.0, 1.0], actions=[0, 1])
    told = EXP3(2).partial_fit(None, [0.0, 1.0], actions=[0, 1], propensities=[0.5, 0.5])
    assert_array_equal(rec.loss_, told.loss_)
    rec.partial_fit(None, [0.0], actions=[0])  # silently


def test_popularity_goes_by_the_sum_not_the_rate():
    rec = Popularity(3).fit(None, [1.0, 0.0, 0.0, 1.0, 1.0], actions=[0, 1, 1, 1, 1])
    assert_array_equal(policy(rec), [0, 1, 0])
    assert rec.predict(None, users=[0]) == 1


@given(SEEDS, st.integers(1, 12))
@settings(deadline=None, max_examples=30)
def test_a_window_holds_the_last_answers_of_each_cluster(seed, length):
    rng = np.random.default_rng(seed)
    clusters, actions = rng.integers(2, size=40), rng.integers(3, size=40)
    rewards = rng.integers(-3, 4, size=40).astype(float)
    sums, window = np.zeros((3, 2, 3)), empty_window(2, length)
    for rows in (slice(0, 25), slice(25, 40)):
        slide(window, *sums, clusters[rows], actions[rows], rewards[rows])
    assert_array_equal(sums, naive.last_answers(clusters, actions, rewards, 2, 3, length))


def test_a_window_beside_a_discount_is_refused():
    with pytest.raises(ValueError, match="window=50 is not possible beside discount"):
        UCB1(2, window=50, discount=0.9).fit(None, [1.0], actions=[0])


# --- a model a user --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [EpsilonGreedy, UCB1, GaussianThompson, BetaThompson])
def test_per_user_is_the_bandit_told_users_as_clusters(kind):
    rng = np.random.default_rng(0)
    users, shown = rng.integers(5, size=200), rng.integers(3, size=200)
    clicks = (rng.random(200) < 0.3 + 0.1 * (users % 3 == shown)).astype(float)
    rec = PerUser(kind(3, random_state=1)).fit(None, clicks, actions=shown, users=users)
    told = kind(3, random_state=1).fit(None, clicks, actions=shown, clusters=users)
    who = np.arange(7)
    assert_array_equal(rec.predict_proba(None, users=who), told.predict_proba(None, clusters=who))
    for a, b in zip(
        rec.recommend(None, users=who), told.recommend(None, clusters=who), strict=True
    ):
        assert a.shape == b.shape
    assert rec.items == 3
    assert not hasattr(rec.bandit, "actions_")


def test_per_user_refuses_what_is_no_bandit():
    with pytest.raises(ValueError, match="must be a Bandit"):
        PerUser(Popularity).fit(None, [1.0], actions=[0])


# --- rates -----------------------------------------------------------------------------------


def lai_robbins(rates, n):
    """Least regret, up to lower orders, of any bandit that is good everywhere."""
    best = max(rates)
    return sum((best - p) / divergence(p, best) for p in rates if p < best) * math.log(n)


def test_bandits_are_as_good_as_their_theorems_say():
    """Clicks at .5 and .3: logarithmic growth, KL-UCB and Thompson near the lower bound."""
    rates, n = [0.5, 0.3], 1200
    settings = {UCB1: {"scale": 1.0}, KLUCB: {}, BetaThompson: {}, BoltzmannGumbel: {}}
    regret = {k: play(k(2, random_state=0, **s), rates, n, n_runs=40) for k, s in settings.items()}
    for kind, curve in regret.items():
        late, early = curve[1199] - curve[599], curve[599] - curve[299]
        assert late < 1.5 * early + 1.0, kind  # a line would give 2 early, a root 1.4
    auer = 8 * math.log(n) / 0.2 + (1 + math.pi**2 / 3) * 0.2
    assert regret[UCB1][-1] < auer
    assert regret[KLUCB][-1] < 0.7 * regret[UCB1][-1]
    for kind in (KLUCB, BetaThompson):
        assert regret[kind][-1] < 1.5 * lai_robbins(rates, n) + 2.0


def test_exp3_stays_under_its_bound_and_below_a_line():
    n, k = 2000, 3
    curve = play(EXP3(k, random_state=0), [0.7, 0.4, 0.4], n)
    assert curve[-1] < 2.0 * math.sqrt(n * k * math.log(k))
    assert curve[-1] - curve[n // 2] < 0.7 * curve[n // 2]


def test_a_falling_epsilon_beats_a_constant_one():
    falling, constant = (
        play(EpsilonGreedy(3, random_state=0, **s), [0.7, 0.4, 0.4], 1500)[-1]
        for s in ({"epsilon": 1.0, "decay": 0.5}, {"epsilon": 0.1, "decay": 0.0})
    )
    assert falling < constant


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (UCB1, {"discount": 0.98}),
        (UCB1, {"window": 60}),
        (KLUCB, {"discount": 0.98}),
        (GaussianThompson, {"window": 60}),
        (EpsilonGreedy, {"discount": 0.98}),
    ],
)
def test_who_forgets_follows_an_abrupt_change(kind, form):
    fixed = {UCB1: {"width": 0.3}, EpsilonGreedy: {"epsilon": 0.05, "decay": 0.0}}.get(kind, {})
    plain, forgetting = (
        play(kind(2, random_state=0, **fixed, **s), [0.8, 0.3], 600, n_runs=30, change=300)
        for s in ({}, form)
    )
    assert forgetting[-1] - forgetting[299] < 0.7 * (plain[-1] - plain[299])
