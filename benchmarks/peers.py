"""Our bandits next to the same algorithms in other libraries: as good, and how much faster.

    pip install contextualbandits          # compiles; the others come with the extra "peers"
    python benchmarks/peers.py regret --seeds 20
    python benchmarks/peers.py speed

``regret``: the same algorithm with the same settings, on the same seeds of one linear world (no
groups told) or of Bernoulli arms; a difference whose interval holds 0 says that neither is
crippled. ``speed``: the same settings, one process, batches of 100, d = 20 features, 20 items;
rewards are linear in the features, item by item, or noise alone, so that no item can ever be ruled
out; Thompson sampling has no features, its rewards are clicks. The libraries take turns of
``--turn`` batches, and what is printed is the median of the ratios of their times. With turns of a
single batch each pays for clearing the others out of the processor's memory.
"""

import argparse
import time
import warnings
from functools import partial
from itertools import product

import gymnasium as gym
import numpy as np
import pandas as pd

import pgrpo_envs  # noqa: F401  registers the worlds
from pgrpo_rec import simulate
from pgrpo_rec.baselines import BetaThompson, LinTS, LinUCB, Uniform
from pgrpo_rec.evaluation.statistics import mean_interval
from pgrpo_rec.peers.contextual_bandits import ContextualBandits
from pgrpo_rec.peers.mab_wiser import MabWiser

N_ITEMS, N_FEATURES, BATCH = 20, 20, 100
RIDGE, WIDTH = 1.0, 0.3
ONE_SCALE = {"scale": (1.0, 1.0, 1.0), "offset": (0.0, 0.0, 0.0)}


def linear_world(seed):
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0", num_envs=64, preset="scales", world_seed=seed, **ONE_SCALE
    )


def bernoulli_world(seed):
    return gym.make_vec(
        "pgrpo_envs/PreferenceBandit-v0", num_envs=64, preset="clicks", world_seed=seed
    )


def spread_of_rewards():
    """Return the standard deviation of rewards of random items: our bandits measure in it."""
    logs = [simulate(Uniform(20), linear_world(s), 6400, seed=s) for s in range(1000, 1005)]
    return float(np.mean([log["reward"].std() for log in logs]))


def same_settings(algorithm, spread, width=WIDTH):
    """Return the settings of our linear bandit, of MABWiser's and of contextualbandits'."""
    wide = width * spread  # ours are told widths in spreads of the rewards
    compiled = {
        "LinTS": {"lambda_": RIDGE, "v_sq": wide**2},
        "LinUCB": {"lambda_": RIDGE, "alpha": wide, "ucb_from_empty": True},
    }
    ours = {"ridge": RIDGE, "width": width}
    return ours, {"alpha": wide, "l2_lambda": RIDGE}, compiled[algorithm]


def pairs():
    """Return what is compared: its name, the world, our class and settings, theirs."""
    spread = spread_of_rewards()
    ts, mab_ts, compiled_ts = same_settings("LinTS", spread)
    ucb, mab_ucb, compiled_ucb = same_settings("LinUCB", spread)
    return [
        ("LinTS, MABWiser", linear_world, (LinTS, ts), (MabWiser, "LinTS", mab_ts)),
        (
            "LinTS, contextualbandits",
            linear_world,
            (LinTS, ts),
            (ContextualBandits, "LinTS", compiled_ts),
        ),
        ("LinUCB, MABWiser", linear_world, (LinUCB, ucb), (MabWiser, "LinUCB", mab_ucb)),
        (
            "LinUCB, contextualbandits",
            linear_world,
            (LinUCB, ucb),
            (ContextualBandits, "LinUCB", compiled_ucb),
        ),
        (
            "Thompson, MABWiser",
            bernoulli_world,
            (BetaThompson, {"prior": (1.0, 1.0)}),
            (MabWiser, "ThompsonSampling", {}),
        ),
    ]


def regret_of(recommender, world, n_rounds, seed):
    env = world(seed)
    log = simulate(recommender, env, 64 * n_rounds, seed=seed, identify=False)
    span = (log["best_reward"] - log["uniform_reward"]).sum()
    return log["regret"].sum() / span


def compare_regret(n_seeds, n_rounds):
    rows = []
    for what, world, (ours, settings), (adapter, algorithm, told) in pairs():
        values = {"ours": [], "theirs": []}
        for seed in range(n_seeds):
            own = ours(N_ITEMS, random_state=seed, **settings)
            peer = adapter(N_ITEMS, algorithm=algorithm, settings=told, random_state=seed)
            values["ours"].append(regret_of(own, world, n_rounds, seed))
            values["theirs"].append(regret_of(peer, world, n_rounds, seed))
        told = {
            name: "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval(v)) for name, v in values.items()
        }
        difference = mean_interval(np.array(values["ours"]) - np.array(values["theirs"]))
        told["ours - theirs"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*difference)
        rows.append({"algorithm, peer": what, **told})
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    return pd.DataFrame(rows)


