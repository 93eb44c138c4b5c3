"""What it costs that groups must be learned while recommending, from the first visit on.

300 users of three hidden groups (70, 20 and 10 %), 20 items, clicks at base rates of .3, .1 and
.03, no features, 200 visits a user, and no phase that only explores. Regret is summed over all
visits and divided by what a uniform policy would lose, group by group:

- ``told``: P-GRPO is told the true groups; ``learned``: it is told user ids; ``learned, groups
  only``: without following the single user; both with all defaults;
- ``rates known``: Thompson sampling by someone who knows the true rates of all groups and need
  only find out of whom each user is (a latent bandit): what identifying people costs alone; and
  the same with four other ways to choose while in doubt;
- rivals: Thompson sampling without groups, one a user, and clustering bandits where installed.

    python benchmarks/groups_while_recommending.py --seeds 20
    python benchmarks/groups_while_recommending.py --seeds 20 --deviation 0.5

With ``--deviation`` people differ inside groups, by a log-normal factor on every item's rate.
"""

import argparse
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
from scipy.special import softmax

import pgrpo_envs  # noqa: F401
from pgrpo_rec import PGRPORecommender, baselines, simulate
from pgrpo_rec.evaluation.statistics import mean_interval
from pgrpo_rec.identification import cost_and_gain, information_directed

N_USERS, LANES, N_ITEMS = 300, 60, 20
SHARES = (0.7, 0.2, 0.1)


def make_world(options, seed):
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0",
        num_envs=LANES,
        preset="clicks",
        world_seed=seed,
        n_users=N_USERS,
        deviation=options.deviation,
    )


class RatesKnown:
    """A latent bandit with the true rates of the groups, which infers who is of which.

    ``way`` is how it chooses while in doubt: the best item of a group "drawn" by its
    probability (latent Thompson sampling, Hong et al. 2020), of the "most probable" group, or of
    one chosen by "information", or the item of the highest "expected reward" or "expected
    advantage" over the groups.
    """

    def __init__(self, rates, shares, way, seed):
        self.rates, self.logits = rates, np.tile(np.log(shares), (N_USERS, 1))
        level = rates.mean(axis=1, keepdims=True)
        self.worth = {
            "expected reward": rates,
            "expected advantage": (rates - level) / np.sqrt(level * (1.0 - level)),
        }
        self.way, self.rng = way, np.random.default_rng(seed)

    def recommend(self, X, *, users, available=None):
        """Show an item by the probabilities of the groups."""
        share = softmax(self.logits[users], axis=1)
        if self.way in self.worth:
            shown = (share @ self.worth[self.way]).argmax(axis=1)
            return shown[:, None], np.ones((users.size, 1))
        if self.way == "most probable":
            share = share == share.max(axis=1, keepdims=True)
        elif self.way == "information":
            share = self.by_information(share)
        group = (share.cumsum(axis=1) > self.rng.random((users.size, 1))).argmax(axis=1)
        best = self.rates.argmax(axis=1)
        propensity = (share * (best == best[group][:, None])).sum(axis=1)
        return best[group][:, None], propensity[:, None]

    def by_information(self, share):
        """Return the weights of the groups by `pgrpo_rec.identification`."""
        policies = np.eye(N_ITEMS)[self.rates.argmax(axis=1)]
        tables = policies, self.worth["expected advantage"], self.rates
        each = [np.broadcast_to(t, (len(share), *t.shape)) for t in tables]
        noise = each[2] * (1.0 - each[2])
        return information_directed(share, *cost_and_gain(share, *each, noise))

    def partial_fit(self, X, y, *, actions, users, propensities):
        """Move each user's group."""
        rate = self.rates[:, actions].T
        np.add.at(self.logits, users, np.where(y[:, None] > 0, np.log(rate), np.log1p(-rate)))


