"""What the natural learner decides by itself: clicks, products of features, forgetting."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.estimators.natural_learner import REST, kinds_of_columns
from pgrpo_rec.natural import NOISE_PRIOR
from pgrpo_rec.posterior import probability_of_best


def taught(rounds, answer, seed=0, n=64, n_items=3, n_features=2):
    """Return the learner after rounds of random shows; ``answer(rng, round, X, shown)``."""
    rng = np.random.default_rng(seed)
    recommender = PGRPORecommender(n_items, random_state=0)
    for number in range(rounds):
        X = rng.normal(size=(n, n_features))
        shown = rng.integers(n_items, size=n)
        recommender.partial_fit(
            X,
            answer(rng, number, X, shown),
            actions=shown,
            propensities=np.full(n, 1.0 / n_items),
            clusters=np.zeros(n, dtype=int),
        )
    return recommender


def taught_by(answer, n_features, exploration, n=40):
    """Return X, y and shown of one batch, in which item 3 never was, and who has learned it."""
    rng = np.random.default_rng(1)
    X, shown = rng.normal(size=(n, n_features)), rng.integers(3, size=n)
    y, who = answer(rng, 0, X, shown), np.zeros(n, dtype=int)
    recommender = PGRPORecommender(4, exploration=exploration, random_state=0)
    told = {"actions": shown, "propensities": np.full(n, 0.25), "clusters": who}
    recommender.partial_fit(X if n_features else None, y, **told)
    return X, y, shown, recommender


def clicks(rng, number, X, shown):
    return (rng.uniform(size=len(X)) < expit(X[:, 0] * (shown - 1.0) - 1.0)).astype(float)


def test_two_values_are_fitted_by_log_odds_and_a_third_ends_that():
    recommender = taught(30, clicks)
    learner = recommender._learner
    assert learner._followed is learner._as_clicks
    X = np.array([[2.0, 0.0], [-2.0, 0.0]])
    told = {"clusters": np.zeros(2, dtype=int)}
    assert_array_equal(recommender.predict(X, **told), [2, 0])
    one = np.full(1, 1.0 / 3.0)
    recommender.partial_fit(X[:1], [0.5], actions=[0], propensities=one, clusters=[0])
    assert learner._followed is learner._as_they_are
    assert learner.sums.heard.sum() == 30 * 64 + 1  # nothing of before is lost
    assert_array_equal(recommender.predict(X, **told), [2, 0])


@pytest.mark.parametrize("exploration", [0.25, 1.0])
@pytest.mark.parametrize("n_features", [0, 2])
def test_what_is_shown_is_drawn_from_answers_that_count_more_and_the_whole_prior(
    exploration, n_features
):
    """Ordinary ridge regressions, each answer repeated 1 / w^2 times; one cluster, no sharing."""

    def answer(rng, number, X, shown):
        return 4.0 + shown + X.sum(axis=1) + rng.normal(size=len(X))

    width = exploration * (0.5 if n_features else 1.0)
    X, y, shown, recommender = taught_by(answer, n_features, exploration)
    learner, z = recommender._learner, np.column_stack([np.ones(len(X)), X])
    ridge = np.array([learner.priors.own[0, 0], *[learner.priors.own[0, 1]] * n_features])
    advantages = (y - y.mean()) / y.std(ddof=recommender.history_.ddof)
    mean, std = np.empty((3, 4)), np.empty((3, 4))
    for k in range(4):
        rows, said = z[shown == k], advantages[shown == k]
        precision = rows.T @ rows / width**2 + np.diag(ridge)
        beta = np.linalg.solve(precision, rows.T @ said / width**2)
        left = ((said - rows @ beta) ** 2).sum() + NOISE_PRIOR * learner.priors.noise[0]
        noise = left / (len(said) + NOISE_PRIOR)
        mean[:, k] = z[:3] @ beta
        std[:, k] = np.sqrt(
            noise * np.einsum("nd,nd->n", z[:3], np.linalg.solve(precision, z[:3].T).T)
        )
    right = probability_of_best(mean, std, np.ones((3, 4), dtype=bool))
    got = recommender.predict_proba(X[:3] if n_features else None, clusters=np.zeros(3, dtype=int))
    assert_allclose(got, right, atol=1e-6)
    values = learner.values(z[:3], np.zeros(3, dtype=np.int64), None, None)
    rows, said = z[shown == 0], advantages[shown == 0]  # what is believed is not sharpened
    beta = np.linalg.solve(rows.T @ rows + np.diag(ridge), rows.T @ said)
    assert_allclose(values[:, 0], z[:3] @ beta, atol=1e-9)


@pytest.mark.parametrize("curved", [True, False])
def test_products_of_features_are_used_where_they_are_needed(curved):
    def answer(rng, number, X, shown):
        value = X[:, 0] * X[:, 1] if curved else X[:, 0]
        return 5.0 + value * (shown - 1.0) + 0.5 * rng.normal(size=len(X))

    recommender = taught(34, answer)
    assert recommender._learner.fit.beta.shape[2] == (6 if curved else 3)
    X = np.array([[2.0, 2.0], [-2.0, 2.0]])
    assert_array_equal(recommender.predict(X, clusters=np.zeros(2, dtype=int)), [2, 0])


@pytest.mark.parametrize("moves", [True, False])
def test_what_was_heard_before_tastes_changed_is_dropped_and_only_then(moves):
    def answer(rng, number, X, shown):
        sign = -1.0 if moves and number >= 100 else 1.0
        return sign * X[:, 0] * (shown - 1.0) + rng.normal(size=len(X))

    recommender = taught(130, answer)
    heard = recommender._learner.sums.heard.sum()
    if moves:
        assert heard < 64 * 60
        X = np.array([[2.0, 0.0], [-2.0, 0.0]])
        assert_array_equal(recommender.predict(X, clusters=np.zeros(2, dtype=int)), [0, 2])
    else:
        assert heard == 64 * 130


def rewards_by_slope(rng, number, X, shown):
    return X[:, 0] * (shown - 1.0) + rng.normal(size=len(X))


@pytest.mark.parametrize(("answer", "n_read"), [(clicks, 1), (rewards_by_slope, REST)])
def test_the_book_that_forgets_rests_only_where_its_fit_moves_by_itself(
    answer, n_read, monkeypatch
):
    recommender = taught(40, answer)
    fading, read = recommender._learner._fading, []
    refresh = fading.refresh
    monkeypatch.setattr(fading, "refresh", lambda *args: (read.append(1), refresh(*args)))
    rng, one = np.random.default_rng(1), np.zeros(64, dtype=int)

    def hear():
        X, shown = rng.normal(size=(64, 2)), rng.integers(3, size=64)
        told = {"propensities": np.full(64, 1.0 / 3.0), "clusters": one}
        recommender.partial_fit(X, answer(rng, 0, X, shown), actions=shown, **told)

    for _ in range(REST):
        hear()
    assert len(read) == n_read
    fading.expire(one)
    hear()
    assert len(read) == n_read + 1


def test_there_is_room_for_products_only_where_items_and_features_are_few():
    assert_array_equal(kinds_of_columns(5, 3), [0, 1, 1, 2, 2, 2])
    assert_array_equal(kinds_of_columns(5, 1), [0])
    assert_array_equal(kinds_of_columns(1000, 9), [0, *[1] * 8])
