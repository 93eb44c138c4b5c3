"""Kernels of `Tutor-v0`: lessons, answers, forgetting, giving up.

The model, its symbols and shapes are on the page of `pgrpo_envs.tutor`.
"""

from __future__ import annotations

from pgrpo_envs.lanes import SLOT_CHURN, SLOT_REWARD, SLOT_WORLD
from pgrpo_rec._numba import jit
from pgrpo_rec._random import uniform

MAX_HALF_LIFE = 1000.0  # visits; what is known that well is not forgotten here


@jit
def _recall(state, i, j):
    """Return what the user of lane i knows of skill j now."""
    return state.mastery[i, j] * 2.0 ** (-state.age[i, j] / state.half_life[i, j])


@jit
def recall_all(state, values):
    """Fill what every lane's user knows now, (n, J)."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            values[i, j] = _recall(state, i, j)


@jit
def _gain(world, user, recall, action, draw):
    """Return how much a lesson adds to recall; a draw below the reach is a success."""
    n_modalities = world.reach.shape[1]
    skill, modality = action // n_modalities, action % n_modalities
    reached = draw < world.reach[user, modality] * world.ease[skill]
    return world.step * (1.0 - recall) if reached else 0.0


@jit
def answer(world, clock, state, actions, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws from a slot of its own."""
    n_modalities = world.reach.shape[1]
    for i in range(actions.shape[0]):
        user = clock.user[i]
        scale = world.scale[world.user_types[user]]
        for g in range(actions.shape[1]):
            slot = SLOT_REWARD + slots[g]
            draw = uniform(clock.noise_key[i], clock.episode[i], clock.t[i], slot)
            recall = _recall(state, i, actions[i, g] // n_modalities)
            rewards[i, g] = scale * _gain(world, user, recall, actions[i, g], draw)


@jit
def teach(world, clock, actions, state, correct, mastery, completed, terminated):
    """Give the lessons, hear the answers, let a visit's time pass; some learners leave."""
    n_skills = world.ease.size
    for i in range(actions.size):
        user, j = clock.user[i], actions[i] // world.reach.shape[1]
        key, episode, t = clock.noise_key[i], clock.episode[i], clock.t[i]
        recall = _recall(state, i, j)
        recall += _gain(world, user, recall, actions[i], uniform(key, episode, t, SLOT_REWARD))
        chance = (1.0 - world.slip) * recall + world.guess * (1.0 - recall)
        correct[i] = 1.0 if uniform(key, episode, t, SLOT_WORLD) < chance else 0.0
        state.mastery[i, j] = recall
        state.age[i, j] = 0.0
        state.attempts[i, j] += 1.0
        state.score[i, j] += world.recency * (correct[i] - state.score[i, j])
        if correct[i] > 0.0:
            state.half_life[i, j] = min(2.0 * state.half_life[i, j], MAX_HALF_LIFE)
        lowest, total = 1.0, 0.0
        for k in range(n_skills):
            if state.attempts[i, k] > 0.0:
                state.age[i, k] += 1.0
            known = _recall(state, i, k)
            lowest = min(lowest, known)
            total += known
        mastery[i] = total / n_skills
        wrong = 1.0 - correct[i]
        hazard = world.dropout + world.frustration[world.user_types[user]] * wrong
        completed[i] = 1.0 if lowest >= world.mastered else 0.0
        terminated[i] = completed[i] > 0.0 or uniform(key, episode, t, SLOT_CHURN) < hazard


@jit
def observe_visits(world, lanes, clock, ahead, state, obs):
    """Write observations ``ahead`` visits after the clock's."""
    n = world.ease.size
    for i in lanes:
        for j in range(n):
            obs[i, j] = min(state.attempts[i, j] / world.horizon, 1.0)
            obs[i, n + j] = state.score[i, j]
            obs[i, 2 * n + j] = min(state.age[i, j] / world.horizon, 1.0)
        obs[i, 3 * n] = min((clock.t[i] + ahead) / world.horizon, 1.0)


@jit
def expect(world, users, state, values):
    """Fill the expected learning gain of every lesson, (n, J M)."""
    n_modalities = world.reach.shape[1]
    for i in range(values.shape[0]):
        scale = world.scale[world.user_types[users[i]]]
        for action in range(values.shape[1]):
            j = action // n_modalities
            reach = world.reach[users[i], action % n_modalities] * world.ease[j]
            values[i, action] = scale * reach * world.step * (1.0 - _recall(state, i, j))
