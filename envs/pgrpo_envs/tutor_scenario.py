"""The dials of `Tutor-v0` and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_groups,
    require_within,
)
from pgrpo_envs.tutor_kernels import MAX_HALF_LIFE


@dataclass(frozen=True)
class TutorScenario(Scenario):
    """Parameters of `TutorVectorEnv`.

    Parameters
    ----------
    n_skills : int, default=6
        J.
    n_users : int, default=1000
        U, people in the population.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    effectiveness : tuple of tuple of float in [0, 1]
        P rows of M numbers: probability that a lesson in the easiest skill reaches a user
        of each group, by modality. An assumption, see the module's page.
    deviation : float, default=0.2
        How far people differ inside a group: standard deviation of the logarithm of a
        person's effectiveness, by modality.
    hardest : float in (0, 1], default=0.6
        Ease of the last skill; skills lie evenly between 1 and it.
    prior : float in [0, 0.5], default=0.1
        Mean recall of a skill before the first lesson; uniform from 0 to twice that. It is
        not forgotten until the first lesson.
    step : float in (0, 1], default=0.5
        Share of what is missing that a lesson adds when it reaches the learner.
    slip, guess : float in [0, 1], default=0.1 and 0.2
        Probability of a wrong answer when all is known, of a right one when nothing is.
    half_life : float, default=20
        Visits after which half is forgotten, before the first correct answer.
    dropout : float in [0, 1], default=0.002
        Probability to give up after a correct answer.
    frustration : tuple of float in [0, 1]
        What a wrong answer adds to it in each group.
    mastered : float in (0, 1], default=0.8
        Recall of all skills at which the course is over.
    scale : tuple of float
        Reward of learning all of a skill in each group, above 0.
    recency : float in (0, 1], default=0.3
        Weight of the newest answer in the observed score.
    horizon : int, default=60
        Visits after which an episode is truncated.
    """

    n_skills: int = 6
    n_users: int = 1000
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    effectiveness: tuple[tuple[float, ...], ...] = (
        (0.50, 0.25, 0.33),
        (0.15, 0.40, 0.28),
        (0.10, 0.12, 0.30),
    )
    deviation: float = 0.2
    hardest: float = 0.6
    prior: float = 0.1
    step: float = 0.5
    slip: float = 0.1
    guess: float = 0.2
    half_life: float = 20.0
    dropout: float = 0.002
    frustration: tuple[float, ...] = (0.01, 0.02, 0.04)
    mastered: float = 0.8
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    recency: float = 0.3
    horizon: int = 60

    PRESETS: ClassVar = {
        "plain": {},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "sparse": {"effectiveness": ((0.50, 0.25, 0.33), (0.05, 0.14, 0.09), (0.02, 0.03, 0.06))},
        "forgetful": {"half_life": 5.0},
        "fragile": {"frustration": (0.02, 0.06, 0.12)},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        require_groups(self, "effectiveness", "frustration", "scale")
        require_within(self, "[1, inf)", "n_skills", "horizon")
        require_within(self, f"[{len(self.shares)}, inf)", "n_users")
        rows = self.effectiveness
        even = len({len(row) for row in rows}) == 1 and len(rows[0]) >= 1
        right = "each group needs one number for each modality"
        require(even, "effectiveness", rows, right)
        require_within(self, "[0, 1]", "effectiveness", "frustration", "slip", "guess", "dropout")
        require_within(self, "(0, 1]", "hardest", "step", "mastered", "recency")
        require_within(self, "[0, 0.5]", "prior")
        require_within(self, "[0, inf)", "deviation")
        require_within(self, f"(0, {MAX_HALF_LIFE}]", "half_life")
        require_within(self, "(0, inf)", "scale")
