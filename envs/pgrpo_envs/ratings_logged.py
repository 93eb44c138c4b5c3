"""Mode ``logged`` of `Ratings-v0`: a log is replayed, and answers only what it holds.

The replay method [1]_: rows of the log come by, and a recommender that would have shown the item
that was shown hears the answer. All other rows are rejected. Where chance alone decided what was
shown, accepted rows are distributed as if the recommender had served the users itself.

Shapes: n lanes, N rows, U users, K items, P groups.

References
----------
.. [1] Li, Chu, Langford & Wang (2011), Unbiased Offline Evaluation of
   Contextual-bandit-based News Article Recommendation Algorithms, WSDM.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pgrpo_envs.feedback_log import FeedbackLog, sample_log
from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_within,
)
from pgrpo_envs.served import ServedVectorEnv
from pgrpo_envs.single import WorldEnv
from pgrpo_envs.turns import take_turns
from pgrpo_rec._random import generator
from pgrpo_rec.datasets import RatingsTable


@dataclass(frozen=True)
class LoggedRatingsScenario(Scenario):
    """Parameters of `LoggedRatingsVectorEnv`.

    Parameters
    ----------
    log : FeedbackLog, DataFrame, str or path, optional
        What `pgrpo_envs.feedback_log.FeedbackLog.of` takes, or a CSV file of it; a log made
        from the shipped sample (generated, not real) by default.
    in_turn : int, default=1
        L, the number of lanes: so many rows are served at a time, and no row a second time
        before all have been (`pgrpo_envs.turns`).
    """

    log: FeedbackLog | pd.DataFrame | str | os.PathLike[str] | None = None
    in_turn: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.log, (str, os.PathLike)):
            object.__setattr__(self, "log", pd.read_csv(self.log))
        if isinstance(self.log, pd.DataFrame):
            object.__setattr__(self, "log", FeedbackLog.of(self.log))
        right = "a FeedbackLog, a DataFrame, the path of a CSV file, or None"
        good = self.log is None or isinstance(self.log, FeedbackLog)
        require(good, "log", type(self.log).__name__, right)
        require_within(self, "[1, inf)", "in_turn")


class World(NamedTuple):
    """The rows that can be replayed."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    group_names: tuple[str, ...]  # (P,)
    table: RatingsTable  # N "ratings": users, items and rewards of rows
    log: FeedbackLog  # what they were taken from


class State(NamedTuple):
    """Which row comes by."""

    row: NDArray[np.int64]  # (n,)