def contenders(world, seed):
    """Yield name, learner, and what it is told: groups, a group for each user id, or None."""
    types = world.unwrapped.user_types
    everyone = np.arange(N_USERS)
    yield "told", PGRPORecommender(N_ITEMS, random_state=seed), types
    yield "learned", PGRPORecommender(N_ITEMS, random_state=seed), None
    alone = PGRPORecommender(N_ITEMS, user_adaptation=False, random_state=seed)
    yield "learned, groups only", alone, None
    for way in ("drawn", "information", "expected reward", "expected advantage", "most probable"):
        known = RatesKnown(world.unwrapped.world.bias, SHARES, way, seed)
        yield "rates known" if way == "drawn" else f"rates known, {way}", known, None
    thompson = {"width": 0.4, "standardise": True, "random_state": seed}
    yield "LinTS, no groups", baselines.LinTS(N_ITEMS, **thompson), 0 * everyone
    yield "LinTS, one a user", baselines.LinTS(N_ITEMS, **thompson), everyone
    for name in ("CLUB", "SCLUB", "DynUCB"):
        if hasattr(baselines, name):
            yield name, getattr(baselines, name)(N_ITEMS, random_state=seed), None


def regret_by_group(table):
    """Return each group's regret, 1 for a uniform policy."""
    worst = (table["best_reward"] - table["uniform_reward"]).groupby(table["user_type"]).sum()
    return (table["regret"].groupby(table["user_type"]).sum() / worst).to_numpy()


def one_seed(options, seed):
    """Return a row a contender: regret of each group, normalised, and in all; share of clicks."""
    rows = []
    for name, learner, told in contenders(make_world(options, seed), seed):
        if options.only and name not in options.only:
            continue
        n = options.visits * N_USERS
        table = simulate(learner, make_world(options, seed), n, seed=seed, clusters=told)
        share = regret_by_group(table)
        row = {"seed": seed, "contender": name, "raw": table["regret"].sum()}
        row["value"] = table["expected_reward"].mean()
        row |= {"mean": share.mean(), "small": share[1:].mean()}
        row |= {f"group {p}": value for p, value in enumerate(share)}
        rows.append(row)
    return pd.DataFrame(rows)


def ratio(ours, theirs):
    """Return the ratio of means over seeds, with a bootstrap interval over seeds."""
    draws = np.random.default_rng(0).integers(ours.size, size=(4000, ours.size))
    low, high = np.quantile(ours[draws].mean(1) / theirs[draws].mean(1), [0.025, 0.975])
    return f"{ours.mean() / theirs.mean():5.2f} [{low:.2f}, {high:.2f}]"


def report(rows):
    table = rows.pivot(index="seed", columns="contender")
    names = rows["contender"].unique().tolist()
    base = names[0]
    print(f"regret / uniform's: mean of groups, 20 % group, 10 % group; over that of {base!r}")
    for name in names:
        values = {m: table[m][name].to_numpy() for m in ("mean", "small", "raw")}
        against = [ratio(v, table[m][base].to_numpy()) for m, v in values.items()]
        mean, low, high = mean_interval(values["mean"])
        groups = [table[f"group {p}"][name].mean() for p in (1, 2)]
        print(
            f"{name:22s} {mean:.3f} [{low:.3f}, {high:.3f}] {groups[0]:.3f} {groups[1]:.3f} | "
            f"mean {against[0]} small groups {against[1]} clicks lost {against[2]}"
        )
    if {"told", "learned", "rates known"} <= set(names):
        both = (table["raw"]["told"] + table["raw"]["rates known"]).to_numpy()
        share = ratio(table["raw"]["learned"].to_numpy(), both)
        print(f"clicks lost by learned over (told + rates known): {share}")
    if {"learned", "learned, groups only"} <= set(names):
        for measure in ("mean", "raw"):
            alone = table[measure]["learned, groups only"].to_numpy()
            share = ratio(table[measure]["learned"].to_numpy(), alone)
            print(f"following the single user, {measure}: {share}")
        both = (table["value"][name] for name in ("learned", "learned, groups only"))
        followed, alone = (column.to_numpy() for column in both)
        mean, low, high = mean_interval(followed / alone - 1.0)
        print(f"following the single user, clicks: {mean:+.2%} [{low:+.2%}, {high:+.2%}]")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed; default: 0")
    parser.add_argument("--visits", type=int, default=200, help="a user; default: 200")
    parser.add_argument("--deviation", type=float, default=0.0)
    parser.add_argument("--only", nargs="*", help="names of contenders; default: all")
    parser.add_argument("--table", type=Path, help="file to add the rows of each seed to")
    options = parser.parse_args()
    parts = []
    for seed in range(options.first, options.first + options.seeds):
        parts.append(one_seed(options, seed))
        if options.table:
            pd.concat(parts).to_csv(options.table, index=False)
    report(pd.concat(parts))


if __name__ == "__main__":
    main()
