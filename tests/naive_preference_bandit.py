"""The mean rewards of `PreferenceBandit-v0` in plain NumPy, and the laws its items come from."""

import numpy as np


def mean_rewards(world, user, episode, z):
    """Return the expected reward of every item for one user at one visit, shape (K,)."""
    p = world.user_types[user]
    weights = world.weights[0, p]
    kind, horizon = world.drift[p], world.drift_visits
    if kind == 1 and episode >= horizon / 3:
        weights = world.weights[1, p]
    if kind == 2:
        turned = np.pi / 2 * min(episode / horizon, 1)
        weights = np.cos(turned) * world.weights[0, p] + np.sin(turned) * world.weights[1, p]
    match = weights @ z
    value = world.bias[p] + (2 * np.sin(1.5 * match) if world.curved else match)
    if len(world.personal) and world.response == 1:
        value = np.clip(value * np.exp(world.personal[user]), 0.001, 0.95)
    elif len(world.personal):
        value = value + world.personal[user]
    if world.response == 0:
        value = 1 / (1 + np.exp(-value))
    return world.scale[p] * value + world.offset[p]
