"""`Ratings-v0`: real tastes; the reward is what this very user said of the item shown.

No answer is made up: unless asked otherwise, only those items can be shown to a user which that
user rated. Shapes: n lanes, U users, K items, m items of the profile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.lanes import SLOT_REWARD
from pgrpo_envs.ratings_scenario import RatingsScenario
from pgrpo_envs.ratings_world import World, build_world
from pgrpo_envs.responses import gaussian
from pgrpo_envs.single import WorldEnv
from pgrpo_envs.turns import take_turns
from pgrpo_rec._numba import jit
from pgrpo_rec._random import normal
from pgrpo_rec.datasets import RatingsTable


class State(NamedTuple):
    """What changes from visit to visit of a session."""

    left: NDArray[np.bool_]  # (n, K): what can still be shown


class RatingsVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `RatingsEnv`."""

    scenario_class = RatingsScenario
    scenario: RatingsScenario
    world: World

    @staticmethod
    def build(scenario: RatingsScenario, world_seed: int) -> World:
        """Choose users and items of the table, and set items of the profile aside."""
        return build_world(scenario, world_seed)

    # --- what is known of the table ------------------------------------------------------

    @property
    def table(self) -> RatingsTable:
        """The real ratings behind this world: row and column i are user id and action i."""
        return self.world.table

    @property
    def profile_ratings(self) -> NDArray[np.float64]:
        """Ratings of the items that are never offered, shape (U, m), NaN where not rated.

        Clusters that a recommender is told must come from here, not from rewards to be.
        """
        return self.world.profile_ratings

    @property
    def profile_items(self) -> NDArray[Any]:
        """Labels of the items that are never offered, shape (m,)."""
        return self.world.profile_items

    @property
    def group_names(self) -> tuple[str, ...]:
        """What the groups are called: segments of the table, or clusters of profiles."""
        return self.world.group_names

    @property
    def past(self) -> pd.DataFrame:
        """What users answered before: ``user``, ``action``, ``reward``, ``propensity``.

        The items were drawn at random from those that the user rated, so the propensity is one
        over their number. `pgrpo_rec.simulate` takes it as ``past=``.
        """
        user, action = np.nonzero(self.world.past)
        n_rated = np.isfinite(self.table.to_dense()).sum(axis=1)
        columns = {
            "user": user,
            "action": action,
            "reward": self.world.values[user, action],
            "propensity": 1.0 / n_rated[user],
        }
        return pd.DataFrame(columns)

    @property
    def is_completed(self) -> bool:
        """Whether a part of the truth is what a model guesses."""
        return self.scenario.mode == "completed" and not self.table.is_dense

    @property
    def coverage(self) -> pd.DataFrame:
        """How many of the items offered users rated: `RatingsTable.coverage`, by group."""
        return self.table.coverage()

    def describe(self) -> str:
        """Return a few lines for people: what was kept, which groups, whose truth it is.

        Examples
        --------
        >>> from pgrpo_envs.ratings import RatingsVectorEnv
        >>> print(RatingsVectorEnv(preset="full").describe())
        sample_ratings (generated, not real): 300 of 300 users, 8 of 40 items offered
        2,400 of 12,000 ratings, from 1 to 5, density 1
        full: every reward is a rating that this user gave
        groups: majority 70 %, minority 20 %, tenth 10 %
        """
        table, whole = self.table, self.world.whole
        made_up = " (generated, not real)" if self.scenario.ratings is None else ""
        shares = np.bincount(self.user_types) / self.n_users
        names = [f"{g} {100 * s:.0f} %" for g, s in zip(self.group_names, shares, strict=True)]
        lines = [
            f"{table.name or 'ratings'}{made_up}: {table.n_users:,} of {whole.n_users:,} users, "
            f"{table.n_items:,} of {whole.n_items:,} items offered",
            f"{table.n_ratings:,} of {whole.n_ratings:,} ratings, from {table.rating.min():g} to "
            f"{table.rating.max():g}, density {table.density:.3g}",
            f"{self.scenario.mode}: {self._whose_truth()}",
            f"groups: {', '.join(names)}",
        ]
        if self.profile_items.size > 0:
            lines.append(
                f"profile: ratings of {self.profile_items.size} items that are not offered"
            )
        return "\n".join(lines)

    def _whose_truth(self) -> str:
        if not self.is_completed:
            masked = self.scenario.mode == "observed"
            shown = ", users are shown only what they rated" if masked else ""
            return f"every reward is a rating that this user gave{shown}"
        errors = ", ".join(
            f"{error:.2f} ({name})"
            for name, error in zip(self.group_names, self.world.errors, strict=True)
        )
        return (
            f"{100 * (1 - self.table.density):.0f} % of the truth is a model's, whose error on "
            f"ratings kept aside is {errors}, where ratings have a standard deviation of "
            f"{self.table.rating.std():.2f}; do not judge fairness by it"
        )

    # --- the visit -----------------------------------------------------------------------

    def action_mask(self) -> NDArray[np.bool_]:
        """Return which items each lane's user can still be shown, shape (n, K)."""
        return self.state.left.copy()

    def _visit_info(self) -> dict[str, NDArray[Any]]:
        info = super()._visit_info()
        s = self.scenario
        if s.mode == "observed" or s.visits > 1 or s.past > 0.0:
            info["action_mask"] = self.action_mask().view(np.int8)
        return info

    def _check_available(self, actions: NDArray[np.int64]) -> None:
        columns = actions.reshape(self.num_envs, -1)
        # Lanes whose episode has ended are only reset: whatever they are given is not shown.
        right = np.take_along_axis(self.state.left, columns, axis=1) | self._clock.ended[:, None]
        if right.all():
            return
        lane, g = np.argwhere(~right)[0]
        row, column = self._clock.user[lane], columns[lane, g]
        user, item = str(self.table.users[row]), str(self.table.items[column])
        why = f"user {user!r} did not rate item {item!r}, so nobody knows the reward"
        if self.world.past[row, column]:
            why = f"user {user!r} rated item {item!r} in the past, before any visit"
        if self.world.available[row, column]:
            why = f"user {user!r} was shown item {item!r} before in this session"
        raise ValueError(
            f"actions[{lane}]={column} is not possible: {why}; choose where info['action_mask'] "
            "is 1, as action_space.sample(mask) of a single environment does"
        )

    def _layout(self) -> dict[str, slice]:
        m = self.profile_items.size
        return {"profile": slice(0, m)} if m > 0 else {"constant": slice(0, 1)}

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        m = self.profile_items.size
        if m == 0:
            return np.zeros(1), np.ones(1)
        high = np.full(m, np.ptp(self.world.whole.rating) or 1.0)
        return -high, high

    def _allocate(self, n: int) -> State:
        return State(left=np.repeat(self.world.available[:1], n, axis=0))

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        in_turn, clock = self.scenario.in_turn, self._clock
        if in_turn is not None:
            take_turns(clock, lanes, self.replicas, in_turn, self.n_users, clock.user)
        self.state.left[lanes] = self.world.available[clock.user[lanes]]

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        m = self.profile_items.size
        obs[lanes, : max(m, 1)] = self.world.profiles[self._clock.user[lanes]] if m > 0 else 1.0

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        reward[:] = self._score(actions[:, None], np.zeros(1, dtype=np.int64))["reward"][:, 0]
        lanes = np.arange(self.num_envs)
        self._observe(lanes, obs)
        terminated[:] = self._clock.t + 1 >= self.scenario.visits
        # A session that is over keeps the mask of its last visit, which is never empty.
        self.state.left[lanes, actions] &= terminated
        return {}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape, dtype=np.float64)
        c, noise = self._clock, float(self.scenario.noise)
        _answer(self.world.values, noise, c, actions, slots, reward)
        return {"reward": reward}

    def _expected(self) -> NDArray[np.float64]:
        return np.where(self.state.left, self.world.values[self._clock.user], 0.0)


