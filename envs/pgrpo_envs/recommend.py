r"""`Recommend-v0`: visits over time, to people who tire, change their taste, and leave.

At visit t a user of preference group p with taste u is shown item k of topic c:

.. math:: P(\text{click}) = \sigma(b_p + \text{slope}\, u \cdot v_k + \text{lure}\, l_k
                                   - \lambda_p s_c), \qquad r = \text{scale}_p \cdot \text{click}

then ``s' = keep_p s + amount 1{c}`` (satiation [1]_), ``q' = q + rate (x - q)`` with the
satisfaction ``x = -l_k click`` (what lures clicks does not satisfy, as in RecSim's
long-term satisfaction [2]_), the user leaves with probability
``ceiling * sigmoid(leave_slope (threshold_p - q'))``, and u wanders on the sphere.

Shapes: n lanes, U users, P groups, K items, T = 8 topics.

References
----------
.. [1] Leqi et al. (2021), Rebounding Bandits for Modeling Satiation Effects, arXiv:2011.06741.
.. [2] Ie et al. (2019), RecSim: A Configurable Simulation Platform for Recommender Systems,
   arXiv:1909.04847.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.dynamics import topic_items
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types
from pgrpo_envs.recommend_kernels import (
    BOUND,
    N_MEMORY,
    N_TOPICS,
    answer,
    copy_observation,
    draw_moving_users,
    expect,
    spawn_users,
    step,
    wander_all,
)
from pgrpo_envs.recommend_scenario import RecommendScenario
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._random import generator


class World(NamedTuple):
    """Everything that does not change."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    members: NDArray[np.int64]  # (U,): users ordered by group
    n_members: NDArray[np.int64]  # (P,)
    tastes: NDArray[np.float64]  # (2, U, T): at first, and where they turn to
    noise: NDArray[np.float64]  # (U, T): of the observed profile
    items: NDArray[np.float64]  # (K, T): slope times the item's direction
    topics: NDArray[np.uint64]  # (K,)
    lures: NDArray[np.float64]  # (K,): in [-1, 1]
    base: NDArray[np.float64]  # (P, K): base logit of the group plus the item's lure
    scale: NDArray[np.float64]  # (P,)
    tired: NDArray[np.float64]  # (P,)
    keep: NDArray[np.float64]  # (P,)
    threshold: NDArray[np.float64]  # (P,)
    wandering: NDArray[np.float64]  # (P,)
    shares: NDArray[np.float64]  # (2, P): of visits, at first and later
    arrival: NDArray[np.int64]  # (P,)
    amount: float
    rate: float
    ceiling: float
    leave_slope: float
    turn: float
    moving_episodes: int


class State(NamedTuple):
    """What changes. ``memory`` is float32 since it is the observation, without the time."""

    group: NDArray[np.uint64]  # (n,): unsigned, which spares a test for negative indices
    taste: NDArray[np.float64]  # (n, T), unit rows
    stock: NDArray[np.float64]  # (n, T)
    satisfaction: NDArray[np.float64]  # (n,)
    memory: NDArray[np.float32]  # (n, 3T): profile, exposure, engagement


class RecommendVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `RecommendEnv`."""

    scenario_class = RecommendScenario
    scenario: RecommendScenario

    @staticmethod
    def build(scenario: RecommendScenario, world_seed: int) -> World:
        """Build items, users and groups."""
        s = scenario
        n_groups = len(s.shares)
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        tastes = [
            draw_tastes(
                rng, draw_centroids(rng, n_groups, N_TOPICS, s.conflict), user_types, s.deviation
            )
            for _ in range(2)
        ]
        rng_items = generator(world_seed, 1)
        items, topics = topic_items(rng_items, s.n_items, N_TOPICS, s.item_spread)
        lures = rng_items.permutation(np.linspace(-1.0, 1.0, s.n_items))
        return World(
            n_items=s.n_items,
            user_types=user_types,
            members=np.argsort(user_types, kind="stable"),
            n_members=np.bincount(user_types, minlength=n_groups),
            tastes=np.array(tastes),
            noise=s.obs_noise * rng.normal(size=(s.n_users, N_TOPICS)),
            items=s.slope * items,
            topics=topics.astype(np.uint64),
            lures=lures,
            base=np.array(s.base)[:, None] + s.lure * lures,
            scale=np.array(s.scale),
            tired=np.array(s.tired),
            keep=np.array(s.keep),
            threshold=np.array(s.threshold),
            wandering=np.array(s.wandering),
            shares=np.array([s.shares, s.later_shares or s.shares]),
            arrival=np.array(s.arrival),
            amount=s.amount,
            rate=s.rate,
            ceiling=s.ceiling,
            leave_slope=s.leave_slope,
            turn=s.turn,
            moving_episodes=s.moving_episodes,
        )

    def _layout(self) -> dict[str, slice]:
        names = ("profile", "exposure", "engagement")
        layout = {name: slice(j * N_TOPICS, (j + 1) * N_TOPICS) for j, name in enumerate(names)}
        return layout | {"time": slice(N_MEMORY, N_MEMORY + 1)}

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        high = np.ones(N_MEMORY + 1)
        low = np.zeros(N_MEMORY + 1)
        low[:N_TOPICS], high[:N_TOPICS] = -BOUND, BOUND
        return low, high

    def _allocate(self, n: int) -> State:
        return State(
            group=np.zeros(n, dtype=np.uint64),
            taste=np.zeros((n, N_TOPICS)),
            stock=np.zeros((n, N_TOPICS)),
            satisfaction=np.zeros(n),
            memory=np.zeros((n, N_MEMORY), dtype=np.float32),
        )

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        c = self._clock
        s = self.scenario
        if s.later_shares or max(s.arrival) > 0:
            draw_moving_users(self.world, lanes, c.spawn_key, c.episode, c.user)
        spawn_users(self.world, lanes, c.episode, c.user, self.state)

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        copy_observation(self.state.memory, lanes, self._clock.t, 1.0 / self.horizon, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        items = actions.view(np.uint64)
        step(
            self.world, self.state, self._clock, items, 1.0 / self.horizon, obs, reward, terminated
        )
        if max(self.scenario.wandering) > 0:
            wander_all(self.world, self.state, self._clock)
        return {}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape, dtype=np.float64)
        answer(self.world, self.state, self._clock, actions.view(np.uint64), slots, reward)
        return {"reward": reward}

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        expect(self.world, self.state, values)
        return values


class RecommendEnv(WorldEnv):
    """Visits over time, to people who tire, change their taste, and leave.

    ## Description
    A user visits up to 100 times and is shown one item a visit. Comfort seekers (the
    majority) hardly tire of a topic, novelty seekers (20 %) soon do. Presets: ``plain``
    (satiation only); ``churn`` (alluring items win clicks now and lose users: what is best
    for the visit is bad for the session); ``drift`` (tastes wander); ``moving`` (shares of
    the groups and tastes change from episode to episode); ``newcomers`` (the third group
    appears after five episodes of a lane); ``hard`` (all of it, hidden groups, and
    clicks worth 1, 0.5 and 0.2).

    ## Action space
    ``Discrete(K)``: the item to show.

    ## Observation space
    ``Box((25,), float32)``: a noisy profile of the user's taste at the first visit (8, in
    [-8, 8]); exponential moving averages (weight 0.1) of showing each topic and of clicks on
    it (8 + 8, in [0, 1]); and the share of the horizon that has passed. ``obs_layout`` names
    the columns. Taste, group, stock and satisfaction are never observed.

    ## Rewards
    ``scale_p`` for a click, else 0.

    ## Starting state
    A user drawn at random from the population, rested, neither satisfied nor dissatisfied.

    ## Episode end
    Terminated when the user leaves (``churn``, ``hard``); truncated after ``horizon`` visits.

    ## Information
    ``user_id``; with ``info_level="eval"`` also ``user_type``, ``expected_reward``,
    ``best_expected_reward`` (of the present visit: regret is myopic).

    ## Arguments
    ``preset``, ``world_seed`` and every field of `RecommendScenario`.

    ## Sources and units
    Satiation: Leqi et al. (2021), Rebounding Bandits for Modeling Satiation Effects. Short
    clicks against long satisfaction: Ie et al. (2019), RecSim. The values are assumptions.
    Time is counted in visits, tastes and clicks in logits.

    ## Version history
    * v0: first version.
    """

    vector_class = RecommendVectorEnv
