"""Solvers: how far to go along a gradient. All ascend.

A solver keeps its own memory for one array of weights; `remap` carries that memory over when
clusters are learned anew.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def limit_norm(gradient: Floats, max_norm: float | None) -> float:
    """Shorten a gradient in place to at most a norm; return the norm it had.

    Parameters
    ----------
    gradient : ndarray of float64, any shape
    max_norm : float or None
        Euclidean, over all entries; None for no limit.

    Notes
    -----
    Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063: the direction stays what it is.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.solvers import limit_norm
    >>> gradient = np.array([3.0, 4.0])
    >>> limit_norm(gradient, 1.0)
    5.0
    >>> gradient
    array([0.6, 0.8])
    """
    norm = float(np.linalg.norm(gradient))
    if max_norm is not None and norm > max_norm:
        gradient *= max_norm / norm
    return norm


class Solver(Protocol):
    """What a first-order solver can do."""

    def step(self, weights: Floats, gradient: Floats) -> None:
        """Move ``weights`` in place along ``gradient``, both of the same shape."""

    def remap(self, mixing: Floats) -> None:
        """Follow a change of clusters: new row p is ``sum_q mixing[p, q] * old row q``."""


class SGD:
    """Plain stochastic gradient ascent (Robbins and Monro 1951).

    Parameters
    ----------
    learning_rate : float, above 0
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def step(self, weights: Floats, gradient: Floats) -> None:
        """Move ``weights`` in place along ``gradient``."""
        weights += self.learning_rate * gradient

    def remap(self, mixing: Floats) -> None:
        """Nothing is remembered, so nothing follows."""


class Adam:
    """Adam with bias correction (Kingma and Ba 2015, arXiv:1412.6980), ascending.

    Parameters
    ----------
    learning_rate : float, above 0
    beta1, beta2 : float in [0, 1), default=0.9 and 0.999
    eps : float, default=1e-8
    """

    def __init__(
        self, learning_rate: float, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.n_steps = 0
        self.first: Floats | None = None
        self.second: Floats | None = None

    def step(self, weights: Floats, gradient: Floats) -> None:
        """Move ``weights`` in place along the moving averages of ``gradient``."""
        if self.first is None or self.second is None:
            self.first, self.second = np.zeros_like(weights), np.zeros_like(weights)
        self.n_steps += 1
        self.first += (1.0 - self.beta1) * (gradient - self.first)
        self.second += (1.0 - self.beta2) * (gradient**2 - self.second)
        mean = self.first / (1.0 - self.beta1**self.n_steps)
        spread = np.sqrt(self.second / (1.0 - self.beta2**self.n_steps))
        weights += self.learning_rate * mean / (spread + self.eps)

    def remap(self, mixing: Floats) -> None:
        """Mix the moving averages as the weights are mixed."""
        if self.first is not None and self.second is not None:
            self.first = np.tensordot(mixing, self.first, axes=1)
            self.second = np.tensordot(mixing, self.second, axes=1)


SOLVERS: dict[str, type[SGD] | type[Adam]] = {"sgd": SGD, "adam": Adam}