class Linear:
    """Rewards that are linear in the features, item by item, with noise of standard deviation 1."""

    def __init__(self, scale):
        rng = np.random.default_rng(1)
        self.slopes = rng.normal(0.0, scale, size=(N_ITEMS, N_FEATURES))
        best = (rng.normal(size=(10_000, N_FEATURES)) @ self.slopes.T).max(axis=1)
        self.spread = np.sqrt(1.0 + best.var())  # of what is shown once items are known

    def visits(self, rng):
        """Return the arguments that say who is here."""
        return {"X": rng.normal(size=(BATCH, N_FEATURES))}

    def rewards(self, visits, items, rng):
        """Return the answers to what was shown."""
        return (visits["X"] * self.slopes[items]).sum(axis=1) + rng.normal(size=BATCH)

    def runners(self, algorithm, width):
        """Return one recommender of every library, all with the same settings."""
        ours = {"LinTS": LinTS, "LinUCB": LinUCB}[algorithm]
        own, of_mab, compiled = same_settings(algorithm, self.spread, width)
        told = {"algorithm": algorithm, "random_state": 0}
        return {
            "ours": ours(N_ITEMS, random_state=0, **own),
            "MABWiser": MabWiser(N_ITEMS, settings=of_mab, **told),
            "contextualbandits": ContextualBandits(N_ITEMS, settings=compiled, **told),
        }


class Clicks:
    """Clicks at a rate an item, without features."""

    def __init__(self):
        self.rates = np.random.default_rng(1).beta(2.0, 8.0, size=N_ITEMS)

    def visits(self, rng):
        """Return the arguments that say who is here."""
        return {"X": None, "users": np.zeros(BATCH, dtype=np.int64)}

    def rewards(self, visits, items, rng):
        """Return the answers to what was shown."""
        return (rng.random(BATCH) < self.rates[items]).astype(np.float64)

    def runners(self, algorithm, _):
        """Return one recommender of every library, all with the same settings."""
        told = {"algorithm": f"{algorithm}Sampling", "random_state": 0}
        return {
            "ours": BetaThompson(N_ITEMS, prior=(1.0, 1.0), random_state=0),
            "MABWiser": MabWiser(N_ITEMS, **told),
        }


def seconds_of(recommender, workload, visits, rng):
    """Return the time of one batch: recommend, then learn its answers."""
    start = time.perf_counter()
    items, _ = recommender.recommend(**visits)
    middle = time.perf_counter()
    rewards = workload.rewards(visits, items[:, 0], rng)
    again = time.perf_counter()
    recommender.partial_fit(y=rewards, actions=items[:, 0], **visits)
    return time.perf_counter() - again + middle - start


def time_in_turns(algorithm, workload, n_turns, turn, width):
    """Return the seconds of a batch in each turn but the first ones, of every library."""
    runners = workload.runners(algorithm, width)
    rng = np.random.default_rng(0)
    times = {name: [] for name in runners}
    for _ in range(n_turns):
        batches = [workload.visits(rng) for _ in range(turn)]
        for name, recommender in runners.items():
            each = [seconds_of(recommender, workload, visits, rng) for visits in batches]
            times[name].append(np.mean(each))
    return {name: np.array(t[n_turns // 5 :]) for name, t in times.items()}


def compare_speed(n_turns, turn, width):
    rows = []
    linear = product(("LinTS", "LinUCB"), (("linear", Linear(0.7)), ("noise", Linear(0.0))))
    workloads = [(algorithm, *kind) for algorithm, kind in linear]
    for algorithm, rewards, workload in [*workloads, ("Thompson", "clicks", Clicks())]:
        warm = time_in_turns(algorithm, workload, n_turns, turn, width)
        ours = warm.pop("ours")
        for name, theirs in warm.items():
            low, ratio, high = np.percentile(theirs / ours, [5, 50, 95])
            rows.append(
                {
                    "algorithm": algorithm,
                    "rewards": rewards,
                    "peer": name,
                    "ours, interactions/s": f"{BATCH / np.median(ours):,.0f}",
                    "theirs": f"{BATCH / np.median(theirs):,.0f}",
                    "ours is faster by": f"{ratio:.1f} [{low:.1f}, {high:.1f}]",
                }
            )
    print(
        f"batches of {BATCH}, {N_FEATURES} features, {N_ITEMS} items, "
        f"median of {n_turns} turns of {turn} batches"
    )
    print(pd.DataFrame(rows).to_string(index=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("regret", "speed"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=200, help="of 64 visits; default: 200")
    parser.add_argument("--turns", type=int, default=50)
    parser.add_argument("--turn", type=int, default=10, help="batches a turn; default: 10")
    parser.add_argument("--width", type=float, default=WIDTH, help="of exploration, for speed")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    run = {
        "regret": partial(compare_regret, options.seeds, options.rounds),
        "speed": partial(compare_speed, options.turns, options.turn, options.width),
    }
    run[options.what]()


if __name__ == "__main__":
    main()
