"""Ratings-v0 on real tables, where there are any: set PGRPO_DATA to their folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from ratings_tables import played

from pgrpo_envs.ratings import RatingsVectorEnv


def real(*parts):
    folder = os.environ.get("PGRPO_DATA")
    if folder is None:
        pytest.skip("set PGRPO_DATA to a folder with house-votes-84, jester and ml-100k")
    return Path(folder, *parts)


def group_gain(env, n_splits=10):
    """Return the value of the best item for all and for each group, chosen on other users."""
    w, rng = env.world, np.random.default_rng(0)
    values = np.zeros((n_splits, 2))
    for s in range(n_splits):
        train = rng.random(env.n_users) < 0.5
        best = w.values[train].mean(axis=0).argmax()
        own = [
            w.values[train & (w.user_types == p)].mean(axis=0).argmax() for p in range(env.n_groups)
        ]
        test = np.flatnonzero(~train)
        values[s] = (
            w.values[test, best].mean(),
            w.values[test, np.array(own)[w.user_types[test]]].mean(),
        )
    return values.mean(axis=0)


def test_parties_gain_from_bills_of_their_own():
    env = RatingsVectorEnv(
        ratings=real("house-votes-84", "votes.csv.gz"), mode="full", complete=True
    )
    assert env.group_names == ("democrat", "republican")
    for_all, own = group_gain(env)
    assert 0.75 < for_all < 0.85
    assert own > 0.93


def test_clusters_of_other_jokes_gain():
    path = real("jester", "jester1_dev_users.csv.gz")
    how = {"mode": "full", "complete": True, "n_profile": 30, "n_reference_groups": 5}
    env = RatingsVectorEnv(ratings=path, **how)
    assert env.world.values.shape == (2344, 70)
    for_all, own = group_gain(env)
    assert 3.7 < for_all < 4.0
    assert own > for_all + 0.3


def test_movielens_is_masked_and_its_completion_refused_for_people_with_few_ratings():
    path = real("ml-100k", "ratings.csv.gz")
    env = RatingsVectorEnv(16, ratings=path)
    assert (env.n_items, env.table.density < 0.5) == (100, True)
    for _, _, reward in played(env, 5):
        assert set(reward) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    with pytest.raises(ValueError, match="min_user_ratings=20"):
        RatingsVectorEnv(ratings=path, mode="completed")
    assert RatingsVectorEnv(ratings=path, mode="completed", min_user_ratings=20).is_completed