class LoggedRatingsVectorEnv(ServedVectorEnv):
    """Many rows of a log at a time; the page is `LoggedRatingsEnv`."""

    scenario_class = LoggedRatingsScenario
    scenario: LoggedRatingsScenario
    world: World

    def __init__(self, num_envs: int = 1, **arguments: Any) -> None:
        super().__init__(num_envs, **arguments)
        right = f"in_turn={self.scenario.in_turn}, and rows would come twice: give as many lanes"
        good = num_envs // self.replicas <= self.scenario.in_turn
        require(good, "num_envs", num_envs, right)

    @staticmethod
    def build(scenario: LoggedRatingsScenario, world_seed: int) -> World:
        """Leave out rows until chance alone decided what was shown."""
        log = scenario.log
        if not isinstance(log, FeedbackLog):
            log = sample_log(generator(world_seed, 0))
        kept, whole = log.at_random(generator(world_seed, 1)), log.shown
        right = f"at most as many as the {kept.size:,} rows that can be replayed"
        right += f", of {whole.n_ratings:,}"
        require(scenario.in_turn <= kept.size, "in_turn", scenario.in_turn, right)
        names, user_types = np.array(["everybody"]), np.zeros(whole.n_users, dtype=np.int64)
        if whole.segments is not None:
            names, user_types = np.unique(whole.segments, return_inverse=True)
        parts = ("user_index", "item_index", "rating")
        table = replace(whole, **{part: getattr(whole, part)[kept] for part in parts})
        groups = tuple(str(name) for name in names)
        return World(table.n_items, user_types, groups, table, log)

    # --- what is known of the log --------------------------------------------------------

    @property
    def n_rows(self) -> int:
        """N, rows that can be replayed: how many visits one pass over the log takes."""
        return self.world.table.n_ratings

    @property
    def table(self) -> RatingsTable:
        """Users and items by id, and rewards of the rows as its ratings."""
        return self.world.table

    @property
    def group_names(self) -> tuple[str, ...]:
        """What the groups are called: segments of the log's users."""
        return self.world.group_names

    @property
    def coverage(self) -> pd.DataFrame:
        """How many rows of users can be replayed: quantiles over users, by group."""
        return self.table.coverage().rename(columns={"n_ratings": "n_rows"})

    def describe(self) -> str:
        """Return a few lines for people: what of the log can be replayed.

        Examples
        --------
        >>> from pgrpo_envs.ratings_logged import LoggedRatingsVectorEnv
        >>> print(LoggedRatingsVectorEnv().describe())
        sample_log (generated, not real): 300 users, 40 items
        12,000 of 12,000 rows can be replayed, some 300 of them accepted
        rows: majority 70 %, minority 20 %, tenth 9 %
        """
        table = self.table
        shares = np.bincount(self.user_types[table.user_index], minlength=self.n_groups)
        names = [
            f"{group} {100 * share:.0f} %"
            for group, share in zip(self.group_names, shares / self.n_rows, strict=True)
        ]
        return "\n".join(
            (
                f"{table.name}: {table.n_users:,} users, {table.n_items:,} items",
                f"{self.n_rows:,} of {self.world.log.shown.n_ratings:,} rows can be replayed, "
                f"some {self.n_rows / self.n_items:,.0f} of them accepted",
                f"rows: {', '.join(names)}",
            )
        )

    # --- the visit -----------------------------------------------------------------------

    def _layout(self) -> dict[str, slice]:
        return {"constant": slice(0, 1)}

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.zeros(1), np.ones(1)

    def _allocate(self, n: int) -> State:
        return State(row=np.zeros(n, dtype=np.int64))

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        row = self.state.row
        take_turns(self._clock, lanes, self.replicas, self.scenario.in_turn, self.n_rows, row)
        self._clock.user[lanes] = self.table.user_index[row[lanes]]

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        obs[lanes, 0] = 1.0

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        accepted = actions == self.table.item_index[self.state.row]
        reward[:] = np.where(accepted, self.table.rating[self.state.row], 0.0)
        self._observe(np.arange(self.num_envs), obs)
        terminated[:] = True
        return {"accepted": accepted.astype(np.int8)}


class LoggedRatingsEnv(WorldEnv):
    """Mode ``logged`` of `Ratings-v0`: rows of a log come by, most are rejected.

    ## Description
    Each visit takes the next row of a log of a deployed system, in an order that the seed
    shuffles. If the item chosen is the one that was shown, the row is accepted and its reward
    is heard; else it is rejected, and says nothing. Of K items about one row in K is accepted.
    Nothing that was not logged is known, so that there are no candidates, no expected rewards
    and no oracle; the mean reward of accepted rows is an honest estimate of what the
    recommender earns. Serve ``vector.n_rows`` visits: after them rows come a second time.
    `pgrpo_rec.simulate` learns from accepted rows, and returns them, alone.

    Assumed: every item could be shown at every visit, the propensities are right, and rows do
    not depend on each other. Rows of items that were shown more often than others are left
    out by chance until all were shown alike (`pgrpo_envs.feedback_log`), which leaves few
    where a propensity is small: ``vector.describe()`` and ``vector.coverage`` tell.

    ## Action space
    ``Discrete(K)``: the item to show.

    ## Observation space
    ``Box(0, 1, (1,), float32)``, the constant 1: all that is known of a visit is the user.

    ## Rewards
    The logged reward of an accepted row, 0 of a rejected one.

    ## Starting state
    The next row; ``in_turn`` is to be the number of lanes.

    ## Episode end
    Always terminated after one step.

    ## Information
    ``user_id``, the row in ``vector.table.users``; after a step ``accepted`` (int8), 1 or 0.

    ## Arguments
    ``world_seed`` (which rows are left out), ``log`` and ``in_turn``.

    ## Sources and units
    Li, Chu, Langford & Wang (2011), Unbiased Offline Evaluation of
    Contextual-bandit-based News Article Recommendation Algorithms.

    ## Version history
    * v0: first version.

    Examples
    --------
    >>> import gymnasium as gym, pgrpo_envs
    >>> env = gym.make("pgrpo_envs/Ratings-v0", mode="logged")
    >>> obs, info = env.reset(seed=0)
    >>> _, reward, terminated, _, info = env.step(3)
    >>> int(info["accepted"]), reward, terminated
    (0, 0.0, True)
    """

    vector_class = LoggedRatingsVectorEnv
