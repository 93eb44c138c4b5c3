"""Time a visit with 10,000 items that have features of their own: P-GRPO and LinTS.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/many_items.py

All learn the same regression of 153 coefficients a group. "Textbook" LinTS draws coefficients
once a visit and multiplies the table of all products of the visit's with the items' features by
them, as a library that is given one row of features an item and visit does; "factored" LinTS
draws alike but multiplies twice, the visit's features first. Neither can say with which
probability it shows what it shows; P-GRPO and our LinTS compute it. One process, in turns
round by round, medians of the last half; regret is compared by `benchmarks/solvers.py many`.
"""

import argparse
import time

import gymnasium as gym
import numpy as np
import pandas as pd

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import PGRPORecommender
from pgrpo_rec.baselines import SharedLinTS


class DrawnLinTS:
    """LinTS by a draw of the coefficients, a regression for each cluster."""

    def __init__(self, item_features, seed, *, factored, width=0.1):
        self.items = np.hstack([np.ones((len(item_features), 1)), item_features])
        self.factored, self.width, self.rng = factored, width, np.random.default_rng(seed)
        self.gram, self.moment = {}, {}

    def recommend(self, X, *, clusters):
        """Return the items that a draw of coefficients prefers, and no propensities."""
        z = np.hstack([np.ones((len(X), 1)), X])
        items = np.empty((len(X), 1), dtype=np.int64)
        for p in np.unique(clusters):
            rows = np.flatnonzero(clusters == p)
            if p not in self.gram:
                items[rows, 0] = self.rng.integers(len(self.items), size=rows.size)
                continue
            root = np.linalg.cholesky(np.linalg.inv(self.gram[p]))
            mean = root @ (root.T @ self.moment[p])
            drawn = mean + self.width * self.rng.normal(size=(rows.size, mean.size)) @ root.T
            for i, coefficients in zip(rows, drawn, strict=True):
                items[i, 0] = self._values(z[i], coefficients).argmax()
        return items, None

    def _values(self, z, coefficients):
        if self.factored:
            return self.items @ (z @ coefficients.reshape(z.size, -1))
        table = (z[None, :, None] * self.items[:, None, :]).reshape(len(self.items), -1)
        return table @ coefficients

    def partial_fit(self, X, y, *, actions, clusters, propensities):
        """Add the answers to the regressions of their clusters."""
        z = np.hstack([np.ones((len(X), 1)), X])
        joint = (z[:, :, None] * self.items[actions][:, None, :]).reshape(len(X), -1)
        for p in np.unique(clusters):
            rows = joint[clusters == p]
            gram = self.gram.get(p, np.eye(joint.shape[1]))
            self.gram[p] = gram + rows.T @ rows
            moment = self.moment.get(p, np.zeros(joint.shape[1]))
            self.moment[p] = moment + rows.T @ y[clusters == p]


def seconds_of(recommender, env, X, groups):
    """Return the seconds of one round of 64 visits, and who comes next."""
    start = time.perf_counter()
    items, propensities = recommender.recommend(X, clusters=groups)
    spent = time.perf_counter() - start
    obs, rewards, _, _, info = env.step(items[:, 0])
    known = None if propensities is None else propensities[:, 0]
    start = time.perf_counter()
    recommender.partial_fit(X, rewards, actions=items[:, 0], clusters=groups, propensities=known)
    return spent + time.perf_counter() - start, obs.astype(float), info["user_type"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=120, help="of 64 visits")
    options = parser.parse_args()
    n_items, settings = options.items, {"num_envs": 64, "preset": "many", "world_seed": 0}

    def world():
        return gym.make_vec(
            "pgrpo_envs/PreferenceBandit-v0", n_items=n_items, info_level="eval", **settings
        )

    table = world().unwrapped.item_features
    ours = {"item_features": table, "random_state": 0}
    runners = {
        "P-GRPO": PGRPORecommender(n_items, **ours),
        "LinTS (SharedLinTS)": SharedLinTS(n_items, width=0.1, standardise=True, **ours),
        "LinTS, factored draw": DrawnLinTS(table, 0, factored=True),
        "LinTS, textbook": DrawnLinTS(table, 0, factored=False),
    }
    envs = {name: world() for name in runners}
    visitors = {}
    for name, env in envs.items():
        obs, info = env.reset(seed=0)
        visitors[name] = obs.astype(float), info["user_type"]
    times = {name: [] for name in runners}
    for _ in range(options.rounds):
        for name, recommender in runners.items():
            spent, *visitors[name] = seconds_of(recommender, envs[name], *visitors[name])
            times[name].append(spent)
    late = {name: np.array(t[len(t) // 2 :]) / 64 for name, t in times.items()}
    rows = [
        {
            "recommender": name,
            "microseconds a visit": f"{1e6 * np.median(t):,.0f}",
            "over P-GRPO's": "{1:.2f} [{0:.2f}, {2:.2f}]".format(
                *np.percentile(t / late["P-GRPO"], [5, 50, 95])
            ),
        }
        for name, t in late.items()
    ]
    print(f"{n_items:,} items, 16 features of items and 8 of visits, batches of 64 visits")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
