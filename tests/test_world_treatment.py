import numpy as np
import pytest

from pgrpo_envs.treatment import TreatmentEnv, TreatmentScenario, TreatmentVectorEnv

SURE = 4.0  # standard errors


def first_visit_values(preset="plain", **changes):
    """Return the mean expected reward of every action at a first visit, (P, K), with errors."""
    env = TreatmentVectorEnv(4000, preset=preset, **changes)
    env.reset(seed=0)
    values, types = env.expected_reward(), env.user_types[env._clock.user]
    rows = [values[types == p] for p in range(env.n_groups)]
    mean = np.array([row.mean(axis=0) for row in rows])
    error = np.array([row.std(axis=0) / np.sqrt(len(row)) for row in rows])
    return env, mean, error


def test_groups_want_other_drugs_and_doses():
    _, mean, error = first_visit_values()
    best = mean.argmax(axis=1)
    assert best.tolist() == [3, 13, 1]  # drug 0 dose 4/8; drug 1 dose 6/8; drug 0 dose 2/8
    for p in range(3):
        for other in set(best) - {best[p]}:
            assert mean[p, best[p]] - SURE * error[p, best[p]] > mean[p, other]


def test_what_is_best_for_all_together_harms_the_frail():
    env, mean, error = first_visit_values()
    pooled = (np.array(env.scenario.shares) @ mean).argmax()
    frail = mean[2, pooled] + SURE * error[2, pooled] * np.array([-1, 1])
    assert frail[1] < 0
    assert mean[2].max() - SURE * error[2].max() > 0.2
    assert mean[0, pooled] > 0.95 * mean[0].max()


def test_score_is_unbiased_and_scales_with_the_group():
    env = TreatmentVectorEnv(10, preset="scale")
    env.reset(seed=1)
    for action in (0, 3, 13):
        scored = env.score(np.full((10, 20_000), action))
        error = scored["reward"].std(axis=1) / np.sqrt(20_000)
        gap = np.abs(scored["reward"].mean(axis=1) - env.expected_reward()[:, action])
        assert (gap < SURE * error).all()
        risk = env.expected_cost()[:, action]
        error = np.sqrt(risk * (1 - risk) / 20_000)
        assert (np.abs(scored["cost"].mean(axis=1) - risk) <= SURE * error + 1e-3).all()


def test_candidate_zero_is_what_step_gives():
    env = TreatmentVectorEnv(200, autoreset_mode="NextStep")
    env.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(10):
        candidates = rng.integers(16, size=(200, 3))
        going = ~env._clock.ended
        scored = env.score(candidates)
        _, reward, _, _, info = env.step(candidates[:, 0])
        assert (scored["reward"][going, 0] == reward[going]).all()
        assert (scored["cost"][going, 0] == info["cost"][going]).all()
        assert info["_cost"].tolist() == going.tolist()


def test_tolerance_lowers_the_effect_and_wears_off():
    env = TreatmentVectorEnv(50, preset="tolerant", dropout=(0,) * 3, serious=(0,) * 3)
    env.reset(seed=3)
    fresh = env.expected_reward()[:, 3]
    for _ in range(6):
        env.step(np.full(50, 3))
    used = env.expected_reward()[:, 3]
    for _ in range(12):
        env.step(np.full(50, 8))  # the other drug, at its lowest dose
    rested = env.expected_reward()[:, 3]
    assert (used < fresh).all()
    assert (rested > used).all()
    assert (rested < fresh).all()


def test_tolerance_leaves_the_other_drug_alone():
    env = TreatmentVectorEnv(50, preset="tolerant", dropout=(0,) * 3, serious=(0,) * 3)
    env.reset(seed=3)
    before = env.expected_reward()
    env.step(np.full(50, 3))
    after = env.expected_reward()
    assert (after[:, :8] < before[:, :8]).all()
    assert (after[:, 8:] == before[:, 8:]).all()


def test_risk_rises_with_dose_and_the_second_drug_is_safer():
    env = TreatmentVectorEnv(50)
    env.reset(seed=4)
    risk = env.expected_cost().reshape(50, 2, 8)
    assert (np.diff(risk, axis=2) > 0).all()
    assert (risk[:, 1] < risk[:, 0]).all()


def test_treatment_ends_after_events_only():
    env = TreatmentVectorEnv(2000, dropout=(1.0,) * 3, horizon=5)
    env.reset(seed=5)
    _, _, terminated, truncated, info = env.step(np.full(2000, 7))
    event = np.where(terminated, info["final_info"]["cost"], info.get("cost", 0.0))
    assert (terminated == (event == 1)).all()
    assert 0 < terminated.mean() < 1
    assert not truncated.any()


def test_dropout_and_serious_events_happen_as_often_as_said():
    for changes, rate in (
        ({"dropout": (0.5,) * 3, "serious": (0.0,) * 3}, 0.5),
        ({"dropout": (0.0,) * 3, "serious": (0.3,) * 3}, 0.3),
    ):
        env = TreatmentVectorEnv(5000, autoreset_mode="Disabled", **changes)
        env.reset(seed=6)
        _, _, terminated, _, info = env.step(np.full(5000, 7))
        n_events = info["cost"].sum()
        error = np.sqrt(rate * (1 - rate) / n_events)
        assert abs(terminated.sum() / n_events - rate) < SURE * error


def test_observation_tells_doses_outcome_event_and_time():
    env = TreatmentEnv(horizon=4, noise=0.0, dropout=(0,) * 3, serious=(0,) * 3, memory=0.5)
    obs, _ = env.reset(seed=7)
    layout = env.vector.obs_layout
    assert not obs[layout["mean_dose"].start :].any()
    for t in range(1, 5):
        obs, _, terminated, truncated, info = env.step(9)  # drug 1, dose 2/8
        assert obs[layout["mean_dose"]].tolist() == pytest.approx([0.0, 0.25 * (1 - 0.5**t)])
        assert obs[layout["event"]] == info["cost"]
        assert obs[layout["outcome"]] > 0
        assert obs[layout["time"]] == t / 4
    assert truncated
    assert not terminated


def test_myopic_oracle_beats_every_fixed_action_over_episodes():
    env = TreatmentVectorEnv(1000, horizon=12)

    def mean_reward(policy):
        env.reset(seed=8)
        return np.mean([env.step(policy())[1] for _ in range(12)], axis=0)

    best = mean_reward(env.oracle_action)
    for action in range(16):
        gap = best - mean_reward(lambda action=action: np.full(1000, action))
        assert gap.mean() > SURE * gap.std() / np.sqrt(1000)


def test_ceiling_is_there_for_constrained_learners():
    env, mean, _ = first_visit_values()
    risk = env.expected_cost()
    types = env.user_types[env._clock.user]
    for p in range(3):
        allowed = risk[types == p].mean(axis=0) <= env.cost_ceiling[p]
        assert allowed.any()
        assert mean[p][allowed].max() > 0


@pytest.mark.parametrize(
    "bad",
    [
        {"shares": (0.5, 0.6)},
        {"emax": ((1.0,), (1.0,), (1.0,))},
        {"half_dose": (0.1, 0.2, 0.0)},
        {"half_dose": (0.1, 0.2)},
        {"memory": 1.0},
        {"dropout": (0.1, 0.1, 1.1)},
        {"conflict": -0.1},
        {"noise": -1.0},
        {"n_doses": 1},
        {"horizon": 0},
        {"scale": (1.0, 1.0, 0.0)},
        {"cost_ceiling": (0.1, 0.1, 2.0)},
    ],
)
def test_dials_out_of_range_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TreatmentScenario.preset(**bad)
