import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgrpo_envs.tutor import MAX_HALF_LIFE, TutorScenario, TutorVectorEnv

N_SKILLS, N_MODALITIES = 6, 3
STAY = {"dropout": 0.0, "frustration": (0.0, 0.0, 0.0)}
KNOWS_ALL = {"guess": 1.0, "slip": 0.0, **STAY}  # every answer is correct
KNOWS_NOTHING = {"guess": 0.0, "slip": 1.0, **STAY}  # every answer is wrong


def make(n, preset="plain", *, seed=0, **changes):
    env = TutorVectorEnv(n, preset=preset, **changes)
    env.reset(seed=seed)
    return env


def lesson(env, skill, modality=0):
    return np.full(env.num_envs, skill * N_MODALITIES + modality)


def in_turn(modality):
    """All skills one after the other, always taught in the same way."""
    return lambda env: env._clock.t % N_SKILLS * N_MODALITIES + modality


def difference(a, b):
    """Mean difference of independent samples and its standard error."""
    return a.mean() - b.mean(), np.sqrt(a.var() / a.size + b.var() / b.size)


def one_episode(choose, preset="plain", n=2000):
    """Group, mean recall at the end, and whether the learner stayed, of one episode a lane."""
    env = TutorVectorEnv(n, preset=preset, info_level="eval", autoreset_mode="SameStep")
    _, info = env.reset(seed=0)
    types, final = info["user_type"], np.full(n, np.nan)
    stayed = np.zeros(n, dtype=bool)
    while np.isnan(final).any():
        _, _, _, truncated, info = env.step(choose(env))
        if "final_info" not in info:
            continue
        now = info["_final_info"] & np.isnan(final)
        final[now] = info["final_info"]["mastery"][now]
        stayed[now] = truncated[now] | (info["final_info"]["completed"][now] > 0)
    return types, final, stayed


# --- truth ------------------------------------------------------------------------------


def test_mean_score_is_the_expected_reward():
    env = make(4, scale=(1.0, 2.0, 0.5), **STAY)
    rng = np.random.default_rng(0)
    for _ in range(8):
        env.step(rng.integers(18, size=4))
    actions = np.repeat(np.array([[0], [4], [11], [17]]), 100_000, axis=1)
    reward = env.score(actions)["reward"]
    error = reward.std(axis=1) / np.sqrt(100_000)
    assert (np.abs(reward.mean(axis=1) - env.expected_reward(actions[:, 0])) < 4 * error).all()


def test_score_is_pure_and_candidate_0_is_the_step():
    env = make(64)
    rng = np.random.default_rng(0)
    for _ in range(8):
        env.step(rng.integers(18, size=64))
    actions, before = rng.integers(18, size=(64, 5)), env.get_state()
    told = env.score(actions)["reward"]
    assert_array_equal(told, env.score(actions)["reward"])
    for kept, now in zip(before, env.get_state(), strict=True):
        assert_array_equal(kept, now)
    assert_array_equal(told[:, 0], env.step(actions[:, 0])[1])


def test_oracle_beats_every_lesson_and_every_modality_over_episodes():
    def mean_reward(choose):
        env = make(600)
        return np.mean([env.step(choose(env))[1] for _ in range(60)], axis=0)

    best = mean_reward(lambda env: env.oracle_action())
    rivals = [lambda env, k=k: np.full(env.num_envs, k) for k in range(18)]
    rivals += [in_turn(m) for m in range(N_MODALITIES)]
    for rival in rivals:
        mean, error = difference(best, mean_reward(rival))
        assert mean > 4 * error


# --- what a teacher relies on -----------------------------------------------------------


@pytest.fixture(scope="module")
def fixed_modalities():
    """Group, final mastery and enrolment where all are taught in the same way."""
    return [one_episode(in_turn(m)) for m in range(N_MODALITIES)]


@pytest.mark.parametrize(("p", "low", "high"), [(0, 0.68, 0.77), (1, 0.25, 0.38), (2, 0.14, 0.26)])
def test_the_majoritys_favourite_modality_fails_the_others(fixed_modalities, p, low, high):
    types, mastery, _ = fixed_modalities[0]
    assert low < mastery[types == p].mean() < high


