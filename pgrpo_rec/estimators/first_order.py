"""The first-order learner: a softmax policy that climbs the clipped surrogate.

Shapes: n visits, K items, P clusters, D = d + 1 features with the constant first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.estimators.audience import Audience
from pgrpo_rec.estimators.learners import MAX_WEIGHT, Answers
from pgrpo_rec.objectives import Diagnostics, Penalties, PolicyBatch, surrogate
from pgrpo_rec.policies import action_probabilities
from pgrpo_rec.solvers import Solver, limit_norm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Columns on which clusters have no weights of their own.
SHARED_COLUMNS = {"full": slice(0, 0), "bias": slice(1, None), "none": slice(None)}


class FirstOrder:
    """Softmax policy trained by gradient steps on the clipped surrogate.

    Parameters
    ----------
    n_items, n_columns : int
        K and D.
    solver : Solver
    penalties : Penalties
    n_epochs : int
        Steps a batch.
    shrinkage : float
        Fraction of the clusters' own weights that is taken off at each step.
    max_norm : float or None
        Bound on the norm of a gradient.
    cluster_part : {"full", "bias", "none"}
        Which weights clusters have of their own.
    reference_decay : float in [0, 1]
        What is left of the reference policy after each batch, the rest being the policy; of
        weights, that is of logits. 1: frozen.

    Attributes
    ----------
    weights, reference : ndarray of float64, shape (1 + P, K, D)
        Of the policy, and of the one it is held to.
    """

    def __init__(
        self,
        n_items: int,
        n_columns: int,
        *,
        solver: Solver,
        penalties: Penalties,
        n_epochs: int,
        shrinkage: float,
        max_norm: float | None,
        cluster_part: str,
        reference_decay: float,
    ) -> None:
        self.weights = np.zeros((1, n_items, n_columns))
        self.reference = self.weights.copy()
        self.solver = solver
        self.penalties = penalties
        self.n_epochs = n_epochs
        self.shrinkage = shrinkage
        self.max_norm = max_norm
        self.cluster_part = cluster_part
        self.reference_decay = reference_decay

    def probabilities(
        self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None
    ) -> Floats:
        """Return the softmax; strangers are served by the shared part alone."""
        weights = self.weights
        if clusters.size and clusters.max() >= weights.shape[0] - 1:
            weights = np.concatenate([weights, np.zeros((1, *weights.shape[1:]))])
        return action_probabilities(weights, z, clusters, available)

    values = probabilities

    def outlook(self, z: Floats, clusters: Ints) -> None:
        """Return None: a policy alone does not say what its items bring."""

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Mix weights and the solver's memory as the clusters are mixed."""
        whole = np.zeros((1 + mixing.shape[0], 1 + mixing.shape[1]))
        whole[0, 0] = 1.0
        whole[1:, 1:] = mixing
        self.weights = np.tensordot(whole, self.weights, axes=1)
        self.reference = np.tensordot(whole, self.reference, axes=1)
        self.solver.remap(whole)

    def freeze_reference(self) -> None:
        """Make the policy as it stands the reference."""
        self.reference = self.weights.copy()

    def learn(self, answers: Answers, audience: Audience) -> Diagnostics:
        """Take ``n_epochs`` steps; the advantages stay what they are.

        Ratios are clipped around the policy as it stands now; what separates that from the
        policy that showed the items (whole slates) is a weight, capped, and 1 where they are
        the same.
        """
        a = answers
        self.reference += (1.0 - self.reference_decay) * (self.weights - self.reference)
        now = self.probabilities(a.z, a.clusters, a.available, None)
        now = now[np.arange(a.actions.size), a.actions]
        ratio = (now / np.maximum(a.propensities, 1e-12)).reshape(-1, a.slate_size)
        weight = np.repeat(np.minimum(ratio.prod(axis=1), MAX_WEIGHT), a.slate_size) * a.weights
        batch = PolicyBatch(a.z, a.clusters, a.actions, a.advantages, now, a.available, weight)
        for _ in range(self.n_epochs):
            diagnostics, gradient = surrogate(batch, self.penalties, self.weights, self.reference)
            gradient[1:, :, SHARED_COLUMNS[self.cluster_part]] = 0.0
            limit_norm(gradient, self.max_norm)
            self.solver.step(self.weights, gradient)
            if self.shrinkage > 0.0:
                self.weights[1:] *= 1.0 - self.shrinkage
        return diagnostics  # of the last epoch, before its step
