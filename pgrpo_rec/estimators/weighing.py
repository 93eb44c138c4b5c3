"""Weighing: how much the answers of each cluster count, by the objective over groups.

Objectives that look at satisfaction get an estimate made of what the learner itself has heard:
a reward model for each cluster (the least-squares fit of `pgrpo_rec.natural`, small clusters
borrowing from all) says what the policy, a random item and the best known item are worth to
the last visitors. The policy's worth is corrected by what the model got wrong of their answers
(doubly robust: Dudik, Langford and Li 2011, arXiv:1103.4601).

Shapes: n visits, K items, P clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.estimators.audience import Audience
from pgrpo_rec.estimators.learners import MAX_WEIGHT, Answers
from pgrpo_rec.estimators.natural_learner import Natural
from pgrpo_rec.fairness import OUT_OF_REACH, Floor, Objective, Standing

Floats = NDArray[np.float64]

MEMORY = 500.0  # visits of a cluster over which its satisfaction is averaged
ENOUGH = 50.0  # visits of a cluster before anything is said of it
VISIBLE = 0.02  # least span from random to best, in standard deviations of the rewards
VALUE, UNIFORM, BEST = range(3)


class Satisfaction:
    """Running estimate of (value - uniform) / (best known - uniform) of each cluster.

    Parameters
    ----------
    model : Natural
        Predicts advantages; learns here, and shows nothing to anyone.
    """

    def __init__(self, model: Natural) -> None:
        self.model = model
        self.heard = np.zeros(0)  # (P,), fading
        self.worth = np.zeros((0, 3))  # (P, 3), fading sums in standard deviations

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Mix what is known as the clusters are mixed."""
        self.model.follow(mixing, audience)
        self.heard, self.worth = mixing @ self.heard, mixing @ self.worth

    def learn(self, answers: Answers, policy: Floats, audience: Audience) -> None:
        """Judge the policy, shape (n, K), on a batch, then learn from it."""
        a, history = answers, audience.history
        expected = self.model.values(a.z, a.clusters, a.available, None)
        std = np.where(history.std > 0.0, history.std, 1.0)[a.clusters]
        surprise = (a.rewards - history.mean[a.clusters]) / std
        rows = np.arange(a.actions.size)
        surprise -= expected[rows, a.actions]
        ratio = np.minimum(policy[rows, a.actions] / np.maximum(a.propensities, 1e-12), MAX_WEIGHT)
        worth = np.column_stack(
            [
                (policy * expected).sum(axis=1) + ratio * surprise,
                np.where(a.available, expected, 0.0).sum(axis=1) / a.available.sum(axis=1),
                np.where(a.available, expected, -np.inf).max(axis=1),
            ]
        )
        self._fold(a.clusters, worth)
        self.model.learn(answers, audience)

    def _fold(self, clusters: NDArray[np.int64], worth: Floats) -> None:
        counts = np.bincount(clusters, minlength=self.heard.size).astype(np.float64)
        left = (1.0 - 1.0 / MEMORY) ** counts
        self.heard = left * self.heard + counts
        self.worth *= left[:, None]
        np.add.at(self.worth, clusters, worth)

    def read(self) -> Floats:
        """Return the satisfactions, shape (P,); NaN where too little is known."""
        value, uniform, best = (self.worth / np.maximum(self.heard, 1e-12)[:, None]).T
        span = best - uniform
        known = (self.heard >= ENOUGH) & (span > VISIBLE)
        return np.where(known, (value - uniform) / np.where(known, span, 1.0), np.nan)


class Weighing:
    """Weights of clusters, kept up to date by an objective.

    Parameters
    ----------
    objective : Objective
    satisfaction : Satisfaction or None
        Where the objective watches it.
    """

    def __init__(self, objective: Objective, satisfaction: Satisfaction | None) -> None:
        self.objective = objective
        self.satisfaction = satisfaction
        self.pressure = np.zeros(0)

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Mix the pressures as the clusters are mixed."""
        self.pressure = mixing @ self.pressure
        if self.satisfaction is not None:
            self.satisfaction.follow(mixing, audience)

    def learn(self, answers: Answers, policy: Floats | None, audience: Audience) -> None:
        """Take a batch: measure satisfaction where it is watched, then let pressure follow."""
        if self.satisfaction is not None and policy is not None:
            self.satisfaction.learn(answers, policy, audience)
        n = answers.actions.size
        self.pressure = self.objective.press(self.pressure, self.standing(audience), n)

    def standing(self, audience: Audience) -> Standing:
        """Return how clusters stand, as far as is known."""
        count = audience.history.count
        shares = count / max(float(count.sum()), 1e-300)
        unknown = np.full(count.size, np.nan)
        return Standing(shares, unknown if self.satisfaction is None else self.satisfaction.read())

    def weights(self, audience: Audience) -> Floats:
        """Return the weight of a visit of each cluster, shape (P,)."""
        return self.objective.weights(self.pressure, self.standing(audience))

    def broken_promise(self, audience: Audience) -> str:
        """Return a warning where a floor turned out to be out of reach, else nothing."""
        if isinstance(self.objective, Floor) and OUT_OF_REACH in self.verdicts(audience):
            return (
                f"the floor of {self.objective.least} for every group is out of reach of this "
                "policy, as far as is known: see groups_, and lower it or give clusters more of "
                "their own (cluster_part=)"
            )
        return ""

    def verdicts(self, audience: Audience) -> list[str]:
        """Return what the objective says of each cluster."""
        return self.objective.verdicts(self.pressure, self.standing(audience))
