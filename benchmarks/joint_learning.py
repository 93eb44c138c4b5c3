"""Groups that differ only in how they respond to features, learned while recommending.

Four hidden groups of equal size, 20 items, 20 features of each visit, clicks: 1,600
coefficients. Three learners, all P-GRPO with its defaults: told nothing about who is here
(one pooled model), given user ids, told the groups. Shown against visits a user: the adjusted
Rand index of the learned groups, and the share of the way from the pooled model's click rate
to that of the told one, in the visits since the line before.

    python benchmarks/joint_learning.py --seeds 20 --figure docs/joint_learning.png
"""

import argparse
import warnings

import gymnasium as gym
import numpy as np
import pandas as pd
from figure_style import frame
from sklearn.metrics import adjusted_rand_score

import pgrpo_envs  # noqa: F401
from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.evaluation.statistics import mean_interval

LANES = 50


def make_world(options, seed):
    n_groups = options.groups
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0",
        num_envs=LANES,
        world_seed=seed,
        n_users=options.users,
        n_items=20,
        n_features=options.features,
        context="visit",
        response=options.response,
        shares=(1.0 / n_groups,) * n_groups,
        base=(-0.5,) * n_groups,
        scale=(1.0,) * n_groups,
        offset=(0.0,) * n_groups,
        drift=("still",) * n_groups,
    )


class Watched(PGRPORecommender):
    """Notes the adjusted Rand index at the visits asked for."""

    def watch(self, types, rounds):
        """Say what is the truth, and after which rounds to note the index."""
        self._types, self._rounds, self._round, self.index = types, rounds, 0, {}
        return self

    def partial_fit(self, X, y, **log):
        """Learn, then note."""
        super().partial_fit(X, y, **log)
        self._round += 1
        if self._round in self._rounds:
            found = self.clustering_
            self.index[self._round] = adjusted_rand_score(self._types[found.users_], found.labels_)
        return self


def one_seed(options, seed):
    """Return a row a step: index, and mean expected reward of the three learners."""
    steps = np.arange(options.step, options.visits + 1, options.step)
    rounds = steps * options.users // LANES
    rewards, index = {}, {}
    for name in ("pooled", "learned", "told"):
        world = make_world(options, seed)
        types = world.unwrapped.user_types
        recommender = PGRPORecommender(20, random_state=seed)
        if name == "learned":
            recommender = Watched(20, random_state=seed).watch(types, set(rounds.tolist()))
        table = simulate(
            recommender,
            world,
            int(rounds[-1]) * LANES,
            seed=seed,
            clusters=types if name == "told" else None,
            identify=name == "learned",
        )
        step = np.searchsorted(rounds, table["round"], side="right")
        rewards[name] = table.groupby(step)["expected_reward"].mean().to_numpy()
        if name == "learned":
            index = recommender.index
    return pd.DataFrame(
        {"seed": seed, "visits": steps, "index": [index[r] for r in rounds.tolist()], **rewards}
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed; default: 0")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--visits", type=int, default=100, help="a user; default: 100")
    parser.add_argument("--step", type=int, default=10)
    parser.add_argument("--response", default="logit", choices=("logit", "gaussian"))
    parser.add_argument("--table", help="file to add the rows of each seed to")
    parser.add_argument("--figure", help="file to draw the curves into")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="no propensities")
    parts = []
    for seed in range(options.first, options.first + options.seeds):
        parts.append(one_seed(options, seed))
        if options.table:
            pd.concat(parts).to_csv(options.table, index=False)
    rows = pd.concat(parts)
    report(rows)
    if options.figure:
        draw(rows, options.figure)


def report(rows):
    print("visits  index [95 %]            pooled learned  told   share of the way [95 %]")
    for visits, part in rows.groupby("visits"):
        mean, low, high = mean_interval(part["index"])
        pooled, learned, told = (part[name].to_numpy() for name in ("pooled", "learned", "told"))
        # Of means: in single seeds the way may be short.
        way = (learned - pooled).mean() / (told - pooled).mean()
        draws = np.random.default_rng(0).integers(len(part), size=(2000, len(part)))
        ways = (learned - pooled)[draws].mean(1) / (told - pooled)[draws].mean(1)
        ends = np.quantile(ways, [0.025, 0.975])
        print(
            f"{visits:6d}  {mean:.3f} [{low:.3f}, {high:.3f}]   {pooled.mean():.4f} "
            f"{learned.mean():.4f} {told.mean():.4f}   {way:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"
        )


def draw(rows, path):
    figure, (left, right) = frame(
        "Groups found before users have said much",
        "Four groups that differ only in how they respond to 20 features; 1,600 coefficients, "
        "200 users, clicks. Grey: single seeds. python benchmarks/joint_learning.py",
        2,
    )
    means = rows.groupby("visits").mean()
    for _, part in rows.groupby("seed"):
        left.plot(part["visits"], part["index"], color="0.8", lw=0.8)
    left.plot(means.index, means["index"], color="black")
    left.set(xlabel="visits a user", ylabel="adjusted Rand index", ylim=(-0.05, 1.05))
    for name in ("pooled", "learned", "told"):
        right.plot(means.index, means[name], label=name)
    right.set(xlabel="visits a user", ylabel="click rate of what is shown")
    right.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
