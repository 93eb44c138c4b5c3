"""Serving visitors of whom it may be in doubt to which cluster they belong.

Who is of one cluster for certain is shown its policy; who may be of several, a mixture of
their policies: by information-directed sampling (`pgrpo_rec.identification`), or, for a
stranger, by how likely each is. What a stranger's answer tells is worth nothing unless they
come again, which many never do.

Shapes: n visits, P parts, K items, D columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.estimators.learners import Learner
from pgrpo_rec.identification import cost_and_gain, information_directed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Part = tuple[Ints, Ints, Floats]  # rows, a cluster for each, and how likely it is theirs
ROOM = 1_000_000  # numbers a table (visits, parts, items) may take


class Visitors(NamedTuple):
    """What a learner is told of visits."""

    z: Floats  # (n, D)
    available: Bools  # (n, K)
    own: OwnAnswers | None  # (n, K)
    met: Bools  # (n,): of whom answers are remembered

    def of(self, rows: Ints) -> Visitors:
        """Return some of the visits."""
        own = None if self.own is None else OwnAnswers(*(table[rows] for table in self.own))
        return Visitors(self.z[rows], self.available[rows], own, self.met[rows])


def serve(learner: Learner, visitors: Visitors, parts: list[Part]) -> Floats:
    """Return what visitors are shown, shape (n, K).

    Parameters
    ----------
    learner : Learner
    visitors : Visitors
    parts : list of (rows, clusters, shares)
        A cluster for each of some rows, and how likely it is theirs; shares of a row sum to 1.
    """
    if len(parts) == 1:
        return policy_of(learner, visitors, parts[0][1])
    n, n_items = visitors.available.shape
    shares, clusters = np.zeros((n, len(parts))), np.zeros((n, len(parts)), dtype=np.int64)
    for j, (rows, of_part, share) in enumerate(parts):
        shares[rows, j], clusters[rows, j] = share, of_part
    policy = np.empty((n, n_items))
    likeliest, rows = shares.argmax(axis=1), np.arange(n)
    doubtful = shares[rows, likeliest] < 1.0
    certain = np.flatnonzero(~doubtful)
    clusters_of_certain = clusters[certain, likeliest[certain]]
    policy[certain] = policy_of(learner, visitors.of(certain), clusters_of_certain)
    size = max(ROOM // (len(parts) * n_items), 1)
    in_doubt = np.flatnonzero(doubtful)
    for start in range(0, in_doubt.size, size):
        block = in_doubt[start : start + size]
        policy[block] = _mixture(learner, visitors.of(block), shares[block], clusters[block])
    return policy


def policy_of(learner: Learner, visitors: Visitors, clusters: Ints) -> Floats:
    """Return what visitors of known clusters are shown."""
    return learner.probabilities(visitors.z, clusters, visitors.available, visitors.own)


def _mixture(learner: Learner, visitors: Visitors, shares: Floats, clusters: Ints) -> Floats:
    """Return what people in doubt are shown; without an outlook, by their shares."""
    policies = np.zeros((*shares.shape, visitors.available.shape[1]))
    for rows, j in _members(shares):
        policies[rows, j] = policy_of(learner, visitors.of(rows), clusters[rows, j])
    weights, met = shares.copy(), np.flatnonzero(visitors.met)
    expected = _outlooks(learner, visitors.z[met], shares[met], clusters[met])
    if expected is not None:
        cost, gain = cost_and_gain(shares[met], policies[met], *expected)
        weights[met] = information_directed(shares[met], cost, gain)
    return np.einsum("np,npk->nk", weights, policies)


def _outlooks(learner: Learner, z: Floats, shares: Floats, clusters: Ints) -> list[Floats] | None:
    """Return values, rewards and noise by each part, (n, P, K) each, if the learner knows them."""
    tables: list[Floats] | None = None
    for rows, j in _members(shares):
        outlook = learner.outlook(z[rows], clusters[rows, j])
        if outlook is None:
            return None
        if tables is None:
            tables = [np.zeros((*shares.shape, outlook.values.shape[1])) for _ in outlook]
        for table, of_part in zip(tables, outlook, strict=True):
            table[rows, j] = of_part
    return tables


def _members(shares: Floats) -> Iterator[tuple[Ints, int]]:
    """Yield who may be of each part, where there is anyone."""
    for j in range(shares.shape[1]):
        rows = np.flatnonzero(shares[:, j])
        if rows.size:
            yield rows, j
