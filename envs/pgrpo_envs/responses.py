"""Responses: how a user answers what is shown. Scalar kernels, no state.

Each turns a number in [0, 1) or a standard normal number into an outcome, so that the
same answer can be scored beforehand and repeated exactly.
"""

from __future__ import annotations

import math

from pgrpo_rec._numba import jit


@jit
def sigmoid(z):
    """Return ``1 / (1 + exp(-z))`` without overflow."""
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


@jit
def bernoulli(probability, u):
    """Return 1 with the given probability, else 0."""
    return 1.0 if u < probability else 0.0


@jit
def gaussian(mean, noise, z):
    """Return a real-valued answer around ``mean``."""
    return mean + noise * z
