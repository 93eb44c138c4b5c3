"""Kernels of `Slate-v0`: what a slate is worth, what users answer, and how that changes them.

The model, its symbols and shapes are on the page of `pgrpo_envs.slate`.
"""

from __future__ import annotations

import numpy as np

from pgrpo_envs.click_models import (
    MNL,
    SUBSTITUTES,
    best_cover,
    best_slate,
    draw_clicks,
    expected_clicks,
    expected_coverage,
    random_slate_choice,
    random_slate_clicks,
)
from pgrpo_envs.lanes import SLOT_CHURN
from pgrpo_envs.responses import sigmoid
from pgrpo_rec._numba import jit
from pgrpo_rec._random import uniform

MAX_ATTRACTIVENESS = 0.999  # the odds of a sure click would be infinite
SLOT_POSITIONS = 2**21  # beyond all other slots: S + 1 draws for each candidate


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
def answer(world, clock, exposure, slates, slots, clicks):
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
def settle(world, clock, slates, clicks, state, terminated):
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
def observe_visits(world, lanes, clock, ahead, state, obs):
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
def expect_slates(world, users, exposure, slates, values):
    """Fill the expected rewards (n, G) of slates (n, G, S)."""
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
def expect_items(world, users, exposure, values):
    """Fill the expected reward of every item shown alone at the top."""
    for i in range(values.shape[0]):
        scale = world.scale[world.user_types[users[i]]]
        for k in range(values.shape[1]):
            values[i, k] = scale * _attractiveness(world, users[i], exposure[i], k)
            if world.model == SUBSTITUTES:
                values[i, k] *= world.interests[users[i], world.topics[k]]


@jit
def find_best(world, users, exposure, slates):
    """Fill the best slate of the present visit, (n, S)."""
    attract = np.empty(world.n_items)
    for i in range(slates.shape[0]):
        for k in range(attract.size):
            attract[k] = _attractiveness(world, users[i], exposure[i], k)
        if world.model == SUBSTITUTES:
            best_cover(attract, world.topics, world.interests[users[i]], slates[i])
        else:
            best_slate(attract, slates[i])


@jit
def expect_random(world, users, exposure, values):
    """Fill the expected reward of S items drawn with replacement, (n,)."""
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
