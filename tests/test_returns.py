"""Returns: sessions, credits, histories by step, and recommenders that look ahead."""

import gymnasium as gym
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.baselines import GaussianThompson, Uniform
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.interactions import Interactions, Visits
from pgrpo_rec.returns import Sessions, StepHistory, credit_visits, credited

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 3), st.sampled_from([0.0, 0.7, 1.0]), st.booleans())
@settings(deadline=None)
def test_credits_are_the_sums_of_the_definition(seed, m, gamma, downwards):
    rng = np.random.default_rng(seed)
    rewards, sessions = rng.normal(size=(12, m)), rng.integers(4, size=12)
    credits, steps = credit_visits(rewards, sessions, 4, gamma, downwards)
    right = naive.credits(rewards, sessions, gamma, downwards)
    assert_allclose(credits, right, atol=1e-12)
    for i in range(12):
        assert steps[i] == (sessions[:i] == sessions[i]).sum()


def log_of(rewards, m=1, sessions=None, whole=False):
    n = rewards.size
    visits = Visits(np.empty((n, 0)), None, None, np.ones((n, 3), dtype=bool))
    return Interactions(visits, np.zeros(n, np.int64), rewards, None, m, whole, sessions)


def test_a_slate_is_a_session_in_small():
    items = np.array([1.0, 2.0, 4.0])
    below = credited(log_of(items, 3), None, downwards=True)
    assert_array_equal(below.credits, [7.0, 6.0, 4.0])
    assert_array_equal(below.steps, [0, 1, 2])
    assert_array_equal(credited(log_of(items, 3), None, downwards=False).credits, [7.0] * 3)
    once = credited(log_of(np.full(3, 5.0), 3, whole=True), None, downwards=True)
    assert_array_equal(once.credits, [5.0] * 3)  # not 15: it is one reward


def test_slates_within_a_session():
    rewards = np.array([1.0, 2.0, 10.0, 20.0])
    log = credited(log_of(rewards, 2, np.array([8, 8, 8, 8])), 0.5, downwards=True)
    assert_array_equal(log.credits, [18.0, 17.0, 30.0, 20.0])
    assert_array_equal(log.steps, [0, 1, 2, 3])


def test_sessions_come_out_whole_in_order_and_once():
    rng = np.random.default_rng(0)
    sessions, seen = Sessions(), {lane: [] for lane in range(5)}
    for t in range(60):
        lanes = np.flatnonzero(rng.random(5) < 0.8)  # of some nothing was heard
        ended = rng.random(5) < 0.2
        for lane in lanes:
            seen[lane].append(t)
        rows = sessions.add(lanes, ended, X=np.column_stack([lanes, np.full(lanes.size, t)]))
        expected = [(lane, u) for lane in range(5) if ended[lane] for u in seen[lane]]
        for lane in np.flatnonzero(ended):
            seen[lane] = []
        got = [] if rows is None else sorted(map(tuple, rows["X"].tolist()))
        assert got == expected
        if rows is not None:
            assert_array_equal(rows["sessions"], rows["X"][:, 0])
            for lane in set(rows["sessions"]):
                assert (np.diff(rows["X"][rows["sessions"] == lane, 1]) > 0).all()


@given(SEEDS, st.sampled_from([1.0, 0.8]))
@settings(deadline=None)
def test_histories_by_step_are_those_of_each_cluster_and_step_alone(seed, decay):
    """Units come and go between clusters, steps grow: the cells follow exactly."""
    rng = np.random.default_rng(seed)
    by_step, cells, units = StepHistory(decay), {}, np.empty(0)
    for n_steps in (2, 1, 4):
        units = np.unique(np.append(units, rng.integers(20, size=3)))
        by_step.make_room(units, n_steps)
        rows, steps = rng.integers(units.size, size=9), rng.integers(n_steps, size=9)
        credits = rng.normal(size=9)
        by_step.update(credits, rows, steps)
        for unit in range(20):
            for t in range(4):
                cell = cells.setdefault((unit, t), RewardHistory(1, decay=decay))
                mine = (units[rows] == unit) & (steps == t)
                cell.update(credits[mine], np.zeros(mine.sum(), dtype=np.int64))
        labels = rng.integers(3, size=units.size)
        got = by_step.by_cluster(labels, 3)
        for p in range(3):
            for t in range(by_step.n_steps):
                alone = RewardHistory(1)
                for unit in units[labels == p]:
                    alone.merge(cells[(unit, t)])
                at = p * by_step.n_steps + t
                assert_allclose(got.count[at], alone.count[0], atol=1e-12)
                assert_allclose(got.mean[at], alone.mean[0], atol=1e-12)
                assert_allclose(got.std[at], alone.std[0], atol=1e-9)


# --- recommenders --------------------------------------------------------------------------


def bait_and_hook(rng, items, staying):
    """Item 0 earns 1 and ends the session at once; item 1 earns 0.4 and keeps people."""
    rewards = np.where(items == 0, 1.0, 0.4)
    return rewards, (items == 0) | (staying >= 4) | (rng.random(items.size) < 0.05)


def serve(rec, told="nothing", n_rounds=80, lanes=32):
    rng = np.random.default_rng(0)
    sessions, staying = Sessions(), np.zeros(lanes, dtype=int)
    users = np.arange(lanes) % 8
    who = {"nothing": {}, "users": {"users": users}, "clusters": {"clusters": users % 2}}[told]
    X = np.ones((lanes, 1))
    for _ in range(n_rounds):
        items, propensities = rec.recommend(X, **who)
        rewards, ended = bait_and_hook(rng, items[:, 0], staying)
        staying = np.where(ended, 0, staying + 1)
        columns = {"y": rewards, "actions": items[:, 0], "propensities": propensities[:, 0], **who}
        over = sessions.add(np.arange(lanes), ended, **columns)
        if over is not None:
            rec.partial_fit(np.ones((len(over["y"]), 1)), over.pop("y"), **over)
    return rec.predict_proba(X, **who)


