"""The front between groups: swept, tabled, and drawn."""

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

import pgrpo_envs  # noqa: F401
from pgrpo_rec import PGRPORecommender
from pgrpo_rec.benchmark import Recommender, Scenario, pareto_front
from pgrpo_rec.benchmark.pareto import front_table
from pgrpo_rec.fairness import Balanced
from pgrpo_rec.reports import draw_bubbles, draw_pareto_front


def parts():
    """Two seeds of three recommenders; "c" is worse than "b" for everyone."""
    satisfaction = {"a": (0.9, 0.1), "b": (0.6, 0.5), "c": (0.5, 0.4)}
    rows = [
        {
            "scenario": "s",
            "recommender": name,
            "seed": seed,
            "bin": 39,
            "user_type": group,
            "n": (3, 1)[group],
            "span": (3.0, 10.0)[group],
            "regret": (3.0, 10.0)[group] * (1 - values[group] - 0.02 * seed),
        }
        for name, values in satisfaction.items()
        for seed in (0, 1)
        for group in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_the_table_says_what_each_objective_gives_and_which_are_beaten():
    table = front_table(parts())
    assert list(table["objective"]) == ["a", "b", "c"]
    assert list(table["dominated"]) == [False, False, True]
    assert table["group_1"].tolist() == pytest.approx([0.11, 0.51, 0.41])
    assert table["worst"].tolist() == pytest.approx([0.11, 0.51, 0.41])
    assert table["people"][0] == pytest.approx(0.75 * 0.91 + 0.25 * 0.11)
    assert (table["people_low"] < table["people"]).all()


def make(env, seed, **settings):
    return PGRPORecommender(env.unwrapped.n_items, random_state=seed, **settings)


def test_a_sweep_moves_along_the_front(tmp_path):
    def world(seed):
        return gym.make_vec(
            "pgrpo_envs/PreferenceBandit-v0",
            num_envs=64,
            world_seed=seed,
            context="none",
            response="gaussian",
            n_items=4,
            n_features=0,
            base=(1.0, 1.0, 1.0),
        )

    base = Recommender(
        "P-GRPO", make, "true groups", settings={"solver": "adam", "cluster_part": "none"}
    )
    scenario = Scenario("small", world, 64 * 60)
    objectives = {"visits": "visits", "reversed": Balanced(2.0)}
    table = pareto_front(base, objectives, scenario, [0, 1], tmp_path, since=0.5)
    visits, reversed_ = table["group_0"]
    assert visits > reversed_
    assert list(table["n_seeds"]) == [2, 2]
    with pytest.raises(ValueError, match="since"):
        pareto_front(base, objectives, scenario, [0], tmp_path, since=1.0)


def test_figures_are_drawn(tmp_path):
    figure = draw_pareto_front(front_table(parts()), title="front", path=tmp_path / "front.png")
    assert (tmp_path / "front.png").stat().st_size > 5000
    assert figure.axes[0].get_ylabel().startswith("satisfaction of the worst")
    curve = pd.DataFrame({"stretch": [0, 1], "mean": [0.5, 0.4]})
    curve = curve.assign(low=curve["mean"] - 0.1, high=curve["mean"] + 0.1)
    names = ("free", "capped")
    outcomes = dict.fromkeys(names, ("retained", 0.5, 0.4, 0.6))
    figure = draw_bubbles(dict.fromkeys(names, curve), outcomes, path=tmp_path / "bubbles.png")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == list(names)
    assert np.isclose(figure.axes[0].get_ylim()[0], 0.0)
