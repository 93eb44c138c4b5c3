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

from typing import Any, NamedTuple

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
    distinct_weights,
    position_weights,
    quadrature,
)
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types, normalise
from pgrpo_envs.single import WorldEnv
from pgrpo_envs.slate_kernels import (
    answer,
    expect_items,
    expect_random,
    expect_slates,
    find_best,
    observe_visits,
    settle,
)
from pgrpo_envs.slate_scenario import SlateScenario
from pgrpo_rec._random import generator

BOUND = 8.0  # profiles are clipped to [-8, 8]: eight standard deviations
TOPIC_SPREAD = 0.7  # how far topics lie from the taste of their group
ITEM_SPREAD = 0.2  # how far items lie around their topic, per dimension of taste
FIRST_SATISFACTION = 0.5  # of a user who has just come


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
            return self._values()
        self._check_started()
        actions = np.asarray(actions)
        shape = (self.num_envs, *actions.shape[1:-1][:1], *self._action_shape)
        slates = self._checked(actions, shape).reshape(self.num_envs, -1, shape[-1])
        values = np.empty(slates.shape[:2])
        expect_slates(self.world, self._clock.user, self.state.exposure, slates, values)
        return values.reshape(shape[:-1])

    def best_expected_reward(self) -> NDArray[np.float64]:
        """Return the expected reward of each lane's best slate, shape (n,)."""
        return self.expected_reward(self.oracle_action())

    def uniform_expected_reward(self) -> NDArray[np.float64]:
        """Return the expected reward of S items drawn with replacement, shape (n,).

        As ``action_space.sample()`` draws them. Exact, but for ``mnl``: quadrature with an
        error below 1e-6 (see `pgrpo_envs.click_models.random_slate_choice`).
        """
        self._check_started()
        values = np.empty(self.num_envs)
        expect_random(self.world, self._clock.user, self.state.exposure, values)
        return values

    def oracle_action(self) -> NDArray[np.int64]:
        """Return each lane's best slate for the present visit, shape (n, S).

        Sorted by attractiveness; under ``substitutes``, where taste and satiation are known
        but not the need of the visit, the largest gain in coverage each time. Both are
        optimal (see `pgrpo_envs.click_models`).
        """
        self._check_started()
        slates = np.empty((self.num_envs, self.scenario.slate_size), dtype=np.int64)
        find_best(self.world, self._clock.user, self.state.exposure, slates)
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
        observe_visits(self.world, lanes, self._clock, 0, self.state, obs)

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
        settle(self.world, self._clock, actions, clicks, self.state, terminated)
        lanes = np.arange(self.num_envs)
        observe_visits(self.world, lanes, self._clock, 1, self.state, obs)
        return {"clicks": clicks, "cost": told["cost"][:, 0]}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        clicks = np.empty(actions.shape, dtype=np.float64)
        answer(self.world, self._clock, self.state.exposure, actions, slots, clicks)
        scale = self.world.scale[self.user_types[self._clock.user]]
        return {
            "reward": scale[:, None] * clicks.sum(axis=2),
            "clicks": clicks,
            "cost": 1.0 - self.world.niche[actions].sum(axis=2) / actions.shape[2],
        }

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        expect_items(self.world, self._clock.user, self.state.exposure, values)
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

    ## Sources and units
    Satiation: Leqi et al. (2021), Rebounding Bandits for Modeling Satiation Effects; attention
    by position: Moffat & Zobel (2008), Rank-Biased Precision. The other click models are the
    textbook forms in `pgrpo_envs.click_models`. The values are assumptions. Time is counted
    in visits, taste in logits.

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