@pytest.mark.parametrize(
    ("solver", "told"),
    [(s, t) for s in ("adam", "natural") for t in ("nothing", "clusters")] + [("adam", "users")],
)
def test_only_returns_show_that_the_best_item_costs_the_session(solver, told):
    arguments = {"solver": solver, "random_state": 0}
    assert serve(PGRPORecommender(2, gamma=1.0, **arguments), told)[:, 1].min() > 0.8
    assert serve(PGRPORecommender(2, **arguments), told)[:, 0].min() > 0.8
    assert serve(PGRPORecommender(2, gamma=0.0, **arguments), told)[:, 0].min() > 0.7


def test_returns_need_sessions_and_sessions_need_no_returns():
    X, y, told = np.ones((6, 1)), np.arange(6.0), {"actions": [0, 1, 0, 1, 0, 1]}
    told["propensities"] = np.full(6, 0.5)
    with pytest.raises(ValueError, match=r"gamma=0.9 needs sessions="):
        PGRPORecommender(2, gamma=0.9).fit(X, y, **told)
    sessions = ["a", "a", "b", "b", "b", "b"]
    for rec in (PGRPORecommender(2, random_state=0), GaussianThompson(2, random_state=0)):
        plain = rec.fit(X, y, **told).predict_proba(X)
        assert_array_equal(rec.fit(X, y, sessions=sessions, **told).predict_proba(X), plain)
    with pytest.raises(ValueError, match="gamma= with users= needs solver='adam' or 'sgd'"):
        PGRPORecommender(2, gamma=0.9).fit(X, y, sessions=sessions, users=sessions, **told)
    with pytest.raises(ValueError, match=r"gamma=0.9 with group_size=2"):
        PGRPORecommender(2, gamma=0.9, group_size=2).fit(X, y, sessions=sessions, **told)


def test_a_log_of_sessions_may_be_cut_into_batches_anywhere():
    """Credits are those of the whole log: the batch size only says how often to step."""
    rng = np.random.default_rng(0)
    sessions, y = np.sort(rng.integers(20, size=200)), rng.normal(size=200)
    told = {"actions": rng.integers(2, size=200), "propensities": np.full(200, 0.5)}
    right = naive.credits(y[:, None], sessions, 0.9, True)
    for batch_size in (7, 200):
        rec = PGRPORecommender(2, gamma=0.9, solver="sgd", batch_size=batch_size, n_passes=1)
        rec.fit(np.ones((200, 1)), y, sessions=sessions, **told)
        assert rec.history_.count[0] == 200.0
        assert_allclose(rec.history_.mean[0], right.mean())


class Listener(Uniform):
    """Uniform, and remembers the sessions it was told."""

    gamma = 1.0

    def partial_fit(self, X, y, **told):
        self.told = [*getattr(self, "told", []), (y, told)]
        return super().partial_fit(X, y, **told)


def test_simulate_tells_whole_sessions_to_those_who_look_ahead():
    env = gym.make_vec("pgrpo_envs/Recommend-v0", num_envs=16, preset="churn", horizon=6)
    rec = Listener(32, random_state=0)
    table = simulate(rec, env, 16 * 40, seed=0)
    told = sum(len(y) for y, _ in rec.told)
    assert 16 * 34 <= told <= 16 * 40  # what is not over yet is not told
    for _, columns in rec.told:
        for session in set(columns["sessions"]):
            mine = columns["sessions"] == session
            assert mine.sum() <= 6
            assert len(set(columns["users"][mine])) == 1
    assert sum(y.sum() for y, _ in rec.told) <= table["reward"].sum()


def test_looking_ahead_pays_where_people_leave():
    earned = {}
    for gamma in (None, 1.0):
        env = gym.make_vec("pgrpo_envs/Recommend-v0", num_envs=64, preset="churn")
        env.reset(seed=0)
        rec = PGRPORecommender(32, gamma=gamma, solver="adam", random_state=0)
        ends = EndCounter(env)
        table = simulate(rec, ends, 64 * 300, seed=0, identify=False)
        late = table["round"] >= 200
        earned[gamma] = table["reward"][late].sum() / sum(ends.counts[200:])
    assert earned[1.0] > 1.5 * earned[None]


class EndCounter(gym.vector.VectorWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.counts = []

    def step(self, actions):
        result = super().step(actions)
        self.counts.append(int((result[2] | result[3]).sum()))
        return result


def test_of_returns_the_prior_narrows_with_the_posterior():
    """What is not known is tried more timidly: returns move with the policy."""
    rng = np.random.default_rng(0)
    shown, sessions = rng.integers(2, size=60), np.arange(60)
    told = {"actions": shown, "propensities": np.full(60, 0.5), "clusters": np.zeros(60, dtype=int)}
    chances = []
    for gamma in (None, 1.0):  # a visit a session: its return is its reward
        recommender = PGRPORecommender(3, gamma=gamma, random_state=0)
        recommender.fit(None, 1.0 + shown + rng.normal(size=60), sessions=sessions, **told)
        chances.append(recommender.predict_proba(None, clusters=[0])[0, 2])
    assert chances[1] < 0.8 * chances[0]
