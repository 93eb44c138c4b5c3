"""The dials of `PreferenceBandit-v0` and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_groups,
    require_within,
)

CONTEXTS = ("profile", "visit", "none")
RESPONSES = ("logit", "rate", "gaussian")
DRIFTS = ("still", "replaced", "rotating")
_THREE_SCALES = {
    "n_items": 20,
    "n_features": 8,
    "context": "visit",
    "response": "gaussian",
    "scale": (5.0, 1.0, 0.2),
    "offset": (0.0, 2.0, -5.0),
    "base": (0.0, 0.0, 0.0),
}
_THREE_RATES = {
    "n_items": 20,
    "n_features": 8,
    "context": "visit",
    "response": "logit",
    "base": (-0.5, -1.5, -3.5),
}


@dataclass(frozen=True)
class PreferenceBanditScenario(Scenario):
    """Parameters of `PreferenceBanditVectorEnv`.

    Parameters
    ----------
    n_items : int, default=12
        K.
    n_users : int, default=1000
        U, people in the population.
    n_features : int, default=6
        d, dimensions of taste, or of the visit's features.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between a minority's taste and the majority's ("profile").
    deviation : float, default=0.3
        How far people differ inside a group: on the taste vector ("profile"), or the
        standard deviation of a log effect per person and item ("none").
    context : {"profile", "visit", "none"}, default="profile"
        What is observed: a noisy profile of the user's taste; fresh features of each visit
        that every group answers with weights of its own; or nothing at all.
    obs_noise : float, default=0.2
        Standard deviation of the noise on the observed profile: how hidden the group is.
    response : {"logit", "rate", "gaussian"}, default="logit"
        What an answer is: a click whose log odds, or whose probability, is the value of the
        item; or a number around that value.
    slope : float, default=4
        Length of the item vectors ("profile").
    spread : float, default=0.7
        Standard deviation of the weights ("visit"), or of the items' log rates ("none").
    base : tuple of float
        Base logit, base rate or base value of each group.
    scale, offset : tuple of float
        A group's rewards are ``scale * answer + offset``; scales above 0.
    noise : float, default=1
        Standard deviation of a real-valued answer, before scaling ("gaussian").
    curved : bool, default=False
        Replace ``w . z`` by ``2 sin(1.5 w . z)``: no linear model fits.
    n_item_features : int, default=0
        If above 0, weights are ``M_p phi_k`` with item features ``phi`` ("visit").
    drift : tuple of {"still", "replaced", "rotating"}
        What happens to each group's weights: nothing; other weights from a third of
        ``drift_visits`` on; a quarter turn towards other weights over ``drift_visits``.
    drift_visits : int, default=1000
        Visits of a lane over which drift is counted.
    """

    n_items: int = 12
    n_users: int = 1000
    n_features: int = 6
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.3
    context: Literal["profile", "visit", "none"] = "profile"
    obs_noise: float = 0.2
    response: Literal["logit", "rate", "gaussian"] = "logit"
    slope: float = 4.0
    spread: float = 0.7
    base: tuple[float, ...] = (-0.5, -0.5, -0.5)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    noise: float = 1.0
    curved: bool = False
    n_item_features: int = 0
    drift: tuple[Literal["still", "replaced", "rotating"], ...] = ("still", "still", "still")
    drift_visits: int = 1000

    PRESETS: ClassVar = {
        "plain": {},
        "hidden": {"obs_noise": 1.5},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "sparse": {"base": (-0.5, -2.0, -3.5)},
        "hard": {"scale": (1.0, 0.3, 0.1), "base": (0.0, -1.5, -3.0), "obs_noise": 1.5},
        "clicks": {
            "n_items": 20,
            "n_features": 0,
            "context": "none",
            "response": "rate",
            "base": (0.3, 0.1, 0.03),
            "spread": 0.6,
            "deviation": 0.0,
        },
        "scales": _THREE_SCALES,
        "logit": _THREE_RATES,
        "nonlinear": {**_THREE_SCALES, "curved": True},
        "nonlinear_logit": {**_THREE_RATES, "curved": True},
        "drift": {**_THREE_RATES, "drift": ("replaced", "rotating", "still")},
        "many": {**_THREE_SCALES, "n_items": 10_000, "n_item_features": 16},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        require_groups(self, "base", "scale", "offset", "drift")
        require_within(self, "[2, inf)", "n_items")
        require_within(self, f"[{len(self.shares)}, inf)", "n_users")
        require(self.context in CONTEXTS, "context", self.context, f"one of {CONTEXTS}")
        require(self.response in RESPONSES, "response", self.response, f"one of {RESPONSES}")
        require(
            self.n_features >= (2 if self.context == "profile" else 0),
            "n_features",
            self.n_features,
            "a profile needs at least 2 features, a visit none",
        )
        require_within(self, "(0, inf)", "scale")
        require_within(self, "[0, 1]", "conflict")
        require_within(self, "[0, inf)", "deviation", "obs_noise", "noise", "spread")
        require_within(self, "[0, inf)", "n_item_features")
        require_within(self, "[1, inf)", "drift_visits")
        require(set(self.drift) <= set(DRIFTS), "drift", self.drift, f"each one of {DRIFTS}")
        if self.response == "rate":
            require(0 < min(self.base) <= max(self.base) <= 1, "base", self.base, "rates in (0, 1]")
