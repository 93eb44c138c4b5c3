r"""Shrinkage: a short history is read as if it had also seen some of a larger one.

The readout of a history with n rewards is moved towards that of a pool,

.. math:: \tilde\mu = \frac{n \mu + \kappa \bar\mu}{n + \kappa}, \qquad
          \tilde\sigma^2 = \frac{n \sigma^2 + \kappa \bar\sigma^2}{n + \kappa},

where the pool is worth :math:`\kappa` rewards; what is stored is never changed. A pool without
any spread says nothing yet and moves nothing. :math:`\kappa` can be measured (empirical Bayes;
Efron & Morris 1973): the variance inside histories over that between their means.

Rewards of clusters that differ in unit must not be pooled: a loud cluster would set the scale
of the quiet ones. So clusters are not shrunk unless wanted, while the steps of one cluster, all
of the same unit, are shrunk towards the cluster.

Shapes: n rewards, P histories.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.histories import Moments

Floats = NDArray[np.float64]


class Pool(NamedTuple):
    """What histories are shrunk towards, and how much it is worth; each broadcasts to (n,)."""

    mean: Floats
    std: Floats
    kappa: Floats


def shrink(mean: Floats, std: Floats, count: Floats, pool: Pool) -> tuple[Floats, Floats]:
    """Return the readouts moved towards the pool.

    Parameters
    ----------
    mean, std, count : ndarray of float64, shape (n,)
        Of the history of each reward; ``count`` is what it has seen.
    pool : Pool

    Returns
    -------
    mean, std : ndarray of float64, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.shrinkage import Pool, shrink
    >>> pool = Pool(np.zeros(2), np.ones(2), np.full(2, 4.0))
    >>> shrink(np.array([1.0, 1.0]), np.ones(2), np.array([0.0, 12.0]), pool)
    (array([0.  , 0.75]), array([1., 1.]))
    """
    weight = np.where(np.isinf(pool.kappa), 0.0, count / np.maximum(count + pool.kappa, 1e-300))
    weight = np.where(pool.std > 0.0, np.where(pool.kappa == 0.0, 1.0, weight), 1.0)
    # a history with one reward has a mean and no spread
    of_std = np.where(std > 0.0, weight, np.where((pool.kappa > 0.0) & (pool.std > 0.0), 0.0, 1.0))
    variance = of_std * std**2 + (1.0 - of_std) * pool.std**2
    return weight * mean + (1.0 - weight) * pool.mean, np.sqrt(variance)


def pool_of(moments: Moments) -> Pool:
    r"""Return the pool of P histories, its worth measured by the method of moments.

    .. math:: \tau^2 = \frac{\sum n_p (\mu_p - \bar\mu)^2 - (P - 1) s^2}
                           {N - \sum n_p^2 / N}, \qquad \kappa = s^2 / \tau^2,

    with :math:`s^2` the variance inside histories; infinite where their means differ no more
    than chance would have it.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.histories import Moments
    >>> from pgrpo_rec.shrinkage import pool_of
    >>> n, mean = np.array([50.0, 10.0, 3.0]), np.array([1.0, 1.5, 3.0])
    >>> pool = pool_of(Moments(n, n, mean, 0.25 * (n - 1)))
    >>> round(float(pool.mean), 7), round(float(pool.kappa), 7)
    (1.1746032, 0.4467806)
    """
    n, met = moments.weight, moments.weight > 0.0
    freedom = np.maximum(n - moments.weight2 / np.where(met, n, 1.0), 0.0).sum()
    total = n.sum()
    if freedom <= 0.0:
        return Pool(np.array(0.0), np.array(0.0), np.array(0.0))
    within = moments.m2.sum() / freedom
    mean = (n @ moments.mean) / total
    between = n @ (moments.mean - mean) ** 2 - (met.sum() - 1) * within
    spread = total - (n @ n) / total
    tau2 = between / spread if spread > 0.0 else 0.0
    kappa = within / tau2 if tau2 > 0.0 else np.inf
    return Pool(np.array(mean), np.sqrt(np.array(within)), np.array(kappa))
