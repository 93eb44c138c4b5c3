"""Objectives over groups, with one policy for all: who is lifted, and what it costs the whole.

    python benchmarks/objectives.py --seeds 20 --figure docs/pareto_front.png

Three questions, each on seeds 0 and up; everything is measured by the world, over the last
quarter of the visits, when learning is done.

1. `partly`: features reveal the group in part. What do weights of the groups' shares bring the
   worst group, and what do they cost all?
2. `conflict`: each group answers the features of a visit in its own way, and one policy must
   serve them all. What does "max_min" bring, and does a floor hold, or say that it cannot?
3. The front on `conflict`, over exponents of the groups' shares.
"""

import argparse
from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym
import numpy as np
import pandas as pd

from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.benchmark import Recommender, Scenario, pareto_front, run
from pgrpo_rec.benchmark.runner import UNIT
from pgrpo_rec.evaluation.statistics import mean_interval
from pgrpo_rec.fairness import Balanced, Floor
from pgrpo_rec.metrics import fairness, group_satisfaction
from pgrpo_rec.reports import draw_pareto_front

WORLD = "pgrpo_envs:pgrpo_envs/PreferenceBandit-v0"
PARTLY = {"obs_noise": 1.0}
CONFLICT = {
    "n_items": 10,
    "n_features": 5,
    "context": "visit",
    "response": "gaussian",
    "base": (0.0, 0.0, 0.0),
}
LANES, ROUNDS = 64, 1500
FEASIBLE, INFEASIBLE = 0.3, 0.9
GENTLE = {"visits": "visits", "share^-.4": Balanced(0.4), "share^-.5": Balanced(0.5)}
NAMED = {name: name for name in ("visits", "nash", "max_min")}
SHARED = {"solver": "adam", "cluster_part": "none"}


def world(dials):
    return lambda seed: gym.make_vec(WORLD, num_envs=LANES, world_seed=seed, **dials)


def make(env, seed, **settings):
    return PGRPORecommender(env.unwrapped.n_items, random_state=seed, **settings)


def shown(values):
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(*mean_interval(values))


def compare(name, dials, objectives, options):
    """Run objectives on a world and print each, and its difference from the first."""
    scenario = Scenario(name, world(dials), LANES * options.rounds)
    base = Recommender("P-GRPO", make, "true groups", settings=SHARED)
    swept = [base.with_settings(name, {"objective": o}) for name, o in objectives.items()]
    parts = run(
        swept, [scenario], range(options.seeds), options.output, n_jobs=options.jobs, progress=True
    )
    late = parts[parts["bin"] >= 30]
    runs = fairness(late, by=UNIT).set_index(["recommender", "seed"])
    groups = group_satisfaction(late, by=UNIT)
    sums = late.groupby(["recommender", "seed"])[["reward", "n"]].sum()
    reward = (sums["reward"] / sums["n"]).unstack("recommender")
    first_reward = reward[next(iter(objectives))]
    first = runs.loc[next(iter(objectives))]
    print(f"\n{name}: satisfaction, {options.seeds} seeds, 95 % intervals")
    for objective in objectives:
        mine = runs.loc[objective]
        by_group = groups[groups["recommender"] == objective].groupby("user_type")
        print(f"  {objective}: groups {by_group['satisfaction'].mean().round(3).tolist()}")
        for measure in ("worst", "people"):
            gain = mine[measure] - first[measure]
            print(f"    {measure}: {shown(mine[measure])}, less the first's {shown(gain)}")
        ratio = mine["worst"].mean() / first["worst"].mean()
        print(f"    worst over the first's {ratio:.2f}; cost of the mean reward", end=" ")
        print(
            "{:.1%} [{:.1%}, {:.1%}]".format(*mean_interval(1.0 - reward[objective] / first_reward))
        )


def floors(least, options):
    """Run a floor on the world in conflict; print how often it held and what was said."""
    rows = []
    for seed in range(options.seeds):
        path = options.output / f"floor-{least}-{seed}.csv"
        if not path.exists():
            env = world(CONFLICT)(seed)
            rec = make(env, seed, objective=Floor(least, rate=options.rate), **SHARED)
            groups = env.unwrapped.user_types
            log = simulate(rec, env, LANES * options.rounds, seed=seed, clusters=groups)
            late = log[log["round"] >= 0.75 * options.rounds]
            said = sorted(set(rec.groups_["verdict"]))
            row = {"worst": fairness(late)["worst"][0], "people": fairness(late)["people"][0]}
            pd.DataFrame([row | {"said": " ".join(said)}]).to_csv(path, index=False)
        rows.append(pd.read_csv(path))
    table = pd.concat(rows)
    held = (table["worst"] >= least).sum()
    print(f"\nfloor {least}: held in {held} of {len(table)} seeds")
    print(f"  worst group {shown(table['worst'])}, people {shown(table['people'])}")
    print("  said at the end:", table["said"].value_counts().to_dict())


def front(options):
    scenario = Scenario("front", world(CONFLICT), LANES * options.rounds)
    base = Recommender("P-GRPO", make, "true groups", settings=SHARED)
    powers = np.arange(0.0, 2.01, 0.2).round(1)
    objectives = {f"share^-{p}": Balanced(float(p)) for p in powers} | {"max-min": "max_min"}
    table = pareto_front(
        base,
        objectives,
        scenario,
        range(options.seeds),
        options.output,
        n_jobs=options.jobs,
        progress=True,
    )
    print(f"\nfront: {int((~table['dominated']).sum())} of {len(table)} points are not dominated")
    print(table.round(3).to_string(index=False))
    if options.figure:
        title = "One policy for three groups that disagree: what each objective gives"
        draw_pareto_front(table, title=title, path=options.figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of 64 visits")
    parser.add_argument("--rate", type=float, default=1.0, help="of the floor's multipliers")
    parser.add_argument("--only", choices=("partly", "conflict", "floors", "front"))
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="folder for the parts, to go on after a stop")
    parser.add_argument("--figure", type=Path, help="where to draw the front")
    options = parser.parse_args()
    options.output = options.output or Path(mkdtemp(prefix="pgrpo-objectives-"))
    options.output.mkdir(parents=True, exist_ok=True)
    parts = {
        "partly": lambda: compare("partly", PARTLY, GENTLE, options),
        "conflict": lambda: compare("conflict", CONFLICT, NAMED, options),
        "floors": lambda: (floors(FEASIBLE, options), floors(INFEASIBLE, options)),
        "front": lambda: front(options),
    }
    for name, part in parts.items():
        if options.only in (None, name):
            part()


if __name__ == "__main__":
    main()
