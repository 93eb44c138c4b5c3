"""Open Bandit Pipeline (https://github.com/st-tech/zr-obp), version 0.5: its simulator.

obp asks for old Pythons and for PyTorch, so it is part of no extra: ``make obp`` installs it
in an environment of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from obp.policy.policy_type import PolicyType

from pgrpo_rec.estimators.base import BaseRecommender


class ObpView:
    """A recommender of ours as a policy of obp.

    For its estimators of a policy's value no view is needed:
    ``action_dist=recommender.predict_proba(X)[:, :, None]``.

    Parameters
    ----------
    recommender : estimator with ``recommend`` and ``partial_fit``
        Its ``items`` must be the number of actions.
    """

    policy_type = PolicyType.CONTEXTUAL

    def __init__(self, recommender: BaseRecommender) -> None:
        self.recommender = recommender
        self.policy_name = type(recommender).__name__
        self._shares: dict[tuple[bytes, int], float] = {}

    def select_action(self, context: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the item to show for one context, shape (1,)."""
        row = np.reshape(context, (1, -1))
        items, shares = self.recommender.recommend(row)
        self._shares[row.tobytes(), int(items[0, 0])] = float(shares[0, 0])
        return items[0]

    def update_params(self, action: Any, reward: ArrayLike, context: NDArray[np.float64]) -> None:
        """Learn from one answer."""
        row, shown = np.reshape(context, (1, -1)), int(np.ravel(action)[0])
        share = self._shares.pop((row.tobytes(), shown), None)
        self.recommender.partial_fit(
            row,
            np.ravel(reward),
            actions=[shown],
            propensities=None if share is None else [share],
        )
