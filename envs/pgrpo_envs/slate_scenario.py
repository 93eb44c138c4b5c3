"""The dials of `Slate-v0` and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pgrpo_envs.click_models import CLICK_MODELS
from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_groups,
    require_within,
)


@dataclass(frozen=True)
class SlateScenario(Scenario):
    """Parameters of `SlateVectorEnv`.

    Parameters
    ----------
    click_model : {"pbm", "cascade", "dcm", "mnl", "substitutes"}, default="pbm"
        How clicks follow from attractiveness; see `pgrpo_envs.click_models`.
    n_items : int, default=100
        K.
    slate_size : int, default=5
        S, positions of a slate.
    n_topics : int, default=10
        T. Topics lie at about 35 degrees around the taste of a group, the majority's
        unless they are niches; niches come last.
    niches : int, default=2
        Topics of each minority.
    niche_share : float in [0, 1), default=0.1
        Share of the catalogue that belongs to niches.
    n_users : int, default=1000
        U, people in the population.
    n_features : int, default=6
        d, dimensions of taste.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between a minority's taste and the majority's.
    deviation : float, default=0.3
        How far people deviate from their group, per dimension of taste.
    obs_noise : float, default=0.5
        Standard deviation of the noise on the observed profile: how hidden the group is.
    slope : float, default=3
        How much taste decides, in logits ("substitutes": of the need).
    quality : float, default=0.5
        Standard deviation of the items' quality, in logits.
    base : tuple of float
        Logit of attractiveness of each group, before taste, quality and satiation.
    scale : tuple of float
        Reward of one click of each group, above 0.
    satiation : tuple of float
        Logits that a topic loses to each group when it has filled all slates.
    memory : float in [0, 1), default=0.8
        Share of exposure and engagement remembered at the next visit.
    examination : float in (0, 1], default=0.8
        pbm: position s (from 0) is looked at with probability ``examination**s``
        (rank-biased browsing, Moffat & Zobel 2008).
    continuation : float in [0, 1], default=0.7
        dcm: the user reads on after a click at position s with ``continuation**(s + 1)``.
    hazard : float in [0, 1], default=0.2
        Largest probability to leave after a visit.
    steepness : float, default=8
        How sharply leaving depends on satisfaction.
    demand : tuple of float in [0, 1]
        Satisfaction at which users of each group leave with half the largest probability.
    recency : float in (0, 1], default=0.2
        Weight of the newest visit in satisfaction.
    horizon : int, default=50
        Visits after which an episode is truncated.
    """

    click_model: str = "pbm"
    n_items: int = 100
    slate_size: int = 5
    n_topics: int = 10
    niches: int = 2
    niche_share: float = 0.1
    n_users: int = 1000
    n_features: int = 6
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.3
    obs_noise: float = 0.5
    slope: float = 3.0
    quality: float = 0.5
    base: tuple[float, ...] = (-2.0, -2.0, -2.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    satiation: tuple[float, ...] = (1.5, 1.5, 1.5)
    memory: float = 0.8
    examination: float = 0.8
    continuation: float = 0.7
    hazard: float = 0.2
    steepness: float = 8.0
    demand: tuple[float, ...] = (0.4, 0.5, 0.5)
    recency: float = 0.2
    horizon: int = 50

    PRESETS: ClassVar = {
        "pbm": {},
        "cascade": {"click_model": "cascade", "base": (-3.5, -3.5, -3.5)},
        "dcm": {"click_model": "dcm", "base": (-3.5, -3.5, -3.5)},
        "mnl": {"click_model": "mnl", "base": (-3.5, -3.5, -3.5)},
        "substitutes": {
            "click_model": "substitutes",
            "base": (1.0, 1.0, 1.0),
            "n_topics": 16,
            "niches": 4,
            "niche_share": 0.2,
            "demand": (0.3, 0.3, 0.3),
        },
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        n_groups = len(self.shares)
        require_groups(self, "base", "scale", "satiation", "demand")
        require(
            self.click_model in CLICK_MODELS,
            "click_model",
            self.click_model,
            f"one of {CLICK_MODELS}",
        )
        require_within(self, "[1, inf)", "slate_size", "niches", "horizon")
        require_within(self, f"[{max(self.slate_size, 2)}, inf)", "n_items")
        require_within(self, f"[{1 + self.niches * (n_groups - 1)}, inf)", "n_topics")
        require_within(self, "[2, inf)", "n_features")
        require_within(self, f"[{n_groups}, inf)", "n_users")
        require_within(self, "[0, 1]", "conflict", "continuation", "hazard", "demand")
        require_within(self, "(0, 1]", "examination", "recency")
        require_within(self, "[0, 1)", "memory", "niche_share")
        require_within(self, "[0, inf)", "deviation", "obs_noise", "slope", "quality", "steepness")
        require_within(self, "[0, inf)", "satiation")
        require_within(self, "(0, inf)", "scale")
