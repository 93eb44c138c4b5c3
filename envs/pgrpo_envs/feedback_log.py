r"""Logs of a deployed system: who was shown what, with which probability, and what came of it.

A log can stand for live users only as far as chance decided what was shown. With propensities
p of its rows known, keeping a row with probability

.. math:: \min_j p_j \,/\, p_i

leaves a log in which all items were shown alike, whatever the user (rejection sampling [1]_).

Shapes: N rows, U users, K items.

References
----------
.. [1] Li, Chu, Langford & Wang (2011), Unbiased Offline Evaluation of
   Contextual-bandit-based News Article Recommendation Algorithms, WSDM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pgrpo_envs.scenarios import require
from pgrpo_rec.datasets import RatingsTable, load_sample_ratings
from pgrpo_rec.interactions import check_column, check_propensities, check_rewards

COLUMNS = ("user", "item", "reward", "propensity")
N_SAMPLE = 12_000
_N_ERRORS, _SLACK = 6.0, 0.01  # by how much inverse propensities may miss the number of items


@dataclass(frozen=True, eq=False, repr=False)
class FeedbackLog:
    """N rows of logged feedback; make one with `FeedbackLog.of`.

    Parameters
    ----------
    shown : RatingsTable
        One "rating" a row, the reward of the item shown; users and items may repeat.
    propensity : ndarray of float64, shape (N,), in (0, 1]
        With which probability the system showed this item to this user.
    """

    shown: RatingsTable
    propensity: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check that propensities are those of these rows."""
        inverse, n_items = 1.0 / self.propensity, self.shown.n_items
        allowed = _N_ERRORS * inverse.std() / np.sqrt(inverse.size) + _SLACK * n_items
        right = (
            f"inverse propensities average {inverse.mean():.4g} and would average about "
            f"{n_items}, the number of items, if each row told with which probability its item "
            "was shown and every item could be shown to every user"
        )
        good = bool(abs(inverse.mean() - n_items) <= allowed)
        require(good, "propensity", self.propensity, right)

    @classmethod
    def of(cls, frame: pd.DataFrame, name: str = "log") -> FeedbackLog:
        """Return the log of a table with one row for each item shown.

        Parameters
        ----------
        frame : DataFrame
            Columns ``user``, ``item``, ``reward`` and ``propensity``; ``segment`` (of the
            user) if there is one. Others are left alone.
        name : str, default="log"

        Raises
        ------
        ValueError
            If a column is missing or wrong, or propensities are not those of the rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from pgrpo_envs.feedback_log import FeedbackLog
        >>> rows = {"user": ["ann", "bob", "ann"], "item": [7, 8, 8], "reward": [1, 0, 1]}
        >>> FeedbackLog.of(pd.DataFrame(rows).assign(propensity=1 / 2))
        FeedbackLog('log': 3 rows, 2 users, 2 items, 3 usable)
        """
        for column in COLUMNS:
            known = ", ".join(map(str, frame.columns))
            right = f"the log has the columns {known}; it needs {', '.join(COLUMNS)}"
            if column == "propensity":
                right += ". What was not shown at random cannot be replayed: give the probability "
                right += "of each shown item, which is 1 / K where all K were shown alike"
            require(column in frame.columns, "log", column, right)
        n = len(frame)
        items, item_index = np.unique(check_column("item", frame["item"], n), return_inverse=True)
        users, user_index = np.unique(check_column("user", frame["user"], n), return_inverse=True)
        require(items.size >= 2, "log", items.tolist(), "at least 2 items to choose from")
        shown = RatingsTable(
            users=users,
            items=items,
            user_index=user_index,
            item_index=item_index,
            rating=check_rewards(frame["reward"], n),
            segments=_segments(frame, user_index),
            name=name,
        )
        return cls(shown, check_propensities(frame["propensity"], n))

    @property
    def usable(self) -> float:
        """Share of the rows that is left when all items are to be shown alike."""
        return float(np.mean(self.propensity.min() / self.propensity))

    def at_random(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return which rows to keep so that all items were shown alike, in their order."""
        kept = rng.random(self.propensity.size) * self.propensity < self.propensity.min()
        return np.flatnonzero(kept)

    def __repr__(self) -> str:
        t = self.shown
        n_usable = round(self.usable * t.n_ratings)
        return (
            f"FeedbackLog({t.name!r}: {t.n_ratings:,} rows, {t.n_users:,} users, "
            f"{t.n_items:,} items, {n_usable:,} usable)"
        )


def sample_log(rng: np.random.Generator) -> FeedbackLog:
    """Return a log of 12,000 rows made from the shipped sample: generated, not real."""
    table = load_sample_ratings()
    user, item = (rng.integers(n, size=N_SAMPLE) for n in (table.n_users, table.n_items))
    assert table.segments is not None
    rows = {
        "user": table.users[user],
        "item": table.items[item],
        "reward": table.to_dense()[user, item],
        "propensity": 1.0 / table.n_items,
        "segment": table.segments[user],
    }
    return FeedbackLog.of(pd.DataFrame(rows), "sample_log (generated, not real)")


def _segments(frame: pd.DataFrame, user_index: NDArray[np.int64]) -> NDArray[np.str_] | None:
    """Return the segment of each user."""
    if "segment" not in frame.columns:
        return None
    column = check_column("segment", frame["segment"], len(frame)).astype(str)
    _, first = np.unique(user_index, return_index=True)
    segments = column[first]
    wrong = np.flatnonzero(column != segments[user_index])
    right = f"its user had segment {segments[user_index[wrong[:1]]]} in an earlier row"
    require(wrong.size == 0, "segment", column[wrong[:1]].tolist(), right)
    return segments
