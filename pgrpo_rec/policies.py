r"""Softmax policies over items, linear in features, one part shared and one per cluster.

.. math:: \pi(k \mid x, p) \propto \exp\big((w^{shared}_k + w^{p}_k) \cdot z\big),
          \qquad z = (1, x)

The constant in z is the bias, so a policy without features (``d = 0``) is the tabular one:
``weights[1 + p, k, 0]``. Items that are not available have probability 0.

Shapes: n visits, K items, P clusters, D = d + 1 features with the constant,
``weights`` (1 + P, K, D) with the shared part first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@jit
def write_probabilities(
    weights: Floats, z: Floats, cluster: int, available: Bools, out: Floats
) -> None:
    """Write the softmax of one visit into ``out``, shape (K,)."""
    n_items, n_features = weights.shape[1], weights.shape[2]
    top = -np.inf
    for k in range(n_items):
        logit = 0.0
        for j in range(n_features):
            logit += (weights[0, k, j] + weights[1 + cluster, k, j]) * z[j]
        out[k] = logit
        if available[k] and logit > top:
            top = logit
    total = 0.0
    for k in range(n_items):
        out[k] = np.exp(out[k] - top) if available[k] else 0.0
        total += out[k]
    for k in range(n_items):
        out[k] /= total


@jit
def action_probabilities(weights: Floats, z: Floats, clusters: Ints, available: Bools) -> Floats:
    """Return the policy's probabilities.

    Parameters
    ----------
    weights : ndarray of float64, shape (1 + P, K, D)
    z : ndarray of float64, shape (n, D)
        Features with the constant first.
    clusters : ndarray of int64, shape (n,), values in [0, P)
    available : ndarray of bool, shape (n, K), at least one True a row

    Returns
    -------
    ndarray of float64, shape (n, K); rows sum to 1.
    """
    probabilities = np.empty((z.shape[0], weights.shape[1]))
    for i in range(z.shape[0]):
        write_probabilities(weights, z[i], clusters[i], available[i], probabilities[i])
    return probabilities


@jit
def draw_actions(probabilities: Floats, uniforms: Floats) -> tuple[Ints, Floats]:
    """Draw one item a row by inverting the cumulative probabilities.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, K)
    uniforms : ndarray of float64, shape (n,), in [0, 1)

    Returns
    -------
    actions : ndarray of int64, shape (n,)
        Never an item of probability 0.
    propensities : ndarray of float64, shape (n,)
        How probable they were.
    """
    actions = np.empty(probabilities.shape[0], dtype=np.int64)
    propensities = np.empty(probabilities.shape[0])
    for i in range(probabilities.shape[0]):
        total = 0.0
        last = 0
        for k in range(probabilities.shape[1]):
            if probabilities[i, k] > 0.0:
                total += probabilities[i, k]
                last = k
                if uniforms[i] < total:
                    break
        actions[i], propensities[i] = last, probabilities[i, last]
    return actions, propensities


@jit
def draw_slates(probabilities: Floats, uniforms: Floats) -> tuple[Ints, Floats]:
    r"""Draw slates without repetition: Plackett-Luce over the given probabilities.

    Position s is drawn from the probabilities of the items not yet placed, which is what
    Gumbel top-m does at once (Plackett 1975; Luce 1959).

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, K)
    uniforms : ndarray of float64, shape (n, S), in [0, 1)

    Returns
    -------
    slates : ndarray of int64, shape (n, S)
    propensities : ndarray of float64, shape (n, S)
        Of each position given the ones before; their product is the slate's propensity.
    """
    n_visits, n_slots = uniforms.shape
    slates = np.empty((n_visits, n_slots), dtype=np.int64)
    propensities = np.empty((n_visits, n_slots))
    for i in range(n_visits):
        left = probabilities[i].copy()
        for s in range(n_slots):
            total = left.sum()
            aim = uniforms[i, s] * total
            passed = 0.0
            chosen = -1
            for k in range(left.size):
                if left[k] > 0.0:
                    passed += left[k]
                    chosen = k
                    if aim < passed:
                        break
            slates[i, s] = chosen
            propensities[i, s] = left[chosen] / total
            left[chosen] = 0.0
    return slates, propensities
