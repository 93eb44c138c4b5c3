import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_clustering import beta_binomial, moments, person_density, posterior
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.clustering import bernoulli, gaussian, random_effects
from pgrpo_rec.clustering import beta_binomial as bb
from pgrpo_rec.clustering.labels import as_labels, find, insert
from pgrpo_rec.clustering.mixture import (
    FAMILIES,
    Budget,
    Search,
    fit_mixture,
    match_labels,
    reordered,
    run_em,
    separation,
)
from pgrpo_rec.clustering.starts import rank_features, seeded, split
from pgrpo_rec.clustering.statistics import (
    Statistics,
    empty_statistics,
    fold,
    shrinkage,
    take,
    value_vectors,
)

N_USERS, N_ACTIONS = 40, 4
seeds = st.integers(0, 2**32 - 1)


def feedback(kind, seed, n=400, n_users=N_USERS):
    """Feedback of two kinds of users, unevenly spread over users and items."""
    rng = np.random.default_rng(seed)
    rows = (n_users * rng.random(n) ** 1.5).astype(np.int64)
    columns = rng.integers(0, N_ACTIONS, n) * rng.integers(0, 2, n)
    likes = np.where(rows % 2 == 0, columns, N_ACTIONS - 1 - columns) / N_ACTIONS
    if kind == "bernoulli":
        return rows, columns, (rng.random(n) < 0.1 + 0.8 * likes).astype(float)
    return rows, columns, (1 + 4 * (rows % 2)) * (likes + rng.normal(size=n)) + 100.0


def statistics_of(kind, seed, n=400, n_users=N_USERS):
    statistics = empty_statistics(n_users, N_ACTIONS)
    fold(statistics, *feedback(kind, seed, n, n_users))
    return statistics


def some_parameters(kind, cells, seed, n_clusters=3):
    resp = np.random.default_rng(seed).dirichlet(np.full(n_clusters, 0.3), cells.counts.shape[0])
    return FAMILIES[kind].start(cells, resp)


# --- statistics ------------------------------------------------------------------------


@given(seeds, st.integers(0, 60), st.sampled_from([0.0, 1e9]))
@settings(max_examples=30, deadline=None)
def test_fold_matches_naive(seed, n, offset):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, 3, n), rng.integers(0, 2, n)
    rewards = offset + rng.normal(size=n)
    statistics = empty_statistics(3, 2)
    fold(statistics, rows, columns, rewards)
    for got, want in zip(statistics, moments(rows, columns, rewards, (3, 2)), strict=True):
        assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_value_vectors_pull_towards_the_items_mean():
    statistics = statistics_of("gaussian", 0)
    shrunk = shrinkage(statistics)
    vectors = value_vectors(statistics, shrunk)
    seen = statistics.counts > 0
    assert_allclose(vectors[~seen], np.broadcast_to(shrunk.mean, vectors.shape)[~seen])
    before = np.abs(statistics.mean - shrunk.mean)[seen]
    assert (np.abs(vectors - shrunk.mean)[seen] <= before + 1e-12).all()
    assert (np.abs(vectors - shrunk.mean)[seen] < before - 1e-12).any()


