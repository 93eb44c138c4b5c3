r"""`PreferenceBandit-v0`: one visit, one item, one answer, and the truth in closed form.

A visit has latent features ``z``; item k is worth

.. math:: v = b_p + f(w_{pk} \cdot z), \qquad
          r = s_p \cdot \text{answer}(v) + o_p

to a user of preference group p. The answer is a click with probability
``sigmoid(v)`` ("logit") or ``v`` ("rate"), or ``v`` plus noise ("gaussian"). Four dials
decide whether methods differ at all: reward scale ``s``, base rate ``b``, population share,
and how far the observation reveals the group.

Shapes: n lanes, U users, P groups, K items, d features.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.lanes import SLOT_CONTEXT, SLOT_REWARD
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types, normalise
from pgrpo_envs.preference_bandit_scenario import (
    CONTEXTS,
    DRIFTS,
    RESPONSES,
    PreferenceBanditScenario,
)
from pgrpo_envs.responses import bernoulli, gaussian, sigmoid
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, normal, uniform

BOUND = 8.0  # observations are clipped to [-8, 8]: eight standard deviations


class World(NamedTuple):
    """Everything that does not change; ``weights[1]`` is where drift leads."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    tastes: NDArray[np.float64]  # (U, d), zero columns unless context is "profile"
    profiles: NDArray[np.float32]  # (U, d)
    personal: NDArray[np.float64]  # (U, K) or (0, K): log effect of a person on an item
    weights: NDArray[np.float64]  # (2, P, K, d) or (1, P, K, d) without drift
    bias: NDArray[np.float64]  # (P, K)
    shift: NDArray[np.float64]  # (P, d): mean of the visit's features
    item_features: NDArray[np.float64]  # (K, m)
    scale: NDArray[np.float64]  # (P,)
    offset: NDArray[np.float64]  # (P,)
    drift: NDArray[np.int64]  # (P,): index into DRIFTS
    drift_visits: int
    noise: float
    curved: bool
    response: int  # index into RESPONSES
    context: int  # index into CONTEXTS


class State(NamedTuple):
    """What changes: the latent features of each lane's visit."""

    z: NDArray[np.float64]  # (n, d)


class PreferenceBanditVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `PreferenceBanditEnv`."""

    scenario_class = PreferenceBanditScenario
    scenario: PreferenceBanditScenario

    @staticmethod
    def build(scenario: PreferenceBanditScenario, world_seed: int) -> World:
        """Build items, users and groups."""
        s = scenario
        n_groups, n_dims = len(s.shares), s.n_features
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        tastes = np.zeros((s.n_users, n_dims))
        if s.context == "profile":
            centroids = draw_centroids(rng, n_groups, n_dims, s.conflict)
            tastes = draw_tastes(rng, centroids, user_types, s.deviation)
        seen = tastes + s.obs_noise * rng.normal(size=tastes.shape)
        weights, bias, item_features = _draw_items(s, generator(world_seed, 1))
        personal = np.zeros((0, s.n_items))
        if s.context == "none" and s.deviation > 0:
            personal = s.deviation * rng.normal(size=(s.n_users, s.n_items))
        return World(
            n_items=s.n_items,
            user_types=user_types,
            tastes=tastes,
            profiles=np.clip(seen, -BOUND, BOUND).astype(np.float32),
            personal=personal,
            weights=weights,
            bias=bias,
            shift=generator(world_seed, 2).normal(scale=0.5, size=(n_groups, n_dims)),
            item_features=item_features,
            scale=np.array(s.scale),
            offset=np.array(s.offset),
            drift=np.array([DRIFTS.index(kind) for kind in s.drift]),
            drift_visits=s.drift_visits,
            noise=s.noise,
            curved=s.curved,
            response=RESPONSES.index(s.response),
            context=CONTEXTS.index(s.context),
        )

    @property
    def item_features(self) -> NDArray[np.float64]:
        """Observable features of the items, shape (K, m); m = 0 where there are none."""
        return self.world.item_features

    def _layout(self) -> dict[str, slice]:
        if self.scenario.n_features == 0:
            return {"constant": slice(0, 1)}
        name = "profile" if self.scenario.context == "profile" else "visit"
        return {name: slice(0, self.scenario.n_features)}

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        high = np.full(max(self.scenario.n_features, 1), BOUND)
        return -high, high

    def _allocate(self, n: int) -> State:
        return State(z=np.zeros((n, self.scenario.n_features)))

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        c = self._clock
        _spawn_visits(self.world, lanes, c.spawn_key, c.episode, c.user, self.state.z)

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        _observe_visits(self.world, lanes, self._clock.user, self.state.z, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        answers = reward[:, None]
        c = self._clock
        slots = np.zeros(1, dtype=np.int64)
        _answer(
            self.world,
            c.noise_key,
            c.episode,
            c.user,
            self.state.z,
            actions[:, None],
            slots,
            answers,
        )
        self._observe(np.arange(self.num_envs), obs)
        terminated[:] = True
        return {}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape, dtype=np.float64)
        c = self._clock
        _answer(self.world, c.noise_key, c.episode, c.user, self.state.z, actions, slots, reward)
        return {"reward": reward}

    def _expected(self) -> NDArray[np.float64]:
        items = np.broadcast_to(np.arange(self.n_items), (self.num_envs, self.n_items))
        return self._expected_of(items)

    def _expected_of(self, actions: NDArray[np.int64]) -> NDArray[np.float64]:
        values = np.empty(actions.shape)
        c = self._clock
        _expect(self.world, c.episode, c.user, self.state.z, actions, values)
        return values


class PreferenceBanditEnv(WorldEnv):
    """One visit, one item, one answer, and the truth in closed form.

    ## Description
    The diagnostic world: a user of a hidden preference group comes by, one item is shown,
    one reward is heard, and the next user comes. Presets move four dials one at a time:
    reward scale (``scale``), base rate (``sparse``), how hidden the group is (``hidden``),
    all of them (``hard``, whose groups are hidden, conflicting and unequal in everything);
    and give standard problems: ``clicks``, ``scales``, ``logit``, ``nonlinear``,
    ``nonlinear_logit``, ``drift``, ``many``.

    ## Action space
    ``Discrete(K)``: the item to show.

    ## Observation space
    ``Box(-8, 8, (d,), float32)``: a noisy profile of the user, the features of the visit, or
    the constant 1 where nothing is known; ``obs_layout`` tells which.

    ## Rewards
    ``scale_p * answer + offset_p`` of the user's group p; the answer is 0 or 1 ("logit",
    "rate") or real ("gaussian").

    ## Starting state
    A user drawn at random from the population; fresh visit features.

    ## Episode end
    Always terminated after one step.

    ## Information
    ``user_id``; with ``info_level="eval"`` also ``user_type``, ``expected_reward``,
    ``best_expected_reward``.

    ## Arguments
    ``preset``, ``world_seed`` and every field of `PreferenceBanditScenario`.

    ## Sources and units
    The model is a generalised linear bandit of unequal groups, built for this project. All
    values are assumptions, chosen so that methods can be told apart; rewards have no unit
    but a click, ``offset`` and ``scale`` count in them.

    ## Version history
    * v0: first version.
    """

    vector_class = PreferenceBanditVectorEnv


def _draw_items(
    s: PreferenceBanditScenario, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n_groups, n_dims = len(s.shares), s.n_features
    n_versions = 2 if set(s.drift) != {"still"} else 1
    shape = (n_versions, n_groups, s.n_items, n_dims)
    bias = np.repeat(np.array(s.base)[:, None], s.n_items, axis=1)
    item_features = np.zeros((s.n_items, s.n_item_features))
    if s.context == "profile":
        vectors = s.slope * normalise(rng.normal(size=(s.n_items, n_dims)))
        weights = np.broadcast_to(vectors, shape).copy()
    elif s.n_item_features > 0:
        item_features = rng.normal(size=item_features.shape) / math.sqrt(s.n_item_features)
        maps = rng.normal(scale=s.spread, size=(*shape[:2], n_dims, s.n_item_features))
        weights = np.einsum("vpdm,km->vpkd", maps, item_features)
    else:
        weights = rng.normal(scale=s.spread, size=shape)
    if s.context == "none":
        rates = bias * np.exp(rng.normal(scale=s.spread, size=bias.shape))
        bias = np.clip(rates, 0.001, 0.95) if s.response == "rate" else bias + np.log(rates / bias)
    return weights, bias, item_features


@jit
def _spawn_visits(world, lanes, keys, episodes, users, z):
    """Set the latent features of new visits: the user's taste, or fresh ones with z_0 = 1."""
    n_dims = z.shape[1]
    for i in lanes:
        if world.context == 0:
            for j in range(n_dims):
                z[i, j] = world.tastes[users[i], j]
        elif n_dims > 0:
            shift = world.shift[world.user_types[users[i]]]
            z[i, 0] = 1.0
            for j in range(1, n_dims):
                x = shift[j] + normal(keys[i], episodes[i], 0, SLOT_CONTEXT + j)
                z[i, j] = np.float32(min(max(x, -BOUND), BOUND))


