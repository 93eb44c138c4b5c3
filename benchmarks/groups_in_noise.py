"""How often groups are found among people who are all alike.

Everybody responds to features by the same slopes, item by item; rewards are real numbers or
clicks. `PreferenceClustering` is asked for the number of groups, with and without its check
against answers that are dealt anew among the people of a group.

    python benchmarks/groups_in_noise.py --seeds 20
"""

import argparse

import numpy as np

from pgrpo_rec import PreferenceClustering
from pgrpo_rec.clustering import linear_search

SIZES = (  # people, answers of each, items, features
    (80, 30, 3, 3),
    (80, 100, 3, 3),
    (200, 10, 10, 8),
    (200, 30, 20, 20),
    (200, 60, 10, 8),
    (600, 20, 5, 5),
)


def answers(size, clicks, seed):
    n_users, per_user, n_items, n_features = size
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), per_user)
    X = rng.normal(size=(users.size, n_features))
    actions = rng.integers(n_items, size=users.size)
    signal = (rng.normal(size=(n_items, n_features))[actions] * X).sum(axis=1)
    if clicks:
        return X, (rng.random(users.size) < 1 / (1 + np.exp(-2 * signal))) * 1.0, actions, users
    return X, signal + rng.normal(size=users.size), actions, users


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    print("people answers items features            more than one group: checked  unchecked")
    total = np.zeros(2, dtype=int)
    for size in SIZES:
        for clicks in (False, True):
            split = np.zeros(2, dtype=int)
            for seed in range(options.seeds):
                X, y, actions, users = answers(size, clicks, seed)
                for i, linear_search.DEALS in enumerate((2, 0)):
                    clustering = PreferenceClustering(max_clusters=2, random_state=seed)
                    clustering.fit(X, y, actions=actions, users=users)
                    split[i] += clustering.n_clusters_ > 1
            total += split
            what = "clicks" if clicks else "real numbers"
            print(
                "{:6d} {:7d} {:5d} {:8d}".format(*size),
                f"  {what:16s} {split[0]:24d} {split[1]:10d}",
            )
    print(f"of {2 * len(SIZES) * options.seeds}: {total[0]} and {total[1]}")


if __name__ == "__main__":
    main()
