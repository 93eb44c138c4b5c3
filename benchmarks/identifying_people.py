"""What it costs to find out of whom somebody is, when every group's tastes are known.

Three groups (70, 20 and 10 %), 20 items, clicks at base rates of .3, .1 and .03 with
log-normal(.6) effects of items, 200 visits a person. All rates are known; only who is of which
group is not, and is inferred from clicks by Bayes' rule. Regret over that of a uniform policy,
for four ways to choose while in doubt:

- ``drawn``: the best item of a group drawn by its probability (latent Thompson sampling, Hong
  et al. 2020);
- ``expected reward``: the item that earns most on average over the groups this may be;
- ``expected advantage``: the same, rewards measured in each group's own units;
- ``most probable``: the best item of the most probable group.

    python benchmarks/identifying_people.py --worlds 30
"""

import argparse

import numpy as np
from scipy.special import softmax

from pgrpo_rec.evaluation.statistics import mean_interval

BASE, SHARES = np.array([0.3, 0.1, 0.03]), np.array([0.7, 0.2, 0.1])
N_ITEMS = 20


def choose(how, share, rates, rng):
    """Return the item for each person, given the probability of each group (n, P)."""
    level = rates.mean(axis=1, keepdims=True)
    best = rates.argmax(axis=1)
    if how == "drawn":
        return best[(share.cumsum(axis=1) > rng.random((len(share), 1))).argmax(axis=1)]
    if how == "most probable":
        return best[share.argmax(axis=1)]
    if how == "expected advantage":
        rates = (rates - level) / np.sqrt(level * (1.0 - level))
    return (share @ rates).argmax(axis=1)


def one_world(how, seed, n_people, n_visits):
    """Return the regret of each group over that of a uniform policy, shape (P,)."""
    rng = np.random.default_rng(seed)
    rates = np.clip(BASE[:, None] * np.exp(rng.normal(0.0, 0.6, (3, N_ITEMS))), 0.001, 0.95)
    group = np.repeat(np.arange(3), np.rint(SHARES * n_people).astype(int))
    logits = np.tile(np.log(SHARES), (group.size, 1))
    regret = np.zeros(group.size)
    for _ in range(n_visits):
        shown = choose(how, softmax(logits, axis=1), rates, rng)
        rate = rates[group, shown]
        regret += rates[group].max(axis=1) - rate
        clicked = rng.random(group.size) < rate
        seen = rates[:, shown].T
        logits += np.where(clicked[:, None], np.log(seen), np.log1p(-seen))
    uniform = n_visits * (rates.max(axis=1) - rates.mean(axis=1))
    return np.bincount(group, regret) / np.bincount(group) / uniform


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=30)
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--visits", type=int, default=200)
    options = parser.parse_args()
    print("regret / uniform's: mean of groups [95 %], and the 70, 20 and 10 % group")
    for how in ("drawn", "expected reward", "expected advantage", "most probable"):
        seeds = range(options.worlds)
        rows = np.array([one_world(how, s, options.people, options.visits) for s in seeds])
        mean, low, high = mean_interval(rows.mean(axis=1))
        print(f"{how:20s} {mean:.3f} [{low:.3f}, {high:.3f}]  {rows.mean(axis=0).round(3)}")


if __name__ == "__main__":
    main()
