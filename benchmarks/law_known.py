"""What learning groups costs somebody who knows the law of the world.

    python benchmarks/law_known.py --seeds 20

In the worlds of `groups_while_recommending.py` (groups unknown, no features, 200 visits a user):
Thompson sampling by somebody who knows how many groups there are, their shares, their base rates
and how far items' rates spread around them, and has only to learn the rates, and who is of which
group. The posterior is exact where people are known, and else by variational Bayes, a sweep after
every batch; a person's group is drawn from theirs, then the rates of its items. Each answer may
count as several (``sharpness``), which explores less. What is printed is its regret over that of
the same learner told the groups, and over that of P-GRPO told the groups.
"""

import argparse

import numpy as np
import pandas as pd
from groups_while_recommending import (
    N_ITEMS,
    N_USERS,
    SHARES,
    make_world,
    one_seed,
    ratio,
    regret_by_group,
)
from scipy.special import softmax

from pgrpo_rec import simulate

BASE, SPREAD = np.array([0.3, 0.1, 0.03]), 0.6
EFFECTS = np.linspace(-3.2, 3.2, 65)  # of an item, in spreads
LOG_RATE = np.minimum(np.log(BASE)[:, None] + SPREAD * EFFECTS, np.log(0.95))
LOG_MISS = np.log1p(-np.exp(LOG_RATE))


class KnowsTheLaw:
    """Thompson sampling on the posterior of the rates, on a grid, and of people's groups."""

    def __init__(self, types, sharpness, seed):
        self.types, self.sharpness = types, sharpness
        self.rng = np.random.default_rng(seed)
        self.shown, self.clicks = np.zeros((2, N_USERS, N_ITEMS))
        self.members = np.tile(SHARES, (N_USERS, 1)) if types is None else np.eye(3)[types]
        self.learn()

    def learn(self):
        """Bring the rates' posterior up to date, then the people's."""
        clicks = self.members.T @ self.clicks
        misses = self.members.T @ (self.shown - self.clicks)
        logs = clicks[..., None] * LOG_RATE[:, None] + misses[..., None] * LOG_MISS[:, None]
        logs -= 0.5 * EFFECTS**2
        self.cumulated = softmax(self.sharpness * logs, axis=-1).cumsum(-1)
        if self.types is None:
            weight = softmax(logs, axis=-1)
            rate, miss = (np.einsum("pkz,pz->pk", weight, table) for table in (LOG_RATE, LOG_MISS))
            heard = self.clicks @ rate.T + (self.shown - self.clicks) @ miss.T
            self.members = softmax(np.log(SHARES) + heard, axis=1)

    def recommend(self, X, *, users, available=None):
        """Draw a group for each user, then rates of its items, and show the best of these."""
        passed = self.members[users].cumsum(axis=1) > self.rng.random((users.size, 1))
        group = passed.argmax(axis=1)
        level = self.rng.random((users.size, N_ITEMS, 1))
        effect = (self.cumulated[group] < level).sum(axis=-1)
        return effect.argmax(axis=1)[:, None], np.ones((users.size, 1))

    def partial_fit(self, X, y, *, actions, users, propensities):
        """Take a batch in."""
        np.add.at(self.shown, (users, actions), 1.0)
        np.add.at(self.clicks, (users, actions), y)
        self.learn()


def regret_of(options, seed, sharpness, told):
    """Return the mean over groups of regret, 1 for a uniform policy."""
    world = make_world(options, seed)
    types = world.unwrapped.user_types if told else None
    learner = KnowsTheLaw(types, sharpness, seed)
    table = simulate(learner, world, options.visits * N_USERS, seed=seed)
    return regret_by_group(table).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed; default: 0")
    parser.add_argument("--sharpness", type=float, nargs="*", default=[1.0, 2.0, 4.0])
    options = parser.parse_args()
    options.visits, options.deviation, options.only = 200, 0.0, ["told"]
    seeds = range(options.first, options.first + options.seeds)
    ours = pd.concat([one_seed(options, seed) for seed in seeds])["mean"].to_numpy()
    print(f"P-GRPO, told the groups: {ours.mean():.3f}")
    for sharpness in options.sharpness:
        told, learned = (
            np.array([regret_of(options, seed, sharpness, known) for seed in seeds])
            for known in (True, False)
        )
        print(
            f"law known, sharpness {sharpness:g}: told {told.mean():.3f}, learned "
            f"{learned.mean():.3f}, over told {ratio(learned, told)}, over P-GRPO told "
            f"{ratio(learned, ours)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
