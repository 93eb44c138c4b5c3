r"""As whom to serve a person of whom it is in doubt to which cluster they belong.

Drawing the cluster by its probability (latent Thompson sampling) tries clusters also where the
answers would tell nothing. Information-directed sampling (Russo and Van Roy 2018) weighs what a
choice costs against what its answer tells. To be served as cluster j costs and tells, with the
person's probabilities b, policies :math:`\pi_j`, and advantages :math:`v_{pk}` to cluster p,

.. math::
    D_j = \sum_p b_p \big(\max_m \pi_m \cdot v_p - \pi_j \cdot v_p\big), \qquad
    G_j = \sum_k \pi_{jk} \, \tfrac12 \log\Big(1 +
        \frac{\mathrm{Var}_b\, \mu_{pk}}{\mathrm E_b\, \sigma_{pk}^2}\Big),

where :math:`\mu, \sigma^2` are mean and variance of the reward: G is the mutual information of
answer and cluster, as if both were normal. The weights w minimise
:math:`(w \cdot D)^2 / w \cdot G`; two clusters are enough for that, and the share of the first
has a closed form. What is shown is the mixture :math:`\sum_j w_j \pi_j`, so propensities stay
exact.

Shapes: n visits, P clusters, K items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit

Floats = NDArray[np.float64]

TINY = 1e-100  # nats: who tells less tells nothing


def cost_and_gain(
    shares: Floats, policies: Floats, values: Floats, rewards: Floats, noise: Floats
) -> tuple[Floats, Floats]:
    """Return what it costs and tells to serve each visitor as each cluster.

    Parameters
    ----------
    shares : ndarray of float64, shape (n, P)
        How likely each cluster is the visitor's; rows sum to 1.
    policies, values : ndarray of float64, shape (n, P, K)
        What each cluster would be shown, and its advantages.
    rewards, noise : ndarray of float64, shape (n, P, K)
        Mean and variance of the rewards that each cluster gives; ``noise`` at least 0.

    Returns
    -------
    cost : ndarray of float64, shape (n, P)
        In standard deviations of the cluster's rewards; at least 0.
    gain : ndarray of float64, shape (n, P)
        In nats; at least 0, at most log P.
    """
    worth = values @ policies.transpose(0, 2, 1)  # to cluster p, of being served as j
    lost = worth.max(axis=2, keepdims=True) - worth
    cost = np.einsum("np,npj->nj", shares, lost)
    expected = np.einsum("np,npk->nk", shares, rewards)
    spread = np.einsum("np,npk->nk", shares, (rewards - expected[:, None]) ** 2)
    around = np.einsum("np,npk->nk", shares, noise)
    told = 0.5 * (np.log(around + spread + 1e-300) - np.log(around + 1e-300))
    told = np.minimum(told, np.log(shares.shape[1]))
    return cost, np.einsum("njk,nk->nj", policies, told)


@jit
def information_directed(shares: Floats, cost: Floats, gain: Floats) -> Floats:
    """Return the weights that minimise squared cost over information, shape (n, P).

    Clusters of probability 0 have weight 0; at most two have more. Who is of one cluster for
    certain is served as that.

    Parameters
    ----------
    shares, cost, gain : ndarray of float64, shape (n, P)
        See `cost_and_gain`.

    References
    ----------
    Russo and Van Roy, Learning to optimize via information-directed sampling, 2018;
    proposition 6: two actions are enough.

    Examples
    --------
    Being served as the first costs little, but tells nothing; a fifth of the visits ask.

    >>> import numpy as np
    >>> from pgrpo_rec.identification import information_directed
    >>> shares, cost = np.array([[0.5, 0.5]]), np.array([[0.1, 0.6]])
    >>> information_directed(shares, cost, np.array([[0.0, 0.3]])).round(2)
    array([[0.8, 0.2]])
    """
    weights = np.zeros(shares.shape)
    for i in range(shares.shape[0]):
        first, second, share, least = 0, 0, 1.0, np.inf
        for j in range(shares.shape[1]):
            for m in range(j + 1):
                if shares[i, j] <= 0.0 or shares[i, m] <= 0.0:
                    continue
                t = best_share(cost[i, j], cost[i, m], gain[i, j], gain[i, m])
                paid = t * cost[i, j] + (1.0 - t) * cost[i, m]
                ratio = paid * paid / (t * gain[i, j] + (1.0 - t) * gain[i, m] + TINY)
                if ratio < least:
                    first, second, share, least = j, m, t, ratio
        weights[i, first] += share
        weights[i, second] += 1.0 - share
    return weights


@jit
def best_share(cost: float, other_cost: float, gain: float, other_gain: float) -> float:
    """Return the share of the first of two that minimises squared cost over information.

    Where both differ, the derivative of :math:`(y + bt)^2 / (h + dt)` vanishes at
    :math:`t = (dy - 2bh) / bd`, where the ratio, which is convex, is least.
    """
    b, d = cost - other_cost, gain - other_gain
    if b == 0.0 or d == 0.0:
        return 1.0 if b < 0.0 or (b == 0.0 and d >= 0.0) else 0.0
    return min(max(other_cost / b - 2.0 * other_gain / d, 0.0), 1.0)
