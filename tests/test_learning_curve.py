import pickle

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_allclose

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.estimators.learning_curve import CAPACITY, COLUMNS


def learn(n_batches, **settings):
    rng = np.random.default_rng(0)
    rec = PGRPORecommender(3, **{"solver": "adam", "random_state": 0, **settings})
    clusters = np.arange(32) % 2
    for _ in range(n_batches):
        items, propensities = rec.recommend(None, clusters=clusters)
        y = items[:, 0] * (1.0 + clusters) + rng.normal(size=32)
        rec.partial_fit(None, y, actions=items[:, 0], propensities=propensities, clusters=clusters)
    return rec


def test_one_row_a_batch_and_cluster():
    rec = learn(10, n_epochs=4, learning_rate=0.3, kl_coef=0.1)
    curve = rec.learning_curve_
    assert tuple(curve.columns) == COLUMNS.names
    assert curve["batch"].tolist() == np.repeat(np.arange(10), 2).tolist()
    assert curve["cluster"].tolist() == [0, 1] * 10
    assert (curve["answers"] == 32 * (curve["batch"] + 1)).all()
    assert (curve["rows"] == 16).all()
    assert_allclose(curve["history_mean"].iloc[-2:], rec.history_.mean)
    assert_allclose(curve["history_std"].iloc[-2:], rec.history_.std)
    assert curve["clipped"].between(0.0, 1.0).all()
    assert curve["clipped"].max() > 0.0
    assert curve["entropy"].iloc[-1] < curve["entropy"].iloc[0] <= np.log(3)
    assert curve["kl"].iloc[-1] > curve["kl"].iloc[0]
    assert_allclose(curve["advantage_mean"].iloc[:2], 0.0, atol=1e-9)  # compared with itself
    assert_allclose(curve["advantage_std"].iloc[:2], np.sqrt(15 / 16))


def test_solver_natural_tells_what_it_has():
    curve = learn(5, solver="natural").learning_curve_
    assert curve[["kl", "clipped"]].isna().all().all()
    assert_allclose(curve["entropy"].iloc[0], np.log(3))
    assert curve.drop(columns=["kl", "clipped"]).notna().all().all()


def test_ties_are_silent():
    rec = PGRPORecommender(2, solver="adam", advantage="grpo", group_size=2, random_state=0)
    y = [1.0, 1.0, 0.0, 1.0, 5.0, 5.0, 2.0, 2.0]
    rec.partial_fit(None, y, actions=[0, 1] * 4, propensities=[0.5] * 8, clusters=[0] * 8)
    assert rec.learning_curve_["silent"].tolist() == [0.75]


@pytest.mark.parametrize("n_batches", [CAPACITY // 2, CAPACITY // 2 + 1, 3 * CAPACITY])
def test_a_long_run_is_kept_from_end_to_end_in_bounded_memory(n_batches):
    rec = learn(n_batches)
    batches = rec.learning_curve_["batch"].unique()
    steps = np.unique(np.diff(batches))
    assert steps.size == 1
    assert batches[0] == 0
    assert n_batches - batches[-1] <= steps[0]
    assert CAPACITY // 4 < len(rec.learning_curve_) <= CAPACITY
    size = len(pickle.dumps(rec._curve))
    assert abs(len(pickle.dumps(learn(3)._curve)) - size) < 64


def test_the_progress_line_says_how_learning_stands(capsys):
    rec = learn(2)
    assert rec.progress_note().startswith("entropy 1.0")
    assert "clipped 0.000" in rec.progress_note()
    assert PGRPORecommender(3).progress_note() == ""
    env = gym.make_vec("pgrpo_envs/PreferenceBandit-v0", num_envs=8, preset="hard")
    simulate(PGRPORecommender(12, random_state=0), env, 80, seed=0, progress=True)
    assert "simulate" in capsys.readouterr().err
