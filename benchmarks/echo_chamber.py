"""Constraints against the echo chamber: what each person sees, and what is left of their taste.

    python benchmarks/echo_chamber.py --seeds 20 --figure docs/echo_chamber.png

`EchoChamber-v0`: tastes move towards what is clicked, so whoever maximises clicks narrows them,
and is paid for it. P-GRPO, told the groups, runs free, under a cap on the share of any item at
any visit, and on a leash (divergence from the uniform policy). Measured over the last third of
the visits: coverage of the catalogue, by all visits and by each person's hundred; clicks; and
retention: how much of the first taste people retain at the end (cosine, which only a simulator
can measure; in this world nobody leaves). Seeds are shared, differences are paired.
"""

import argparse
from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym
import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.baselines import Uniform
from pgrpo_rec.evaluation.statistics import mean_interval
from pgrpo_rec.metrics import exposure, exposure_over_time
from pgrpo_rec.reports import draw_bubbles

LANES, VISITS, EPISODES = 64, 100, 6
CONTENDERS = {
    "free": {},
    "cap .2": {"max_share": 0.2},
    "cap .045": {"max_share": 0.045},
    "leash": {"kl_coef": 0.5},
    "uniform": None,
}
MEASURES = ["catalogue", "person", "retention", "clicks"]


class Memory(gym.vector.VectorWrapper):
    """Notes what people retain of their first taste; nothing of it reaches the recommender."""

    def __init__(self, env):
        super().__init__(env)
        self.retained = []

    def step(self, actions):
        """Step, and note it; at the end of an episode it stands in ``final_info``."""
        result = self.env.step(actions)
        info = result[4]
        self.retained.append(info.get("final_info", info)["loyalty"].mean())
        return result


def run_part(name, seed, path):
    env = Memory(
        gym.make_vec(
            "pgrpo_envs:pgrpo_envs/EchoChamber-v0",
            num_envs=LANES,
            world_seed=seed,
            info_level="eval",
        )
    )
    n_items, settings = env.unwrapped.n_items, CONTENDERS[name]
    if settings is None:
        rec = Uniform(n_items, random_state=seed)
    else:
        rec = PGRPORecommender(n_items, solver="adam", random_state=seed, **settings)
    n_rounds = VISITS * EPISODES
    told = {"clusters": env.unwrapped.user_types}
    log = simulate(rec, env, LANES * n_rounds, seed=seed, **told)
    late = log["round"] >= n_rounds * 2 // 3
    # A person's episode: the same lane for a hundred visits.
    person = np.tile(np.arange(LANES), n_rounds) + LANES * (log["round"] // VISITS)
    log = log.assign(user=person)
    ends = np.array(env.retained).reshape(EPISODES, VISITS)[EPISODES * 2 // 3 :, -1]
    row = {
        "contender": name,
        "seed": seed,
        "catalogue": exposure(log[late], n_items)["coverage"][0],
        "person": exposure(log[late], n_items, by=["user"])["coverage"].mean(),
        "retention": ends.mean(),
        "clicks": log[late]["reward"].mean(),
    }
    times = exposure_over_time(log[late], n_items, window=20)
    times = times[times["scope"] == "user"].set_index("stretch")["coverage"]
    row |= {f"stretch_{stretch}": coverage for stretch, coverage in times.items()}
    pd.DataFrame([row]).to_csv(path, index=False)


def report(table):
    wide = table.pivot(index="seed", columns="contender")
    rows = []
    for name in CONTENDERS:
        row = {"contender": name}
        for measure in MEASURES:
            row[measure] = "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval(wide[measure][name]))
        for measure in ("catalogue", "person"):
            ratio = wide[measure][name].mean() / wide[measure]["uniform"].mean()
            row[f"{measure} / uniform"] = f"{ratio:.2f}"
        gain = wide["retention"][name] - wide["retention"]["free"]
        row["retention - free"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*mean_interval(gain))
        rows.append(row)
    print(f"{len(wide)} seeds, 95 % intervals")
    print(pd.DataFrame(rows).to_string(index=False))


def draw(table, path):
    curves, outcomes = {}, {}
    stretches = [c for c in table if c.startswith("stretch_")]
    for name in CONTENDERS:
        mine = table[table["contender"] == name]
        intervals = [mean_interval(mine[c]) for c in stretches]
        curves[name] = pd.DataFrame(intervals).assign(stretch=range(len(stretches)))
        outcomes[name] = (
            "taste retained after 100 visits (cosine)",
            *mean_interval(mine["retention"]),
        )
    title = "What each person sees in 20 visits, and what they retain of their taste"
    draw_bubbles(curves, outcomes, title=title, path=path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="folder for the parts, to go on after a stop")
    parser.add_argument("--figure", type=Path, help="where to draw coverage and retention")
    options = parser.parse_args()
    output = options.output or Path(mkdtemp(prefix="pgrpo-echo-"))
    output.mkdir(parents=True, exist_ok=True)
    units = [(n, s, output / f"{n}-{s}.csv") for s in range(options.seeds) for n in CONTENDERS]
    Parallel(n_jobs=options.jobs)(delayed(run_part)(*u) for u in units if not u[2].exists())
    table = pd.concat([pd.read_csv(path) for _, _, path in units])
    report(table)
    if options.figure:
        draw(table, options.figure)


if __name__ == "__main__":
    main()
