"""The dials of `Recommend-v0` and its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pgrpo_envs.recommend_kernels import N_TOPICS
from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_groups,
    require_per_group,
    require_within,
)

_LEAVING = {
    "tired": (0.0, 0.0, 0.0),
    "base": (-0.5, -0.5, -0.5),
    "slope": 2.0,
    "lure": 0.7,
    "ceiling": 0.2,
    "threshold": (0.0, 0.05, -0.05),
}


@dataclass(frozen=True)
class RecommendScenario(Scenario):
    """Parameters of `RecommendVectorEnv`.

    Parameters
    ----------
    n_items : int, default=32
        K, at least 8; item k is about topic ``k % 8``.
    n_users : int, default=1000
        U, people in the population.
    horizon : int, default=100
        Visits after which an episode is truncated.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group in the population, and of visits at first.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between a minority's taste and the majority's.
    deviation : float, default=0.3
        How far people differ inside a group.
    obs_noise : float, default=0.2
        Standard deviation of the noise on the observed profile: how hidden the group is.
    item_spread : float, default=0.2
        How far items stray from their topic.
    slope : float, default=3
        Logits gained by an item along a user's taste.
    base, scale : tuple of float
        Base logit, and reward of a click, of each group; scales above 0.
    tired : tuple of float, default=(.3, 3, 1)
        Logits lost per unit of a topic's stock: comfort seekers little, novelty seekers much.
    keep : tuple of float in [0, 1), default=(.7, .9, .8)
        What remains of the stock at the next visit.
    amount : float, default=0.3
        What one exposure adds to the stock.
    lure : float, default=0
        Logits gained by the most alluring item, lost by the least; lures are spread evenly
        over [-1, 1], and clicks satisfy by minus the lure.
    rate : float in (0, 1], default=0.2
        Weight of the present visit in satisfaction, an exponential moving average from 0.
    ceiling : float in [0, 1], default=0
        Highest probability of leaving after a visit; 0: nobody leaves.
    leave_slope : float, default=8
        How sharply the hazard falls with satisfaction.
    threshold : tuple of float, default=(0, 0, 0)
        Satisfaction at which the hazard is half its ceiling.
    wandering : tuple of float, default=(0, 0, 0)
        Standard deviation of a visit's step of taste, in each direction.
    later_shares : tuple of float, default=()
        Shares of visits after ``moving_episodes`` episodes of a lane; () as at first. A
        share of 0 is possible.
    arrival : tuple of int, default=(0, 0, 0)
        Episodes of a lane before a group first appears; at least one group is there at once.
    turn : float in [0, 1], default=0
        How far tastes have moved towards other centroids after ``moving_episodes`` episodes.
    moving_episodes : int, default=10
        Episodes of a lane over which shares and tastes move.
    """

    n_items: int = 32
    n_users: int = 1000
    horizon: int = 100
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.3
    obs_noise: float = 0.2
    item_spread: float = 0.2
    slope: float = 3.0
    base: tuple[float, ...] = (-1.0, -1.0, -1.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    tired: tuple[float, ...] = (0.3, 3.0, 1.0)
    keep: tuple[float, ...] = (0.7, 0.9, 0.8)
    amount: float = 0.3
    lure: float = 0.0
    rate: float = 0.2
    ceiling: float = 0.0
    leave_slope: float = 8.0
    threshold: tuple[float, ...] = (0.0, 0.0, 0.0)
    wandering: tuple[float, ...] = (0.0, 0.0, 0.0)
    later_shares: tuple[float, ...] = ()
    arrival: tuple[int, ...] = (0, 0, 0)
    turn: float = 0.0
    moving_episodes: int = 10

    PRESETS: ClassVar = {
        "plain": {},
        "churn": _LEAVING,
        "drift": {"wandering": (0.02, 0.05, 0.1)},
        "moving": {"later_shares": (0.3, 0.2, 0.5), "turn": 0.7},
        "newcomers": {"later_shares": (0.4, 0.2, 0.4), "arrival": (0, 0, 5)},
        "hard": {
            **_LEAVING,
            "tired": (0.3, 2.0, 1.0),
            "scale": (1.0, 0.5, 0.2),
            "obs_noise": 1.0,
            "wandering": (0.02, 0.02, 0.02),
        },
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        n_groups = len(self.shares)
        groups = ("base", "scale", "tired", "keep", "threshold", "wandering", "arrival")
        require_groups(self, *groups)
        require_within(self, f"[{N_TOPICS}, inf)", "n_items")
        require_within(self, f"[{n_groups}, inf)", "n_users")
        require_within(self, "[1, inf)", "horizon", "moving_episodes")
        require_within(self, "[0, 1]", "conflict", "ceiling", "turn")
        require_within(self, "[0, inf)", "deviation", "obs_noise", "item_spread", "slope", "amount")
        require_within(self, "[0, inf)", "leave_slope", "tired", "wandering", "arrival", "lure")
        require_within(self, "(0, 1]", "rate")
        require_within(self, "(0, inf)", "scale")
        require_within(self, "[0, 1)", "keep")
        if self.later_shares:
            require_per_group(self.later_shares, n_groups, "later_shares")
            good = min(self.later_shares) >= 0 and abs(sum(self.later_shares) - 1) < 1e-6
            require(good, "later_shares", self.later_shares, "shares of 0 or more that sum to 1")
        later = self.later_shares or self.shares
        present = [s > 0 for s, a in zip(later, self.arrival, strict=True) if a == 0]
        require(any(present), "arrival", self.arrival, "a group that stays must be there at once")
