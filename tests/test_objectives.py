import itertools
import math

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec._numba import jit
from pgrpo_rec.objectives import Penalties, PolicyBatch, surrogate

OFF = Penalties(math.inf, math.inf, 0.0, 0.0)
ASYMMETRIC = Penalties(0.15, 0.3, 0.0, 0.0)
N, K, D, P = 9, 4, 3, 2


def draw_problem(seed, masked=False, weighted=False, off_policy=False):
    """Weights, reference weights and a batch; on-policy means that every ratio is 1."""
    rng = np.random.default_rng(seed)
    weights, reference = 0.5 * rng.normal(size=(2, 1 + P, K, D))
    z = np.hstack([np.ones((N, 1)), rng.normal(size=(N, D - 1))])
    actions, available = rng.integers(K, size=N), np.ones((N, K), dtype=bool)
    if masked:
        available = rng.random((N, K)) < 0.5
        available[np.arange(N), actions] = True
    visit_weights = rng.uniform(0.1, 3, N) if weighted else np.ones(N)
    batch = PolicyBatch(
        z, rng.integers(P, size=N), actions, rng.normal(size=N), None, available, visit_weights
    )
    shown = naive.probabilities(weights, batch)[np.arange(N), actions]
    ratios = rng.uniform(0.4, 2.0, N) if off_policy else np.ones(N)
    return weights, reference, batch._replace(propensities=shown / ratios)


def off_the_kinks(weights, batch, penalties):
    pi = naive.probabilities(weights, batch)[np.arange(N), batch.actions]
    bounds = (1 - penalties.clip_low, 1 + penalties.clip_high)
    return min(np.abs(pi / batch.propensities - bound).min() for bound in bounds) > 1e-3


