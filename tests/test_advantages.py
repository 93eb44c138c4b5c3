import naive
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_rec._numba import jit
from pgrpo_rec.advantages import (
    ESTIMATORS,
    BlendWeight,
    Feedback,
    advantages,
    check_estimator_name,
    pgrpo_advantages,
)
from pgrpo_rec.histories import ORDERS, RewardHistory

SEEDS = st.integers(0, 2**32 - 1)
EARLIER, NEW = np.array([0.0, 1.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])
COMPARES_CANDIDATES = ["grpo", "dr_grpo", "rloo", "pgrpo_local"]


def alone(n):
    return np.zeros(n, dtype=np.int64)


def read(history, rewards, clusters, order):
    """Fold the batch in and read the history in the given order."""
    if order == "after":
        result = history.read(rewards, clusters, leave_out=False)
        history.update(rewards, clusters)
        return result
    history.update(rewards, clusters)
    return history.read(rewards, clusters, leave_out=order == "loo")


def feedback(rewards, group_size=1, mean=0.0, std=1.0, pool_mean=0.0, blend=0.0):
    n = rewards.size
    columns = (np.broadcast_to(np.float64(c), n) for c in (mean, std, pool_mean))
    return Feedback(rewards, group_size, *columns, blend)


def exact(name, rewards, group_size=1, **history):
    return advantages(name, feedback(rewards, group_size, **history), eps=0.0, clip=None)


def pgrpo(earlier, rewards, order, clusters=None, name="pgrpo", group_size=1):
    """Advantages of a batch after earlier rewards, by the exact formula."""
    members = [alone(earlier.size), alone(rewards.size)] if clusters is None else clusters
    history, pool = RewardHistory(5), RewardHistory(1)
    history.update(earlier, members[0])
    pool.update(earlier, alone(earlier.size))
    mean, std = read(history, rewards, members[1], order)
    pool_mean, _ = read(pool, rewards, alone(rewards.size), order)
    return exact(name, rewards, group_size, mean=mean, std=std, pool_mean=pool_mean)


@pytest.mark.parametrize(
    ("name", "order", "good", "bad"),
    [
        ("grpo", "after", 0.8660254, -0.8660254),
        ("rloo", "after", 2 / 3, -2 / 3),
        ("dr_grpo", "after", 0.5, -0.5),
        ("pgrpo", "after", 1.0954451, -0.7302967),
        ("pgrpo", "before", 1.0540926, -0.8432740),
        ("pgrpo", "loo", 1.2076147, -0.9354143),
        ("pgrpo_local", "after", 2 / 3 / 0.5477226, -2 / 3 / 0.5477226),
        ("reinforce", "after", 0.6, -0.4),
        ("batch", "after", 0.8660254, -0.8660254),
    ],
)
def test_by_hand(name, order, good, bad):
    got = pgrpo(EARLIER, NEW, order, name=name, group_size=4)
    assert_allclose(got, [good, good, bad, bad], rtol=1e-7)


@given(SEEDS, st.integers(2, 8), st.sampled_from([0.0, 1e-4, 0.3]))
@settings(deadline=None)
def test_identity_of_the_paper(seed, group_size, eps):
    """A_pgrpo = (sigma_G / sigma_p) A_grpo + (mu_G - mu_p) / sigma_p, eps beside each sigma."""
    rng = np.random.default_rng(seed)
    rewards, mean, std = rng.normal(3, 2, group_size), rng.normal(), rng.uniform(0.1, 3)
    f = feedback(rewards, group_size, mean=mean, std=std)
    grpo = advantages("grpo", f, eps=eps, clip=None)
    sigma_g, sigma_p = rewards.std(ddof=1) + eps, std + eps
    identity = (sigma_g / sigma_p) * grpo + (rewards.mean() - mean) / sigma_p
    assert_allclose(advantages("pgrpo", f, eps=eps, clip=None), identity, rtol=1e-9, atol=1e-12)


@given(SEEDS, st.integers(1, 6), st.integers(2, 6))
@settings(deadline=None)
def test_estimators_match_naive(seed, n_visits, group_size):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_visits, group_size))
    std, weight, r = rng.uniform(0.1, 3, rows.size), rng.uniform(), rows.ravel()
    history = {"mean": rng.normal(size=r.size), "std": std, "pool_mean": 0.7, "blend": weight}
    mean_of_others = r - np.concatenate([naive.rloo(row) for row in rows])
    blend = weight * mean_of_others + (1 - weight) * history["mean"]
    expected = {
        "pgrpo": (r - history["mean"]) / std,
        "pgrpo_local": (r - mean_of_others) / std,
        "pgrpo_blend": (r - blend) / std,
        "grpo": np.concatenate([naive.grpo(row) for row in rows]),
        "dr_grpo": np.concatenate([row - row.mean() for row in rows]),
        "rloo": np.concatenate([naive.rloo(row) for row in rows]),
        "batch": naive.grpo(r),
        "reinforce": r - 0.7,
    }
    assert set(expected) == set(ESTIMATORS)
    for name, right in expected.items():
        assert_allclose(exact(name, r, group_size, **history), right, atol=1e-12, err_msg=name)