@jit
def _observe_visits(world, lanes, users, z, obs):
    n_dims = z.shape[1]
    for i in lanes:
        for j in range(n_dims):
            obs[i, j] = world.profiles[users[i], j] if world.context == 0 else z[i, j]
        if n_dims == 0:
            obs[i, 0] = 1.0


@jit
def _turn(kind, visits, horizon):
    """Return how much of the first and of the second weights hold after some visits."""
    if kind == 1 and 3 * visits >= horizon:
        return 0.0, 1.0
    if kind == 2:
        angle = 0.5 * math.pi * min(visits / horizon, 1.0)
        return math.cos(angle), math.sin(angle)
    return 1.0, 0.0


@jit
def _match(weights, p, k, old, new, features):
    """Return how well item k suits the features, in the eyes of group p."""
    dot = 0.0
    for j in range(features.size):
        weight = old * weights[0, p, k, j]
        if new > 0.0:
            weight += new * weights[1, p, k, j]
        dot += weight * features[j]
    return dot


@jit
def _mean_answer(value, response, curved, bias, personal, has_personal):
    """Return the mean answer for a match, before scale and offset."""
    if curved:
        value = 2.0 * math.sin(1.5 * value)
    value = bias + value
    if has_personal and response == 1:
        value = min(max(value * math.exp(personal), 0.001), 0.95)
    elif has_personal:
        value += personal
    return sigmoid(value) if response == 0 else value


@jit
def _fill_values(world, p, user, old, new, features, items, values):
    """Fill the mean answers of a user to some items.

    A function of many items, not of one: to hand a world over costs more than a value does.
    """
    weights, bias, personal = world.weights, world.bias[p], world.personal
    response, curved, known = world.response, world.curved, personal.shape[0] > 0
    for g in range(items.size):
        k = items[g]
        match = _match(weights, p, k, old, new, features)
        own = personal[user, k] if known else 0.0
        values[g] = _mean_answer(match, response, curved, bias[k], own, known)


@jit
def _expect(world, episodes, users, z, actions, values):
    """Fill (n, G) expected rewards of candidates."""
    for i in range(actions.shape[0]):
        p = world.user_types[users[i]]
        old, new = _turn(world.drift[p], episodes[i], world.drift_visits)
        _fill_values(world, p, users[i], old, new, z[i], actions[i], values[i])
        for g in range(actions.shape[1]):
            values[i, g] = world.scale[p] * values[i, g] + world.offset[p]


@jit
def _answer(world, keys, episodes, users, z, actions, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws from a slot of its own."""
    for i in range(actions.shape[0]):
        p = world.user_types[users[i]]
        old, new = _turn(world.drift[p], episodes[i], world.drift_visits)
        _fill_values(world, p, users[i], old, new, z[i], actions[i], rewards[i])
        for g in range(actions.shape[1]):
            slot = SLOT_REWARD + slots[g]
            if world.response == 2:
                noise = normal(keys[i], episodes[i], 0, slot)
                answer = gaussian(rewards[i, g], world.noise, noise)
            else:
                answer = bernoulli(rewards[i, g], uniform(keys[i], episodes[i], 0, slot))
            rewards[i, g] = world.scale[p] * answer + world.offset[p]