@pytest.mark.parametrize(("p", "low", "high"), [(0, 0.66, 0.80), (1, 0.36, 0.56), (2, 0.07, 0.28)])
def test_and_drives_them_away(fixed_modalities, p, low, high):
    types, _, stayed = fixed_modalities[0]
    assert low < stayed[types == p].mean() < high


@pytest.mark.parametrize("p", [0, 1, 2])
def test_each_group_learns_most_by_a_modality_of_its_own(fixed_modalities, p):
    finals = [mastery[types == p] for types, mastery, _ in fixed_modalities]
    for m in {0, 1, 2} - {p}:
        mean, error = difference(finals[p], finals[m])
        assert mean > 4 * error


def test_minorities_leave_sooner_where_learners_are_fragile():
    _, _, plain = one_episode(lambda env: env.oracle_action())
    types, _, fragile = one_episode(lambda env: env.oracle_action(), "fragile")
    assert plain.mean() - fragile.mean() > 0.1
    stayed = [fragile[types == p].mean() for p in range(3)]
    assert stayed[0] > stayed[1] > stayed[2]


def test_reward_scale_is_a_dial_of_its_own():
    plain, scaled = make(500), make(500, "scale")
    factor = np.array([1.0, 0.3, 0.1])[plain.user_types[plain._clock.user]]
    assert_allclose(scaled.expected_reward(), factor[:, None] * plain.expected_reward())
    assert_allclose(scaled.step(lesson(scaled, 0))[1], factor * plain.step(lesson(plain, 0))[1])


def test_wrong_answers_do_not_pay_but_learning_does():
    """The reward does not depend on the answer, and easy answers buy nothing."""
    right, wrong = make(500, **KNOWS_ALL), make(500, **KNOWS_NOTHING)
    a, b = right.step(lesson(right, 0)), wrong.step(lesson(wrong, 0))
    assert_array_equal(a[1], b[1])
    assert a[4]["correct"].mean() > 0.9 > 0.5 > b[4]["correct"].mean()
    for _ in range(15):
        right.step(lesson(right, 0))
    first = right.expected_reward()[:, 0].mean()
    assert first < 0.1 * make(500).expected_reward()[:, 0].mean()


# --- dynamics ---------------------------------------------------------------------------


def test_a_lesson_changes_its_skill_only():
    env = make(400, **STAY)
    before = env.recall()
    _, reward, *_ = env.step(lesson(env, 2))
    after = env.recall()
    others = [0, 1, 3, 4, 5]
    assert_array_equal(after[:, others], before[:, others])
    learned = reward > 0
    assert 0.2 < learned.mean() < 0.6
    assert_allclose(reward[learned], 0.5 * (1 - before[learned, 2]))
    assert (after[learned, 2] > before[learned, 2]).all()
    assert (after[~learned, 2] < before[~learned, 2]).all()


def test_what_is_left_alone_is_forgotten_by_half_lives():
    env = make(50, half_life=8.0, **KNOWS_NOTHING)
    env.step(lesson(env, 0))
    one_visit_later = env.recall()[:, 0]
    for _ in range(8):
        env.step(lesson(env, 1))
    assert_allclose(env.recall()[:, 0], one_visit_later / 2)


def test_correct_answers_double_the_half_life_up_to_a_bound():
    env = make(20, "plain", horizon=100, mastered=1.0, **KNOWS_ALL)
    env.reset(seed=0)
    env.state.mastery[:] = 1.0  # 1 - slip of what is known, guess of the rest: always right
    env.step(lesson(env, 0))
    assert_array_equal(env.state.half_life[:, 0], 40.0)
    assert_array_equal(env.state.half_life[:, 1], 20.0)
    for _ in range(10):
        env.step(lesson(env, 0))
    assert_array_equal(env.state.half_life[:, 0], MAX_HALF_LIFE)