# --- one EM pass -------------------------------------------------------------------------


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_bernoulli_responsibilities_match_naive(seed):
    statistics = statistics_of("bernoulli", seed)
    cells = bernoulli.prepare(statistics)
    parameters = some_parameters("bernoulli", cells, seed)
    rates, shapes = bernoulli.means(parameters), np.exp(parameters.log_shapes)
    n, ones = statistics.counts, np.rint(statistics.counts * statistics.mean)
    loglik = [beta_binomial(ones, n, rates[p], shapes[p]).sum(axis=1) for p in range(3)]
    resp = np.empty((N_USERS, 3))
    total, _ = bernoulli.e_step(parameters, cells, resp)
    want_resp, want_total = posterior(parameters.shares, np.stack(loglik, axis=1))
    assert_allclose(resp, want_resp, rtol=1e-8, atol=1e-12)
    assert_allclose(total, want_total, rtol=1e-10)


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_gaussian_responsibilities_match_naive(seed):
    rows, columns, rewards = feedback("gaussian", seed, n=120)
    cells = gaussian.prepare(statistics_of("gaussian", seed, n=120))
    parameters = some_parameters("gaussian", cells, seed, n_clusters=2)
    loglik = np.zeros((N_USERS, 2))
    for u, p in np.ndindex(N_USERS, 2):
        own = rows == u
        if own.any():
            loglik[u, p] = person_density(
                rewards[own],
                columns[own],
                parameters.means[p],
                np.exp(parameters.log_between[p]),
                np.exp(parameters.log_within[p]),
                np.exp(parameters.log_person[p]),
            )
    resp = np.empty((N_USERS, 2))
    total, _ = gaussian.e_step(parameters, cells, resp)
    want_resp, want_total = posterior(parameters.shares, loglik)
    assert_allclose(resp, want_resp, rtol=1e-6, atol=1e-9)
    assert_allclose(total, want_total, rtol=1e-8)


def test_counts_beyond_the_cap_change_little():
    statistics = statistics_of("gaussian", 3)
    long = statistics._replace(counts=statistics.counts * 40, m2=statistics.m2 * 40)
    parameters = some_parameters("gaussian", gaussian.prepare(statistics), 3)
    full, capped = np.empty((2, N_USERS, 3))
    exact, _ = gaussian.e_step(parameters, gaussian.prepare(long, cap=10**6), full)
    close, _ = gaussian.e_step(parameters, gaussian.prepare(long, cap=200), capped)
    assert gaussian.prepare(long, cap=200).offsets[-1] < gaussian.prepare(long).offsets[-1]
    assert_allclose(close, exact, rtol=1e-3)
    assert_allclose(capped, full, atol=0.02)


