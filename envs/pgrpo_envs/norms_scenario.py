"""The dials of `Norms-v0` and its presets."""

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
class NormsScenario(Scenario):
    """Parameters of `NormsVectorEnv`.

    Parameters
    ----------
    n_items : int, default=16
        K.
    n_users : int, default=1000
        U, people in the population.
    n_features : int, default=6
        d, dimensions of taste.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between a minority's taste and the majority's.
    deviation : float, default=0.3
        How far people's tastes differ inside a group.
    obs_noise : float, default=0.2
        Standard deviation of the noise on the observed profile.
    slope : float, default=4
        Length of the item vectors.
    base, scale : tuple of float
        Base logit, and reward of a click (above 0), of each group.
    liked_by : int, default=0
        Group whose taste goes with harm.
    harm : float in [0, 1], default=0.8
        Correlation of an item's externality with what that group likes. Externalities are
        the ranks ``0, 1/(K-1), ..., 1``, so that a uniform policy costs 1/2.
    budget : float in [0, 1], default=0.3
        Mean cost that society wants to stay under. For reports and constrained learners:
        the world does not enforce it.
    floors : tuple of float in [0, 1], default=(0, 0, 0)
        Share of its best possible mean reward that each group should keep.
    """

    n_items: int = 16
    n_users: int = 1000
    n_features: int = 6
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.3
    obs_noise: float = 0.2
    slope: float = 4.0
    base: tuple[float, ...] = (-0.5, -0.5, -0.5)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    liked_by: int = 0
    harm: float = 0.8
    budget: float = 0.3
    floors: tuple[float, ...] = (0.0, 0.0, 0.0)

    PRESETS: ClassVar = {
        "plain": {},
        "hidden": {"obs_noise": 1.5},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "sparse": {"base": (-0.5, -2.0, -3.5)},
        "minority": {"liked_by": 1, "budget": 0.15, "floors": (0.6, 0.6, 0.6)},
        "strict": {"budget": 0.25, "floors": (0.7, 0.7, 0.7)},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        n_groups = len(self.shares)
        require_groups(self, "base", "scale", "floors")
        require_within(self, "[2, inf)", "n_items", "n_features")
        require_within(self, f"[{n_groups}, inf)", "n_users")
        require_within(self, "[0, inf)", "deviation", "obs_noise", "slope")
        require_within(self, "(0, inf)", "scale")
        require_within(self, "[0, 1]", "conflict", "harm", "budget", "floors")
        right = f"a group from 0 to {n_groups - 1}"
        require(self.liked_by in range(n_groups), "liked_by", self.liked_by, right)
