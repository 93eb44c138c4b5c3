"""The dials of `Treatment-v0` and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_groups,
    require_within,
)


@dataclass(frozen=True)
class TreatmentScenario(Scenario):
    """Parameters of `TreatmentVectorEnv`. A toy: chosen for conflict, fitted to nothing.

    Doses and exposures are in units of the largest dose, efficacy and reward in units of
    the majority's largest effect of drug 0, time in visits.

    Parameters
    ----------
    n_doses : int, default=8
        J; dose j is ``(j + 1) / J``.
    n_users : int, default=1000
        U, people in the population.
    n_features : int, default=4
        d, number of observed markers (think of age, weight, blood values).
    shares : tuple of float, default=(.7, .2, .1)
        Share of the majority, of the resistant and of the frail.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between the mean markers of a minority and of the majority.
    deviation : float, default=0.2
        Standard deviation of a person's log clearance around 0.
    obs_noise : float, default=0.5
        Standard deviation of the markers around their group's mean of length 1.
    horizon : int, default=24
        Visits after which the treatment ends.
    emax : tuple of tuples of float, shape (P, M)
        Largest effect of each drug on each group; the number of drugs is read off it.
    half_dose : tuple of float
        Exposure with half the largest effect, by group, above 0.
    hill : float, default=2
        Steepness of the effect, above 0.
    toxic_dose : tuple of float
        Exposure of drug 0 with an even chance of an adverse event, by group.
    margin : tuple of float, length M
        Factor of each drug on ``toxic_dose``, above 0; larger is safer.
    steepness : float, default=12
        Slope of the log-odds of an adverse event in exposure, above 0.
    event_weight, burden : tuple of float
        What an adverse event, and a unit of dose, take off each group's reward.
    tolerance : tuple of float
        Rise of ``half_dose`` at full tolerance, as a share of it, by group.
    memory : float in [0, 1), default=0.7
        Share of tolerance that is left a visit later.
    dropout, serious : tuple of float in [0, 1]
        Chance that an adverse event makes a person of the group give up, or is serious.
    scale : tuple of float
        Factor on each group's reward, above 0.
    noise : float, default=0.2
        Standard deviation of the outcome around the efficacy.
    cost_ceiling : tuple of float in [0, 1]
        Adverse events a visit that each group would accept; for reports and constrained
        learners, the world does not enforce it.
    """

    n_doses: int = 8
    n_users: int = 1000
    n_features: int = 4
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.2
    obs_noise: float = 0.5
    horizon: int = 24
    emax: tuple[tuple[float, ...], ...] = ((1.0, 0.75), (0.75, 1.1), (0.8, 0.65))
    half_dose: tuple[float, ...] = (0.3, 0.4, 0.2)
    hill: float = 2.0
    toxic_dose: tuple[float, ...] = (0.9, 1.0, 0.5)
    margin: tuple[float, ...] = (1.0, 1.1)
    steepness: float = 12.0
    event_weight: tuple[float, ...] = (1.0, 0.8, 2.0)
    burden: tuple[float, ...] = (0.1, 0.1, 0.2)
    tolerance: tuple[float, ...] = (0.5, 0.5, 0.5)
    memory: float = 0.7
    dropout: tuple[float, ...] = (0.1, 0.1, 0.2)
    serious: tuple[float, ...] = (0.02, 0.02, 0.05)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    noise: float = 0.2
    cost_ceiling: tuple[float, ...] = (0.15, 0.15, 0.1)

    PRESETS: ClassVar = {
        "plain": {},
        "hidden": {"obs_noise": 1.5},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "tolerant": {"tolerance": (4.0, 4.0, 4.0), "memory": 0.8},
        "hard": {"obs_noise": 1.5, "scale": (1.0, 0.3, 0.1), "tolerance": (2.0, 2.0, 2.0)},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        n_drugs = len(self.margin)
        require_groups(self, "emax", "half_dose", "toxic_dose", "event_weight", "burden")
        require_groups(self, "tolerance", "dropout", "serious", "scale", "cost_ceiling")
        right = f"one value for each of the {n_drugs} drugs that margin tells of"
        require(all(len(row) == n_drugs for row in self.emax), "emax", self.emax, right)
        require_within(self, "[2, inf)", "n_doses", "n_features")
        require_within(self, "[1, inf)", "horizon")
        require_within(self, f"[{len(self.shares)}, inf)", "n_users")
        require_within(self, "(0, inf)", "half_dose", "margin", "scale", "hill", "steepness")
        require_within(self, "[0, inf)", "emax", "event_weight", "burden", "tolerance")
        require_within(self, "[0, inf)", "toxic_dose", "deviation", "obs_noise", "noise")
        require_within(self, "[0, 1]", "conflict", "dropout", "serious", "cost_ceiling")
        require_within(self, "[0, 1)", "memory")
