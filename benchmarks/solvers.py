"""P-GRPO with its defaults against tuned bandits that are told the same groups.

    python benchmarks/solvers.py clicks --seeds 20
    python benchmarks/solvers.py scales --seeds 20
    python benchmarks/solvers.py logit --seeds 20
    python benchmarks/solvers.py nonlinear --seeds 20
    python benchmarks/solvers.py nonlinear_logit --seeds 20
    python benchmarks/solvers.py drift --seeds 20
    python benchmarks/solvers.py many --seeds 20 --brief
    python benchmarks/solvers.py scales --seeds 20 --question ablation
    python benchmarks/solvers.py scales --seeds 20 --question units

Every rival is tuned on seeds of its own (1000 and up), every setting below on all of them, by
the mean over groups of the normalised regret; then all compete on seeds 0 and up. Seeds are
shared. "ratio" is the mean of each seed's ratio, "of means" the ratio of the means. P-GRPO
runs with its defaults in every row; they were chosen on seeds 100 to 119. `late` is the mean
over groups in the last quarter, `late worst` the worst group there.
"""

import argparse
from itertools import product
from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym
import numpy as np
import pandas as pd

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.baselines import BetaThompson, LinTS, LinUCB, LogisticTS, SharedLinTS
from pgrpo_rec.benchmark import Recommender, Scenario, run
from pgrpo_rec.benchmark.plan import item_features
from pgrpo_rec.benchmark.summary import per_seed
from pgrpo_rec.evaluation.statistics import mean_interval

WORLD = "pgrpo_envs/PreferenceBandit-v0"  # after "pgrpo_envs:", so that workers import it
ROUNDS = {
    "clicks": 1500,
    "scales": 1000,
    "logit": 1000,
    "nonlinear": 1000,
    "nonlinear_logit": 1000,
    "drift": 1000,
    "many": 400,
}


def grid(**values):
    return [dict(zip(values, each, strict=True)) for each in product(*values.values())]


LIN_TS = grid(ridge=(0.1, 0.3, 1.0), width=(0.02, 0.05, 0.1, 0.2, 0.4), standardise=(True,))
LIN_UCB = grid(ridge=(0.3, 1.0), width=(0.1, 0.2, 0.4, 0.8, 1.6), standardise=(True,))
LOGISTIC = grid(prior_rate=(0.1, 0.5), ridge=(0.3, 1.0, 3.0), width=(0.08, 0.15, 0.3, 0.6))
SHARED = grid(ridge=(0.1, 0.3, 1.0), width=(0.01, 0.02, 0.03, 0.1), standardise=(True,))
BETA = grid(prior=((1.0, 1.0), (0.4, 1.6), (0.2, 2.0)), sharpness=(1.0, 2.0, 4.0, 8.0, 16.0))
FORGET = {"discount": (0.998, 0.999, 0.9997, 0.9999)}
LINEAR = [("LinTS", LinTS, LIN_TS), ("LinUCB", LinUCB, LIN_UCB)]
THOMPSON = ("Thompson", BetaThompson, BETA)
BY_LOGITS = ("logistic Thompson", LogisticTS, LOGISTIC)
RIVALS = {
    "clicks": [THOMPSON],
    "scales": LINEAR,
    "logit": [*LINEAR, BY_LOGITS],
    "nonlinear": LINEAR,
    "nonlinear_logit": [*LINEAR, BY_LOGITS],
    "many": [("LinTS, shared", SharedLinTS, SHARED)],
    "drift": [
        LINEAR[0],
        BY_LOGITS,
        (
            "LinTS, discounted",
            LinTS,
            grid(ridge=(0.3, 1.0), width=(0.1, 0.2, 0.4), standardise=(True,), **FORGET),
        ),
        (
            "logistic Thompson, discounted",
            LogisticTS,
            grid(prior_rate=(0.5,), ridge=(1.0, 3.0), width=(0.08, 0.15, 0.3), **FORGET),
        ),
    ],
}
GRPO = {"advantage": "grpo", "group_size": 4, "solver": "adam"}
REINFORCE = {"advantage": "reinforce", "solver": "adam"}


def make_scenario(scenario, rounds, name=None, **dials):
    def world(seed):
        return gym.make_vec(
            f"pgrpo_envs:{WORLD}", num_envs=64, preset=scenario, world_seed=seed, **dials
        )

    return Scenario(name or scenario, world, 64 * rounds)


def entry(name, learner, settings, told="true groups"):
    def make(env, seed):
        features = item_features(env)
        of_items = {} if features is None else {"item_features": features}
        return learner(env.unwrapped.n_items, random_state=seed, **of_items, **settings)

    return Recommender(name, make, told)


def measures(parts):
    """Per run: mean over groups and worst group of the normalised regret, and late ones."""
    late = per_seed(parts[parts["bin"] >= 30])
    seeds = per_seed(parts)
    groups = [c for c in seeds.columns if c.startswith("regret_") and c != "regret_worst"]
    return seeds.assign(
        mean=seeds[groups].mean(axis=1),
        worst=seeds["regret_worst"],
        late=late[groups].mean(axis=1),
        late_worst=late["regret_worst"],
    )


