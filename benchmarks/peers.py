"""Our bandits next to the same algorithms in other libraries: as good, and how much faster.

    pip install contextualbandits          # compiles; the others come with the extra "peers"
    python benchmarks/peers.py regret --seeds 20
    python benchmarks/peers.py speed

``regret``: the same algorithm with the same settings, on the same seeds of one linear world (no
groups told) or of Bernoulli arms; a difference whose interval holds 0 says that neither is
crippled. ``speed``: one process, batches of 100, d = 20 features, 20 items; rewards are linear in
the features, item by item, or noise alone, so that no item can ever be ruled out. The libraries
take turns of ``--turn`` batches, and what is printed is the median of the ratios of their times.
With turns of a single batch each pays for clearing the others out of the processor's memory.
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


def pairs():
    """Return what is compared: its name, the world, our class and settings, theirs."""
    wide = WIDTH * spread_of_rewards()
    theirs = {"alpha": wide, "l2_lambda": RIDGE}
    linear = {"ridge": RIDGE, "width": WIDTH}
    compiled_ts = {"lambda_": RIDGE, "v_sq": wide**2}
    compiled_ucb = {"lambda_": RIDGE, "alpha": wide, "ucb_from_empty": True}
    return [
        ("LinTS, MABWiser", linear_world, (LinTS, linear), (MabWiser, "LinTS", theirs)),
        (
            "LinTS, contextualbandits",
            linear_world,
            (LinTS, linear),
            (ContextualBandits, "LinTS", compiled_ts),
        ),
        ("LinUCB, MABWiser", linear_world, (LinUCB, linear), (MabWiser, "LinUCB", theirs)),
        (
            "LinUCB, contextualbandits",
            linear_world,
            (LinUCB, linear),
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


def seconds_of(recommender, X, slopes, rng):
    """Return the time of one batch: recommend, then learn its answers."""
    start = time.perf_counter()
    items, _ = recommender.recommend(X)
    middle = time.perf_counter()
    rewards = (X * slopes[items[:, 0]]).sum(axis=1) + rng.normal(size=len(X))
    again = time.perf_counter()
    recommender.partial_fit(X, rewards, actions=items[:, 0])
    return time.perf_counter() - again + middle - start


def time_in_turns(algorithm, ours, slopes, n_turns, turn):
    """Return the seconds of a batch in each turn but the first ones, of every library."""
    runners = {
        "ours": ours(N_ITEMS, random_state=0),
        "MABWiser": MabWiser(N_ITEMS, algorithm=algorithm, random_state=0),
        "contextualbandits": ContextualBandits(N_ITEMS, algorithm=algorithm, random_state=0),
    }
    rng = np.random.default_rng(0)
    times = {name: [] for name in runners}
    for _ in range(n_turns):
        batches = rng.normal(size=(turn, BATCH, N_FEATURES))
        for name, recommender in runners.items():
            each = [seconds_of(recommender, X, slopes, rng) for X in batches]
            times[name].append(np.mean(each))
    return {name: np.array(t[n_turns // 5 :]) for name, t in times.items()}


def compare_speed(n_turns, turn):
    slopes = np.random.default_rng(1).normal(0.0, 0.7, size=(N_ITEMS, N_FEATURES))
    rewards = {"linear": slopes, "noise": np.zeros_like(slopes)}
    rows = []
    for (algorithm, ours), kind in product((("LinTS", LinTS), ("LinUCB", LinUCB)), rewards):
        warm = time_in_turns(algorithm, ours, rewards[kind], n_turns, turn)
        for name in ("MABWiser", "contextualbandits"):
            low, ratio, high = np.percentile(warm[name] / warm["ours"], [5, 50, 95])
            rows.append(
                {
                    "algorithm": algorithm,
                    "rewards": kind,
                    "peer": name,
                    "ours, interactions/s": f"{BATCH / np.median(warm['ours']):,.0f}",
                    "theirs": f"{BATCH / np.median(warm[name]):,.0f}",
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
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    run = {
        "regret": partial(compare_regret, options.seeds, options.rounds),
        "speed": partial(compare_speed, options.turns, options.turn),
    }
    run[options.what]()


if __name__ == "__main__":
    main()
