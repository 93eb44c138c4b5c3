"""Linear Thompson sampling, one ridge regression an item (disjoint)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.baselines.linear import LinearBandit
from pgrpo_rec.interactions import Visits
from pgrpo_rec.posterior import ends, probability_of_best


class LinTS(LinearBandit):
    r"""Show an item with the posterior probability that its linear value is the highest.

    Per item (and per cluster, where clusters are given) a ridge regression on z = (1, x):
    :math:`A = \lambda I + \sum z z^T`, :math:`\theta = A^{-1} \sum z r`; the value at z is
    normal with mean :math:`\theta \cdot z` and standard deviation
    ``width * s * sqrt(z A^-1 z)``, s the spread of all rewards so far. Each value is one
    number, so the probabilities are exact (`pgrpo_rec.posterior`).

    Parameters
    ----------
    items : int or array of labels, optional
    ridge : float, default=1
        :math:`\lambda`, above 0.
    width : float, default=1
        Above 0; below 1 explores less than the posterior says.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does: the
        strong form of this rival where clusters differ in scale.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it; for tastes that
        drift. The reward history that ``standardise`` uses forgets nothing.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Agrawal and Goyal, Thompson sampling for contextual bandits with linear payoffs, 2013.
    Forgetting: Kim and Tewari, Randomized exploration for non-stationary stochastic linear
    bandits, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import LinTS
    >>> X = np.array([[-1.0], [1.0]] * 100)
    >>> shown = np.arange(200) // 2 % 2
    >>> bandit = LinTS(2, random_state=0).fit(X, X[:, 0] * (2 * shown - 1), actions=shown)
    >>> bandit.predict([[-1.0], [1.0]])
    array([0, 1])
    """

    def _probabilities(self, visits: Visits) -> NDArray[np.float64]:
        mean, std = self._posterior(visits, *ends(self.actions_.size))
        return probability_of_best(mean, std, visits.available)
