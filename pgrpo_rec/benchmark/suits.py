"""Which recommenders suit a world: nobody is run where it cannot work, and it is said why."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgrpo_rec.baselines import Uniform
from pgrpo_rec.benchmark.plan import Recommender, Scenario, count_items, item_features
from pgrpo_rec.simulate import simulate

_FEW_ITEMS = 200  # with 1,000 DynUCB took 93 s for 6,400 answers, CLUB 124 s
_N_HEARD = 2048  # answers by which a world's rewards are judged


class World:
    """What a scenario's world can give, found out by looking at it.

    Parameters
    ----------
    scenario : Scenario
    seed : int

    Attributes
    ----------
    group_shares : list of float
        Share of users of each true group; empty where the world knows none.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._env = scenario.make(seed)
        self._world: Any = self._env.unwrapped
        self._seed = seed
        self._binary: bool | None = None
        types = getattr(self._world, "user_types", None)
        counts = np.zeros(0) if types is None else np.bincount(types)
        self.group_shares = [round(float(share), 4) for share in counts / counts.sum()]

    def why_not(self, recommender: Recommender) -> str | None:
        """Return why a recommender does not suit this world; None where it does."""
        if recommender.told.endswith("groups") and len(self.group_shares) < 2:
            return "the world knows no groups, or one only"
        if "oracle" in recommender.needs and not hasattr(self._world, "oracle_action"):
            return "the world does not tell what is best"
        if "candidates" in recommender.needs and not hasattr(self._world, "score"):
            return "the world cannot score several candidates of a visit"
        if "binary rewards" in recommender.needs and not self._has_binary_rewards():
            return "rewards are not 0 or 1"
        if "item features" in recommender.needs and item_features(self._env) is None:
            return "items have no features of their own"
        if "few items" in recommender.needs and count_items(self._env) > _FEW_ITEMS:
            return f"a regression for each user or group and item, for over {_FEW_ITEMS} items"
        return None

    def _has_binary_rewards(self) -> bool:
        if self._binary is None:
            anything = Uniform(count_items(self._env), random_state=self._seed)
            heard = simulate(anything, self._env, _N_HEARD, seed=self._seed)["reward"]
            self._binary = bool(heard.isin([0.0, 1.0]).all())
        return self._binary