def tune(name, learner, settings, scenario, n_seeds, output, n_jobs):
    trials = [entry(f"{name} {i}", learner, s) for i, s in enumerate(settings)]
    parts = run(
        trials, [scenario], range(1000, 1000 + n_seeds), output, n_jobs=n_jobs, progress=True
    )
    scores = measures(parts).groupby("recommender", sort=False)["mean"].mean()
    best = int(np.argmin(scores.to_numpy()))
    print(f"{name}: {len(settings)} settings x {n_seeds} seeds; best {settings[best]}")
    return entry(f"{name} (tuned)", learner, settings[best])


def show(table, first):
    """Print every measure with its interval, and the first recommender's ratio to it."""
    ours = table[table["recommender"] == first].set_index("seed")
    for measure in ("mean", "worst", "late", "late_worst"):
        rows = []
        for who, runs in table.groupby("recommender", sort=False):
            values = runs.set_index("seed")[measure]
            ratio = "none"  # to a contender without any regret on some seed
            if (values > 0.0).all():
                ratio = "{:.2f} [{:.2f}, {:.2f}]".format(*mean_interval(ours[measure] / values))
            rows.append(
                {
                    "recommender": who,
                    measure: "{:.4f} [{:.4f}, {:.4f}]".format(*mean_interval(values)),
                    "ratio": ratio,
                    "of means": f"{ours[measure].mean() / values.mean():.2f}",
                }
            )
        print(pd.DataFrame(rows).to_string(index=False))


def against_rivals(options, scenario, output):
    competing = [entry("P-GRPO", PGRPORecommender, {})]
    for name, learner, settings in RIVALS[options.scenario]:
        competing.append(
            tune(name, learner, settings, scenario, options.tune, output / "tune", options.jobs)
        )
    if not options.brief:
        competing += [
            entry("P-GRPO, groups learned", PGRPORecommender, {}, "users"),
            entry("P-GRPO adam", PGRPORecommender, {"solver": "adam"}),
            entry("GRPO G=4, one group", PGRPORecommender, GRPO, "nothing"),
            entry("REINFORCE, one group", PGRPORecommender, REINFORCE, "nothing"),
        ]
    return [scenario], competing


def by_groups(options, scenario, output):
    told = {"known": "true groups", "learned": "users", "random": "random groups", "one": "nothing"}
    return [scenario], [entry(f"groups {k}", PGRPORecommender, {}, t) for k, t in told.items()]


def by_units(options, scenario, output):
    """Return the world, and the same with one group's rewards times 1,000 and 7 added."""
    plain = scenario.make(0).unwrapped.scenario
    dials = {
        "scale": tuple(s * (1000.0 if p == 1 else 1.0) for p, s in enumerate(plain.scale)),
        "offset": tuple(
            b * (1000.0 if p == 1 else 1.0) + (7.0 if p == 1 else 0.0)
            for p, b in enumerate(plain.offset)
        ),
    }
    loud = make_scenario(options.scenario, options.rounds, "loud", **dials)
    adam = {
        f"adam {a}": {"solver": "adam", "advantage": a, "group_size": g}
        for a, g in (("pgrpo", 1), ("reinforce", 1), ("batch", 1), ("rloo", 4), ("dr_grpo", 4))
    }
    competing = [entry("P-GRPO", PGRPORecommender, {})]
    competing += [entry(name, PGRPORecommender, settings) for name, settings in adam.items()]
    return [scenario, loud], competing


def show_units(parts):
    """Print each group's regret in the loud world over that in the plain one."""
    seeds = per_seed(parts).set_index(["scenario", "recommender", "seed"])
    groups = [c for c in seeds.columns if c.startswith("regret_") and c != "regret_worst"]
    means = seeds[groups].groupby(["scenario", "recommender"], sort=False).mean()
    plain, loud = (means.loc[name] for name in means.index.unique("scenario"))
    print((loud / plain).round(3).to_string())


QUESTIONS = {"rivals": against_rivals, "ablation": by_groups, "units": by_units}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=sorted(ROUNDS))
    parser.add_argument("--question", choices=sorted(QUESTIONS), default="rivals")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tune", type=int, default=8, help="seeds for tuning; default: 8")
    parser.add_argument("--rounds", type=int, help="of 64 visits; default: the scenario's own")
    parser.add_argument("--brief", action="store_true", help="P-GRPO and the tuned bandits only")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="folder for the parts, to go on after a stop")
    options = parser.parse_args()
    options.rounds = options.rounds or ROUNDS[options.scenario]
    output = options.output or Path(mkdtemp(prefix="pgrpo-solvers-"))
    scenario = make_scenario(options.scenario, options.rounds)
    worlds, competing = QUESTIONS[options.question](options, scenario, output)
    seeds = range(options.seeds)
    parts = run(competing, worlds, seeds, output / "parts", n_jobs=options.jobs, progress=True)
    print(f"\n{options.scenario}: regret / (oracle - uniform), {options.seeds} seeds")
    if options.question == "units":
        show_units(parts)
    else:
        show(measures(parts), competing[0].name)
    print(f"P-GRPO settings: {PGRPORecommender()!r}; parts in {output}")


if __name__ == "__main__":
    main()
