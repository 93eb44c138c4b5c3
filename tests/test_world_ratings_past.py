"""The past of Ratings-v0: a part of each user's ratings is a log, told before the first visit."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from ratings_tables import sample_with_gaps
from test_simulate import Spy

from pgrpo_envs.checker import check_vector_env
from pgrpo_envs.ratings import RatingsEnv, RatingsVectorEnv
from pgrpo_rec import PGRPORecommender, simulate

GAPS = sample_with_gaps(0.6)


def world(n=32, **arguments):
    return RatingsVectorEnv(
        n, **{"ratings": GAPS, "past": 0.5, "visits": 3, "in_turn": n, **arguments}
    )


def answers(recommender):
    """What it learned, as a table of one row an answer, in the order of its rounds."""
    rounds = [told for verb, _, told in recommender.calls if verb == "partial_fit"]
    table = [pd.DataFrame({key: told[key] for key in ("users", "actions", "y")}) for told in rounds]
    return pd.concat(table, ignore_index=True)


def test_the_past_is_a_random_share_of_each_users_ratings_and_never_offered():
    env = world()
    dense, past = env.table.to_dense(), env.past
    n_rated = np.isfinite(dense).sum(axis=1)
    assert_array_equal(np.bincount(past["user"], minlength=env.n_users), n_rated // 2)
    assert_array_equal(past["reward"], dense[past["user"], past["action"]])
    assert_array_equal(past["propensity"], 1.0 / n_rated[past["user"]])
    assert not env.world.available[past["user"], past["action"]].any()
    assert_array_equal(env.world.available | env.world.past, np.isfinite(dense))
    other = world(world_seed=1).past
    assert not past.equals(other)
    assert past.equals(world().past)


def test_nothing_of_the_past_is_asked_again():
    env, spy = world(), Spy(GAPS.n_items, random_state=0)
    simulate(spy, env, env.n_users * 3, seed=0, past=env.past)
    heard = answers(spy)
    assert len(heard) == len(env.past) + -(-env.n_users * 3 // 32) * 32
    once = heard.iloc[: len(env.past) + env.n_users // 32 * 32 * 3]  # nobody comes twice here
    assert not once.duplicated(["users", "actions"]).any()


def test_the_past_is_told_in_rounds_in_an_order_of_the_seed():
    env = world()
    told = []
    for seed in (0, 0, 1):
        spy = Spy(GAPS.n_items, random_state=0)
        simulate(spy, env, 32, seed=seed, past=env.past)
        told.append(answers(spy).iloc[: len(env.past)])
        sizes = [len(t["y"]) for verb, _, t in spy.calls if verb == "partial_fit"]
        assert set(sizes[:-2]) == {32}
    assert told[0].equals(told[1])
    assert not told[0].equals(told[2])
    columns = {"users": env.past["user"], "actions": env.past["action"], "y": env.past["reward"]}
    everything = pd.DataFrame(columns).sort_values(["users", "actions"], ignore_index=True)
    assert told[0].sort_values(["users", "actions"], ignore_index=True).equals(everything)


def test_candidates_of_a_visit_of_the_past_are_answers_of_one_user():
    env = world(16)
    spy = Spy(GAPS.n_items, random_state=0)
    spy.group_size = 4
    simulate(spy, env, 64, seed=0, past=env.past)
    groups = answers(spy)["users"].to_numpy().reshape(-1, 4)
    assert (groups == groups[:, :1]).all()
    whole = np.bincount(env.past["user"]) // 4
    assert len(groups) - 16 == whole.sum()  # what is left over of a user is dropped


def test_a_past_needs_an_observation_that_says_nothing():
    env = world(n_profile=3)
    with pytest.raises(ValueError, match="observation is a constant"):
        simulate(PGRPORecommender(env.n_items), env, 32, seed=0, past=env.past)


def test_an_empty_past_changes_nothing():
    env = RatingsVectorEnv(8)
    logs = [
        simulate(PGRPORecommender(env.n_items, random_state=0), env, 64, seed=0, past=past)
        for past in (None, env.past)
    ]
    assert len(env.past) == 0
    assert logs[0].equals(logs[1])


@pytest.mark.parametrize("past", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(past):
    with pytest.raises(ValueError, match="past"):
        world(past=past)


def test_users_who_would_have_too_little_left_cannot_come():
    env = world(4, visits=6, past=0.7)
    assert env.world.available.sum(axis=1).min() >= 6
    with pytest.raises(ValueError, match="at least 2 users"):
        world(4, visits=6, past=0.9)


def test_the_contract_holds():
    changes = {"ratings": GAPS, "past": 0.5, "visits": 3, "in_turn": 4}
    check_vector_env(RatingsVectorEnv, RatingsEnv, **changes)
