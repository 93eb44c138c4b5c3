"""Small tables of ratings, and visits to the worlds made of them, for several test files."""

from dataclasses import replace

import numpy as np

from pgrpo_envs.checker_tools import available_actions
from pgrpo_rec.datasets import RatingsTable, load_sample_ratings

NAN = np.nan


def table_of(dense, segments=None):
    dense = np.array(dense, dtype=float)
    user, item = np.nonzero(np.isfinite(dense))
    return RatingsTable(
        users=np.array([f"u{i}" for i in range(dense.shape[0])]),
        items=np.array([f"i{k}" for k in range(dense.shape[1])]),
        user_index=user,
        item_index=item,
        rating=dense[user, item],
        segments=segments,
        name="tiny",
    )


def played(env, n_steps, seed=0):
    """Yield (user ids, actions, rewards) of visits with actions drawn among the available."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    for _ in range(n_steps):
        users = info["user_id"]
        actions = available_actions(env, rng.random(env.num_envs))
        _, reward, terminated, _, info = env.step(actions)
        assert terminated.all()
        yield users, actions, reward


def sample_with_gaps(missing=0.19):
    """The sample, less a share of its ratings drawn at random."""
    table = load_sample_ratings()
    kept = np.random.default_rng(0).random(table.n_ratings) >= missing
    parts = ("user_index", "item_index", "rating")
    return replace(table, **{part: getattr(table, part)[kept] for part in parts})
