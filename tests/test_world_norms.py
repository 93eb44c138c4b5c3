from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pgrpo_envs.norms import NormsScenario, NormsVectorEnv, pareto_front

SURE = 4.0  # standard errors
VALUES = np.array([[0.1, 0.5, 0.9], [0.8, 0.3, 0.2]])
HARM = np.array([0.0, 0.3, 1.0])
SHARES = np.array([0.75, 0.25])


def test_score_is_unbiased_and_cost_is_known():
    env = NormsVectorEnv(10, preset="scale")
    env.reset(seed=1)
    for action in (0, 7, 15):
        scored = env.score(np.full((10, 20_000), action))
        error = scored["reward"].std(axis=1) / np.sqrt(20_000)
        gap = np.abs(scored["reward"].mean(axis=1) - env.expected_reward()[:, action])
        assert (gap <= SURE * error + 1e-9).all()
        assert (scored["cost"] == env.externality[action]).all()


def test_candidate_zero_is_what_step_gives():
    env = NormsVectorEnv(100)
    env.reset(seed=2)
    candidates = np.random.default_rng(0).integers(16, size=(100, 4))
    scored = env.score(candidates)
    _, reward, terminated, _, info = env.step(candidates[:, 0])
    assert (scored["reward"][:, 0] == reward).all()
    assert (scored["cost"][:, 0] == info["final_info"]["cost"]).all()
    assert terminated.all()


@pytest.mark.parametrize("liked_by", [0, 1, 2])
def test_harm_goes_with_what_one_group_likes(liked_by):
    """Averaged over worlds, the group that likes harm agrees with it more than the others do."""
    agreement = np.zeros((20, 3))
    for seed in range(20):
        env = NormsVectorEnv(2, liked_by=liked_by, world_seed=seed, harm=1.0)
        for p in range(3):
            taste = env.world.tastes[env.user_types == p].mean(axis=0)
            agreement[seed, p] = np.corrcoef(env.world.items @ taste, env.externality)[0, 1]
    assert agreement[:, liked_by].min() > 0.9
    assert agreement.mean(axis=0).argmax() == liked_by


def test_externalities_are_evenly_spread():
    env = NormsVectorEnv(2)
    assert_allclose(np.sort(env.externality), np.arange(16) / 15)


def test_private_optimum_overspends_and_the_budget_is_paid_by_those_who_like_harm():
    env = NormsVectorEnv(4000)
    env.reset(seed=3)
    spent = env.externality[env.oracle_action()]
    assert spent.mean() - SURE * spent.std() / np.sqrt(4000) > env.scenario.budget
    free, bound = env.pareto_front([1.0, env.scenario.budget]).by_group
    assert (free - bound)[0] > 0.1


@pytest.mark.parametrize("world_seed", range(100, 110))
def test_the_majority_loses_more_to_the_budget_than_any_other_group(world_seed):
    env = NormsVectorEnv(world_seed=world_seed, n_users=300)
    free, bound = env.pareto_front([1.0, env.scenario.budget]).by_group
    lost = free - bound
    assert lost[0] > lost[1:].max()


def test_floors_move_the_burden():
    env = NormsVectorEnv(2, preset="strict")
    free = env.pareto_front([1.0])
    held = env.pareto_front([env.scenario.budget])
    without = NormsVectorEnv(2, preset="strict", floors=(0.0,) * 3)
    loose = without.pareto_front([env.scenario.budget])
    assert (held.by_group >= 0.7 * free.by_group - 1e-9).all()
    assert loose.by_group[0, 0] < 0.7 * free.by_group[0, 0]
    assert held.reward < loose.reward


def test_nobody_beats_the_front():
    """The best policy of each price on harm lies on the front, every other one below it."""
    env = NormsVectorEnv(3000, n_users=300)
    env.reset(seed=4)
    prices = np.array([0.0, 0.3, 1.0])
    values = np.empty((300, 16))
    values[env._clock.user] = env.expected_reward()
    chosen = (values[None] - prices[:, None, None] * env.externality).argmax(axis=2)
    cost = env.externality[chosen].mean(axis=1)
    reward = np.take_along_axis(values, chosen.T, axis=1).mean(axis=0)
    front = env.pareto_front(cost)
    assert_allclose(front.reward, reward, rtol=1e-7)
    assert_allclose(front.cost, cost, rtol=1e-7)
    pooled = values.mean(axis=0)
    assert (env.pareto_front(env.externality).reward >= pooled - 1e-9).all()


