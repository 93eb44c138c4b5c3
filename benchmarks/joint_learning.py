"""Groups that differ only in how they respond to features, learned while recommending.

Four hidden groups of equal size, 20 items, 20 features of each visit, clicks: 1,600
coefficients. Learners, all P-GRPO with its defaults: told nothing about who is here (one pooled
model), given user ids, told the groups, and told them only after 40 visits a user (the past is then
summed up anew, by groups). Shown against visits a user: the adjusted Rand index of the learned
groups, and the share of the way from the pooled model's click rate to that of the told one, in the
visits since the line before.

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
LATE = 40  # visits a user after which the groups are told late
NAMES = ("pooled", "learned", "told late", "told")


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


class ToldLate:
    """A pooled model until so many rounds have come, then one that is told the groups."""

    def __init__(self, seed, n_rounds):
        self._seed, self._left, self._past = seed, n_rounds, []
        self._learner = PGRPORecommender(20, random_state=seed)

    def recommend(self, X, *, clusters, available=None):
        """Recommend without the groups, or with them."""
        told = {} if self._left > 0 else {"clusters": clusters}
        return self._learner.recommend(X, available=available, **told)

    def partial_fit(self, X, y, *, clusters, **log):
        """Learn; when the time has come, all of the past, group by group."""
        if self._left <= 0:
            self._learner.partial_fit(X, y, clusters=clusters, **log)
            return
        self._learner.partial_fit(X, y, **log)
        self._past.append((X, y, clusters, log))
        self._left -= 1
        if self._left == 0:
            self._learner = PGRPORecommender(20, random_state=self._seed)
            for X, y, clusters, log in self._past:
                self._learner.partial_fit(X, y, clusters=clusters, **log)


def one_seed(options, seed):
    """Return a row a step: index, and mean expected reward of each learner."""
    steps = np.arange(options.step, options.visits + 1, options.step)
    rounds = steps * options.users // LANES
    rewards, index = {}, {}
    for name in NAMES:
        world = make_world(options, seed)
        types = world.unwrapped.user_types
        recommender = PGRPORecommender(20, random_state=seed)
        if name == "learned":
            recommender = Watched(20, random_state=seed).watch(types, set(rounds.tolist()))
        if name == "told late":
            recommender = ToldLate(seed, LATE * options.users // LANES)
        table = simulate(
            recommender,
            world,
            int(rounds[-1]) * LANES,
            seed=seed,
            clusters=types if name.startswith("told") else None,
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
    print(
        "visits  index [95 %]           " + "  ".join(NAMES) + "   ways: " + ", ".join(NAMES[1:3])
    )
    for visits, part in rows.groupby("visits"):
        mean, low, high = mean_interval(part["index"])
        means = " ".join(f"{part[name].mean():.3f}" for name in NAMES)
        ways = "   ".join("{:.2f} [{:.2f}, {:.2f}]".format(*way(part, n)) for n in NAMES[1:3])
        print(f"{visits:6d}  {mean:.3f} [{low:.3f}, {high:.3f}]   {means}   {ways}")


def way(part, name):
    """Return the share of the way from pooled to told, of means over seeds, and its interval."""
    gained, whole = ((part[n] - part["pooled"]).to_numpy() for n in (name, "told"))
    draws = np.random.default_rng(0).integers(len(part), size=(2000, len(part)))
    ends = np.quantile(gained[draws].mean(1) / whole[draws].mean(1), [0.025, 0.975])
    return gained.mean() / whole.mean(), *ends


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
    for name in NAMES:
        right.plot(means.index, means[name], label=name)
    right.set(xlabel="visits a user", ylabel="click rate of what is shown")
    right.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
