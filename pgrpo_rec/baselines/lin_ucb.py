"""LinUCB, one ridge regression an item (disjoint)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.baselines.base import spread_over_best
from pgrpo_rec.baselines.linear import LinearBandit
from pgrpo_rec.interactions import Visits


class LinUCB(LinearBandit):
    r"""Show the item whose linear value has the highest upper end.

    The regressions are those of `LinTS`; an item's index at z is
    :math:`\theta \cdot z` + ``width * s * sqrt(z A^-1 z)``. Ties are drawn. Otherwise what
    is shown is certain: propensities are 1, and such a log says nothing of other policies.

    Parameters
    ----------
    items : int or array of labels, optional
    ridge : float, default=1
        :math:`\lambda`, above 0.
    width : float, default=1
        Above 0: the bound, in standard deviations.
    standardise : bool, default=False
        Measure rewards against the running history of their cluster, as P-GRPO does.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Li, Chu, Langford and Schapire, A contextual-bandit approach to personalized news article
    recommendation, 2010. Forgetting: Russac, Vernade and Cappé, Weighted linear bandits for
    non-stationary environments, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.baselines import LinUCB
    >>> X = np.array([[-1.0], [1.0]] * 100)
    >>> shown = np.arange(200) // 2 % 2
    >>> bandit = LinUCB(2, random_state=0).fit(X, X[:, 0] * (2 * shown - 1), actions=shown)
    >>> bandit.predict_proba([[-1.0], [1.0]])
    array([[1., 0.],
           [0., 1.]])
    """

    def _probabilities(self, visits: Visits) -> NDArray[np.float64]:
        mean, width = self._posterior(visits, 1.0, 1.0)
        return spread_over_best(mean + width, visits.available)
