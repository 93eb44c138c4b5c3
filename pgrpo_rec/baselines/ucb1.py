"""UCB1 and its forms that forget."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.index import IndexBandit
from pgrpo_rec.baselines.window import check_window
from pgrpo_rec.estimators.parameters import check_number

Floats = NDArray[np.float64]


class UCB1(IndexBandit):
    r"""Show the item whose mean reward has the highest upper end.

    The index is :math:`\bar r_k + w\, c\, \sqrt{2 \ln t / n_k}` with t the answers of the
    visitor's cluster, n those to the item, w the ``width`` and c the ``scale``. Items never
    shown come first. The choice is certain but for ties, which are drawn: propensities are 1,
    and such a log says nothing of other policies.

    Parameters
    ----------
    items : int or array of labels, optional
    width : float, default=1
        Above 0; 1 is the published bound, below 1 explores less.
    scale : float or None, default=None
        The range of rewards (1 for rewards from 0 to 1, the published form); above 0. None
        takes twice the standard deviation of all rewards so far, which no range undercuts.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it: D-UCB, for
        tastes that drift. Counts and t are then sums of weights.
    window : int or None, default=None
        Only the last so many answers of each cluster are kept: SW-UCB. At least 1.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem,
    2002. Forgetting: Garivier and Moulines, On upper-confidence bound policies for switching
    bandit problems, 2011.

    Examples
    --------
    >>> from pgrpo_rec.baselines import UCB1
    >>> bandit = UCB1(2, random_state=0).fit(None, [0.0, 1.0] * 50, actions=[0, 1] * 50)
    >>> bandit.predict_proba(None, users=["anyone"])
    array([[0., 1.]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        width: float = 1.0,
        scale: float | None = None,
        discount: float = 1.0,
        window: int | None = None,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.width = width
        self.scale = scale
        self.discount = discount
        self.window = window
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("width", self.width, Real, above=0.0)
        if self.scale is not None:
            check_number("scale", self.scale, Real, above=0.0)
        check_number("discount", self.discount, Real, above=0.0, high=1.0)
        check_window(self.window, self.discount)

    def _index(self, count: Floats, total: Floats) -> Floats:
        scale = 2.0 * self._spread() if self.scale is None else self.scale
        seen = np.maximum(count.sum(axis=1, keepdims=True), 1.0)
        some = np.where(count > 0.0, count, 1.0)
        index = total / some + self.width * scale * np.sqrt(2.0 * np.log(seen) / some)
        return np.where(count > 0.0, index, np.inf)