def test_bernoulli_counts_are_thinned_to_the_cap():
    cells = bernoulli.prepare(
        Statistics(np.array([[5000, 3]], np.int32), np.array([[0.25, 1.0]]), np.zeros((1, 2)))
    )
    assert_array_equal(cells.counts, [[bernoulli.COUNT_CAP, 3]])
    assert_array_equal(cells.hits, [[bernoulli.COUNT_CAP // 4, 3]])


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("seed", range(6))
def test_em_never_goes_down(kind, seed):
    family = FAMILIES[kind]
    cells = family.prepare(statistics_of(kind, seed))
    parameters = some_parameters(kind, cells, seed)
    resp, values = np.empty((N_USERS, 3)), []
    for _ in range(40):
        loglik, sums = family.e_step(parameters, cells, resp)
        values.append(loglik + family.log_prior(parameters))
        parameters = family.m_step(parameters, cells, resp, sums)
    assert (np.diff(values) > -1e-8 * np.abs(values[0])).all()
    assert values[-1] > values[0] + 1.0


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_m_step_changes_neither_its_parameters_nor_its_sums(kind):
    family = FAMILIES[kind]
    cells = family.prepare(statistics_of(kind, 0))
    parameters, resp = some_parameters(kind, cells, 0), np.empty((N_USERS, 3))
    _, sums = family.e_step(parameters, cells, resp)
    held = [np.array(part) for part in (*parameters, *sums)]
    family.m_step(parameters, cells, resp, sums)
    for old, new in zip(held, (*parameters, *sums), strict=True):
        assert_array_equal(old, new)


# --- derivatives ---------------------------------------------------------------------------


def differences(function, x, step=1e-4):
    up, here, down = function(x + step), function(x), function(x - step)
    return (up - down) / (2 * step), (up - 2 * here + down) / step**2


@given(seeds, st.floats(-4, 4), st.floats(-1, 6))
@settings(max_examples=30, deadline=None)
def test_beta_binomial_slopes_match_differences(seed, logit, log_shape):
    tail = -np.sort(-np.random.default_rng(seed).exponential(size=(3, 12, 1)), axis=1)
    tails, bounds = bb.Tables(*np.ascontiguousarray(tail)), (0, 0, 12)
    got = bb.logit_slopes(logit, log_shape, tails, bounds)
    want = differences(lambda x: bb.cell_value(x, log_shape, tails, bounds), logit)
    assert_allclose(got, want, rtol=1e-4, atol=1e-3)
    got = bb.shape_slopes(logit, log_shape, tails, bounds)
    want = differences(lambda x: bb.cell_value(logit, x, tails, bounds), log_shape)
    assert_allclose(got, want, rtol=1e-4, atol=1e-3)


@given(seeds, st.floats(-4, 3), st.floats(-4, 3), st.sampled_from([0, 1]))
@settings(max_examples=30, deadline=None)
def test_random_effect_slopes_match_differences(seed, between, within, which):
    rng = np.random.default_rng(seed)
    weight, first, second = rng.exponential(size=(3, 8, 1))
    sums = random_effects.Sums(
        weight, first, second, rng.exponential(size=(1, 1, 2)), np.zeros((1, 2))
    )
    cell, pair = (0, 0, 0, 8), (between, within)

    def value(x):
        moved = (x, within) if which == 0 else (between, x)
        return random_effects.cell_value(moved, sums, cell)

    got = random_effects.slopes(which, pair, sums, cell)
    assert_allclose(got, differences(value, pair[which]), rtol=1e-3, atol=1e-3)


# --- starts, labels, selection ------------------------------------------------------------


@given(seeds, st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_starts_are_responsibilities(seed, number):
    rng = np.random.default_rng(seed)
    features = rank_features(statistics_of("bernoulli", seed, n=100))
    resp = seeded(features, number, rng)
    grown = split(features, resp, number - 1, rng)
    for table, n_clusters in ((resp, number), (grown, number + 1)):
        assert table.shape == (N_USERS, n_clusters)
        assert (table >= 0).all()
        assert_allclose(table.sum(axis=1), 1.0)
    assert_allclose(grown[:, : number - 1], resp[:, : number - 1])


def test_rank_features_do_not_hear_the_scale():
    statistics = statistics_of("gaussian", 1)
    loud = statistics._replace(mean=50 * statistics.mean, m2=2500 * statistics.m2)
    assert_allclose(rank_features(loud), rank_features(statistics))


@given(seeds, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_match_labels_undoes_any_shuffle(seed, n_before, n_after):
    rng = np.random.default_rng(seed)
    before = np.eye(n_before)[rng.permutation(np.arange(30) % n_before)]
    shuffle = rng.permutation(n_before)
    assert_array_equal(before[:, shuffle][:, match_labels(before, before[:, shuffle])], before)
    order = match_labels(before, rng.dirichlet(np.ones(n_after), 30))
    assert_array_equal(np.sort(order), np.arange(n_after))


def test_new_clusters_follow_by_size():
    after = np.eye(3)[[0, 0, 1, 1, 1, 2, 2, 2, 2, 2]]
    assert_array_equal(match_labels(np.ones((10, 1)), after), [2, 1, 0])


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_the_fit_is_the_same_in_any_order_of_clusters(kind):
    family = FAMILIES[kind]
    cells = family.prepare(statistics_of(kind, 2))
    fit = run_em(family, cells, some_parameters(kind, cells, 2), 20, 0.0)
    resp = np.empty_like(fit.resp)
    loglik, _ = family.e_step(reordered(fit.parameters, np.array([2, 0, 1])), cells, resp)
    assert_allclose(loglik, fit.loglik)
    assert_allclose(resp, fit.resp[:, [2, 0, 1]], atol=1e-12)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_two_kinds_of_users_are_found(kind):
    statistics = statistics_of(kind, 5, n=6000, n_users=100)
    search = Search(None, 4, Budget(2, 200, 1e-6))
    fit, trials = fit_mixture(kind, statistics, search, np.random.default_rng(0))
    assert fit.resp.shape == (100, 2)
    told = fit.resp.argmax(axis=1)[: 2 * 30].reshape(30, 2)  # the first have most feedback
    assert (told == told[0]).all()
    assert told[0, 0] != told[0, 1]
    assert trials["criterion"].argmin() == 1
    assert trials["loglik"][1] > trials["loglik"][0]
    assert separation(FAMILIES[kind], fit.parameters) == trials["separation"][1]


def test_people_who_only_rate_higher_are_no_group_of_their_own():
    rng = np.random.default_rng(0)
    rows, columns = np.repeat(np.arange(300), 12), np.tile(np.arange(6), 600)
    level = 4.0 * rng.normal(size=300)  # strict and generous raters, one taste
    rewards = np.arange(6.0)[columns] + level[rows] + rng.normal(size=rows.size)
    statistics = empty_statistics(300, 6)
    fold(statistics, rows, columns, rewards)
    search = Search(None, 4, Budget(2, 100, 1e-6))
    fit, _ = fit_mixture("gaussian", statistics, search, np.random.default_rng(0))
    assert fit.parameters.shares.size == 1
    person = np.exp(0.5 * fit.parameters.log_person[0])
    assert abs(person - level.std()) < 0.3


def test_an_asked_number_is_obeyed():
    search = Search(4, 2, Budget(1, 50, 1e-4))
    fit, trials = fit_mixture(
        "gaussian", statistics_of("gaussian", 0), search, np.random.default_rng(0)
    )
    assert fit.resp.shape == (N_USERS, 4)
    assert_array_equal(trials["n_clusters"], [1, 2, 3, 4])


def test_large_populations_are_searched_on_a_sample(monkeypatch):
    monkeypatch.setattr("pgrpo_rec.clustering.mixture.SAMPLE_SIZE", 50)
    statistics = statistics_of("bernoulli", 5, n=6000, n_users=100)
    search = Search(2, 2, Budget(2, 200, 1e-6))
    fit, _ = fit_mixture("bernoulli", statistics, search, np.random.default_rng(0))
    whole = bernoulli.e_step(fit.parameters, bernoulli.prepare(statistics), np.empty((100, 2)))[0]
    assert fit.resp.shape == (100, 2)
    assert_allclose(fit.loglik, whole)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_new_items_start_at_the_clusters_level(kind):
    family = FAMILIES[kind]
    statistics = statistics_of(kind, 0)
    cells = family.prepare(statistics)
    parameters = some_parameters(kind, cells, 0)
    grown = family.insert_actions(parameters, np.array([0, 2]))
    kept = [1, 2, 4, 5]
    assert_allclose(family.means(grown)[:, kept], family.means(parameters))
    level = parameters.level if kind == "gaussian" else 1 / (1 + np.exp(-parameters.level))
    assert_allclose(family.means(grown)[:, [0, 3]], np.stack([level, level], axis=1))


# --- labels --------------------------------------------------------------------------------


@given(st.lists(st.integers(-5, 5), max_size=8), st.lists(st.integers(-5, 5), max_size=8))
@settings(deadline=None)
def test_insert_then_find(first, second):
    known, rows = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    table: list[int] = []
    for batch in (np.array(first, dtype=np.int64), np.array(second, dtype=np.int64)):
        new = np.unique(batch[find(known, batch) < 0])
        known, rows = insert(known, rows, new)
        table += new.tolist()
    assert_array_equal(known, np.unique(first + second))
    assert [table[row] for row in rows] == known.tolist()
    assert_array_equal(find(known, np.array([99])), [-1])


def test_longer_strings_are_not_cut():
    known, rows = insert(np.array(["a"]), np.array([0]), np.array(["long label"]))
    assert known.tolist() == ["a", "long label"]
    assert rows.tolist() == [0, 1]


@pytest.mark.parametrize("values", [[1, "a"], [[1, 2]], [1j]])
def test_labels_of_no_single_type_are_refused(values):
    with pytest.raises(ValueError, match="users"):
        as_labels("users", np.array(values, dtype=object if "a" in values else None))


def test_take_of_a_slice_is_a_view():
    statistics = statistics_of("bernoulli", 0)
    assert np.shares_memory(take(statistics, slice(3)).mean, statistics.mean)
