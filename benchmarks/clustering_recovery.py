"""How well preference groups are recovered from feedback, and how fast.

Three groups of users (70, 20 and 10 %), 20 items, items shown uniformly at random. Every
row of the table is a mean over seeds of the adjusted Rand index:

- ``bound``: users are placed by the true parameters of the groups (their deviation law
  integrated out by quadrature): nothing can be expected to do better;
- ``mixture``, ``kmeans``: `PreferenceClustering` told that there are three groups;
- ``share``: ``mixture`` over ``bound``;
- ``auto = 3``: share of seeds in which ``n_clusters="auto"`` finds the true number of groups.

Run ``python benchmarks/clustering_recovery.py --seeds 20`` for the table, and
``--users 100000 1000000`` for time and memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from pgrpo_rec.clustering.mixture import FAMILIES
from pgrpo_rec.clustering.users import UserStatistics
from pgrpo_rec.estimators.clustering import PreferenceClustering

N_ITEMS = 20
SHARES, BASE_RATES = np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.1, 0.03])
SCALES, OFFSETS = np.array([5.0, 1.0, 0.2]), np.array([0.0, 2.0, -5.0])
LOWEST, HIGHEST = 0.001, 0.95


def binary(rng: np.random.Generator, n_users: int, deviation: float, shares: np.ndarray):
    """Draw a world of clicks: types, a reward law, the log-likelihood under the truth."""
    base = BASE_RATES[: shares.size, None]
    rates = np.clip(base * np.exp(rng.normal(0, 0.6, (shares.size, N_ITEMS))), LOWEST, HIGHEST)
    types = rng.choice(shares.size, n_users, p=shares)
    own = np.exp(deviation * rng.normal(size=(n_users, N_ITEMS)))
    own = np.clip(rates[types] * own, LOWEST, HIGHEST)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def answer(users, items):
        return (rng.random(users.size) < own[users, items]).astype(float)

    def loglik(count, total, _squares):
        table = np.tile(np.log(shares), (count.shape[0], 1))
        for p, k in np.ndindex(rates.shape):
            rate = np.clip(rates[p, k] * np.exp(deviation * nodes), LOWEST, HIGHEST)
            ones, zeros = total[:, k, None], (count - total)[:, k, None]
            each = ones * np.log(rate) + zeros * np.log1p(-rate)
            top = each.max(axis=1, keepdims=True)
            table[:, p] += np.log(np.exp(each - top) @ weights) + top[:, 0]
        return table

    return types, answer, loglik


def real(rng: np.random.Generator, n_users: int, deviation: float, shares: np.ndarray):
    """Draw a world of real-valued rewards whose scale and level differ between groups."""
    effects = rng.normal(0, 0.6, (shares.size, N_ITEMS))
    types = rng.choice(shares.size, n_users, p=shares)
    own = effects[types] + deviation * rng.normal(size=(n_users, N_ITEMS))

    def answer(users, items):
        noise = own[users, items] + rng.normal(size=users.size)
        return OFFSETS[types[users]] + SCALES[types[users]] * noise

    def loglik(count, total, squares):
        table = np.tile(np.log(shares), (count.shape[0], 1))
        n, mean = np.maximum(count, 1), total / np.maximum(count, 1)
        inside = squares - count * mean**2
        for p in range(shares.size):
            scale = SCALES[p]
            spread = scale**2 * (deviation**2 + 1 / n)
            distance = (mean - OFFSETS[p] - scale * effects[p]) ** 2 / spread + np.log(spread)
            noise = inside / scale**2 + 2 * (n - 1) * np.log(scale)
            table[:, p] -= 0.5 * ((count > 0) * (distance + noise)).sum(axis=1)
        return table

    return types, answer, loglik


WORLDS: dict[str, Callable] = {"binary": binary, "real": real}


def one_run(kind: str, deviation: float, per_user: int, n_users: int, shares, seed: int) -> dict:
    """Return the indices of one seed."""
    rng = np.random.default_rng(seed)
    types, answer, loglik = WORLDS[kind](rng, n_users, deviation, shares)
    users = np.repeat(np.arange(n_users), per_user)
    actions = rng.integers(N_ITEMS, size=users.size)
    rewards = answer(users, actions)
    result = {}
    for name, arguments in {
        "mixture": {"n_clusters": shares.size},
        "kmeans": {"n_clusters": shares.size, "method": "kmeans"},
        "auto": {},
    }.items():
        begin = time.perf_counter()
        clustering = PreferenceClustering(random_state=seed, items=N_ITEMS, **arguments)
        clustering.fit(None, rewards, actions=actions, users=users)
        result[name] = adjusted_rand_score(types, clustering.labels_)
        result[f"{name}_seconds"] = time.perf_counter() - begin
    result["found"] = float(clustering.n_clusters_ == shares.size)
    known = loglik(clustering.count_, clustering.sum_, clustering.sumsq_)
    result["bound"] = adjusted_rand_score(types, known.argmax(axis=1))
    return result


def recovery(seeds: int, chosen: argparse.Namespace) -> None:
    """Print the table of recovery."""
    shares = {3: SHARES, 1: np.ones(1)}
    wanted = product(chosen.groups, chosen.rewards, chosen.deviation, chosen.feedback)
    scenarios = [(kind, d, n, 1000, shares[groups]) for groups, kind, d, n in wanted]
    print("rewards groups deviation feedback  bound mixture kmeans share  auto right  seconds")
    for kind, deviation, per_user, n_users, shares in scenarios:
        runs = pd.DataFrame(
            one_run(kind, deviation, per_user, n_users, shares, seed) for seed in range(seeds)
        ).mean()
        print(
            f"{kind:7s} {shares.size:6d} {deviation:9.1f} {per_user:8d} "
            f"{runs['bound']:6.3f} {runs['mixture']:7.3f} {runs['kmeans']:6.3f} "
            f"{runs['mixture'] / runs['bound']:5.3f} {runs['found'] * seeds:5.0f}/{seeds} "
            f"{runs['auto_seconds']:9.2f}",
            flush=True,
        )


def speed(n_users: int, kind: str, per_user: int = 20) -> None:
    """Print time and memory of one large population; the feedback comes in chunks."""
    rng = np.random.default_rng(0)
    types, answer, _ = WORLDS[kind](rng, n_users, 0.3, SHARES)
    clustering = PreferenceClustering(
        3, items=N_ITEMS, min_feedback=n_users * per_user, random_state=0
    )
    everyone = np.arange(n_users)
    begin = time.perf_counter()
    for _ in range(per_user):
        actions = rng.integers(N_ITEMS, size=n_users)
        last = time.perf_counter()
        clustering.partial_fit(None, answer(everyone, actions), actions=actions, users=everyone)
    fit_seconds, total = time.perf_counter() - last, time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table = UserStatistics(np.arange(N_ITEMS))
    for _ in range(per_user):
        actions = rng.integers(N_ITEMS, size=n_users)
        table.add(answer(everyone, actions), actions, everyone)
    family = FAMILIES["bernoulli" if kind == "binary" else "gaussian"]
    cells, resp = family.prepare(table.everybody()), np.full((n_users, 3), 1 / 3)
    parameters = family.start(cells, resp)
    begin = time.perf_counter()
    family.m_step(parameters, cells, resp, family.e_step(parameters, cells, resp)[1])
    print(
        f"{kind:7s} {n_users:9,d} users: fit {fit_seconds:.1f} s, all {total:.1f} s, "
        f"EM pass {time.perf_counter() - begin:.2f} s, peak {memory:.2f} GiB, "
        f"index {adjusted_rand_score(types, clustering.labels_):.3f}",
        flush=True,
    )


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--feedback", type=int, nargs="*", default=[50, 100, 200, 400])
    parser.add_argument("--rewards", nargs="*", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--deviation", type=float, nargs="*", default=[0.0, 0.3])
    parser.add_argument("--groups", type=int, nargs="*", choices=(3, 1), default=[3, 1])
    parser.add_argument("--users", type=int, nargs="*", default=[], help="measure speed instead")
    arguments = parser.parse_args()
    for n_users in arguments.users:
        for kind in arguments.rewards:
            speed(n_users, kind)
    if not arguments.users:
        recovery(arguments.seeds, arguments)


if __name__ == "__main__":
    main()
