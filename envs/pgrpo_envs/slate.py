r"""`Slate-v0`: a list of items a visit, clicks by position, satiation, people who leave.

Item k of topic m is as attractive to a user u of preference group p as

.. math:: a_k = \text{sigmoid}(b_p + \kappa\, u \cdot v_k + \text{quality}_k - \lambda_p s_m),
          \qquad
          s_m \leftarrow \gamma s_m + (1 - \gamma) \cdot \text{share of the slate},

where s is how sated the user is with the topic (linear satiation with recovery: Leqi et
al. 2021, "Rebounding bandits"). A click model turns attractiveness into clicks
(`pgrpo_envs.click_models`). Under ``substitutes`` taste decides the *need* of a visit
instead, :math:`q_m = \text{softmax}(\kappa\, u \cdot t_m)`, and the term with u leaves a.

Satisfaction q is a running mean of "at least one click"; after every visit the user
leaves with probability :math:`h\, \text{sigmoid}(\sigma (q^0_p - q))`.

Shapes: n lanes, U users, P groups, K items, S positions, T topics, d dimensions of taste,
G candidates. Time is counted in visits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.click_models import (
    CLICK_MODELS,
    DCM,
    MNL,
    PBM,
    SUBSTITUTES,
    best_cover,
    best_slate,
    distinct_weights,
    draw_clicks,
    expected_clicks,
    expected_coverage,
    position_weights,
    quadrature,
    random_slate_choice,
    random_slate_clicks,
)
from pgrpo_envs.lanes import SLOT_CHURN
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types, normalise
from pgrpo_envs.responses import sigmoid
from pgrpo_envs.scenarios import Scenario, require, require_per_group, require_shares
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, uniform

BOUND = 8.0  # profiles are clipped to [-8, 8]: eight standard deviations
MAX_ATTRACTIVENESS = 0.999  # the odds of a sure click would be infinite
TOPIC_SPREAD = 0.7  # how far topics lie from the taste of their group
ITEM_SPREAD = 0.2  # how far items lie around their topic, per dimension of taste
FIRST_SATISFACTION = 0.5  # of a user who has just come
SLOT_POSITIONS = 2**21  # beyond all other slots: S + 1 draws for each candidate


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
        n_groups = len(self.shares)
        require_shares(self.shares)
        for name in ("base", "scale", "satiation", "demand"):
            require_per_group(getattr(self, name), n_groups, name)
        require(
            self.click_model in CLICK_MODELS,
            "click_model",
            self.click_model,
            f"one of {CLICK_MODELS}",
        )
        for name, low in (
            ("slate_size", 1),
            ("n_items", max(self.slate_size, 2)),
            ("niches", 1),
            ("n_topics", 1 + self.niches * (n_groups - 1)),
            ("n_features", 2),
            ("n_users", n_groups),
            ("horizon", 1),
        ):
            value = getattr(self, name)
            require(value >= low, name, value, f"at least {low}")
        for name in ("conflict", "continuation", "hazard"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "from 0 to 1")
        for name in ("examination", "recency"):
            value = getattr(self, name)
            require(0 < value <= 1, name, value, "above 0, at most 1")
        for name in ("memory", "niche_share"):
            value = getattr(self, name)
            require(0 <= value < 1, name, value, "from 0 to below 1")
        for name in ("deviation", "obs_noise", "slope", "quality", "steepness"):
            value = getattr(self, name)
            require(value >= 0, name, value, "0 or more")
        require(min(self.scale) > 0, "scale", self.scale, "every scale must be above 0")
        require(min(self.satiation) >= 0, "satiation", self.satiation, "0 or more for each group")
        right = "from 0 to 1 for each group"
        require(0 <= min(self.demand) <= max(self.demand) <= 1, "demand", self.demand, right)


class World(NamedTuple):
    """Everything that does not change."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    profiles: NDArray[np.float32]  # (U, d), observed
    tastes: NDArray[np.float64]  # (U, d), zero under "substitutes"
    interests: NDArray[np.float64]  # (U, T), probability of each need
    vectors: NDArray[np.float64]  # (K, d), length kappa
    topics: NDArray[np.int64]  # (K,)
    niche: NDArray[np.float64]  # (K,), 1 for items of niches
    quality: NDArray[np.float64]  # (K,)
    base: NDArray[np.float64]  # (P,)
    scale: NDArray[np.float64]  # (P,)
    satiation: NDArray[np.float64]  # (P,)
    demand: NDArray[np.float64]  # (P,)
    model: int  # index into CLICK_MODELS
    positions: NDArray[np.float64]  # (S,), as `draw_clicks` takes it
    random_weights: NDArray[np.float64]  # (S + 1,), of symmetric means
    nodes: NDArray[np.float64]
    node_weights: NDArray[np.float64]
    memory: float
    hazard: float
    steepness: float
    recency: float
    horizon: int


