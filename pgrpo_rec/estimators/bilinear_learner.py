"""The natural learner of many items: one fit for all of them, on visit times item features.

An answer about one item is an answer about the product of its features with the visit's, so
the learner of `pgrpo_rec.estimators.natural_learner` sees one item with S joint columns; only
reading the values of K items is another matter (`pgrpo_rec.bilinear`).

Shapes: n visits, K items, P clusters, D columns of a visit, M = m + 1 of an item, S = D M.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.bilinear import joint_columns, read_bilinear
from pgrpo_rec.estimators.audience import Audience
from pgrpo_rec.estimators.learners import Answers
from pgrpo_rec.estimators.natural_learner import Natural
from pgrpo_rec.interactions import with_constant
from pgrpo_rec.posterior import probability_of_best, upper_end

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WIDTH = 0.5  # of exploration: values of many items are drawn one by one, though they share
# coefficients, and the largest of so many draws lies far out
FIRST_RIDGE = 1.0  # with fewer answers than coefficients the evidence asks for far more


class Bilinear:
    """Posterior sampling on one least-squares fit for all items.

    What an item has beyond its features is not learned, nor what a single person has beyond
    the group.

    Parameters
    ----------
    item_features : ndarray of float64, shape (K, m)
    n_columns : int
        D.
    exploration, memory
        As of `Natural`.
    """

    def __init__(
        self, item_features: Floats, n_columns: int, *, exploration: float, memory: int
    ) -> None:
        self._items = with_constant(item_features)
        self._columns = np.ascontiguousarray(self._items.T)
        kinds = np.ones(n_columns * self._items.shape[1], dtype=np.int64)
        kinds[0] = 0
        self._one = Natural(
            1,
            kinds,
            exploration=WIDTH * exploration,
            memory=memory,
            adapts=False,
            first_ridge=FIRST_RIDGE,
            least_heard=kinds.size,
            narrows_prior=True,
        )

    def probabilities(
        self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None
    ) -> Floats:
        """Return the posterior-sampling probabilities."""
        reach = upper_end(self._items.shape[0])
        return probability_of_best(
            *self._read(z, clusters, available, self._one.width, reach), available
        )

    def values(self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None) -> Floats:
        """Return the expected advantages, or log-odds against the cluster's own."""
        return self._read(z, clusters, available, 1.0, 0.0)[0]

    def outlook(self, z: Floats, clusters: Ints) -> None:
        """Return None: reading all values of many items once more a cluster is not worth it."""

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Go along with users into new clusters."""
        self._one.follow(mixing, audience)

    def learn(self, answers: Answers, audience: Audience) -> None:
        """Fold the answers in, as answers about one item."""
        joint = joint_columns(answers.z, self._items[answers.actions])
        first = np.zeros_like(answers.actions)
        self._one.learn(answers._replace(z=joint, actions=first), audience)

    def _read(
        self, z: Floats, clusters: Ints, available: Bools, width: float, reach: float
    ) -> tuple[Floats, Floats]:
        """Return means, and standard deviations times ``width``, shapes (n, K)."""
        fit = self._one.fit_of(clusters)
        mask = np.require(available, requirements=("C", "W"))  # of a view it is compiled again
        covariance = fit.covariance[:, 0] * (width**2 * fit.noise[:, :, None])
        return read_bilinear(fit.beta[:, 0], covariance, z, clusters, self._columns, mask, reach)
