"""From a ratings table to the world that `ratings` steps: who and what is kept, and the truth.

Shapes: U users, K items offered, m items of the profile, P groups.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pgrpo_envs.completion import complete_ratings, holdout_error, least_ratings
from pgrpo_envs.ratings_scenario import RatingsScenario
from pgrpo_envs.scenarios import require
from pgrpo_rec._random import generator
from pgrpo_rec.datasets import RatingsTable, load_sample_ratings

MOST_CELLS = 50_000_000  # users x items: 400 MB of ratings

_PROFILE, _GROUPS, _COMPLETION, _ERROR, _PAST = range(5)  # branches of the world's seed


class World(NamedTuple):
    """Everything there is: nothing changes in this world but who comes."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    values: NDArray[np.float64]  # (U, K), 0 where not available
    available: NDArray[np.bool_]  # (U, K)
    past: NDArray[np.bool_]  # (U, K): rated before, told as a log, not available
    profiles: NDArray[np.float32]  # (U, m), centred by user, 0 where not rated
    profile_ratings: NDArray[np.float64]  # (U, m), NaN where not rated
    profile_items: NDArray[Any]  # (m,), labels
    table: RatingsTable  # the real ratings of the items offered; its segments are the groups
    whole: RatingsTable  # the table that all this was taken from
    group_names: tuple[str, ...]  # (P,)
    errors: NDArray[np.float64]  # (P,) of the model's guesses; (0,) if all ratings are real


def build_world(s: RatingsScenario, world_seed: int) -> World:
    """Choose users and items, set the profile's items aside, name the groups, fix the truth."""
    table = s.ratings if isinstance(s.ratings, RatingsTable) else _sample()
    part, ratings, profile_items = _choose(s, table, generator(world_seed, _PROFILE))
    profile_ratings, ratings = ratings[:, : profile_items.size], ratings[:, profile_items.size :]
    profiles = _centred(profile_ratings)
    with threadpool_limits(1):  # sums over threads would depend on their number
        user_types, names = _groups(s, part, profiles, world_seed)
        values, errors = _truth(s, ratings, user_types, world_seed)
    past = _draw_past(s.past, np.isfinite(ratings), generator(world_seed, _PAST))
    available = np.isfinite(values) & ~past
    return World(
        n_items=part.n_items,
        user_types=user_types,
        values=np.nan_to_num(values),
        available=available,
        past=past,
        profiles=profiles.astype(np.float32),
        profile_ratings=profile_ratings,
        profile_items=profile_items,
        table=replace(part, segments=np.array(names)[user_types] if len(names) > 1 else None),
        whole=table,
        group_names=names,
        errors=errors,
    )


def _choose(
    s: RatingsScenario, table: RatingsTable, rng: np.random.Generator
) -> tuple[RatingsTable, NDArray[np.float64], NDArray[Any]]:
    """Return the table of users and items offered, all ratings (U, m + K), labels of the m."""
    most = None if s.max_items is None else s.max_items + s.n_profile
    part = table.restrict(max_items=most, min_item_ratings=1, complete=s.complete)
    size = f"{part.n_users:,} users x {part.n_items:,} items"
    right = f"{size} is more than {MOST_CELLS:,} cells, choose fewer with max_items"
    require(part.n_users * part.n_items <= MOST_CELLS, "ratings", table, right)
    m = s.n_profile
    right = f"the table has {part.n_items} items, and at least 2 must be left to offer"
    require(part.n_items - m >= 2, "n_profile", m, right)

    dense, order = part.to_dense(), rng.permutation(part.n_items)
    profile, offered = np.sort(order[:m]), np.sort(order[m:])
    n_rated = np.isfinite(dense[:, offered]).sum(axis=1)
    users = _who_can_come(s, n_rated, offered.size, rng)
    offered = offered[np.isfinite(dense[users][:, offered]).any(axis=0)]
    right = f"users are left with ratings of {offered.size} item, at least 2 are needed"
    require(offered.size >= 2, "max_items", s.max_items, right)
    ratings = dense[users][:, np.append(profile, offered)]
    row, column = np.nonzero(np.isfinite(ratings[:, m:]))
    kept = RatingsTable(
        users=part.users[users],
        items=part.items[offered],
        user_index=row,
        item_index=column,
        rating=ratings[row, m + column],
        segments=None if part.segments is None else part.segments[users],
        name=table.name,
        source=table.source,
    )
    right = f"no item is shown twice, and only {kept.n_items} are offered"
    require(s.visits <= kept.n_items, "visits", s.visits, right)
    right = f"at most as many as the {kept.n_users} users who can come"
    require(s.in_turn is None or s.in_turn <= kept.n_users, "in_turn", s.in_turn, right)
    return kept, ratings, part.items[profile]


