"""Slates whose items replace each other: P-GRPO against ranked Thompson sampling.

    python benchmarks/slates.py --seeds 20

`Slate-v0`, preset substitutes: every visit has one hidden need, one click suffices. The figure
is (value - uniform) / (best - uniform) of the slates shown, over the whole run and over its
last quarter. Ranked Thompson has one bandit a position (clicks: beta, normal, or linear in the
features), is told the true groups as P-GRPO is, and tuned on seeds of its own (1000 and up);
then all compete on seeds 0 and up, one world a seed; differences are paired.
"""

import argparse
from itertools import product

import gymnasium as gym
import numpy as np
import pandas as pd

from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.baselines import BetaThompson, GaussianThompson, LinTS, RankedThompson
from pgrpo_rec.evaluation.statistics import mean_interval

LANES = 64
WIDTHS = (0.1, 0.3, 1.0)
RANKED = {
    "Ranked Thompson, normal": [
        {"bandit": GaussianThompson(prior_count=c, width=w)} for c, w in product((1, 10), WIDTHS)
    ],
    "Ranked Thompson, beta": [
        {"bandit": BetaThompson(prior=p, sharpness=s)}
        for p, s in product(((1.0, 1.0), (0.2, 1.8)), (1.0, 4.0))
    ],
    "Ranked LinTS": [
        {"bandit": LinTS(ridge=r, width=w)} for r, w in product((1.0, 10.0), (0.1, 0.3))
    ],
}
OURS = {
    "P-GRPO, items one by one": {},
    "P-GRPO adam, slate's reward": {"solver": "adam"},
    "P-GRPO adam, credit by rank": {"solver": "adam", "slate_credit": "below"},
    "P-GRPO adam, credit by rank, learning rate .02": {  # best of .02, .05, .1 on seeds 1000-1002
        "solver": "adam",
        "slate_credit": "below",
        "learning_rate": 0.02,
    },
    "P-GRPO adam, slate's reward, tabular": {"solver": "adam", "policy": "tabular"},
    "P-GRPO adam, credit by rank, tabular": {
        "solver": "adam",
        "slate_credit": "below",
        "policy": "tabular",
    },
}


def serve(recommender, settings, seed, n_rounds):
    """Return the normalised value of one run: as a whole, and of its last quarter."""
    env = gym.make_vec(
        "pgrpo_envs:pgrpo_envs/Slate-v0", num_envs=LANES, preset="substitutes", world_seed=seed
    )
    table = simulate(
        recommender(env.unwrapped.n_items, random_state=seed, **settings),
        env,
        LANES * n_rounds,
        seed=seed,
        clusters=env.unwrapped.user_types,
    )
    late = table[table["round"] >= 0.75 * n_rounds]
    return [
        (part["expected_reward"] - part["uniform_reward"]).sum()
        / (part["best_reward"] - part["uniform_reward"]).sum()
        for part in (table, late)
    ]


def tune(name, settings, options):
    seeds = range(1000, 1000 + options.tune)
    scores = [
        np.mean([serve(RankedThompson, s, seed, options.rounds)[0] for seed in seeds])
        for s in settings
    ]
    best = settings[int(np.argmax(scores))]
    print(f"{name}: {len(settings)} settings x {options.tune} seeds; best {best}", flush=True)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tune", type=int, default=3, help="seeds for tuning; default: 3")
    parser.add_argument("--rounds", type=int, default=625, help=f"of {LANES} visits")
    parser.add_argument("--only", nargs="*", help="contenders whose names contain one of these")
    options = parser.parse_args()
    wanted = [n for n in (*OURS, *RANKED) if any(o in n for o in options.only or [""])]
    runs = {}
    for name in wanted:
        if name in OURS:
            contender = PGRPORecommender, OURS[name]
        else:
            contender = RankedThompson, tune(name, RANKED[name], options)
        runs[name] = np.array(
            [serve(*contender, seed, options.rounds) for seed in range(options.seeds)]
        )
        print(f"{name}: {runs[name].mean(axis=0).round(3)}", flush=True)
    rows = []
    for name, values in runs.items():
        row = {"contender": name}
        for j, part in enumerate(("whole", "last quarter")):
            row[part] = "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval(values[:, j]))
        for rival in runs:
            if rival in RANKED:
                lead = mean_interval(values[:, 0] - runs[rival][:, 0])
                row[f"- {rival}"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*lead)
        rows.append(row)
    print(f"\nnormalised value, {options.seeds} seeds, 95 % intervals; lead over the whole run")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