def test_wrong_answers_leave_the_half_life():
    env = make(20, prior=0.0, effectiveness=((0.0,) * 3,) * 3, **KNOWS_NOTHING)
    env.step(lesson(env, 0))
    assert_array_equal(env.state.half_life, 20.0)


def test_observation_tells_attempts_scores_and_time():
    env = make(100, **STAY)
    layout = env.obs_layout
    env.step(lesson(env, 4))
    obs, _, _, _, info = env.step(lesson(env, 1))
    one = 1 / 60
    assert_allclose(obs[:, layout["attempts"]], np.tile([0, one, 0, 0, one, 0], (100, 1)), 1e-6)
    assert_allclose(obs[:, layout["age"]], np.tile([0, one, 0, 0, 2 * one, 0], (100, 1)), 1e-6)
    score = 0.5 + 0.3 * (info["correct"] - 0.5)
    assert_allclose(obs[:, layout["score"]][:, 1], score, rtol=1e-6)
    assert_array_equal(obs[:, layout["score"]][:, 0], 0.5)
    assert_allclose(obs[:, layout["time"]][:, 0], 2 * one, rtol=1e-6)
    for _ in range(130):
        assert env.observation_space.contains(env.step(lesson(env, 0))[0])


def test_mastering_all_skills_ends_the_course():
    env = make(50, **STAY)
    env.state.mastery[:, :5] = 0.95
    env.state.mastery[:, 5] = 0.75
    env.state.half_life[:] = MAX_HALF_LIFE
    _, reward, terminated, truncated, info = env.step(lesson(env, 5))
    assert_array_equal(terminated, reward > 0)
    assert_array_equal(info["final_info"]["completed"], terminated)
    assert 0 < terminated.mean() < 1
    assert not truncated.any()


def test_only_wrong_answers_frustrate():
    env = make(500, dropout=0.0, frustration=(1.0, 1.0, 1.0), autoreset_mode="Disabled")
    _, _, terminated, _, info = env.step(lesson(env, 0))
    assert_array_equal(terminated, info["correct"] == 0)


def test_horizon_truncates():
    env = make(5, horizon=3, **STAY)
    flags = [env.step(lesson(env, 0))[3].all() for _ in range(6)]
    assert flags == [False, False, True, False, False, True]


def test_truth_is_told_to_evaluations_only():
    told = make(4).step(np.zeros(4, dtype=int))[4]
    assert not {"user_type", "mastery", "expected_reward"} & set(told)
    env = make(4, info_level="eval", **STAY)
    _, _, _, _, told = env.step(np.zeros(4, dtype=int))
    assert_allclose(told["mastery"], env.recall().mean(axis=1))


def test_hard_skills_reach_fewer_learners():
    env = make(200, prior=0.0)
    by_skill = env.expected_reward().reshape(200, N_SKILLS, N_MODALITIES).mean(axis=(0, 2))
    assert (np.diff(by_skill) < 0).all()
    assert_allclose(by_skill[-1] / by_skill[0], 0.6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_skills", 0),
        ("n_users", 2),
        ("shares", (0.5, 0.2, 0.1)),
        ("effectiveness", ((0.5,), (0.5,))),
        ("effectiveness", ((0.5,), (0.5,), (0.5, 0.5))),
        ("effectiveness", ((), (), ())),
        ("effectiveness", ((0.5,), (0.5,), (1.5,))),
        ("deviation", -0.1),
        ("hardest", 0.0),
        ("prior", 0.6),
        ("step", 1.1),
        ("slip", -0.1),
        ("guess", 1.1),
        ("half_life", 0.0),
        ("dropout", 1.1),
        ("frustration", (0.1, 0.1, 1.1)),
        ("frustration", (0.1,)),
        ("mastered", 0.0),
        ("scale", (1.0, 1.0, 0.0)),
        ("recency", 0.0),
        ("horizon", 0),
    ],
)
def test_bad_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        TutorScenario(**{name: value})


def test_bad_lessons_are_named():
    env = make(3)
    with pytest.raises(ValueError, match=r"actions\[1\]=18"):
        env.step(np.array([0, 18, 0]))
