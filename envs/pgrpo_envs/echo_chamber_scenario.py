"""The dials of `EchoChamber-v0` and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pgrpo_envs.scenarios import (
    Scenario,
    require_groups,
    require_within,
)


@dataclass(frozen=True)
class EchoChamberScenario(Scenario):
    """Parameters of `EchoChamberVectorEnv`.

    Parameters
    ----------
    n_items : int, default=40
        K, at least one for each topic; item k is about topic ``k % T``.
    n_topics : int, default=8
        T, at least 2.
    n_users : int, default=1000
        U, people in the population.
    horizon : int, default=100
        Visits after which an episode is truncated.
    window : int, default=20
        W, the latest exposures whose diversity and harm count.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between a minority's taste and the majority's.
    deviation : float, default=0.3
        How far people differ inside a group.
    obs_noise : float, default=0.2
        Standard deviation of the noise on the observed profile.
    item_spread : float, default=0.2
        How far items stray from their topic.
    slope : float, default=4
        Logits gained by an item along a user's taste.
    base : tuple of float, default=(-2, -2, -2)
        Base logit of each group.
    scale : tuple of float, default=(1, 1, 1)
        Reward of a click of each group, above 0.
    susceptibility : tuple of float, default=(.02, .05, .15)
        eta, how far one click moves the taste of each group, 0 or more.
    harmful : float in [0, 1), default=0.2
        Share of harmful items.
    craving : tuple of float, default=(0, 0, 1.5)
        Logits that a harmful item gains with each group: the last group is prone to harm.
    least_diversity : float in [0, 1], default=0.5
        Diversity below which a visit has a cost.
    """

    n_items: int = 40
    n_topics: int = 8
    n_users: int = 1000
    horizon: int = 100
    window: int = 20
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.3
    obs_noise: float = 0.2
    item_spread: float = 0.2
    slope: float = 4.0
    base: tuple[float, ...] = (-2.0, -2.0, -2.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    susceptibility: tuple[float, ...] = (0.02, 0.05, 0.15)
    harmful: float = 0.2
    craving: tuple[float, ...] = (0.0, 0.0, 1.5)
    least_diversity: float = 0.5

    PRESETS: ClassVar = {
        "plain": {},
        "firm": {"susceptibility": (0.0, 0.0, 0.0)},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "hard": {
            "scale": (1.0, 0.3, 0.1),
            "base": (-2.0, -3.0, -3.5),
            "obs_noise": 1.0,
            "susceptibility": (0.05, 0.1, 0.2),
        },
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        require_groups(self, "base", "scale", "susceptibility", "craving")
        require_within(self, "[2, inf)", "n_topics")
        require_within(self, f"[{self.n_topics}, inf)", "n_items")
        require_within(self, f"[{len(self.shares)}, inf)", "n_users")
        require_within(self, "[1, inf)", "horizon", "window")
        require_within(self, "[0, 1]", "conflict", "least_diversity")
        require_within(self, "[0, inf)", "deviation", "obs_noise", "item_spread", "slope")
        require_within(self, "[0, inf)", "susceptibility")
        require_within(self, "(0, inf)", "scale")
        require_within(self, "[0, 1)", "harmful")