def _who_can_come(
    s: RatingsScenario, n_rated: NDArray[np.int64], n_offered: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which users rated enough of the items offered, ``max_users`` of them."""
    name, least = "min_user_ratings", s.min_user_ratings
    if s.mode != "completed" and s.visits > least:  # else a model knows all items
        name, least = "visits", s.visits
    users = n_rated >= least
    if s.mode != "completed":
        users &= n_rated - np.floor(s.past * n_rated) >= s.visits
    right = (
        f"{users.sum()} of {users.size:,} users rated so many of the {n_offered} items "
        f"offered (the most that anyone rated are {n_rated.max()}, of which past={s.past:g} is "
        "no more to be asked), at least 2 users are needed"
    )
    require(int(users.sum()) >= 2, name, least, right)
    if s.max_users is not None and s.max_users < users.sum():
        drawn = rng.choice(np.flatnonzero(users), s.max_users, replace=False)
        users = np.isin(np.arange(users.size), drawn)
    return users


def _draw_past(
    share: float, rated: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which ratings are of the past: for each user a share, drawn at random."""
    order = np.where(rated, rng.random(rated.shape), 2.0).argsort(axis=1, kind="stable")
    place = order.argsort(axis=1, kind="stable")
    return place < np.floor(share * rated.sum(axis=1, keepdims=True))


def _centred(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take each user's mean from the user's ratings; 0 where there is none."""
    seen = np.isfinite(ratings)
    known = np.where(seen, ratings, 0.0)
    mean = known.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    return np.where(seen, ratings - mean, 0.0)


def _groups(
    s: RatingsScenario, part: RatingsTable, profiles: NDArray[np.float64], world_seed: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return each user's group and the names: k-means of profiles, segments, or everybody."""
    if s.n_reference_groups > 0:
        right = f"at most as many as users ({part.n_users})"
        n_groups = s.n_reference_groups
        require(n_groups <= part.n_users, "n_reference_groups", n_groups, right)
        labels = _cluster(profiles, n_groups, world_seed)
        return labels, tuple(f"reference {p}" for p in range(int(labels.max()) + 1))
    if part.segments is None:
        return np.zeros(part.n_users, dtype=np.int64), ("everybody",)
    names, labels = np.unique(part.segments, return_inverse=True)
    return labels.astype(np.int64), tuple(str(name) for name in names)


def _cluster(profiles: NDArray[np.float64], n_groups: int, world_seed: int) -> NDArray[np.int64]:
    """Return k-means labels, the largest cluster first."""
    from sklearn.cluster import KMeans  # slow to import, and few worlds need it

    seed = int(generator(world_seed, _GROUPS).integers(2**31))
    found = KMeans(n_groups, n_init=10, random_state=seed).fit_predict(profiles)
    _, labels, counts = np.unique(found, return_inverse=True, return_counts=True)
    rank = np.empty(counts.size, dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(counts.size)
    return rank[labels]


def _truth(
    s: RatingsScenario, ratings: NDArray[np.float64], user_types: NDArray[np.int64], world_seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each user would answer, NaN where unknown, and the errors of a model."""
    seen = np.isfinite(ratings)
    if s.mode == "full":
        right = (
            f"{1 - seen.mean():.0%} of the {seen.shape[0]:,} x {seen.shape[1]} ratings are "
            "missing; complete=True keeps the users who rated every item (more of them with a "
            "smaller max_items), mode='observed' offers each user what that user rated"
        )
        require(bool(seen.all()), "mode", s.mode, right)
    if s.mode != "completed":
        return ratings, np.zeros(0)
    least = least_ratings(seen.shape[1])
    n_poor = int((seen.sum(axis=1) < least).sum())
    right = (
        f"{n_poor:,} of {seen.shape[0]:,} users rated fewer than {least} of the {seen.shape[1]} "
        "items, and a model gives such users the tastes of the majority; "
        f"min_user_ratings={least} leaves them out"
    )
    require(n_poor == 0, "mode", s.mode, right)
    how: dict[str, Any] = {"n_factors": s.n_factors, "ridge": s.ridge}
    filled = complete_ratings(ratings, generator(world_seed, _COMPLETION), **how)
    return filled, holdout_error(ratings, user_types, generator(world_seed, _ERROR), **how)


@lru_cache(maxsize=1)
def _sample() -> RatingsTable:
    return load_sample_ratings()
