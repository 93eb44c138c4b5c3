import naive_click_models as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs.click_models import (
    CLICK_MODELS,
    MNL,
    SUBSTITUTES,
    best_cover,
    best_slate,
    distinct_weights,
    draw_clicks,
    expected_clicks,
    expected_coverage,
    position_weights,
    quadrature,
    random_slate_choice,
    random_slate_clicks,
    symmetric_means,
)

SEEDS = st.integers(0, 2**32 - 1)
MODELS = range(len(CLICK_MODELS))


def draw_problem(seed, model, n_items, n_positions):
    """Attractiveness of items, falling curve over positions, topics and interests."""
    rng = np.random.default_rng(seed)
    attract = rng.uniform(size=n_items) * (rng.uniform(size=n_items) < 0.9)
    positions = np.sort(rng.uniform(size=n_positions))[::-1].copy()
    if CLICK_MODELS[model] in ("cascade", "substitutes", "mnl"):
        positions[:] = 0.0
    return attract, positions, rng.integers(3, size=n_items), rng.dirichlet(np.ones(3))


def expect(model, attract, positions, topics, interests):
    if model == SUBSTITUTES:
        return expected_coverage(attract, topics, interests)
    return expected_clicks(model, attract, positions)


def random_slate_value(model, attract, positions, topics, interests):
    n_items, means = attract.size, np.empty(positions.size + 1)
    if model == MNL:
        distinct = distinct_weights(n_items, positions.size)
        return random_slate_choice(attract, distinct, *quadrature(), means)
    weights = position_weights(model, n_items, positions)
    if model != SUBSTITUTES:
        return random_slate_clicks(attract, weights, means)
    parts = (np.where(topics == m, attract, 0.0) for m in range(interests.size))
    return interests @ [random_slate_clicks(part, weights, means) for part in parts]


def test_by_hand():
    attract, half = np.array([0.5, 0.2]), np.array([1.0, 0.5])
    assert expected_clicks(0, attract, half) == 0.5 + 0.5 * 0.2
    assert expected_clicks(1, attract, np.zeros(2)) == 0.5 + 0.5 * 0.2
    assert expected_clicks(2, attract, np.array([0.5, 0.0])) == 0.5 + 0.2 * (1 - 0.5 * 0.5)
    assert_allclose(expected_clicks(3, attract, half), 1.25 / 2.25)
    same, other = np.array([0, 0]), np.array([0, 1])
    interests = np.array([0.75, 0.25])
    assert_allclose(expected_coverage(attract, same, interests), 0.75 * 0.6)
    assert_allclose(expected_coverage(attract, other, interests), 0.75 * 0.5 + 0.25 * 0.2)


@pytest.mark.parametrize("model", MODELS)
@given(seed=SEEDS, n_positions=st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_expectation_is_the_sum_over_all_patterns(model, seed, n_positions):
    problem = draw_problem(seed, model, n_positions, n_positions)
    name = CLICK_MODELS[model]
    patterns = naive.patterns(n_positions)
    assert_allclose(sum(naive.pattern_probability(name, p, *problem) for p in patterns), 1.0)
    assert_allclose(expect(model, *problem), naive.expected_clicks(name, *problem), atol=1e-13)


@pytest.mark.parametrize("model", [0, 1, 2, 3])
def test_patterns_come_as_often_as_they_should(model):
    n_draws = 40_000
    attract, positions, *_ = draw_problem(5, model, 4, 4)
    draws = np.random.default_rng(model).uniform(size=(n_draws, 4))
    clicks = np.empty((n_draws, 4))
    for i in range(n_draws):
        draw_clicks(model, attract, positions, draws[i], clicks[i])
    for pattern in naive.patterns(4):
        right = naive.pattern_probability(CLICK_MODELS[model], pattern, attract, positions)
        share = (clicks == pattern).all(axis=1).mean()
        # 64 comparisons at 4.5 standard errors: a false alarm in about 1 of 2000 seeds
        assert abs(share - right) <= 4.5 * np.sqrt(right * (1 - right) / n_draws) + 1e-12


@pytest.mark.parametrize("model", [1, 3])
@given(seed=SEEDS)
@settings(deadline=None)
def test_cascade_and_choice_click_at_most_once(model, seed):
    attract, positions, *_ = draw_problem(seed, model, 5, 5)
    clicks = np.empty(5)
    draw_clicks(model, attract, positions, np.random.default_rng(seed).uniform(size=5), clicks)
    assert clicks.sum() <= 1
    assert not clicks[attract == 0].any()


@pytest.mark.parametrize("model", MODELS)
@given(seed=SEEDS, n_items=st.integers(3, 5))
@settings(deadline=None, max_examples=8)
def test_best_and_random_slates_by_enumeration(model, seed, n_items):
    attract, positions, topics, interests = draw_problem(seed, model, n_items, 3)
    values = naive.all_slate_values(CLICK_MODELS[model], attract, positions, topics, interests)
    slate = np.empty(3, dtype=np.int64)
    if model == SUBSTITUTES:
        best_cover(attract, topics, interests, slate)
    else:
        best_slate(attract, slate)
    assert len(set(slate)) == 3
    best = expect(model, attract[slate], positions, topics[slate], interests)
    assert_allclose(best, max(values), atol=1e-12)
    mean = random_slate_value(model, attract, positions, topics, interests)
    odds = 3 * attract.max() / (1.0 - attract.max())  # of the slate with the highest
    promised = 1e-6 if odds <= 100 else 1e-3
    assert_allclose(mean, np.mean(values), atol=promised if model == MNL else 1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_random_slates_of_a_large_catalogue(model):
    """The formulas hold up where enumeration cannot go: 200 items, 5 positions."""
    attract, positions, topics, interests = draw_problem(1, model, 200, 5)
    attract *= 0.95
    rng = np.random.default_rng(2)
    values = []
    for slate in rng.integers(200, size=(20_000, 5)):
        shown = naive.without_duplicates(attract, slate.tolist())
        values.append(expect(model, shown, positions, topics[slate], interests))
    mean = random_slate_value(model, attract, positions, topics, interests)
    assert abs(mean - np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize(
    ("attractive", "bound"), [(0.001, 1e-6), (0.1, 1e-6), (0.5, 1e-6), (0.95, 1e-6), (0.999, 1e-3)]
)
def test_quadrature_error_is_below_its_promise(attractive, bound):
    """Equal items: the mean over the number of different ones is a finite sum."""
    distinct = distinct_weights(50, 5)
    odds = attractive / (1 - attractive)
    right = sum(p * m * odds / (1 + m * odds) for m, p in enumerate(distinct))
    means = np.empty(6)
    got = random_slate_choice(np.full(50, attractive), distinct, *quadrature(), means)
    assert abs(got - right) < bound


def test_symmetric_means_are_means_of_products():
    means = np.empty(4)
    symmetric_means(np.array([0.2, 0.4, 0.9]), means)
    assert_allclose(means, [1, 0.5, (0.08 + 0.18 + 0.36) / 3, 0.2 * 0.4 * 0.9])


def test_distinct_weights_by_hand():
    assert_array_equal(distinct_weights(4, 2), [0, 0.25, 0.75])