@pytest.mark.parametrize("clip", [(math.inf, math.inf), (0.15, 0.3)])
@pytest.mark.parametrize(("kl_coef", "k3"), [(0.0, False), (0.7, False), (0.7, True)])
@pytest.mark.parametrize("entropy_coef", [0.0, 0.2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("off_policy", [False, True])
def test_gradient_is_that_of_finite_differences(
    clip, kl_coef, k3, entropy_coef, masked, weighted, off_policy
):
    """Value and gradient against the formula, every option on and off."""
    penalties = Penalties(*clip, kl_coef, entropy_coef, k3)
    weights, reference, batch = draw_problem(4, masked, weighted, off_policy)
    assert off_the_kinks(weights, batch, penalties)
    got, gradient = surrogate(batch, penalties, weights, reference)

    def value(w):
        return naive.surrogate_value(w, reference, batch, penalties)

    assert_allclose(got.objective, value(weights), rtol=1e-12)
    right = naive.central_differences(value, weights)
    assert_allclose(gradient, right, rtol=0, atol=1e-6 * np.abs(right).max())
    assert got.clipped > 0 or not (off_policy and clip[0] < 1)


def test_diagnostics_are_averages_over_visits():
    weights, reference, batch = draw_problem(4, masked=True, weighted=True, off_policy=True)
    got, _ = surrogate(batch, ASYMMETRIC._replace(kl_coef=1.0), weights, reference)
    pi, ref = (naive.probabilities(w, batch) for w in (weights, reference))
    log, log_ref = (np.log(np.where(batch.available, p, 1.0)) for p in (pi, ref))
    kl, entropy = (pi * (log - log_ref)).sum(axis=1), -(pi * log).sum(axis=1)
    rho = pi[np.arange(N), batch.actions] / batch.propensities
    clipped = np.where(batch.advantages > 0, rho > 1.3, rho < 0.85)
    for name, values in (("kl", kl), ("entropy", entropy), ("clipped", clipped)):
        right = np.average(values, weights=batch.weights)
        assert_allclose(getattr(got, name), right, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("k3", [False, True])
def test_divergence_from_oneself_is_flat(k3):
    weights, _, batch = draw_problem(1)
    still = batch._replace(advantages=np.zeros(N))
    got, gradient = surrogate(still, OFF._replace(kl_coef=1.0, k3=k3), weights, weights)
    assert_allclose(got.kl, 0.0, atol=1e-15)
    assert_allclose(gradient, 0.0, atol=1e-15)


def one_visit(action, pi):
    """A visit to the tabular policy ``pi`` that showed ``action``, with advantage 0."""
    one = np.ones(1)
    zero = np.zeros(1, dtype=np.int64)
    everything = np.ones((1, pi.size), bool)
    batch = PolicyBatch(one[None], zero, np.array([action]), 0 * one, pi[[action]], everything, one)
    weights = np.stack([np.log(pi)[:, None], np.zeros((pi.size, 1))])
    return batch, weights


def test_k3_has_the_mean_of_one_divergence_and_the_gradient_of_the_other():
    """By enumeration over items: E[k3] = KL(pi, ref), E[its gradient] = grad KL(ref, pi)."""
    pi, ref = np.array([0.5, 0.2, 0.3]), np.array([0.1, 0.6, 0.3])
    penalties = OFF._replace(kl_coef=1.0, k3=True)
    value, slope = 0.0, 0.0
    for action in range(3):
        batch, weights = one_visit(action, pi)
        got, gradient = surrogate(batch, penalties, weights, one_visit(action, ref)[1])
        value += pi[action] * got.kl
        slope -= pi[action] * gradient[0, :, 0]
    assert_allclose(value, pi @ np.log(pi / ref))
    assert_allclose(slope, pi - ref, atol=1e-15)
    exact = -surrogate(batch, penalties._replace(k3=False), weights, one_visit(0, ref)[1])[1]
    log_ratio = np.log(pi / ref)
    assert_allclose(exact[0, :, 0], pi * (log_ratio - pi @ log_ratio))


@pytest.mark.parametrize("k3", [False, True])
def test_divergence_from_a_policy_that_rules_an_item_out_stays_finite(k3):
    batch, weights = one_visit(0, np.array([0.5, 0.5]))
    reference = weights + np.array([[[-1e4], [0.0]], [[0.0], [0.0]]])
    got, gradient = surrogate(batch, OFF._replace(kl_coef=1.0, k3=k3), weights, reference)
    assert np.isfinite([*got]).all()
    assert got.kl > 5.0
    assert np.isfinite(gradient).all()


def test_entropy_is_highest_and_flat_at_the_uniform_policy():
    weights, _, batch = draw_problem(1)
    still = batch._replace(advantages=np.zeros(N))
    penalties = OFF._replace(entropy_coef=1.0)
    uniform, flat = surrogate(still, penalties, 0 * weights, weights)
    assert_allclose(uniform.entropy, math.log(K))
    assert_allclose(flat, 0.0, atol=1e-15)
    assert surrogate(still, penalties, weights, weights)[0].entropy < math.log(K)


def single(advantage, ratio):
    """One visit to a policy of two equal items, item 0 shown at the given ratio."""
    one = np.ones(1)
    zero = np.zeros(1, dtype=np.int64)
    batch = PolicyBatch(
        one[None], zero, zero, advantage * one, 0.5 / ratio * one, np.ones((1, 2), bool), one
    )
    return surrogate(batch, ASYMMETRIC, np.zeros((2, 2, 1)), np.zeros((2, 2, 1)))


@pytest.mark.parametrize(
    ("advantage", "ratio", "value"),
    [(2.0, 1.31, 1.3 * 2.0), (-2.0, 0.84, 0.85 * -2.0), (2.0, 50.0, 2.6), (-2.0, 0.01, -1.7)],
)
def test_clipped_visits_are_silent(advantage, ratio, value):
    got, gradient = single(advantage, ratio)
    assert_allclose(got.objective, value)
    assert got.clipped == 1.0
    assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize(
    ("advantage", "ratio"),
    [(2.0, 0.5), (2.0, 0.86), (2.0, 1.29), (-2.0, 0.86), (-2.0, 1.29), (-2.0, 3.0)],
)
def test_other_visits_speak(advantage, ratio):
    """Inside the range, and where the step would bring the ratio back towards it."""
    got, gradient = single(advantage, ratio)
    assert_allclose(got.objective, advantage * ratio)
    assert got.clipped == 0.0
    half = 0.5 * advantage * ratio
    assert_allclose(gradient, np.array([[[half], [-half]]] * 2))


def test_at_ratio_one_clipping_changes_nothing():
    weights, reference, batch = draw_problem(2)
    clipped, gradient = surrogate(batch, ASYMMETRIC, weights, reference)
    free, right = surrogate(batch, OFF, weights, reference)
    assert_array_equal(gradient, right)
    assert clipped.objective == free.objective
    assert_allclose(free.objective, batch.advantages.mean())


@pytest.mark.parametrize("masked", [False, True])
def test_gradient_sums_to_zero_over_items_and_to_the_shared_part_over_clusters(masked):
    penalties = Penalties(0.15, 0.3, 0.7, 0.2)
    weights, reference, batch = draw_problem(3, masked, True, True)
    _, gradient = surrogate(batch, penalties, weights, reference)
    assert np.abs(gradient).max() > 0.01
    assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-15)
    assert_allclose(gradient[0], gradient[1:].sum(axis=0))


def test_visit_weights_count_visits():
    """Weight 2 is the visit twice; the unit of the weights does not matter."""
    weights, reference, batch = draw_problem(5, off_policy=True)
    rows = np.append(np.arange(N), 0)
    twice = PolicyBatch(*(column[rows] for column in batch))
    double = batch._replace(weights=7.0 * np.where(np.arange(N) == 0, 2.0, 1.0))
    got, right = (surrogate(b, ASYMMETRIC, weights, reference)[1] for b in (double, twice))
    assert_allclose(got, right, rtol=1e-12)


@pytest.mark.parametrize("off_policy", [False, True])
def test_expected_gradient_is_that_of_the_value_over_sigma(off_policy):
    """By enumeration over items and answers: E[g] = grad J / sigma_p for any past history."""
    logits, win = np.array([0.4, -0.3, 1.1]), np.array([0.7, 0.2, 0.4])
    mean, sigma = 0.31, 0.27  # any: they come from the past
    pi = naive.softmax(logits, True)
    shown_by = np.array([0.2, 0.5, 0.3]) if off_policy else pi
    total = 0.0
    for action, reward in itertools.product(range(3), (0.0, 1.0)):
        chance = shown_by[action] * (win[action] if reward else 1 - win[action])
        batch = PolicyBatch(
            np.ones((1, 1)),
            np.zeros(1, dtype=np.int64),
            np.array([action]),
            np.array([(reward - mean) / sigma]),
            shown_by[[action]],
            np.ones((1, 3), bool),
            np.ones(1),
        )
        weights = np.stack([logits[:, None], np.zeros((3, 1))])
        total += chance * surrogate(batch, OFF, weights, weights)[1]
    right = pi * (win - pi @ win) / sigma
    assert_allclose(total[:, :, 0], [right, right], atol=1e-15)


def test_hopeless_propensities_stay_finite():
    """Ratios are bounded, upwards and for an item the policy cannot show at all."""
    weights, reference, batch = draw_problem(6, masked=True)
    rare = batch._replace(propensities=np.full(N, 1e-300))
    impossible = batch.available.copy()
    impossible[0] = np.arange(K) == (batch.actions[0] + 1) % K
    for extreme in (rare, batch._replace(available=impossible)):
        got, gradient = surrogate(extreme, OFF, weights, reference)
        assert np.isfinite([*got]).all()
        assert np.isfinite(gradient).all()


@jit
def from_a_kernel(batch, penalties, weights, reference):
    return surrogate(batch, penalties, weights, reference)


def test_surrogate_inside_a_kernel_and_with_read_only_arrays():
    weights, reference, batch = draw_problem(7, off_policy=True)
    penalties = Penalties(0.15, 0.3, 0.7, 0.2)
    right = surrogate(batch, penalties, weights, reference)
    broadcast = batch._replace(
        available=np.broadcast_to(np.True_, (N, K)), weights=np.broadcast_to(1.0, N)
    )
    for column in broadcast[:5]:
        column.flags.writeable = False
    for kernel in (surrogate, from_a_kernel):
        got = kernel(broadcast, penalties, weights, reference)
        assert got[0] == right[0]
        assert_array_equal(got[1], right[1])
