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

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.dynamics import (
    blend,
    hazard,
    pick,
    project,
    satiate,
    shares_at,
    swift_sigmoid,
    topic_items,
    wander,
)
from pgrpo_envs.lanes import SLOT_CHURN, SLOT_REWARD, SLOT_USER, SLOT_WORLD
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types
from pgrpo_envs.responses import bernoulli
from pgrpo_envs.scenarios import Scenario, require, require_per_group, require_shares
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, uniform

N_TOPICS = 8  # known to the compiler, which unrolls the loops over topics
BOUND = 8.0  # profiles are clipped to [-8, 8]
N_MEMORY = 3 * N_TOPICS  # profile, exposure, engagement: the observation without time
NOTICE = np.float32(0.1)  # weight of the present visit in observed averages
FORGET = np.float32(0.9)
_BLOCK = np.uint64(256)  # lanes: about 100 kB, well inside the second cache
_EXPOSURE, _ENGAGEMENT = np.uint64(N_TOPICS), np.uint64(2 * N_TOPICS)

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
        n_groups = len(self.shares)
        require_shares(self.shares)
        for name in ("base", "scale", "tired", "keep", "threshold", "wandering", "arrival"):
            require_per_group(getattr(self, name), n_groups, name)
        require(
            self.n_items >= N_TOPICS, "n_items", self.n_items, f"one item for {N_TOPICS} topics"
        )
        require(self.n_users >= n_groups, "n_users", self.n_users, f"at least {n_groups}")
        for name in ("horizon", "moving_episodes"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("conflict", "ceiling", "turn"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "from 0 to 1")
        for name in ("deviation", "obs_noise", "item_spread", "slope", "amount", "leave_slope"):
            value = getattr(self, name)
            require(value >= 0, name, value, "0 or more")
        for name in ("tired", "wandering", "arrival"):
            value = getattr(self, name)
            require(min(value) >= 0, name, value, "each 0 or more")
        require(self.lure >= 0, "lure", self.lure, "0 or more")
        require(0 < self.rate <= 1, "rate", self.rate, "above 0, at most 1")
        require(min(self.scale) > 0, "scale", self.scale, "every scale must be above 0")
        require(min(self.keep) >= 0 and max(self.keep) < 1, "keep", self.keep, "each in [0, 1)")
        if self.later_shares:
            require_per_group(self.later_shares, n_groups, "later_shares")
            good = min(self.later_shares) >= 0 and abs(sum(self.later_shares) - 1) < 1e-6
            require(good, "later_shares", self.later_shares, "shares of 0 or more that sum to 1")
        later = self.later_shares or self.shares
        present = [s > 0 for s, a in zip(later, self.arrival, strict=True) if a == 0]
        require(any(present), "arrival", self.arrival, "a group that stays must be there at once")


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
            _draw_moving_users(self.world, lanes, c.spawn_key, c.episode, c.user)
        _spawn_users(self.world, lanes, c.episode, c.user, self.state)

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        _copy_observation(self.state.memory, lanes, self._clock.t, 1.0 / self.horizon, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        items = actions.view(np.uint64)
        _step(
            self.world, self.state, self._clock, items, 1.0 / self.horizon, obs, reward, terminated
        )
        if max(self.scenario.wandering) > 0:
            _wander(self.world, self.state, self._clock)
        return {}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape, dtype=np.float64)
        _answer(self.world, self.state, self._clock, actions.view(np.uint64), slots, reward)
        return {"reward": reward}

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        _expect(self.world, self.state, values)
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

    ## Version history
    * v0: first version.
    """

    vector_class = RecommendVectorEnv


@jit
def _draw_moving_users(world, lanes, keys, episodes, users):
    """Draw users by the shares of groups at each lane's episode."""
    n_groups = world.arrival.size
    shares = np.empty(n_groups)
    for i in lanes:
        progress = min(episodes[i] / world.moving_episodes, 1.0)
        first = np.where(world.arrival > episodes[i], 0.0, world.shares[0])
        last = np.where(world.arrival > episodes[i], 0.0, world.shares[1])
        shares_at(progress, first, last, shares)
        p = pick(uniform(keys[i], episodes[i], 0, SLOT_USER), shares)
        place = uniform(keys[i], episodes[i], 0, SLOT_USER + 1) * world.n_members[p]
        users[i] = world.members[world.n_members[:p].sum() + int(place)]


@jit
def _spawn_users(world, lanes, episodes, users, state):
    """Set the state to a user's first visit."""
    for i in lanes:
        user = users[i]
        state.group[i] = world.user_types[user]
        state.satisfaction[i] = 0.0
        for j in range(N_TOPICS):
            state.taste[i, j] = world.tastes[0, user, j]
            state.stock[i, j] = 0.0
        if world.turn > 0.0:
            new = world.turn * min(episodes[i] / world.moving_episodes, 1.0)
            for j in range(N_TOPICS):
                state.taste[i, j] = blend(state.taste[i, j], world.tastes[1, user, j], new)
            project(state.taste, i)
        for j in range(N_TOPICS):
            seen = state.taste[i, j] + world.noise[user, j]
            state.memory[i, j] = np.float32(min(max(seen, -BOUND), BOUND))
        for j in range(N_TOPICS, N_MEMORY):
            state.memory[i, j] = np.float32(0.0)


@jit
def _copy_observation(memory, lanes, visits, tick, obs):
    for i in lanes:
        for j in range(N_MEMORY):
            obs[i, j] = memory[i, j]
        obs[i, N_MEMORY] = min(visits[i] * tick, 1.0)


@jit
def _logit(world, state, i, k):
    """Return the logit of a click of lane i's user on item k; sums in pairs, as vectors do."""
    p = state.group[i]
    u, v = state.taste, world.items
    a = u[i, 0] * v[k, 0] + u[i, 1] * v[k, 1]
    b = u[i, 2] * v[k, 2] + u[i, 3] * v[k, 3]
    c = u[i, 4] * v[k, 4] + u[i, 5] * v[k, 5]
    d = u[i, 6] * v[k, 6] + u[i, 7] * v[k, 7]
    return world.base[p, k] + ((a + b) + (c + d)) - world.tired[p] * state.stock[i, world.topics[k]]


@jit
def _step(world, state, clock, items, tick, obs, reward, terminated):
    """Step all lanes, a block at a time, so that a block stays in the cache.

    Each block is three loops: gather, arithmetic on vector units, scatter. Lanes are counted
    unsigned: a test for negative indices in each iteration would keep vector units idle.
    """
    worth = np.empty(_BLOCK)
    threshold = np.empty(_BLOCK)
    n = np.uint64(items.size)
    for begin in range(np.uint64(0), n, _BLOCK):
        end = min(begin + _BLOCK, n)
        for i in range(begin, end):
            reward[i] = _logit(world, state, i, items[i])
            worth[i - begin] = -world.lures[items[i]]
            threshold[i - begin] = world.threshold[state.group[i]]
        _respond(world, state, clock, begin, end, worth, threshold, reward, terminated)
        _remember(world, state, clock.t, begin, end, items, tick, obs, reward)


@jit
def _respond(world, state, clock, begin, end, worth, threshold, answers, leaves):
    """Turn logits into clicks (in place), clicks into satisfaction, and that into leaving."""
    keys, episodes, visits = clock.noise_key, clock.episode, clock.t
    satisfaction = state.satisfaction
    for i in range(begin, end):
        u = uniform(keys[i], episodes[i], visits[i], SLOT_REWARD)
        click = bernoulli(swift_sigmoid(answers[i]), u)
        answers[i] = click
        satisfaction[i] = blend(satisfaction[i], worth[i - begin] * click, world.rate)
    if world.ceiling > 0.0:
        for i in range(begin, end):
            risk = hazard(satisfaction[i], threshold[i - begin], world.ceiling, world.leave_slope)
            leaves[i] = uniform(keys[i], episodes[i], visits[i], SLOT_CHURN) < risk


@jit
def _remember(world, state, visits, begin, end, items, tick, obs, reward):
    """Tire of the topic shown, remember it, write the observation and the reward."""
    stock, memory = state.stock, state.memory
    for i in range(begin, end):
        p, topic = state.group[i], world.topics[items[i]]
        satiate(stock, i, world.keep[p], topic, world.amount)
        for j in range(N_TOPICS, N_MEMORY):
            memory[i, j] *= FORGET
        memory[i, _EXPOSURE + topic] += NOTICE
        memory[i, _ENGAGEMENT + topic] += NOTICE * np.float32(reward[i])
        for j in range(N_MEMORY):
            obs[i, j] = memory[i, j]
        obs[i, N_MEMORY] = min((visits[i] + 1) * tick, 1.0)
        reward[i] *= world.scale[p]


@jit
def _wander(world, state, clock):
    for i in range(state.group.size):
        sigma = world.wandering[state.group[i]]
        if sigma > 0.0:
            wander(
                state.taste, i, sigma, clock.noise_key[i], clock.episode[i], clock.t[i], SLOT_WORLD
            )


@jit
def _answer(world, state, clock, items, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws from a slot of its own."""
    for i in range(items.shape[0]):
        for g in range(items.shape[1]):
            rewards[i, g] = swift_sigmoid(_logit(world, state, i, items[i, g]))
    keys, episodes, visits = clock.noise_key, clock.episode, clock.t
    for i in range(items.shape[0]):
        scale = world.scale[state.group[i]]
        for g in range(items.shape[1]):
            u = uniform(keys[i], episodes[i], visits[i], SLOT_REWARD + slots[g])
            rewards[i, g] = scale * bernoulli(rewards[i, g], u)


@jit
def _expect(world, state, values):
    for i in range(values.shape[0]):
        scale = world.scale[state.group[i]]
        for k in range(values.shape[1]):
            values[i, k] = scale * swift_sigmoid(_logit(world, state, i, np.uint64(k)))