def brute_force(budget, floors, steps=40):
    """Return the best reward over a fine grid of all policies of two groups."""
    grid = [
        np.array([a, b, steps - a - b]) / steps
        for a in range(steps + 1)
        for b in range(steps + 1 - a)
    ]
    least = np.array(floors) * VALUES.max(axis=1)
    first = [(p @ VALUES[0], p @ HARM) for p in grid if p @ VALUES[0] >= least[0] - 1e-9]
    second = [(p @ VALUES[1], p @ HARM) for p in grid if p @ VALUES[1] >= least[1] - 1e-9]
    return max(
        SHARES @ (r0, r1)
        for (r0, c0), (r1, c1) in product(first, second)
        if SHARES @ (c0, c1) <= budget + 1e-9
    )


@pytest.mark.parametrize("floors", [(0.0, 0.0), (0.5, 0.95)])
def test_front_equals_brute_force(floors):
    budgets = [0.3, 0.75]
    front = pareto_front(VALUES, HARM, SHARES, budgets, floors=floors)
    for budget, reward in zip(budgets, front.reward, strict=True):
        found = brute_force(budget, floors)
        assert found <= reward + 1e-9
        assert reward - found < 0.02


def test_front_is_concave_and_rises_until_the_private_optimum():
    budgets = np.linspace(0.0, 1.0, 21)
    front = pareto_front(VALUES, HARM, SHARES, budgets)
    gains = np.diff(front.reward)
    assert (gains >= -1e-12).all()
    assert (np.diff(gains) <= 1e-9).all()
    assert front.reward[-1] == pytest.approx(SHARES @ VALUES.max(axis=1))
    assert (front.cost <= budgets + 1e-9).all()


def test_weights_move_between_groups_and_policies_are_distributions():
    values = np.array([[0.1, 0.5, 0.9], [0.1, 0.2, 1.0]])  # both like the harmful item
    fronts = [
        pareto_front(values, HARM, [0.5, 0.5], [0.4], weights=weights)
        for weights in ((1.0, 0.01), (0.01, 1.0))
    ]
    assert fronts[0].by_group[0, 0] > fronts[1].by_group[0, 0]
    assert fronts[0].by_group[0, 1] < fronts[1].by_group[0, 1]
    for front in fronts:
        assert front.policy.shape == (1, 2, 3)
        assert_allclose(front.policy.sum(axis=2), 1.0)
        assert_allclose((front.policy[0] * values).sum(axis=1), front.by_group[0])


def test_people_of_a_group_are_pooled_by_share():
    types = np.array([0, 0, 1])
    values = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    front = pareto_front(values, np.zeros(2), [0.2, 0.3, 0.5], [1.0], user_types=types)
    assert front.by_group[0].tolist() == pytest.approx([1.0, 0.5])
    assert front.reward[0] == pytest.approx(0.75)


def test_what_cannot_hold_together_is_said():
    with pytest.raises(ValueError, match=r"budget=0\.1 .*floor"):
        pareto_front(VALUES, HARM, SHARES, [0.1], floors=(0.9, 0.0))
    with pytest.raises(ValueError, match=r"budget=-0\.1"):
        pareto_front(VALUES, HARM, SHARES, [-0.1])


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("externality", {"externality": HARM[:2]}),
        ("shares", {"shares": [0.5, 0.6]}),
        ("shares", {"shares": [1.0]}),
        ("user_types", {"user_types": np.array([0, 2])}),
        ("floors", {"floors": [0.5]}),
        ("weights", {"weights": [0.5]}),
    ],
)
def test_front_names_what_does_not_fit(name, bad):
    arguments = {"externality": HARM, "shares": SHARES, **bad}
    with pytest.raises(ValueError, match=name):
        pareto_front(VALUES, budgets=[0.5], **arguments)


def test_oracle_beats_every_fixed_action():
    env = NormsVectorEnv(2000)

    def rewards(policy):
        env.reset(seed=8)
        return np.mean([env.step(policy())[1] for _ in range(10)], axis=0)

    best = rewards(env.oracle_action)
    for action in range(16):
        gap = best - rewards(lambda action=action: np.full(2000, action))
        assert gap.mean() > SURE * gap.std() / np.sqrt(2000)


@pytest.mark.parametrize(
    "bad",
    [
        {"shares": (0.5, 0.6)},
        {"floors": (0.5, 0.5)},
        {"floors": (0.5, 0.5, 1.5)},
        {"budget": -0.1},
        {"harm": 2.0},
        {"liked_by": 3},
        {"n_items": 1},
        {"scale": (1.0, 0.0, 1.0)},
        {"obs_noise": -1.0},
    ],
)
def test_dials_out_of_range_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        NormsScenario.preset(**bad)
