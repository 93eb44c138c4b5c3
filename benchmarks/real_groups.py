"""What groups learned from answers bring to real people, on answers that were never heard.

Half of the people teach: all their answers are heard, groups and every group's mean of every
item are learned from them. The other half are strangers: of each, answers to some items are
heard (or gender and age are known), and place them in a group; then one of the *other* items is
recommended, of those that they rated, and their rating of it is the value. So no answer that is
scored was heard, nor anything else from which it could be remembered. ``one`` recommends by
the mean over all teachers; ``groups`` by the groups of `PreferenceClustering` with all defaults;
``told`` by a known group (the party; the gender) or, for jokes, k-means with 5 groups on the
same 30 jokes. Of films, strangers are placed by their hobbies; by gender and age; by half of the
films; or by gender, age and half of the films. These three learn groups from films alone.

Values are means over people of their mean over random halvings; the interval of the gain is
over people. ``says`` is what the tool may claim.

    PGRPO_DATA=... python benchmarks/real_groups.py
"""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from pgrpo_rec.datasets import read_ratings
from pgrpo_rec.estimators.clustering import PreferenceClustering

FILMS = (
    "Horror Thriller Comedy Romantic Sci-fi War Fantasy/Fairy_tales Animated Documentary Western"
)
HOBBIES = """History Psychology Politics Mathematics Physics Internet PC Economy_Management Biology
Chemistry Reading Geography Cars Art_exhibitions Religion Dancing Musical_instruments Writing
Passive_sport Active_sport Gardening Celebrities Shopping Science_and_technology Theatre"""
FILMS, HOBBIES = ([n.replace("_", " ") for n in part.split()] for part in (FILMS, HOBBIES))


class People(NamedTuple):
    """Dense ratings (U, K), NaN where there is none; the items that strangers are asked about.

    ``asked``: columns, or None for a random half of the items at each halving; ``known``: a
    group of each person, or the number of groups of k-means, or None; ``about``: features of
    each person, told of teachers and strangers.
    """

    ratings: np.ndarray
    asked: np.ndarray | None
    known: np.ndarray | int | None
    about: np.ndarray | None = None


def load(folder):
    """Yield name and people of every set that is there."""
    votes = read_ratings(folder / "house-votes-84")
    party = np.unique(votes.segments, return_inverse=True)[1]
    yield "votes of congress", People(votes.to_dense(), None, party)
    jokes = read_ratings(folder / "jester" / "jester1_dev_users.csv.gz").to_dense()
    jokes = jokes[np.isfinite(jokes).all(axis=1)]
    yield "jokes", People(jokes, np.arange(30), 5)
    tastes = read_ratings(
        folder / "yps" / "responses.csv.gz", item=[*HOBBIES, *FILMS], segment="Gender"
    )
    dense, gender = tastes.to_dense(), np.unique(tastes.segments, return_inverse=True)[1]
    asked = np.flatnonzero(np.isin(tastes.items, HOBBIES))
    without = tastes.items != "Comedy"
    asked_without = np.flatnonzero(np.isin(tastes.items[without], HOBBIES))
    yield "films without comedy, by hobbies", People(dense[:, without], asked_without, gender)
    films = dense[:, without & np.isin(tastes.items, FILMS)]
    about, nothing = gender_and_age(folder / "yps" / "responses.csv.gz"), np.empty(0, dtype=int)
    yield "films without comedy, by gender, age", People(films, nothing, gender, about)
    yield "films without comedy, by half", People(films, None, gender)
    yield "films without comedy, by all three", People(films, None, gender, about)
    yield "films with comedy, by hobbies", People(dense, asked, gender)
    stars = read_ratings(folder / "ml-100k" / "ratings.csv.gz").to_dense()
    most = np.argsort(-np.isfinite(stars).sum(axis=0), kind="stable")[:300]
    yield "MovieLens, 300 films", People(stars[:, most], None, None)
    for name in ("brexit-consensus", "canadian-electoral-reform", "scoop-hivemind.ubi"):
        opinions = read_ratings(folder / "polis" / name, duplicates="last").to_dense()
        heard = np.isfinite(opinions)
        opinions = opinions[heard.sum(axis=1) >= 10][:, heard.sum(axis=0) >= 50]
        yield f"opinions, {name}", People(opinions, None, None)


def gender_and_age(path):
    """Return three columns: female, male (neither where it is not said), and age."""
    table = pd.read_csv(path, usecols=["Gender", "Age"])
    age = table["Age"].fillna(table["Age"].mean())
    return np.column_stack([table["Gender"] == "female", table["Gender"] == "male", age])


