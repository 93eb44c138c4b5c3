import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec.solvers import SGD, SOLVERS, Adam, limit_norm

RNG = np.random.default_rng(0)
START, GRADIENTS = RNG.normal(size=(3, 4, 2)), RNG.normal(size=(7, 3, 4, 2))


def climb(solver, start, gradients):
    weights = start.copy()
    for gradient in gradients:
        solver.step(weights, gradient)
    return weights


def test_sgd_adds_up():
    assert_allclose(climb(SGD(0.3), START, GRADIENTS), START + 0.3 * GRADIENTS.sum(axis=0))


@pytest.mark.parametrize("options", [{}, {"beta1": 0.5, "beta2": 0.8, "eps": 0.1}])
def test_adam_is_the_textbook_one(options):
    full = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8} | options
    got = climb(Adam(0.05, **options), START, GRADIENTS)
    assert_allclose(got, naive.adam(START, GRADIENTS, 0.05, **full), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_first_step_of_adam_has_the_length_of_the_learning_rate(scale):
    moved = climb(Adam(0.05), START, scale * GRADIENTS[:1]) - START
    assert_allclose(moved, 0.05 * np.sign(GRADIENTS[0]), rtol=1e-2)


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_ascend(name):
    """The top of -(x - 2)^2 is found."""
    x, solver = np.zeros(1), SOLVERS[name](0.05)
    for _ in range(500):
        solver.step(x, -2 * (x - 2))
    assert_allclose(x, 2.0, atol=0.01)


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_stay_at_rest_without_a_gradient(name):
    assert_array_equal(climb(SOLVERS[name](0.1), START, 0 * GRADIENTS), START)


@pytest.mark.parametrize("name", SOLVERS)
def test_remapped_solver_goes_on_as_if_clusters_had_always_been_in_that_order(name):
    swap = np.eye(3)[[0, 2, 1]]
    solver, twin = SOLVERS[name](0.1), SOLVERS[name](0.1)
    solver.remap(swap)  # nothing remembered yet, nothing to follow
    weights = climb(solver, START, GRADIENTS[:3])
    solver.remap(swap)
    got = climb(solver, weights[[0, 2, 1]], GRADIENTS[3:][:, [0, 2, 1]])
    assert_allclose(got, climb(twin, START, GRADIENTS)[[0, 2, 1]])


def test_remap_of_adam_mixes_its_memory_row_by_row():
    solver = Adam(0.1)
    climb(solver, START, GRADIENTS[:3])
    first, second = solver.first, solver.second
    solver.remap(np.array([[1.0, 0, 0], [0, 0.25, 0.75], [0, 0, 0], [0, 1, 0]]))
    for old, new in ((first, solver.first), (second, solver.second)):
        rows = [old[0], 0.25 * old[1] + 0.75 * old[2], 0 * old[0], old[1]]
        assert_allclose(new, rows)
    assert (solver.second >= 0).all()


@pytest.mark.parametrize("limit", [None, 0.1, 1e9])
def test_a_limit_shortens_what_is_longer_and_nothing_else(limit):
    gradient = GRADIENTS[0].copy()
    norm = limit_norm(gradient, limit)
    assert_allclose(norm, np.sqrt((GRADIENTS[0] ** 2).sum()))
    right = norm if limit is None else min(norm, limit)
    assert_allclose(gradient, GRADIENTS[0] * right / norm)