class State(NamedTuple):
    """What changes: what each lane's user has seen and clicked."""

    exposure: NDArray[np.float64]  # (n, T), remembered share of slates: satiation
    engagement: NDArray[np.float64]  # (n, T), remembered clicks a position
    satisfaction: NDArray[np.float64]  # (n,)
    clicks: NDArray[np.float64]  # (n, S), of the last slate


class SlateVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `SlateEnv`."""

    scenario_class = SlateScenario
    scenario: SlateScenario

    @staticmethod
    def build(scenario: SlateScenario, world_seed: int) -> World:
        """Build items, users and groups."""
        s = scenario
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        centroids = draw_centroids(rng, len(s.shares), s.n_features, s.conflict)
        tastes = draw_tastes(rng, centroids, user_types, s.deviation)
        seen = tastes + s.obs_noise * rng.normal(size=tastes.shape)
        topic_vectors, topics, vectors, quality = _draw_items(
            s, centroids, generator(world_seed, 1)
        )
        appeal = np.exp(s.slope * tastes @ topic_vectors.T)
        model = CLICK_MODELS.index(s.click_model)
        positions = _position_curve(s)
        nodes, node_weights = quadrature()
        return World(
            n_items=s.n_items,
            user_types=user_types,
            profiles=np.clip(seen, -BOUND, BOUND).astype(np.float32),
            tastes=np.zeros_like(tastes) if model == SUBSTITUTES else tastes,
            interests=appeal / appeal.sum(axis=1, keepdims=True),
            vectors=s.slope * vectors,
            topics=topics,
            niche=(topics >= s.n_topics - s.niches * (len(s.shares) - 1)).astype(np.float64),
            quality=quality,
            base=np.array(s.base, dtype=np.float64),
            scale=np.array(s.scale, dtype=np.float64),
            satiation=np.array(s.satiation, dtype=np.float64),
            demand=np.array(s.demand, dtype=np.float64),
            model=model,
            positions=positions,
            random_weights=distinct_weights(s.n_items, s.slate_size)
            if model == MNL
            else position_weights(model, s.n_items, positions),
            nodes=nodes,
            node_weights=node_weights,
            memory=float(s.memory),
            hazard=float(s.hazard),
            steepness=float(s.steepness),
            recency=float(s.recency),
            horizon=int(s.horizon),
        )

    @property
    def item_topics(self) -> NDArray[np.int64]:
        """Topic of every item, shape (K,): known to all, as a catalogue is."""
        return self.world.topics

    @property
    def niche_items(self) -> NDArray[np.bool_]:
        """Which items belong to a minority's niche, shape (K,)."""
        return self.world.niche > 0

    def expected_reward(self, actions: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Return the exact expected reward of slates for the present visits.

        Parameters
        ----------
        actions : ndarray of int64, shape (n, S) or (n, G, S), optional
            Slates to look at. Without them, every item shown alone at the top.

        Returns
        -------
        ndarray of float64, shape (n,), (n, G), or (n, K) without ``actions``

        Raises
        ------
        ValueError
            If actions have a wrong shape or are out of range.
        """
        if actions is None:
            return self._expected()
        actions = np.asarray(actions)
        shape = (self.num_envs, *actions.shape[1:-1][:1], *self._action_shape)
        slates = self._checked(actions, shape).reshape(self.num_envs, -1, shape[-1])
        values = np.empty(slates.shape[:2])
        _expect_slates(self.world, self._clock.user, self.state.exposure, slates, values)
        return values.reshape(shape[:-1])

    def best_expected_reward(self) -> NDArray[np.float64]:
        """Return the expected reward of each lane's best slate, shape (n,)."""
        return self.expected_reward(self.oracle_action())

    def uniform_expected_reward(self) -> NDArray[np.float64]:
        """Return the expected reward of S items drawn with replacement, shape (n,).

        As ``action_space.sample()`` draws them. Exact, but for ``mnl``: quadrature with an
        error below 1e-6 (see `pgrpo_envs.click_models.random_slate_choice`).
        """
        values = np.empty(self.num_envs)
        _expect_random(self.world, self._clock.user, self.state.exposure, values)
        return values

    def oracle_action(self) -> NDArray[np.int64]:
        """Return each lane's best slate for the present visit, shape (n, S).

        Sorted by attractiveness; under ``substitutes``, where taste and satiation are known
        but not the need of the visit, the largest gain in coverage each time. Both are
        optimal (see `pgrpo_envs.click_models`).
        """
        slates = np.empty((self.num_envs, self.scenario.slate_size), dtype=np.int64)
        _find_best(self.world, self._clock.user, self.state.exposure, slates)
        return slates

    def _single_action_space(self) -> gym.Space:
        s = self.scenario
        return gym.spaces.MultiDiscrete(np.full(s.slate_size, s.n_items))

    def _layout(self) -> dict[str, slice]:
        s = self.scenario
        sizes = {
            "profile": s.n_features,
            "exposure": s.n_topics,
            "engagement": s.n_topics,
            "clicks": s.slate_size,
            "time": 1,
        }
        layout, start = {}, 0
        for name, size in sizes.items():
            layout[name] = slice(start, start + size)
            start += size
        return layout

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low, high = np.zeros(self._n_features), np.ones(self._n_features)
        low[: self.scenario.n_features] = -BOUND
        high[: self.scenario.n_features] = BOUND
        return low, high

    def _allocate(self, n: int) -> State:
        s = self.scenario
        return State(
            exposure=np.zeros((n, s.n_topics)),
            engagement=np.zeros((n, s.n_topics)),
            satisfaction=np.zeros(n),
            clicks=np.zeros((n, s.slate_size)),
        )

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        for array in self.state:
            array[lanes] = 0.0
        self.state.satisfaction[lanes] = FIRST_SATISFACTION

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        _observe_visits(self.world, lanes, self._clock, 0, self.state, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        slates = actions[:, None]
        told = self._score(slates, np.zeros(1, dtype=np.int64))
        reward[:] = told["reward"][:, 0]
        clicks = told["clicks"][:, 0]
        _settle(self.world, self._clock, actions, clicks, self.state, terminated)
        lanes = np.arange(self.num_envs)
        _observe_visits(self.world, lanes, self._clock, 1, self.state, obs)
        return {"clicks": clicks, "cost": told["cost"][:, 0]}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        clicks = np.empty(actions.shape, dtype=np.float64)
        _answer(self.world, self._clock, self.state.exposure, actions, slots, clicks)
        scale = self.world.scale[self.user_types[self._clock.user]]
        return {
            "reward": scale[:, None] * clicks.sum(axis=2),
            "clicks": clicks,
            "cost": 1.0 - self.world.niche[actions].sum(axis=2) / actions.shape[2],
        }

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        _expect_items(self.world, self._clock.user, self.state.exposure, values)
        return values


class SlateEnv(WorldEnv):
    """A list of items a visit, clicks by position, satiation, people who leave.

    ## Description
    At every visit a user is shown a slate of items, sees it through a click model, grows
    tired of topics that fill it, and leaves for good when slates fail too often. Most of
    the catalogue is made for the majority; a tenth of it are niches around the tastes of the
    minorities, who dislike the rest. Presets are the click models: ``pbm``, ``cascade``,
    ``dcm``, ``mnl``; and ``substitutes``, where every visit has one hidden need and items
    that meet the same need replace each other: the S items that are best one by one all
    serve the user's main interest and lose to a slate that covers several.

    ## Action space
    ``MultiDiscrete([K] * S)``: the items by position. An item shown a second time is
    allowed, fills its position and is never clicked.

    ## Observation space
    ``Box(float32)``: a noisy ``profile`` of the user's taste in [-8, 8]; in [0, 1] the
    remembered ``exposure`` to every topic and ``engagement`` with it, the ``clicks`` on the
    last slate, and the ``time`` as a share of the horizon; ``obs_layout`` tells which.

    ## Rewards
    ``scale_p`` times the number of clicks of a user of group p. Under ``cascade``, ``mnl``
    and ``substitutes`` there is at most one.

    ## Starting state
    A user drawn at random from the population, not sated, half satisfied.

    ## Episode end
    Terminated when the user leaves; truncated after ``horizon`` visits. Both may happen at
    once.

    ## Information
    ``user_id``; after a step also ``clicks``, shape (S,), and ``cost``: the share of the
    slate that is not from a niche, for fairness to those who supply niches. With
    ``info_level="eval"`` also ``user_type``, ``expected_reward``, ``best_expected_reward``,
    which count the present visit only, not who stays for the next.

    ## Arguments
    ``preset``, ``world_seed`` and every field of `SlateScenario`.

    ## Version history
    * v0: first version.
    """

    vector_class = SlateVectorEnv


def _draw_items(
    s: SlateScenario, centroids: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return topic vectors (T, d), and the topic, vector and quality of every item."""
    owners = np.repeat(np.arange(1, len(s.shares)), s.niches)
    n_mainstream = s.n_topics - owners.size
    owners = np.concatenate([np.zeros(n_mainstream, dtype=np.int64), owners])
    aside = normalise(rng.normal(size=(s.n_topics, s.n_features)))
    topic_vectors = normalise(centroids[owners] + TOPIC_SPREAD * aside)
    n_niche_items = round(s.niche_share * s.n_items) if len(s.shares) > 1 else 0
    topics = np.arange(s.n_items) % n_mainstream
    for k in range(n_niche_items):
        topics[k] = n_mainstream + k % (s.n_topics - n_mainstream)
    topics = rng.permutation(topics)
    spread = ITEM_SPREAD * rng.normal(size=(s.n_items, s.n_features))
    quality = s.quality * rng.normal(size=s.n_items)
    return topic_vectors, topics, normalise(topic_vectors[topics] + spread), quality


def _position_curve(s: SlateScenario) -> NDArray[np.float64]:
    """Return examination or continuation by position, shape (S,); it never increases."""
    model = CLICK_MODELS.index(s.click_model)
    numbers = np.arange(s.slate_size, dtype=np.float64)
    if model == PBM:
        return s.examination**numbers
    if model == DCM:
        return s.continuation ** (numbers + 1.0)
    return np.zeros(s.slate_size)


@jit
def _attractiveness(world, user, exposure, k):
    """Return the attractiveness of item k (to a user who needs its topic)."""
    p = world.user_types[user]
    value = world.base[p] + world.quality[k]
    for j in range(world.vectors.shape[1]):
        value += world.tastes[user, j] * world.vectors[k, j]
    value -= world.satiation[p] * exposure[world.topics[k]]
    return min(sigmoid(value), MAX_ATTRACTIVENESS)


@jit
def _attract_slate(world, user, exposure, slate, attract):
    """Fill the attractiveness by position; repeated items do not attract."""
    for s in range(slate.size):
        attract[s] = _attractiveness(world, user, exposure, slate[s])
        for earlier in range(s):
            if slate[earlier] == slate[s]:
                attract[s] = 0.0


@jit
def _draw_need(interests, draw):
    """Return the topic a visit is about."""
    left = draw
    for m in range(interests.size - 1):
        left -= interests[m]
        if left < 0.0:
            return m
    return interests.size - 1


@jit
def _answer(world, clock, exposure, slates, slots, clicks):
    """Fill the clicks (n, G, S) on slates (n, G, S); each candidate has slots of its own."""
    n_positions = slates.shape[2]
    attract = np.empty(n_positions)
    draws = np.empty(n_positions)
    for i in range(slates.shape[0]):
        key, episode, t, user = clock.noise_key[i], clock.episode[i], clock.t[i], clock.user[i]
        for g in range(slates.shape[1]):
            first = SLOT_POSITIONS + slots[g] * (n_positions + 1)
            _attract_slate(world, user, exposure[i], slates[i, g], attract)
            for s in range(n_positions):
                draws[s] = uniform(key, episode, t, first + s)
            if world.model == SUBSTITUTES:
                draw = uniform(key, episode, t, first + n_positions)
                need = _draw_need(world.interests[user], draw)
                for s in range(n_positions):
                    if world.topics[slates[i, g, s]] != need:
                        attract[s] = 0.0
            draw_clicks(world.model, attract, world.positions, draws, clicks[i, g])


@jit
def _settle(world, clock, slates, clicks, state, terminated):
    """Let users remember what they were shown, be content or not, and leave or stay."""
    n_positions = slates.shape[1]
    part = (1.0 - world.memory) / n_positions
    for i in range(slates.shape[0]):
        for m in range(state.exposure.shape[1]):
            state.exposure[i, m] *= world.memory
            state.engagement[i, m] *= world.memory
        content = 0.0
        for s in range(n_positions):
            m = world.topics[slates[i, s]]
            state.exposure[i, m] += part
            state.engagement[i, m] += part * clicks[i, s]
            state.clicks[i, s] = clicks[i, s]
            content = max(content, clicks[i, s])
        state.satisfaction[i] += world.recency * (content - state.satisfaction[i])
        lack = world.demand[world.user_types[clock.user[i]]] - state.satisfaction[i]
        hazard = world.hazard * sigmoid(world.steepness * lack)
        draw = uniform(clock.noise_key[i], clock.episode[i], clock.t[i], SLOT_CHURN)
        terminated[i] = draw < hazard


@jit
def _observe_visits(world, lanes, clock, ahead, state, obs):
    """Write observations ``ahead`` visits after the clock's."""
    n_features, n_topics = world.profiles.shape[1], state.exposure.shape[1]
    clicks_from = n_features + 2 * n_topics
    time = clicks_from + state.clicks.shape[1]
    for i in lanes:
        for j in range(n_features):
            obs[i, j] = world.profiles[clock.user[i], j]
        for m in range(n_topics):
            obs[i, n_features + m] = min(state.exposure[i, m], 1.0)
            obs[i, n_features + n_topics + m] = min(state.engagement[i, m], 1.0)
        for s in range(state.clicks.shape[1]):
            obs[i, clicks_from + s] = state.clicks[i, s]
        obs[i, time] = min((clock.t[i] + ahead) / world.horizon, 1.0)


@jit
def _expect_slates(world, users, exposure, slates, values):
    attract = np.empty(slates.shape[2])
    topics = np.empty(slates.shape[2], dtype=np.int64)
    for i in range(slates.shape[0]):
        scale = world.scale[world.user_types[users[i]]]
        for g in range(slates.shape[1]):
            _attract_slate(world, users[i], exposure[i], slates[i, g], attract)
            if world.model == SUBSTITUTES:
                for s in range(topics.size):
                    topics[s] = world.topics[slates[i, g, s]]
                value = expected_coverage(attract, topics, world.interests[users[i]])
            else:
                value = expected_clicks(world.model, attract, world.positions)
            values[i, g] = scale * value


@jit
def _expect_items(world, users, exposure, values):
    """Fill the expected reward of every item shown alone at the top."""
    for i in range(values.shape[0]):
        scale = world.scale[world.user_types[users[i]]]
        for k in range(values.shape[1]):
            values[i, k] = scale * _attractiveness(world, users[i], exposure[i], k)
            if world.model == SUBSTITUTES:
                values[i, k] *= world.interests[users[i], world.topics[k]]


@jit
def _find_best(world, users, exposure, slates):
    attract = np.empty(world.n_items)
    for i in range(slates.shape[0]):
        for k in range(attract.size):
            attract[k] = _attractiveness(world, users[i], exposure[i], k)
        if world.model == SUBSTITUTES:
            best_cover(attract, world.topics, world.interests[users[i]], slates[i])
        else:
            best_slate(attract, slates[i])


@jit
def _expect_random(world, users, exposure, values):
    attract = np.empty(world.n_items)
    part = np.zeros(world.n_items)
    means = np.empty(world.random_weights.size)
    for i in range(values.size):
        for k in range(attract.size):
            attract[k] = _attractiveness(world, users[i], exposure[i], k)
        if world.model == MNL:
            value = random_slate_choice(
                attract, world.random_weights, world.nodes, world.node_weights, means
            )
        elif world.model == SUBSTITUTES:
            value = 0.0
            for m in range(world.interests.shape[1]):
                for k in range(attract.size):
                    part[k] = attract[k] if world.topics[k] == m else 0.0
                share = world.interests[users[i], m]
                value += share * random_slate_clicks(part, world.random_weights, means)
        else:
            value = random_slate_clicks(attract, world.random_weights, means)
        values[i] = world.scale[world.user_types[users[i]]] * value