def answers(ratings, rows, columns):
    """Return users, actions and rewards of what these people said of these items."""
    part = ratings[np.ix_(rows, columns)]
    at = np.nonzero(np.isfinite(part))
    return rows[at[0]], columns[at[1]], part[at]


def choose(ratings, rows, columns, value):
    """Return each person's rating of the item of highest value of those they rated."""
    here = ratings[np.ix_(rows, columns)]
    value = np.where(np.isfinite(here), value, -np.inf)
    best = value.argmax(axis=1)
    return here[np.arange(rows.size), best]


def group_means(ratings, rows, share, prior):
    """Return means of items by group, shrunk by two answers towards those of all, (P, K)."""
    seen = np.isfinite(ratings[rows])
    count = share.T @ seen
    return (share.T @ np.where(seen, ratings[rows], 0.0) + 2.0 * prior) / (count + 2.0)


def one_halving(people, seed):
    """Return values of the strangers (NaN for teachers) by three ways, and groups found."""
    ratings, n_items = people.ratings, people.ratings.shape[1]
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(ratings))
    teachers, strangers = np.sort(order[::2]), np.sort(order[1::2])
    asked = people.asked
    if asked is None:
        asked = np.sort(rng.permutation(n_items)[: n_items // 2])
    others = np.setdiff1d(np.arange(n_items), asked)
    strangers = strangers[np.isfinite(ratings[np.ix_(strangers, others)]).any(axis=1)]
    clustering = PreferenceClustering(items=n_items, refit_factor=1e9, random_state=seed)
    for rows, columns in ((teachers, np.arange(n_items)), (strangers, asked)):
        who, what, said = answers(ratings, rows, columns)
        learn = clustering.fit if rows is teachers else clustering.partial_fit
        learn(None, said, actions=what, users=who, user_features=told_of(people, who))
    seen = np.isfinite(ratings[teachers])
    prior = np.where(seen, ratings[teachers], 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    one = choose(ratings, strangers, others, prior[others])
    share = clustering.predict_proba(teachers)
    placed = clustering.predict_proba(strangers, told_of(people, strangers))
    means = group_means(ratings, teachers, share, prior)
    groups = choose(ratings, strangers, others, (placed @ means)[:, others])
    told = np.full(strangers.size, np.nan)
    if people.known is not None:
        known = people.known
        if isinstance(known, int):
            model = KMeans(known, n_init=10, random_state=seed).fit(ratings[teachers][:, asked])
            label = np.empty(len(ratings), dtype=int)
            for rows in (teachers, strangers):
                label[rows] = model.predict(ratings[rows][:, asked])
        else:
            label = known
        hard = np.eye(label.max() + 1)[label]
        means = group_means(ratings, teachers, hard[teachers], prior)
        told = choose(ratings, strangers, others, (hard[strangers] @ means)[:, others])
    values = np.full((3, len(ratings)), np.nan)
    values[:, strangers] = one, groups, told
    return values, clustering.n_clusters_


def told_of(people, rows):
    """Return the features of some people, or None where there are none."""
    return None if people.about is None else people.about[rows]


def report(name, people, seeds):
    runs = [one_halving(people, seed) for seed in seeds]
    values = np.array([v for v, _ in runs])
    met = np.isfinite(values[:, 0]).any(axis=0)
    values = values[:, :, met]
    one, groups = np.nanmean(values[:, 0], axis=0), np.nanmean(values[:, 1], axis=0)
    told = one if people.known is None else np.nanmean(values[:, 2], axis=0)
    gain = groups - one
    half = 1.96 * gain.std(ddof=1) / np.sqrt(gain.size)
    low, high = gain.mean() - half, gain.mean() + half
    way = told.mean() - one.mean()
    share = gain.mean() / way if abs(way) > 0.01 else np.nan
    says = "groups gain" if low > 0 else "groups bring nothing here"
    found = np.median([n for _, n in runs])
    reached = told.mean() if people.known is not None else np.nan
    print(
        f"{name:36s} {people.ratings.shape[0]:5d} x {people.ratings.shape[1]:3d}  {found:3.0f}  "
        f"{one.mean():6.3f} {groups.mean():6.3f} {reached:6.3f}  {share:5.2f}  "
        f"{gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]  {says}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("PGRPO_DATA"))
    parser.add_argument("--halvings", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first; default: 0")
    parser.add_argument("--only", default="", help="sets whose name holds this; default: all")
    options = parser.parse_args()
    if options.data is None:
        parser.error("say where the data are: --data or the variable PGRPO_DATA")
    print(f"{'set':36s} {'people':>5s} x items found   one groups   told  share  gain [95 %]")
    for name, people in load(Path(options.data)):
        if options.only in name:
            report(name, people, range(options.first, options.first + options.halvings))


if __name__ == "__main__":
    main()
