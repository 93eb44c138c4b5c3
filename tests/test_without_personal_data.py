"""With ``clusters=`` nothing about a person is stored: neither ids, nor rows of their features."""

import io
import pickle

import joblib
import numpy as np
import pytest

from pgrpo_rec import PGRPORecommender
from pgrpo_rec.fairness import MaxMin

SECRETS = [f"person-{i:05d}@example.org" for i in range(60)]
KINDS = [
    {},
    {"solver": "adam"},
    {"solver": "adam", "objective": MaxMin(), "cluster_part": "none", "max_share": 0.5},
]


def told(kind, **who):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    rec = PGRPORecommender(3, random_state=0, **kind)
    for _ in range(3):
        items, propensities = rec.recommend(X, **who)
        rewards = rng.normal(size=60)
        rec.partial_fit(X, rewards, actions=items[:, 0], propensities=propensities[:, 0], **who)
    return rec, X, rewards


def everything_in(thing, seen=None):
    """Yield every value that can be reached from an object."""
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    yield thing
    inside = []
    if isinstance(thing, dict):
        inside = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset) or hasattr(thing, "popleft"):
        inside = list(thing)
    elif isinstance(thing, np.ndarray):
        inside = thing.ravel().tolist()
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        inside = list(vars(thing).values())
    for part in inside:
        yield from everything_in(part, seen)


def saved(rec):
    file = io.BytesIO()
    joblib.dump(rec, file)
    return pickle.dumps(rec) + file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_person_is_in_the_object_or_its_file(kind):
    clusters = np.arange(60) % 2
    rec, X, rewards = told(kind, clusters=clusters)
    values = {v for v in everything_in(rec) if isinstance(v, str | float)}
    assert not values & set(SECRETS)
    assert not values & set(X.ravel().tolist())
    assert not values & set(rewards.tolist())
    data = saved(rec)
    assert not any(secret.encode() in data for secret in SECRETS)
    assert not any(row.tobytes() in data for row in X)
    sizes = [part.size for part in everything_in(rec) if isinstance(part, np.ndarray)]
    bigger, _, _ = told(kind, clusters=np.arange(60) % 2)
    assert sizes == [p.size for p in everything_in(bigger) if isinstance(p, np.ndarray)]
    assert 60 not in {n for a in everything_in(rec) if isinstance(a, np.ndarray) for n in a.shape}


def test_the_search_finds_people_where_they_are_stored():
    rec, X, _ = told({}, users=np.array(SECRETS))
    values = {v for v in everything_in(rec) if isinstance(v, str | float)}
    assert set(SECRETS) <= values
    assert set(X.ravel().tolist()) & values
    assert SECRETS[0] in rec.clustering_.users_
