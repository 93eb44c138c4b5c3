"""What the rarest group costs a bandit that knows how the world was made.

    python benchmarks/bounds.py clicks --seeds 20 --draws 1 4
    python benchmarks/bounds.py nonlinear_logit --seeds 5 --draws 1 8

In the 10 % group of `benchmarks/solvers.py`'s worlds: Thompson sampling with the very distribution
from which the world draws its items. In `clicks` the posterior of each rate is exact, on a grid;
in `nonlinear_logit` the formula of the logits is known too, and 500 particles an item (resampled,
then moved by five Metropolis steps; Chopin 2002) stand for the posterior of its coefficients.
It is a mark, no bound: more can be made of such knowledge than Thompson sampling does. ``m`` draws
are averaged: with one it is Thompson sampling, with more it explores less. Seeds are those of
`solvers.py`, regret is over that of a random item.
"""

import argparse
import warnings
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from scipy.special import expit, logsumexp
from solvers import ROUNDS, Recommender, make_scenario, per_seed

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.benchmark import run
from pgrpo_rec.evaluation.statistics import mean_interval

RAREST = 2  # the group that is looked at; all others are shown anything
BASE = {"clicks": 0.03, "nonlinear_logit": -3.5}
LATE = 30  # of 40 parts


class OfRarest:
    """Serves the rarest group by draws from what it knows of every item."""

    def __init__(self, items, rng, n_draws):
        self.items, self.rng, self.n_draws = items, rng, n_draws

    def recommend(self, X, *, clusters, available=None):
        """Show the rarest group what draws say is best, others anything."""
        shown = self.rng.integers(len(self.items), size=(clusters.size, 1))
        for i in np.flatnonzero(clusters == RAREST):
            x = None if X is None else X[i]
            values = [item.draws(x, self.n_draws, self.rng).mean() for item in self.items]
            shown[i] = np.argmax(values)
        return shown, np.full(shown.shape, np.nan)

    def partial_fit(self, X, y, *, actions, clusters, propensities):
        """Learn from the rarest group alone."""
        for k in np.unique(actions[clusters == RAREST]):
            rows = (clusters == RAREST) & (actions == k)
            self.items[k].hear(None if X is None else X[rows], y[rows], self.rng)


class Rate:
    """The click rate of an item: log-normal around the group's, on a grid."""

    def __init__(self, base):
        z = np.linspace(-4.0, 4.0, 161)
        self.grid, self.log = np.clip(base * np.exp(0.6 * z), 0.001, 0.95), -0.5 * z**2

    def hear(self, X, y, rng):
        """Bayes' rule."""
        self.log += y.sum() * np.log(self.grid) + (1 - y).sum() * np.log1p(-self.grid)

    def draws(self, x, n, rng):
        """Draw n rates."""
        return rng.choice(self.grid, size=n, p=np.exp(self.log - logsumexp(self.log)))


class Curve:
    """The coefficients of an item whose logits are ``base + 2 sin(1.5 x . theta)``."""

    def __init__(self, base, rng, n_features=8, n_particles=500, spread=0.7):
        self.base, self.spread = base, spread
        self.theta = rng.normal(scale=spread, size=(n_particles, n_features))
        self.log = np.zeros(n_particles)
        self.X, self.y = np.empty((0, n_features)), np.empty(0)

    def logits(self, theta, X):
        """Return the logits of visits, shape (particles, n)."""
        return self.base + 2.0 * np.sin(1.5 * theta @ X.T)

    def loglik(self, theta, X, y):
        """Return the log-likelihood of answers by each particle."""
        logits = self.logits(theta, X)
        return logits @ y - np.logaddexp(0.0, logits).sum(axis=1)

    def hear(self, X, y, rng):
        """Bayes' rule; few particles that carry all the weight are spread again."""
        self.X, self.y = np.vstack([self.X, X]), np.append(self.y, y)
        self.log += self.loglik(self.theta, X, y)
        weights = np.exp(self.log - logsumexp(self.log))
        if 1.0 / (weights**2).sum() < 0.5 * self.log.size:
            self.theta = self.theta[rng.choice(self.log.size, self.log.size, p=weights)]
            self.log[:] = 0.0
            self.move(rng)

    def move(self, rng, n_steps=5):
        """Take Metropolis steps, which leave the posterior as it is."""

        def target(theta):
            return self.loglik(theta, self.X, self.y) - 0.5 * (theta**2).sum(1) / self.spread**2

        now = target(self.theta)
        step = 1.2 / np.sqrt(self.theta.shape[1]) * self.theta.std(axis=0)
        for _ in range(n_steps):
            trial = self.theta + step * rng.normal(size=self.theta.shape)
            value = target(trial)
            taken = np.log(rng.random(now.size)) < value - now
            self.theta[taken], now[taken] = trial[taken], value[taken]

    def draws(self, x, n, rng):
        """Draw n rates at a visit."""
        weights = np.cumsum(np.exp(self.log - logsumexp(self.log)))
        drawn = np.minimum(np.searchsorted(weights, rng.random(n)), self.log.size - 1)
        return expit(self.logits(self.theta[drawn], x[None])[:, 0])


def knowing(scenario, n_draws):
    def make(env, seed):
        rng, n_items = np.random.default_rng(seed), env.unwrapped.n_items
        base = BASE[scenario]
        items = [Rate(base) if scenario == "clicks" else Curve(base, rng) for _ in range(n_items)]
        return OfRarest(items, rng, n_draws)

    return Recommender(f"knows how items were drawn, m = {n_draws}", make, "true groups")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=sorted(BASE))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, help="of 64 visits; default: the scenario's own")
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="no propensities")
    scenario = make_scenario(options.scenario, options.rounds or ROUNDS[options.scenario])

    def default(env, seed):
        return PGRPORecommender(env.unwrapped.n_items, random_state=seed)

    competing = [Recommender("P-GRPO", default, "true groups")]
    competing += [knowing(options.scenario, n) for n in options.draws]
    parts = run(
        competing,
        [scenario],
        range(options.seeds),
        Path(mkdtemp(prefix="pgrpo-bounds-")),
        n_jobs=options.jobs,
        progress=True,
    )
    for when, some in (("all visits", parts), ("last quarter", parts[parts["bin"] >= LATE])):
        table = per_seed(some).set_index(["recommender", "seed"])[f"regret_{RAREST}"]
        ours = table["P-GRPO"]
        print(f"\n{options.scenario}, rarest group, {when}: regret, and that of P-GRPO over it")
        for who in table.index.unique("recommender"):
            regret, ratio = mean_interval(table[who]), mean_interval(ours / table[who])
            print(
                f"{who:36s}{'{:.4f} [{:.4f}, {:.4f}]'.format(*regret)}"
                f"   {'{:.2f} [{:.2f}, {:.2f}]'.format(*ratio)}"
                f"   of means {ours.mean() / table[who].mean():.2f}"
            )


if __name__ == "__main__":
    main()
