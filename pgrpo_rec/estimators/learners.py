"""Learners: two ways from advantages to a policy, behind one interface.

`pgrpo_rec.estimators.first_order` climbs the clipped surrogate by gradient steps;
`pgrpo_rec.estimators.natural_learner` keeps the least-squares fit of the advantages and shows
items with their posterior-sampling probabilities.

Shapes: n visits, K items, P clusters, D = d + 1 features with the constant first.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.estimators.audience import Audience
from pgrpo_rec.objectives import Diagnostics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_WEIGHT = 10.0  # importance weights beyond this are noise more than correction


class Answers(NamedTuple):
    """One batch of answers, checked, with clusters and advantages."""

    z: Floats  # (n, D)
    clusters: Ints  # (n,)
    actions: Ints  # (n,)
    rewards: Floats  # (n,)
    advantages: Floats  # (n,)
    propensities: Floats  # (n,)
    available: Bools  # (n, K)
    users: NDArray[Any] | None  # (n,)
    weights: Floats  # (n,): how much each counts, by the objective over groups
    slate_size: int = 1  # m: every m rows in a row are one slate


class Outlook(NamedTuple):
    """What each item is expected to bring."""

    values: Floats  # (n, K), advantages
    rewards: Floats  # (n, K)
    noise: Floats  # (n, K), variance of a reward


class Learner(Protocol):
    """What a policy's learner can do; clusters may be one past the last for strangers."""

    def probabilities(
        self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None
    ) -> Floats:
        """Return the policy, shape (n, K)."""

    def values(self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None) -> Floats:
        """Return what a greedy choice goes by, shape (n, K)."""

    def outlook(self, z: Floats, clusters: Ints) -> Outlook | None:
        """Return what clusters, none of them a stranger's, would answer; None if not known."""

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Go along with users into new clusters; see `Audience.absorb`."""

    def learn(self, answers: Answers, audience: Audience) -> Diagnostics | None:
        """Take one batch; say how the policy stood, where that is known."""