@given(SEEDS, st.integers(2, 9))
@settings(deadline=None)
def test_rloo_is_a_longer_dr_grpo(seed, group_size):
    """Both ways of leaving oneself out agree: rloo = G / (G - 1) (r - mean)."""
    r = np.random.default_rng(seed).normal(5, 2, 3 * group_size)
    longer = group_size / (group_size - 1) * exact("dr_grpo", r, group_size)
    assert_allclose(exact("rloo", r, group_size), longer, atol=1e-12)


@given(SEEDS, st.integers(2, 9))
@settings(deadline=None)
def test_pgrpo_with_a_history_of_one_visit_is_grpo_and_of_one_batch_is_whitening(seed, group_size):
    r = np.random.default_rng(seed).normal(-3, 2, 4 * group_size)
    visits = np.repeat(np.arange(4), group_size)
    own = pgrpo(np.zeros(0), r, "before", (alone(0), visits))
    assert_allclose(own, exact("grpo", r, group_size), rtol=1e-9, atol=1e-12)
    whitened = pgrpo(np.zeros(0), r, "before")
    assert_allclose(whitened, exact("batch", r), rtol=1e-9, atol=1e-12)


@given(SEEDS, st.sampled_from(ORDERS))
@settings(deadline=None)
def test_units_of_a_cluster_do_not_matter_to_pgrpo(seed, order):
    rng = np.random.default_rng(seed)
    clusters = (rng.integers(5, size=80), rng.integers(5, size=40))
    r = (rng.normal(size=80), rng.normal(size=40))
    scale, shift = rng.uniform(0.01, 100, 5), rng.normal(0, 10, 5)
    moved = [scale[p] * values + shift[p] for p, values in zip(clusters, r, strict=True)]
    assert_allclose(pgrpo(*moved, order, clusters), pgrpo(*r, order, clusters), atol=1e-8)


@pytest.mark.parametrize("name", ["reinforce", "batch"])
def test_units_of_a_cluster_do_matter_to_global_estimators(name):
    """The quiet half keeps its sign order but loses most of its say."""
    rng = np.random.default_rng(0)
    clusters, r = np.repeat([0, 1], 50), rng.normal(size=100)
    loud = np.where(clusters == 0, 100 * r, r)
    shares = []
    for x in (r, loud):
        a = np.abs(pgrpo(np.zeros(0), x, "before", (alone(0), clusters), name))
        shares.append(a[clusters == 1].sum() / a.sum())
    assert shares[0] > 0.4
    assert shares[1] < 0.1


@given(SEEDS, st.integers(2, 12), st.floats(-1e9, 1e9))
@settings(deadline=None)
def test_a_tie_is_silent_under_grpo_and_speaks_under_pgrpo(seed, group_size, value):
    mean = value + 1.0 + abs(value)
    r = np.full(group_size, value)
    assert_array_equal(exact("grpo", r, group_size), np.zeros(group_size))
    assert_array_equal(exact("batch", r), np.zeros(group_size))
    assert (exact("pgrpo", r, group_size, mean=mean) < -0.9).all()


@pytest.mark.parametrize("name", COMPARES_CANDIDATES)
def test_comparing_candidates_needs_two(name):
    with pytest.raises(ValueError, match=f"'{name}' .*group_size of at least 2, not 1"):
        exact(name, np.ones(3))
    assert check_estimator_name(name, 2) == ESTIMATORS[name]


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - set(COMPARES_CANDIDATES)))
def test_the_others_work_with_one_answer_a_visit(name):
    history = {"mean": 1.0, "pool_mean": 1.0, "blend": 0.5}
    assert_allclose(
        exact(name, np.array([0.0, 2.0]), **history)[1], 2**-0.5 if name == "batch" else 1
    )


def test_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match=r"'gpro' is unknown; .*'pgrpo'"):
        check_estimator_name("gpro", 4)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
@example([0.0, 2.3e-160])  # of which the square has lost digits
@settings(deadline=None)
def test_bound_of_an_advantage_that_is_part_of_its_history(values):
    """|A| <= (n - 1) / sqrt(n) with order `before`, and grpo likewise with n = G."""
    n = len(values)
    bound = (n - 1) / np.sqrt(n) + 1e-6
    assert np.abs(pgrpo(np.zeros(0), np.array(values), "before")).max() <= bound
    assert np.abs(exact("grpo", np.array(values), n)).max() <= bound


