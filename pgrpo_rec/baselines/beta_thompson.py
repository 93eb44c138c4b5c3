"""Thompson sampling for clicks: one beta posterior an item."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pgrpo_rec._random import Seed
from pgrpo_rec.baselines.base import Bandit, distinct_visits
from pgrpo_rec.baselines.window import check_window
from pgrpo_rec.estimators.parameters import check_number
from pgrpo_rec.interactions import Interactions, Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NODES, _WEIGHTS = legendre.leggauss(96)
NATS = 14.0  # by so much a density has fallen from its mode where it is taken to be 0
NEVER = 1e-9  # an item that is over another's lower end with no more probability is left out
GROWTH = 15.0  # distance from the lower end, in widths of the narrowest, at which nodes grow sparse


def _integral() -> Floats:
    """Return the matrix that integrates from -1 to each node what is given at all of them.

    By the expansion in Legendre polynomials: that of degree l has as integral the difference of
    its neighbours over 2 l + 1.
    """
    values = legendre.legvander(_NODES, _NODES.size)
    steps = 0.5 * (values[:, 2:] - values[:, :-2])
    first = 0.5 * (_NODES[:, None] + 1.0)
    return (first + steps @ values[:, 1:-1].T) * _WEIGHTS


_INTEGRAL = _integral()


class BetaThompson(Bandit):
    r"""Show an item with the posterior probability that its click rate is the highest.

    An item's rate is :math:`\mathrm{Beta}(s (a + \text{clicks}), s (b + \text{misses}))`; the
    probabilities that a rate is the largest are computed by quadrature, to within 1e-4 where s a
    and s b are at least 1/2; to within .002 at a quarter, .02 at a tenth.

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
    window : int or None, default=None
        Only the last so many answers of each cluster are kept. At least 1.
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
        window: int | None = None,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.prior = prior
        self.sharpness = sharpness
        self.discount = discount
        self.window = window
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_number("discount", self.discount, Real, above=0.0, high=1.0)
        check_window(self.window, self.discount)
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

    def _shapes(self, clusters: Ints) -> tuple[Floats, Floats]:
        count, clicks = self._sums(clusters)
        a, b = self.prior
        return self.sharpness * (a + clicks), self.sharpness * (b + count - clicks)

    def _values(self, visits: Visits) -> Floats:
        a, b = self._shapes(self._clusters(visits))
        return a / (a + b)

    def _probabilities(self, visits: Visits) -> Floats:
        clusters = self._clusters(visits)
        first, inverse = distinct_visits(clusters, visits.available)
        rows = zip(*self._shapes(clusters[first]), visits.available[first], strict=True)
        return np.array([_largest(*row) for row in rows]).reshape(-1, self.actions_.size)[inverse]


def _largest(a: Floats, b: Floats, available: Bools) -> Floats:
    r"""Return the probability that each beta variable is the largest of those available.

    .. math:: P(k) = \int f_k(t) \prod_{j \ne k} F_j(t) \, dt

    over log-odds t, where the densities f are smooth whatever a and b are, by Gauss and Legendre
    on nodes that grow sparse, by a hyperbolic sine, with the distance from the lower end: what is
    in play has mass there, however narrow. The F are integrals of the f at the same nodes.
    """
    mode, spread = np.log(a / b), np.sqrt(1.0 / a + 1.0 / b)
    reach = math.sqrt(2.0 * NATS) * spread  # tails fall as normal ones, then as exponential ones
    low = (mode - reach - NATS / a)[available].max()
    over = special.betaincc(a, b, special.expit(low))
    k = np.flatnonzero(available & (over > NEVER))
    unit = GROWTH * spread[k].min()
    half = 0.5 * math.asinh(((mode + reach + NATS / b)[k].max() - low) / unit)
    u = half * (1.0 + _NODES)
    t, step = (low + unit * np.sinh(u))[:, None], (half * unit * np.cosh(u))[:, None]
    log_density = -b[k] * t - (a + b)[k] * np.logaddexp(0.0, -t) - special.betaln(a[k], b[k])
    density = step * np.exp(log_density)
    below = np.maximum(1.0 - over[k] + _INTEGRAL @ density, 1e-300)
    result = np.zeros(available.size)
    result[k] = _WEIGHTS @ (density * below.prod(axis=1, keepdims=True) / below)
    return result / result.sum()