class RatingsEnv(WorldEnv):
    """Real tastes: a user of a ratings table comes, and rates what is shown.

    ## Description
    A user of the table comes for ``visits`` visits, one by default, and is shown one item of
    the table a visit; the reward is what this user said of this item. Any table will do that
    `pgrpo_rec.datasets.read_ratings` reads; without one the shipped sample is used, which is
    generated. ``vector.describe()`` tells what was kept of a table and whose truth it is,
    ``vector.coverage`` how much users rated, by group.

    Three modes. ``observed``: a user can be shown only what that user rated; no rating is made
    up, but what people rate is no random choice, so that values are those among rated items.
    ``full``: the same on a table without gaps, where all actions are possible. ``completed``:
    gaps are filled by biases and a low-rank model, whose guesses are then the truth. That
    suits a test of speed or of code, less so one of fairness: such models draw users of a
    minority towards the majority, and it is refused where users rated too little.
    A person who is asked again gives the same answer again: when users are drawn at random for
    one visit each, a learner that remembers who said what is rewarded for it, as it hardly is
    among live users. ``visits`` above 1 makes sessions in which no item is shown twice, and
    ``in_turn=num_envs`` lets nobody come a second time before everyone has come, so that until
    then no answer is asked for that was heard before. ``past`` sets a share of each user's
    ratings aside as a log (``vector.past``) to learn from before the first visit.
    Logs of a deployed system (one shown item a row) are no such table: mode ``logged`` replays
    them in a world of its own, with other arguments and without a truth:
    `pgrpo_envs.ratings_logged.LoggedRatingsEnv`.

    Presets: ``observed``, ``full``, ``profile``, ``completed``, ``sessions`` (8 visits);
    ``ratings`` and other fields can be given beside a preset.

    ## Action space
    ``Discrete(K)``: the item to show. In mode ``observed`` and in sessions it must be one
    where ``info["action_mask"]`` is 1; draw with ``action_space.sample(info["action_mask"])``.

    ## Observation space
    ``Box(-r, r, (m,), float32)`` with r the range of the ratings: the user's ratings of the
    ``n_profile`` items that are never offered, less the user's mean of them, 0 where not
    rated; without such items the constant 1, ``Box(0, 1, (1,), float32)``.

    ## Rewards
    The rating, in the units of the table (votes are 1 and 0), plus ``noise`` if asked for.

    ## Starting state
    A user drawn at random, all alike, from those kept; with ``in_turn`` the next one of an
    order that the seed shuffles.

    ## Episode end
    Terminated after ``visits`` visits.

    ## Information
    ``user_id``, the row in ``vector.table.users``; in mode ``observed`` and in sessions also
    ``action_mask`` (int8), of what the user rated and was not shown yet in this session. With
    ``info_level="eval"`` also ``user_type``, ``expected_reward``, ``best_expected_reward``
    (among what can still be shown). The type is the user's segment in the table (such as a party),
    a cluster of profiles (``n_reference_groups``), or the same for everybody; other groups
    come with ``dataclasses.replace(table, segments=...)``.

    ## Arguments
    ``preset``, ``world_seed`` (draws which items form the profile) and every field of
    `RatingsScenario`, ``ratings`` and ``mode`` above all.

    ## Sources and units
    Ratings are those of the table given; the sample is generated. Completion: Koren, Bell &
    Volinsky (2009), Matrix Factorization Techniques for Recommender Systems.

    ## Version history
    * v0: first version.

    Examples
    --------
    >>> from pgrpo_envs.ratings import RatingsEnv
    >>> env = RatingsEnv()
    >>> obs, info = env.reset(seed=0)
    >>> action = env.action_space.sample(info["action_mask"])
    >>> _, reward, terminated, _, _ = env.step(action)
    >>> reward in (1.0, 2.0, 3.0, 4.0, 5.0), terminated
    (True, True)
    """

    vector_class = RatingsVectorEnv


@jit
def _answer(values, noise, clock, actions, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws its noise from a slot of its own."""
    for i in range(actions.shape[0]):
        for g in range(actions.shape[1]):
            reward = values[clock.user[i], actions[i, g]]
            if noise > 0.0:
                slot = SLOT_REWARD + slots[g]
                z = normal(clock.noise_key[i], clock.episode[i], clock.t[i], slot)
                reward = gaussian(reward, noise, z)
            rewards[i, g] = reward
