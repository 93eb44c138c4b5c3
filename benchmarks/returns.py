"""Returns per session where people leave: P-GRPO with ``gamma`` against myopic bandits.

    python benchmarks/returns.py --seeds 20

`Recommend-v0`, preset churn: alluring items win clicks now and lose people. Reward per session
is all reward of the last quarter of the rounds over the sessions that end in it, so that
neither long nor short sessions are left out. Bandits are told the true groups and tuned on
seeds of their own (1000 and up, every setting on all of them); then all compete on seeds 0 and
up, one world a seed. A ratio is the mean of each seed's ratio. No replicas anywhere.
"""

import argparse
from itertools import product

import gymnasium as gym
import numpy as np
import pandas as pd

from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.baselines import GaussianThompson, LinTS, Uniform
from pgrpo_rec.evaluation.statistics import mean_interval

LANES = 64
THOMPSON = [
    {"prior_count": c, "width": w} for c, w in product((1.0, 10.0, 30.0, 100.0), (0.3, 1.0, 3.0))
]
LIN_TS = [
    {"ridge": r, "width": w} for r, w in product((1.0, 10.0, 100.0, 1000.0), (0.01, 0.03, 0.1, 0.3))
]


class Ends(gym.vector.VectorWrapper):
    """Counts the sessions that end in each round."""

    def __init__(self, env):
        super().__init__(env)
        self.counts = []

    def step(self, actions):
        """Step, and count."""
        result = super().step(actions)
        self.counts.append(int((result[2] | result[3]).sum()))
        return result


def earn(recommender, settings, told, seed, n_rounds):
    """Return reward per session in each quarter of one run."""
    env = gym.make_vec(
        "pgrpo_envs:pgrpo_envs/Recommend-v0", num_envs=LANES, preset="churn", world_seed=seed
    )
    world = Ends(env)
    clusters = env.unwrapped.user_types if told == "true groups" else None
    table = simulate(
        recommender(env.unwrapped.n_items, random_state=seed, **settings),
        world,
        LANES * n_rounds,
        seed=seed,
        clusters=clusters,
        identify=told == "users",
    )
    earned = table.groupby("round")["reward"].sum().to_numpy()
    quarters = zip(np.array_split(earned, 4), np.array_split(world.counts, 4), strict=True)
    return [rewards.sum() / max(ends.sum(), 1) for rewards, ends in quarters]


def tune(name, recommender, settings, options):
    seeds = range(1000, 1000 + options.tune)
    scores = [
        np.mean([earn(recommender, s, "true groups", seed, options.rounds)[3] for seed in seeds])
        for s in settings
    ]
    best = settings[int(np.argmax(scores))]
    print(f"{name}: {len(settings)} settings x {options.tune} seeds; best {best}", flush=True)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tune", type=int, default=5, help="seeds for tuning; default: 5")
    parser.add_argument("--rounds", type=int, default=2000, help=f"of {LANES} visits")
    options = parser.parse_args()
    ours = {"gamma": 1.0}
    adam = {"gamma": 1.0, "solver": "adam"}
    contenders = {
        "P-GRPO gamma=1": (PGRPORecommender, ours, "nothing"),
        "P-GRPO gamma=1, true groups": (PGRPORecommender, ours, "true groups"),
        "P-GRPO gamma=1 adam": (PGRPORecommender, adam, "nothing"),
        "P-GRPO gamma=1 adam, true groups": (PGRPORecommender, adam, "true groups"),
        "P-GRPO gamma=1 adam, groups learned": (PGRPORecommender, adam, "users"),
        "P-GRPO, visits by themselves": (PGRPORecommender, {}, "true groups"),
        "Thompson (tuned)": (
            GaussianThompson,
            tune("Thompson", GaussianThompson, THOMPSON, options),
            "true groups",
        ),
        "LinTS (tuned)": (LinTS, tune("LinTS", LinTS, LIN_TS, options), "true groups"),
        "Uniform": (Uniform, {}, "nothing"),
    }
    runs = {}
    for name, contender in contenders.items():
        runs[name] = np.array(
            [earn(*contender, seed, options.rounds) for seed in range(options.seeds)]
        )
        print(f"{name}: quarters {runs[name].mean(axis=0).round(2)}", flush=True)
    last = {name: values[:, 3] for name, values in runs.items()}
    rivals = ("Thompson (tuned)", "LinTS (tuned)")
    rows = []
    for name, values in last.items():
        row = {
            "contender": name,
            "last quarter": "{:.2f} [{:.2f}, {:.2f}]".format(*mean_interval(values)),
        }
        for rival in rivals:
            ratio = mean_interval(values / last[rival])
            row[f"/ {rival}"] = "{:.2f} [{:.2f}, {:.2f}]".format(*ratio)
        rows.append(row)
    print(f"\nreward per session, {options.seeds} seeds, 95 % intervals")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
