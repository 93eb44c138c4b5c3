"""The recipe of the sample ratings: ``python -m pgrpo_data.make_sample``.

300 artificial users of three hidden preference groups rate 40 artificial items with 1-5
stars. Items come in four themes: one for each group, which its people like and the others
do not, and a mild one that nobody loves or hates. The rating of user u of group g on item k is

    round(clip(liking[g, theme of k] + quality[k] + strictness[u] + noise[u, k], 1, 5)).

Everybody rated everything, so what anyone would have earned is known exactly. Users are
shuffled: a label tells nothing about the group. The same seed gives the same table.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from pgrpo_rec._random import generator

SEED = 20240917
N_ITEMS = 40
GROUP_SIZES = (210, 60, 30)  # 70, 20 and 10 %
NAMES = ("majority", "minority", "tenth")
LIKING = np.array(  # rows: groups; columns: themes, the last one is the mild one
    [
        [4.2, 2.0, 2.4, 2.6],
        [1.7, 4.4, 2.2, 2.6],
        [1.8, 2.3, 4.5, 2.6],
    ]
)


def sample_groups() -> np.ndarray:
    """Return the hidden preference group (0, 1, 2) of each of the 300 users, in label order."""
    groups = np.repeat(np.arange(len(GROUP_SIZES)), GROUP_SIZES)
    return generator(SEED, 0).permutation(groups)


def sample_csv() -> str:
    """Return the table as CSV text."""
    groups = sample_groups()
    n_users = groups.size
    rng = generator(SEED, 1)
    themes = rng.permutation(np.arange(N_ITEMS) % LIKING.shape[1])
    quality = rng.normal(0.0, 0.2, N_ITEMS)
    strictness = rng.normal(0.0, 0.25, (n_users, 1))
    noise = rng.normal(0.0, 0.7, (n_users, N_ITEMS))
    wish = LIKING[groups][:, themes] + quality + strictness + noise
    stars = np.rint(np.clip(wish, 1, 5)).astype(int)
    lines = ["user,item,rating,group"]
    for u, group in enumerate(groups):
        rows = (f"u{u + 1:03d},item{k + 1:02d},{s},{NAMES[group]}" for k, s in enumerate(stars[u]))
        lines += rows
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table beside this file."""
    target = Path(__file__).with_name("sample_ratings.csv.gz")
    target.write_bytes(gzip.compress(sample_csv().encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main()
