"""Gymnasium worlds of people who differ. Importing the package registers their ids.

>>> import gymnasium as gym, pgrpo_envs
>>> env = gym.make_vec("pgrpo_envs/PreferenceBandit-v0", num_envs=4, preset="hard")
>>> obs, info = env.reset(seed=0)
>>> obs.shape
(4, 6)
"""

from pgrpo_envs.registration import WORLDS, register_worlds

__all__ = ["WORLDS", "register_worlds"]

register_worlds()
