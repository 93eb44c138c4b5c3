"""What it brings to place people by features of whom nothing was heard, in three worlds.

Groups are learned for a while; then as many visits are served of people never met, and nothing
is learned from them. ``features``: P-GRPO with all defaults, which places people by
P(cluster | features) where people held out confirm that it predicts; ``shares``: the same, but
placed by the clusters' shares until they answer. Regret over that of a uniform policy, of all
visits and as the mean over groups, while learning and of strangers; differences are paired.

    python benchmarks/strangers.py
"""

import argparse

import gymnasium as gym
import numpy as np

import pgrpo_envs  # noqa: F401
from pgrpo_rec import PGRPORecommender, simulate
from pgrpo_rec.evaluation.statistics import mean_interval

WORLDS = {
    "hard": (6400, 1000),  # answers, people; the profile is the person's and hides the group
    "scales": (12800, 300),  # features are the visit's, their mean differs by group
    "logit": (12800, 300),
}
NEVER_MET = 10**6


class PlacedByShares(PGRPORecommender):
    """P-GRPO that is not told features when it places people."""

    def _meet(self, visits):
        audience = super()._meet(visits)
        audience._about = lambda _visits: None
        return audience


class Strangers:
    """Serves everyone as someone never met, and learns nothing."""

    def __init__(self, recommender):
        self.recommender = recommender

    def recommend(self, X, *, users, **told):
        """Show items to people under ids of their own."""
        return self.recommender.recommend(X, users=users + NEVER_MET, **told)

    def partial_fit(self, *_args, **_told):
        """Do nothing."""
        return self


def normalised(log):
    """Return regret over uniform's, of all and as the mean over groups."""
    log = log.assign(worst=log["best_reward"] - log["uniform_reward"])
    groups = log.groupby("user_type")[["regret", "worst"]].sum()
    everyone = groups["regret"].sum() / groups["worst"].sum()
    return everyone, (groups["regret"] / groups["worst"]).mean()


def one_seed(kind, preset, seed):
    """Return regret while learning and of strangers, shape (2, 2)."""
    n_answers, n_users = WORLDS[preset]

    def world():
        name = "pgrpo_envs/PreferenceBandit-v0"
        return gym.make_vec(name, num_envs=64, preset=preset, n_users=n_users, world_seed=seed)

    recommender = kind(world().unwrapped.n_items, random_state=seed)
    learning = simulate(recommender, world(), n_answers, seed=seed)
    strangers = simulate(Strangers(recommender), world(), 6400, seed=seed + 10_000)
    return normalised(learning), normalised(strangers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="first seed; default: 0")
    parser.add_argument("--worlds", nargs="*", default=list(WORLDS), choices=list(WORLDS))
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    print("world    visits          measure         shares features difference [95 %]")
    for preset in options.worlds:
        kinds = (PlacedByShares, PGRPORecommender)
        runs = np.array([[one_seed(kind, preset, s) for s in seeds] for kind in kinds])
        for i, when in enumerate(("while learning", "of strangers")):
            for j, measure in enumerate(("all visits", "mean of groups")):
                shares, features = runs[:, :, i, j]
                mean, low, high = mean_interval(features - shares)
                print(
                    f"{preset:8s} {when:15s} {measure:15s} {shares.mean():.3f}  "
                    f"{features.mean():.3f}   {mean:+.3f} [{low:+.3f}, {high:+.3f}]",
                    flush=True,
                )


if __name__ == "__main__":
    main()
