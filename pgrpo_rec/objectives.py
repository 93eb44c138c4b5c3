r"""What a policy step goes up: the clipped surrogate, less divergence, plus entropy.

For visit i with advantage A and importance ratio
:math:`\rho = \pi(a \mid x) / \pi_{old}(a \mid x)`,

.. math::
    L_i = \min\big(\rho A,\; \mathrm{clip}(\rho, 1 - c_{low}, 1 + c_{high}) A\big)
          - \beta\, KL(\pi \| \pi_{ref}) + \alpha\, H(\pi),

averaged with visit weights (Schulman et al. 2017, arXiv:1707.06347; asymmetric clip:
Yu et al. 2025, arXiv:2503.14476). The set of items is finite: divergence and entropy are
exact sums over all K, not sampled. For comparison the divergence can be the estimate that
trainers of language models take from the sampled action alone,
:math:`k_3 = e^u - u - 1` with :math:`u = \log \pi_{ref}(a \mid x) - \log \pi(a \mid x)`
(Schulman 2020, "Approximating KL divergence"): right on average as a value, but its gradient
is on average that of the *other* divergence, :math:`KL(\pi_{ref} \| \pi)`.

Shapes as in `pgrpo_rec.policies`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.policies import write_probabilities

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_LOG_RATIO = 20.0  # keeps exp(log ratio) finite; clipping has long set in
TINY = 1e-300  # keeps the logarithm of a probability finite


class PolicyBatch(NamedTuple):
    """Visits to learn from, advantages already computed and frozen."""

    z: Floats  # (n, D), the constant first
    clusters: Ints  # (n,)
    actions: Ints  # (n,)
    advantages: Floats  # (n,)
    propensities: Floats  # (n,): probability under which each item was shown
    available: Bools  # (n, K)
    weights: Floats  # (n,): weight of each visit in the average


class Penalties(NamedTuple):
    """Constants of the surrogate; an infinite clip range switches clipping off."""

    clip_low: float
    clip_high: float
    kl_coef: float
    entropy_coef: float
    k3: bool = False  # the sampled estimate of the divergence, not the exact sum


class Diagnostics(NamedTuple):
    """Averages over the batch: the objective, and how the step stands."""

    objective: float
    kl: float
    entropy: float
    clipped: float


@jit
def surrogate(
    batch: PolicyBatch, penalties: Penalties, weights: Floats, reference: Floats
) -> tuple[Diagnostics, Floats]:
    """Return the surrogate's value and its gradient.

    Parameters
    ----------
    batch : PolicyBatch
    penalties : Penalties
    weights : ndarray of float64, shape (1 + P, K, D)
        Where to evaluate.
    reference : ndarray of float64, shape (1 + P, K, D)
        Weights of the reference policy; read only if ``kl_coef`` is not 0.

    Returns
    -------
    diagnostics : Diagnostics
    gradient : ndarray of float64, shape (1 + P, K, D)
        To be ascended.
    """
    n_items, n_features = weights.shape[1], weights.shape[2]
    gradient = np.zeros(weights.shape)
    probabilities = np.empty(n_items)
    anchor = np.empty(n_items)
    row = np.empty(n_items)
    total_weight = batch.weights.sum()
    objective, kl_sum, entropy_sum, clipped = 0.0, 0.0, 0.0, 0.0
    for i in range(batch.actions.size):
        z, p, available = batch.z[i], batch.clusters[i], batch.available[i]
        share = batch.weights[i] / total_weight
        write_probabilities(weights, z, p, available, probabilities)
        value, active = _policy_term(batch, penalties, i, probabilities, row)
        entropy = _entropy_term(probabilities, penalties.entropy_coef, row)
        kl = 0.0
        if penalties.kl_coef != 0.0:
            write_probabilities(reference, z, p, available, anchor)
            if penalties.k3:
                kl = _k3_term(probabilities, anchor, batch.actions[i], penalties.kl_coef, row)
            else:
                kl = _kl_term(probabilities, anchor, penalties.kl_coef, row)
        objective += share * (value - penalties.kl_coef * kl + penalties.entropy_coef * entropy)
        kl_sum += share * kl
        entropy_sum += share * entropy
        clipped += share * (1.0 - active)
        for k in range(n_items):
            for j in range(n_features):
                gradient[1 + p, k, j] += share * row[k] * z[j]
    for p, k, j in np.ndindex(weights.shape):
        if p > 0:
            gradient[0, k, j] += gradient[p, k, j]
    return Diagnostics(objective, kl_sum, entropy_sum, clipped), gradient


@jit
def _policy_term(
    batch: PolicyBatch, penalties: Penalties, i: int, probabilities: Floats, row: Floats
) -> tuple[float, float]:
    """Start the logit gradient of visit i; return its clipped value and whether it is active."""
    action, advantage = batch.actions[i], batch.advantages[i]
    log_ratio = np.log(probabilities[action]) - np.log(batch.propensities[i])
    ratio = np.exp(min(max(log_ratio, -MAX_LOG_RATIO), MAX_LOG_RATIO))
    too_high = advantage > 0.0 and ratio > 1.0 + penalties.clip_high
    too_low = advantage < 0.0 and ratio < 1.0 - penalties.clip_low
    if too_high or too_low:
        row[:] = 0.0
        bound = 1.0 + penalties.clip_high if too_high else 1.0 - penalties.clip_low
        return bound * advantage, 0.0
    coefficient = ratio * advantage
    for k in range(probabilities.size):
        row[k] = -coefficient * probabilities[k]
    row[action] += coefficient
    return coefficient, 1.0


@jit
def _entropy_term(probabilities: Floats, coefficient: float, row: Floats) -> float:
    """Add the gradient of the entropy to a logit gradient; return the entropy in nats."""
    entropy = 0.0
    for k in range(probabilities.size):
        if probabilities[k] > 0.0:
            entropy -= probabilities[k] * np.log(probabilities[k])
    if coefficient != 0.0:
        for k in range(probabilities.size):
            if probabilities[k] > 0.0:
                row[k] -= coefficient * probabilities[k] * (np.log(probabilities[k]) + entropy)
    return entropy


@jit
def _log_ratio(probability: float, anchor: float) -> float:
    """Return log(probability / anchor), bounded: either may have underflowed to 0."""
    log_ratio = np.log(max(probability, TINY)) - np.log(max(anchor, TINY))
    return min(max(log_ratio, -MAX_LOG_RATIO), MAX_LOG_RATIO)


@jit
def _kl_term(probabilities: Floats, anchor: Floats, coefficient: float, row: Floats) -> float:
    """Take the gradient of the divergence off a logit gradient; return KL(pi || reference)."""
    kl = 0.0
    for k in range(probabilities.size):
        kl += probabilities[k] * _log_ratio(probabilities[k], anchor[k])
    for k in range(probabilities.size):
        log_ratio = _log_ratio(probabilities[k], anchor[k])
        row[k] -= coefficient * probabilities[k] * (log_ratio - kl)
    return kl


@jit
def _k3_term(
    probabilities: Floats, anchor: Floats, action: int, coefficient: float, row: Floats
) -> float:
    """Take the gradient of the sampled estimate off a logit gradient; return the estimate."""
    u = -_log_ratio(probabilities[action], anchor[action])
    slope = coefficient * (1.0 - np.exp(u))  # with respect to log pi(action)
    for k in range(probabilities.size):
        row[k] += slope * probabilities[k]
    row[action] -= slope
    return np.exp(u) - u - 1.0
