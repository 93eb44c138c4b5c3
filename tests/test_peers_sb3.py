"""Stable-Baselines3 accepts every single environment, without a warning that matters."""

import warnings

import gymnasium as gym
import pytest
from worlds import ARGUMENTS, IDS

check_env = pytest.importorskip("stable_baselines3.common.env_checker").check_env


@pytest.mark.parametrize("world_id", IDS)
def test_stable_baselines_has_no_complaint(world_id):
    env = gym.make(world_id, **ARGUMENTS[world_id]).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, warn=True)