@pytest.mark.parametrize("n", [2, 5, 100])
def test_bound_is_reached_by_a_single_success(n):
    r = np.eye(n)[0]
    bound = (n - 1) / np.sqrt(n)
    assert_allclose(pgrpo(np.zeros(0), r, "before")[0], bound, rtol=1e-9)
    assert_allclose(exact("grpo", r, n)[0], bound, rtol=1e-9)


@pytest.mark.parametrize("name", ["pgrpo", "pgrpo_local", "pgrpo_blend"])
@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_zero_std_gives_zero_never_nan(name, eps):
    f = feedback(np.array([0.0, 1.0]), 2, std=0.0)
    assert_array_equal(advantages(name, f, eps=eps, clip=None), [0.0, 0.0])


def test_after_zeros_only_a_success_is_bounded():
    """The first success of a cluster may not shout 1 / eps."""
    assert all(np.isfinite(pgrpo(np.zeros(1000), np.ones(1), order)) for order in ORDERS)
    history = {"mean": 0.0, "std": 1e-9}
    assert_array_equal(advantages("pgrpo", feedback(np.array([1.0, -1.0]), **history)), [10, -10])
    assert advantages("pgrpo", feedback(np.ones(1), **history), clip=3.0) == 3.0
    assert_allclose(exact("pgrpo", np.ones(1), **history), 1e9)


def test_after_does_not_see_its_own_batch():
    """Order `after`: nobody else's reward of the same batch changes my advantage."""
    other = NEW.copy()
    other[1:] = [7.0, -4.0, 3.0]
    mine = {order: pgrpo(EARLIER, NEW, order)[0] for order in ORDERS}
    moved = {order: pgrpo(EARLIER, other, order)[0] for order in ORDERS}
    assert [order for order in ORDERS if mine[order] == moved[order]] == ["after"]


def sample_expectation(name, order, group_size, success):
    """E[A * score] * sigma, by enumeration over two items and G answers; centre only."""
    gradient = 0.0
    for code in range(4**group_size):
        draws = np.array([(code >> 2 * g) & 3 for g in range(group_size)])
        action, reward = draws >> 1, (draws & 1).astype(float)
        pi, win = np.array([0.3, 0.7]), np.array(success)
        chance = np.prod(pi[action] * np.where(reward, win[action], 1 - win[action]))
        history = RewardHistory(1)
        history.update(EARLIER, alone(5))
        mean, _ = read(history, reward, alone(group_size), order)
        centred = exact(name, reward, group_size, mean=mean)
        gradient += chance * np.mean(centred * ((action == 0) - pi[0]))
    return gradient


@pytest.mark.parametrize(
    ("name", "order", "group_size", "factor"),
    [
        ("pgrpo", "after", 1, 1.0),
        ("pgrpo", "after", 3, 1.0),
        ("pgrpo", "loo", 3, 1.0),
        ("pgrpo", "before", 1, 1 - 1 / 6),
        ("pgrpo", "before", 3, 1 - 1 / 8),
        ("pgrpo_local", "after", 2, 1.0),
        ("rloo", "after", 3, 1.0),
        ("dr_grpo", "after", 2, 1 / 2),
        ("dr_grpo", "after", 3, 2 / 3),
    ],
)
def test_expected_gradient_is_that_of_the_value(name, order, group_size, factor):
    """By enumeration: who counts himself in his centre shrinks the gradient by 1 - 1/n."""
    win = (0.8, 0.25)
    right = factor * 0.3 * 0.7 * (win[0] - win[1])
    assert_allclose(sample_expectation(name, order, group_size, win), right, rtol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_blend_weight_is_that_of_the_two_error_variances(level, unit):
    """Visits at levels N(mu_p, level^2), answers N(level, 1): w = l^2 / (l^2 + 1 / (G - 1))."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20_000, 4)) + level * rng.normal(size=(20_000, 1))
    blend = BlendWeight()
    assert blend.weight == 0.0
    blend.update(feedback(unit * (3.0 + rows.ravel()), 4, mean=3.0 * unit, std=1.7 * unit))
    assert_allclose(blend.weight, level**2 / (level**2 + 1 / 3), atol=0.02)


def test_blend_weight_needs_candidates_and_a_spread():
    for f in (feedback(NEW), feedback(NEW, 4, std=0.0)):
        blend = BlendWeight()
        blend.update(f)
        assert blend.weight == 0.0


@jit
def from_a_kernel(rewards, clusters, mean, std):
    return pgrpo_advantages(rewards, clusters, mean, std, 0.25)


def test_kernel_equals_the_taxonomy_also_inside_a_kernel():
    r, clusters = np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1])
    mean, std = np.array([0.5, 1.5]), np.array([0.0, 2.0])
    table = feedback(r, mean=mean[clusters], std=std[clusters])
    for kernel in (from_a_kernel, from_a_kernel.py_func):
        got = kernel(r, clusters, mean, std)
        assert_array_equal(got, advantages("pgrpo", table, eps=0.25, clip=None))
