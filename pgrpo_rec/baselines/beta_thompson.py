"""Thompson sampling for clicks: one beta posterior an item."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
REACH = 7.0  # standard deviations beyond which a posterior is taken to be 0


class BetaThompson(Bandit):
    r"""Show an item with the posterior probability that its click rate is the highest.

    An item's rate is :math:`\mathrm{Beta}(s (a + \text{clicks}), s (b + \text{misses}))`; the
    probabilities that a rate is the largest are computed by quadrature, so they are exact.

    Parameters
    ----------
    items : int or array of labels, optional
    prior : tuple of two float, default=(1, 1)
        a and b, above 0.
    sharpness : float, default=1
        s, above 0; above 1 explores less than the posterior says.
    discount : float in (0, 1], default=1
        What each answer of a cluster leaves of the weight of all before it; for tastes that
        drift.
    random_state : int, Generator, RandomState or None, default=None

    References
    ----------
    Thompson, On the likelihood that one unknown probability exceeds another, 1933; Chapelle
    and Li, An empirical evaluation of Thompson sampling, 2011.

    Examples
    --------
    >>> from pgrpo_rec.baselines import BetaThompson
    >>> bandit = BetaThompson(2, random_state=0).fit(None, [0, 1] * 50, actions=[0, 1] * 50)
    >>> bandit.predict_proba(None, users=["anyone"]).round(3)
    array([[0., 1.]])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        prior: tuple[float, float] = (1.0, 1.0),
        sharpness: float = 1.0,
        discount: float = 1.0,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.prior = prior
        self.sharpness = sharpness
        self.discount = discount
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("discount", self.discount, Real, above=0.0, high=1.0)
        super()._check_parameters()
        for value in self.prior:
            check_number("prior", value, Real, above=0.0)
        check_number("sharpness", self.sharpness, Real, above=0.0)

    def _check_interactions(self, interactions: Interactions) -> None:
        super()._check_interactions(interactions)
        odd = (interactions.rewards != 0.0) & (interactions.rewards != 1.0)
        if odd.any():
            row = int(np.flatnonzero(odd)[0])
            raise ValueError(
                f"y is {interactions.rewards[row]:g} in row {row}; beta posteriors are for rewards "
                "of 0 and 1 (GaussianThompson takes others)"
            )

    def _shapes(self, visits: Visits) -> tuple[Floats, Floats]:
        count, clicks = self._sums(self._clusters(visits))
        a, b = self.prior
        return self.sharpness * (a + clicks), self.sharpness * (b + count - clicks)

    def _values(self, visits: Visits) -> Floats:
        a, b = self._shapes(visits)
        return a / (a + b)

    def _probabilities(self, visits: Visits) -> Floats:
        a, b = self._shapes(visits)
        rows = np.hstack([a, b, visits.available])
        distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
        n_items = a.shape[1]
        table = [
            _largest(row[:n_items], row[n_items : 2 * n_items], row[2 * n_items :] > 0)
            for row in distinct
        ]
        return np.array(table)[inverse.ravel()]


def _largest(a: Floats, b: Floats, available: NDArray[np.bool_]) -> Floats:
    """Return the probability that each beta variable is the largest of those available."""
    a, b = a[available], b[available]
    mean = a / (a + b)
    reach = REACH * np.sqrt(mean * (1.0 - mean) / (a + b + 1.0))
    low, high = max((mean - reach).max(), 0.0), min((mean + reach).max(), 1.0)
    x = (low + 0.5 * (high - low) * (1.0 + _NODES))[:, None]
    below = np.maximum(special.betainc(a, b, x), 1e-300)
    log_density = special.xlogy(a - 1.0, x) + special.xlog1py(b - 1.0, -x) - special.betaln(a, b)
    density = np.exp(log_density) * below.prod(axis=1, keepdims=True) / below
    result = np.zeros(available.size)
    result[available] = _WEIGHTS @ density
    return result / result.sum()
