r"""Objectives over groups: how much a visit of each group counts in the gradient.

A policy that is shared trades groups against each other. With :math:`\rho_p` the share of
group p among visits and :math:`s_p` its satisfaction (0 for a random item, 1 for the best
known), every objective here is a welfare of the :math:`s_p`, climbed by weighing the visits of
group p by :math:`w_p`:

============  ==========================================  ====================================
objective     welfare                                     weight of a visit, up to a factor
============  ==========================================  ====================================
`EachVisit`   :math:`\sum \rho_p s_p`                     1
`Balanced`    :math:`\sum \rho_p^{1-a} s_p`               :math:`\rho_p^{-a}`
`AlphaFair`   :math:`\sum \rho_p s_p^{1-\alpha}/(1-\alpha)`  :math:`s_p^{-\alpha}`
`MaxMin`      :math:`\min s_p`                            grows by :math:`e^{\eta (1 - s_p)}`
`Floor`       :math:`\sum \rho_p s_p`, all                :math:`1 + \mu_p / \rho_p`, where
              :math:`s_p \ge \tau`                        :math:`\mu_p` grows by
                                                          :math:`\eta (\tau - s_p)`
============  ==========================================  ====================================

Alpha-fairness is Nash's welfare at 1 and nears max-min as alpha grows (Mo and Walrand 2000);
max-min by multiplicative weights is group DRO (Sagawa et al. 2020, arXiv:1911.08731); the
floor is Lagrange's method with dual ascent (Altman 1999). Under P-GRPO the gradient of a group
comes in units of its standard deviation, so that the units of its rewards play no part.

Weights are scaled to a mean of 1 over visits, so that the learning rate keeps its meaning.

Shapes: P groups. What an objective has to remember is its *pressure*, (P,), zeros at first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_SATISFACTION = 0.05  # alpha-fair weights would be infinite at 0
MOST_WEIGHT = 20.0  # of a visit: beyond it, a step would follow a handful of visits
MOST_PRESSURE = 10.0  # of a floor, where the whole counts 1: all else is then given up
TOLERANCE = 0.02  # of a satisfaction, before a floor is said to be out of reach
VISITS = 1000.0  # visits that the rates refer to


class Standing(NamedTuple):
    """How groups stand."""

    shares: Floats  # (P,), of the visits, summing to 1
    satisfaction: Floats  # (P,); NaN where nothing is known


class Objective(Protocol):
    """What an objective over groups can do."""

    @property
    def watches(self) -> bool:
        """Whether it has to know how satisfied groups are."""

    def weights(self, pressure: Floats, standing: Standing) -> Floats:
        """Return the weight of a visit of each group, shape (P,); mean 1 over visits."""

    def press(self, pressure: Floats, standing: Standing, n_visits: int) -> Floats:
        """Return the pressure after so many more visits, shape (P,)."""

    def verdicts(self, pressure: Floats, standing: Standing) -> list[str]:
        """Return what is to be said of each group; empty strings for nothing."""


class _Still:
    """An objective that remembers nothing and promises nothing."""

    def press(self, pressure: Floats, standing: Standing, n_visits: int) -> Floats:
        return pressure

    def verdicts(self, pressure: Floats, standing: Standing) -> list[str]:
        return [""] * pressure.size


@dataclass(frozen=True)
class EachVisit(_Still):
    """Every visit counts alike: the sum, or the mean, over all people."""

    watches: ClassVar[bool] = False

    def weights(self, pressure: Floats, standing: Standing) -> Floats:
        """Return ones."""
        return np.ones(pressure.size)


@dataclass(frozen=True)
class Balanced(_Still):
    """Small groups count for more than their share.

    Parameters
    ----------
    power : float, at least 0, default=0.5
        a: 0 counts visits, 1 counts groups alike, more favours the small.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.fairness import Balanced, Standing
    >>> standing = Standing(np.array([0.8, 0.2]), np.full(2, np.nan))
    >>> Balanced(1.0).weights(np.zeros(2), standing)
    array([0.625, 2.5  ])
    """

    power: float = 0.5
    watches: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require("power", self.power, self.power >= 0.0, "at least 0")

    def weights(self, pressure: Floats, standing: Standing) -> Floats:
        """Return powers of the shares."""
        return scaled(np.maximum(standing.shares, 1e-12) ** -self.power, standing.shares)


@dataclass(frozen=True)
class AlphaFair(_Still):
    """Groups count for more the less satisfied they are; Nash's welfare at 1.

    Parameters
    ----------
    alpha : float, at least 0, default=1
        0 counts visits; the larger, the nearer to max-min.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.fairness import AlphaFair, Standing
    >>> standing = Standing(np.array([0.5, 0.5]), np.array([0.75, 0.25]))
    >>> AlphaFair(1.0).weights(np.zeros(2), standing)
    array([0.5, 1.5])
    """

    alpha: float = 1.0
    watches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require("alpha", self.alpha, self.alpha >= 0.0, "at least 0")

    def weights(self, pressure: Floats, standing: Standing) -> Floats:
        """Return powers of the satisfactions."""
        satisfaction = np.maximum(_filled(standing), LEAST_SATISFACTION)
        return scaled(satisfaction**-self.alpha, standing.shares)


@dataclass(frozen=True)
class MaxMin:
    """Only the worst group counts, in the long run.

    Parameters
    ----------
    rate : float, above 0, default=1
        By how much the logarithm of a weight grows in 1,000 visits for each unit of
        normalised regret.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.fairness import MaxMin, Standing
    >>> standing = Standing(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    >>> objective = MaxMin(rate=np.log(3.0))
    >>> pressure = objective.press(np.zeros(2), standing, 1000)
    >>> objective.weights(pressure, standing).round(3)
    array([0.5, 1.5])
    """

    rate: float = 1.0
    watches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require("rate", self.rate, self.rate > 0.0, "above 0")

    def weights(self, pressure: Floats, standing: Standing) -> Floats:
        """Return the exponentials of the pressure."""
        return scaled(np.exp(pressure), standing.shares)

    def press(self, pressure: Floats, standing: Standing, n_visits: int) -> Floats:
        """Add the normalised regret, and take off what moves all weights alike."""
        grown = pressure + self.rate * n_visits / VISITS * (1.0 - _filled(standing))
        grown -= standing.shares @ grown
        return np.clip(grown, -np.log(MOST_WEIGHT), np.log(MOST_WEIGHT))

    def verdicts(self, pressure: Floats, standing: Standing) -> list[str]:
        """Say which group is the worst off."""
        worst = _filled(standing).argmin() if np.isfinite(standing.satisfaction).any() else -1
        return ["worst" if p == worst else "" for p in range(pressure.size)]


@dataclass(frozen=True)
class Floor:
    """Every visit counts alike, as long as no group falls below a floor.

    Parameters
    ----------
    least : float in (0, 1], default=0.5
        tau: the satisfaction that every group should have.
    rate : float, above 0, default=1
        By how much a multiplier grows in 1,000 visits for each unit of satisfaction that is
        missing.
    margin : float, at least 0, default=0.03
        How far above the floor to aim: multipliers settle where a group is at the aim, and
        hover around it.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.fairness import Floor, Standing
    >>> standing = Standing(np.array([0.75, 0.25]), np.array([0.9, 0.3]))
    >>> objective = Floor(0.5, margin=0.0)
    >>> pressure = objective.press(np.zeros(2), standing, 1000)
    >>> pressure.round(3), objective.verdicts(pressure, standing)
    (array([0. , 0.2]), ['holds', 'below'])
    """

    least: float = 0.5
    rate: float = 1.0
    margin: float = 0.03
    watches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require("least", self.least, 0.0 < self.least <= 1.0, "above 0, at most 1")
        _require("rate", self.rate, self.rate > 0.0, "above 0")
        _require("margin", self.margin, self.margin >= 0.0, "at least 0")

    def weights(self, pressure: Floats, standing: Standing) -> Floats:
        """Return one for the visit and the multiplier for the group."""
        weights = 1.0 + pressure / np.maximum(standing.shares, 1e-12)
        return scaled(weights, standing.shares)

    def press(self, pressure: Floats, standing: Standing, n_visits: int) -> Floats:
        """Add what is missing, at least 0; a group of which nothing is known stays."""
        missing = self.least + self.margin - standing.satisfaction
        step = self.rate * n_visits / VISITS * np.nan_to_num(missing)
        return np.clip(pressure + step, 0.0, MOST_PRESSURE)

    def verdicts(self, pressure: Floats, standing: Standing) -> list[str]:
        r"""Say of each group whether it holds its floor, is below it, or cannot reach it.

        Under multipliers at their limit the policy serves almost nothing but
        :math:`\sum q_p s_p` with :math:`q_p \propto \mu_p`. Any policy that keeps all floors
        has at least tau there; if even the one that was made for it has less, there is none,
        as far as this policy's form and what it has learned go.
        """
        satisfaction = _filled(standing)
        out_of_reach = False
        if (pressure >= MOST_PRESSURE).any():
            mixture = pressure / pressure.sum()
            out_of_reach = bool(mixture @ satisfaction < self.least - TOLERANCE)
        fallen = "out of reach" if out_of_reach else "below"
        holds = satisfaction >= self.least
        known = np.isfinite(standing.satisfaction)
        return [
            "" if not k else "holds" if h else fallen for k, h in zip(known, holds, strict=True)
        ]


def scaled(weights: Floats, shares: Floats) -> Floats:
    """Scale weights to a mean of 1 over visits, then bound them."""
    mean = float(shares @ weights)
    return np.minimum(weights / mean, MOST_WEIGHT) if mean > 0.0 else np.ones(weights.size)


def _filled(standing: Standing) -> Floats:
    """Return satisfactions; a group of which nothing is known stands like the others."""
    known = np.isfinite(standing.satisfaction)
    mean = float(standing.satisfaction[known].mean()) if known.any() else 1.0
    return np.where(known, standing.satisfaction, mean)


def _require(name: str, value: float, good: bool, right: str) -> None:
    if not good:
        raise ValueError(f"{name}={value!r} is not possible: it must be {right}")


OBJECTIVES: dict[str, Objective] = {
    "visits": EachVisit(),
    "balanced": Balanced(),
    "nash": AlphaFair(),
    "max_min": MaxMin(),
    "floor": Floor(),
}


def as_objective(objective: str | Objective) -> Objective:
    """Return the objective of that name, or the one given.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(objective, str) and objective in OBJECTIVES:
        return OBJECTIVES[objective]
    if isinstance(objective, EachVisit | Balanced | AlphaFair | MaxMin | Floor):
        return objective
    raise ValueError(
        f"objective={objective!r} is unknown; it must be one of {list(OBJECTIVES)}, or made by "
        "Balanced, AlphaFair, MaxMin or Floor of pgrpo_rec.fairness"
    )
