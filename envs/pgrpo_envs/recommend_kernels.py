"""Kernels of `Recommend-v0`: a visit in one pass over all lanes, and who comes next.

The model, its symbols and shapes are on the page of `pgrpo_envs.recommend`.
"""

from __future__ import annotations

import numpy as np

from pgrpo_envs.dynamics import (
    blend,
    hazard,
    pick,
    project,
    satiate,
    shares_at,
    swift_sigmoid,
    wander,
)
from pgrpo_envs.lanes import SLOT_CHURN, SLOT_REWARD, SLOT_USER, SLOT_WORLD
from pgrpo_envs.responses import bernoulli
from pgrpo_rec._numba import jit
from pgrpo_rec._random import uniform

# Constants stand beside the kernels that use them: Numba's cache notices changes of this file.
N_TOPICS = 8
BOUND = 8.0  # profiles are clipped to [-8, 8]
N_MEMORY = 3 * N_TOPICS  # profile, exposure, engagement: the observation without time
NOTICE = np.float32(0.1)  # weight of the present visit in observed averages
FORGET = np.float32(0.9)
_BLOCK = np.uint64(256)  # lanes: about 100 kB, well inside the second cache
_EXPOSURE, _ENGAGEMENT = np.uint64(N_TOPICS), np.uint64(2 * N_TOPICS)


@jit
def draw_moving_users(world, lanes, keys, episodes, users):
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
def spawn_users(world, lanes, episodes, users, state):
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
def copy_observation(memory, lanes, visits, tick, obs):
    """Write observations of lanes that have had ``visits`` visits."""
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
def step(world, state, clock, items, tick, obs, reward, terminated):
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
    """Tire of the topic shown, remember it, write the observation and the reward.

    Loops over columns end where the arrays do: were the ends known to the compiler, it would
    unroll them into single numbers and leave vector units idle. In a pass of its own the copy
    does not wait for what was just written.
    """
    stock, memory = state.stock, state.memory
    n_topics, n_memory = np.uint64(stock.shape[1]), np.uint64(memory.shape[1])
    for i in range(begin, end):
        p, topic = state.group[i], world.topics[items[i]]
        satiate(stock, i, world.keep[p], topic, world.amount)
        for j in range(n_topics, n_memory):
            memory[i, j] *= FORGET
        memory[i, _EXPOSURE + topic] += NOTICE
        memory[i, _ENGAGEMENT + topic] += NOTICE * np.float32(reward[i])
        reward[i] *= world.scale[p]
    for i in range(begin, end):
        for j in range(n_memory):
            obs[i, j] = memory[i, j]
        obs[i, N_MEMORY] = min((visits[i] + 1) * tick, 1.0)


@jit
def wander_all(world, state, clock):
    """Let the tastes of all lanes walk at random."""
    for i in range(state.group.size):
        sigma = world.wandering[state.group[i]]
        if sigma > 0.0:
            wander(
                state.taste, i, sigma, clock.noise_key[i], clock.episode[i], clock.t[i], SLOT_WORLD
            )


@jit
def answer(world, state, clock, items, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws from a slot of its own."""
    n, n_candidates = items.shape
    for i in range(n):
        for g in range(n_candidates):
            rewards[i, g] = _logit(world, state, i, items[i, g])
    keys, episodes, visits = clock.noise_key, clock.episode, clock.t
    for i in range(n):
        scale = world.scale[state.group[i]]
        for g in range(n_candidates):
            u = uniform(keys[i], episodes[i], visits[i], SLOT_REWARD + slots[g])
            rewards[i, g] = scale * bernoulli(swift_sigmoid(rewards[i, g]), u)


@jit
def expect(world, state, values):
    """Fill the expected reward of every item, (n, K)."""
    for i in range(values.shape[0]):
        scale = world.scale[state.group[i]]
        for k in range(values.shape[1]):
            values[i, k] = scale * swift_sigmoid(_logit(world, state, i, np.uint64(k)))
