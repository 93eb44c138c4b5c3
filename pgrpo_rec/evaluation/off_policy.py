"""Off-policy estimates: the value of a policy from a log of another one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def snips_value(rewards: Floats, probabilities: Floats, propensities: Floats) -> float:
    r"""Estimate a policy's value by self-normalised inverse propensity scoring.

    .. math:: \hat V = \sum_i w_i r_i \big/ \sum_i w_i, \qquad
              w_i = \pi(a_i \mid x_i) / \pi_0(a_i \mid x_i)

    Parameters
    ----------
    rewards : ndarray of float64, shape (n,)
    probabilities : ndarray of float64, shape (n,)
        Of the logged items under the policy to be judged.
    propensities : ndarray of float64, shape (n,), in (0, 1]
        Of the logged items under the policy that logged them.

    Returns
    -------
    float
        NaN where the policy never does what was logged: the log says nothing of it.

    References
    ----------
    Swaminathan and Joachims, The self-normalized estimator for counterfactual learning, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.evaluation import snips_value
    >>> snips_value(np.array([1.0, 0.0]), np.array([0.9, 0.1]), np.array([0.5, 0.5]))
    0.9
    """
    weights = probabilities / propensities
    total = float(weights.sum())
    return float(weights @ rewards) / total if total > 0.0 else float("nan")
