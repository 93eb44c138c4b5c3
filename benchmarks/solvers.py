"""P-GRPO with its defaults against tuned bandits that are told the same groups.

    python benchmarks/solvers.py clicks --seeds 20
    python benchmarks/solvers.py scales --seeds 20
    python benchmarks/solvers.py logit --seeds 20

Every rival is tuned on seeds of its own (1000 and up), every setting below on all of them, by
the mean over groups of the normalised regret; then all compete on seeds 0 and up. Seeds are
shared, and what is printed as a ratio is the mean of each seed's ratio. P-GRPO runs with its
defaults in every row; they were chosen with `scales` and `clicks` in view, on seeds 100 and up.
"""

import argparse
from itertools import product
from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym
import numpy as np
import pandas as pd

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.baselines import BetaThompson, LinTS
from pgrpo_rec.benchmark import Recommender, Scenario, run
from pgrpo_rec.benchmark.summary import per_seed
from pgrpo_rec.evaluation.statistics import mean_interval

WORLD = "pgrpo_envs/PreferenceBandit-v0"  # after "pgrpo_envs:", so that workers import it
ROUNDS = {"clicks": 1500, "scales": 1000, "logit": 1000, "nonlinear": 1000, "drift": 1000}
LIN_TS = [
    {"ridge": ridge, "width": width, "standardise": True}
    for ridge, width in product((0.3, 1.0, 5.0), (0.05, 0.1, 0.2, 0.4, 0.8))
]
BETA = [
    {"prior": prior, "sharpness": sharpness}
    for prior, sharpness in product(((1.0, 1.0), (0.4, 1.6), (0.2, 2.0)), (1.0, 2.0, 4.0))
]
RIVALS = {"clicks": ("Thompson", BetaThompson, BETA)}
GRPO = {"advantage": "grpo", "group_size": 4, "solver": "adam"}
REINFORCE = {"advantage": "reinforce", "solver": "adam"}


def make_scenario(scenario, rounds):
    def world(seed):
        return gym.make_vec(f"pgrpo_envs:{WORLD}", num_envs=64, preset=scenario, world_seed=seed)

    return Scenario(scenario, world, 64 * rounds)


def entry(name, learner, settings, told="true groups"):
    def make(env, seed):
        return learner(env.unwrapped.n_items, random_state=seed, **settings)

    return Recommender(name, make, told)


def measures(parts):
    """Per run: mean over groups and worst group of the normalised regret."""
    seeds = per_seed(parts)
    groups = [c for c in seeds.columns if c.startswith("regret_") and c != "regret_worst"]
    return seeds.assign(mean=seeds[groups].mean(axis=1), worst=seeds["regret_worst"])


def tune(name, learner, settings, scenario, n_seeds, output, n_jobs):
    trials = [entry(f"{name} {i}", learner, s) for i, s in enumerate(settings)]
    parts = run(
        trials, [scenario], range(1000, 1000 + n_seeds), output, n_jobs=n_jobs, progress=True
    )
    scores = measures(parts).groupby("recommender", sort=False)["mean"].mean()
    best = int(np.argmin(scores.to_numpy()))
    print(f"{name}: {len(settings)} settings x {n_seeds} seeds; best {settings[best]}")
    return entry(f"{name} (tuned)", learner, settings[best])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=sorted(ROUNDS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tune", type=int, default=5, help="seeds for tuning; default: 5")
    parser.add_argument("--rounds", type=int, help="of 64 visits; default: the scenario's own")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="folder for the parts, to go on after a stop")
    options = parser.parse_args()
    output = options.output or Path(mkdtemp(prefix="pgrpo-solvers-"))
    scenario = make_scenario(options.scenario, options.rounds or ROUNDS[options.scenario])
    name, learner, settings = RIVALS.get(options.scenario, ("LinTS", LinTS, LIN_TS))
    rival = tune(name, learner, settings, scenario, options.tune, output / "tune", options.jobs)
    competing = [
        entry("P-GRPO", PGRPORecommender, {}),
        entry("P-GRPO, groups learned", PGRPORecommender, {}, "users"),
        rival,
        entry(f"{name} (default)", learner, {}),
        entry("P-GRPO adam", PGRPORecommender, {"solver": "adam"}),
        entry("GRPO G=4, one group", PGRPORecommender, GRPO, "nothing"),
        entry("REINFORCE, one group", PGRPORecommender, REINFORCE, "nothing"),
    ]
    seeds = range(options.seeds)
    parts = run(competing, [scenario], seeds, output / "parts", n_jobs=options.jobs, progress=True)
    table = measures(parts)
    rows = []
    for who, runs in table.groupby("recommender", sort=False):
        row = {"recommender": who}
        for measure in ("mean", "worst"):
            values = runs.set_index("seed")[measure]
            ours = table[table["recommender"] == "P-GRPO"].set_index("seed")[measure]
            row[measure] = "{:.4f} [{:.4f}, {:.4f}]".format(*mean_interval(values))
            ratio = mean_interval(ours / values)
            row[f"ours / {measure}"] = "{:.2f} [{:.2f}, {:.2f}]".format(*ratio)
        rows.append(row)
    print(
        f"\n{options.scenario}: regret / (oracle - uniform), {options.seeds} seeds, 95 % intervals"
    )
    print(pd.DataFrame(rows).to_string(index=False))
    print(f"P-GRPO settings: {PGRPORecommender()!r}; parts in {output}")


if __name__ == "__main__":
    main()
