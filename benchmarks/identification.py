"""The least that finding out who people are can cost, when the rates of all groups are known.

    python benchmarks/identification.py --seeds 20

In the worlds of `groups_while_recommending.py` (groups unknown, no features, 200 visits a user):
the best of all policies for somebody who knows every group's rates and only has to find out of
which group a person is. What such a policy knows of a person is a point in a triangle, the
probabilities of three groups, so it is found by dynamic programming, backwards from the last
visit, on a grid of log-odds against the first group. Two goals, each with a policy of its own:
the mean over groups of normalised regret (a person of each group weighs the same), and clicks
lost (groups weigh by their shares), as if everybody came exactly as often. Both are divided by
what P-GRPO loses that is told the groups. A finer grid (``--grid 241``)
changes the means by less than one in a thousand.
"""

import argparse

import numpy as np
from groups_while_recommending import N_USERS, SHARES, make_world, one_seed, ratio
from numba import njit
from scipy.interpolate import RegularGridInterpolator
from scipy.special import softmax

from pgrpo_rec.evaluation.statistics import mean_interval

EVEN = np.ones(3) / 3.0
REACH = 12.0  # of log-odds on the grid; past it nothing is in doubt any more


@njit(fastmath=True)
def least_cost(rates, costs, moves, grid, n_visits):
    """Return the least expected cost of ``n_visits`` visits from every point of the grid, (G, G).

    ``rates`` and ``costs``, (G, G, K), are what showing an item brings and costs on average
    over the groups that the person may be of; ``moves``, (2, K, 2), is how no click and a click
    move the two log-odds. Bellman's equation, interpolated between points of the grid.
    """
    size, n_items, step = grid.size, rates.shape[2], grid[1] - grid[0]
    later, now = np.zeros((size, size)), np.zeros((size, size))
    for _ in range(n_visits):
        for i in range(size):
            for j in range(size):
                best = np.inf
                for k in range(n_items):
                    total = costs[i, j, k]
                    for click in range(2):
                        x = i + moves[click, k, 0] / step
                        y = j + moves[click, k, 1] / step
                        chance = rates[i, j, k] if click else 1.0 - rates[i, j, k]
                        total += chance * between(later, x, y)
                    best = min(best, total)
                now[i, j] = best
        later, now = now, later
    return later


@njit(fastmath=True)
def between(table, x, y):
    """Return the bilinear interpolation of a table, whose ends are walls."""
    last = len(table) - 1.0 - 1e-9
    x, y = min(max(x, 0.0), last), min(max(y, 0.0), last)
    i, j = int(x), int(y)
    u, v = x - i, y - j
    near = (1.0 - v) * table[i, j] + v * table[i, j + 1]
    far = (1.0 - v) * table[i + 1, j] + v * table[i + 1, j + 1]
    return (1.0 - u) * near + u * far


def least(rates, costs, prior, options):
    """Return the least cost of a person's visits, before anything is heard.

    ``rates`` and ``costs`` are what showing an item to someone of a group brings and costs, (3, K).
    """
    grid = np.linspace(-REACH, REACH, options.grid)
    odds = np.stack([np.zeros((grid.size, grid.size)), *np.meshgrid(grid, grid, indexing="ij")], -1)
    share = softmax(odds, axis=-1)
    moves = np.stack([np.log(q[1:] / q[0]).T for q in (1.0 - rates, rates)])
    table = least_cost(share @ rates, share @ costs, moves, grid, options.visits)
    return float(RegularGridInterpolator((grid, grid), table)(np.log(prior[1:] / prior[0]))[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--visits", type=int, default=200, help="a user; default: 200")
    parser.add_argument("--grid", type=int, default=161, help="points a side; default: 161")
    options = parser.parse_args()
    options.deviation, options.only = 0.0, ["told"]
    rows = {"mean of groups": [], "clicks lost": []}
    for seed in range(options.seeds):
        rates = make_world(options, seed).unwrapped.world.bias
        lost = rates.max(axis=1, keepdims=True) - rates
        share = lost / lost.mean(axis=1, keepdims=True)
        told = one_seed(options, seed).iloc[0]
        fair = least(rates, share, EVEN, options) / options.visits
        clicks = least(rates, lost, np.array(SHARES), options) * N_USERS
        rows["mean of groups"].append((fair, told["mean"]))
        rows["clicks lost"].append((clicks, told["raw"]))
    for what, pairs in rows.items():
        floor, told = np.array(pairs).T
        figures = "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval(floor))
        print(f"{what}: at least {figures}; over what the told learner loses {ratio(floor, told)}")


if __name__ == "__main__":
    main()
