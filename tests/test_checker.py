"""The checker finds what it is there to find: one broken environment for each check."""

import gymnasium as gym
import numpy as np
import pytest

from pgrpo_envs.checker import check_vector_env
from pgrpo_envs.treatment import TreatmentEnv, TreatmentVectorEnv

FAST = {"num_envs": 4, "n_steps": 24, "n_ends": 12, "many_lanes": 32, "horizon": 5}


class SharedBuffer(TreatmentVectorEnv):
    def step(self, actions):
        outputs = super().step(actions)
        self.buffer = getattr(self, "buffer", np.empty(self.num_envs))
        self.buffer[:] = outputs[1]
        return outputs[0], self.buffer, *outputs[2:]


class WrongDtype(TreatmentVectorEnv):
    def step(self, actions):
        obs, reward, *rest = super().step(actions)
        return obs, reward.astype(np.float32), *rest


class ClassMetadata(TreatmentVectorEnv):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        type(self).metadata = {**self.metadata}
        del self.__dict__["metadata"]


class SeedPlusLane(TreatmentVectorEnv):
    def reset(self, *, seed=None, options=None):
        if isinstance(seed, int):
            seed = [seed + i for i in range(self.num_envs)]
        return super().reset(seed=seed, options=options)


class Unseeded(TreatmentVectorEnv):
    def _advance(self, actions, obs, reward, terminated):
        told = super()._advance(actions, obs, reward, terminated)
        reward += np.random.default_rng().random(reward.size)
        return told


class MeanOverLanes(TreatmentVectorEnv):
    def _advance(self, actions, obs, reward, terminated):
        told = super()._advance(actions, obs, reward, terminated)
        reward -= reward.mean()
        return told


class UncheckedActions(TreatmentVectorEnv):
    def _checked(self, actions, shape):
        return np.clip(np.asarray(actions, dtype=np.int64), 0, self.n_actions - 1).reshape(shape)


class ChangesBeforeRefusing(TreatmentVectorEnv):
    def _checked(self, actions, shape):
        self._clock.episode[:] += 1
        return super()._checked(actions, shape)


class ResetsEverybody(TreatmentVectorEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class ForgetsOnCopy(TreatmentVectorEnv):
    def __setstate__(self, state):
        super().__setstate__({**state, "_limit": 2})


class NoLimit(TreatmentVectorEnv):
    def __init__(self, *args, max_episode_steps=None, **kwargs):
        super().__init__(*args, **kwargs)


class TruncatesOnlyTheLiving(TreatmentVectorEnv):
    def step(self, actions):
        obs, reward, terminated, truncated, info = super().step(actions)
        return obs, reward, terminated, truncated & ~terminated, info


class TellsTheType(TreatmentVectorEnv):
    def _visit_info(self):
        return {**super()._visit_info(), "cohort": self.user_types[self._clock.user]}


class TellsTheTruth(TreatmentVectorEnv):
    def _advance(self, actions, obs, reward, terminated):
        truth = self.expected_reward(actions)
        return {**super()._advance(actions, obs, reward, terminated), "quality": truth}


class ShowsTheType(TreatmentVectorEnv):
    def _observe(self, lanes, obs):
        super()._observe(lanes, obs)
        obs[lanes, 0] = self.user_types[self._clock.user[lanes]]

    def _advance(self, actions, obs, reward, terminated):
        told = super()._advance(actions, obs, reward, terminated)
        obs[:, 0] = self.user_types[self._clock.user]
        return told


class ScoringHurts(TreatmentVectorEnv):
    def _score(self, actions, slots):
        self.state.doses[:] *= 0.5
        return super()._score(actions, slots)


class ScoresAnotherNoise(TreatmentVectorEnv):
    def _score(self, actions, slots):
        return super()._score(actions, slots + 1)


class ForgetsState(TreatmentVectorEnv):
    def get_state(self):
        return super().get_state()[: len(self._clock)]

    def set_state(self, state):
        for array, kept in zip(self._clock, state, strict=True):
            array[...] = kept


class WrongOracle(TreatmentVectorEnv):
    def oracle_action(self):
        return (super().oracle_action() + 1) % self.n_actions


class RendersNothing(TreatmentVectorEnv):
    def render(self):
        return None


class OtherSingle(TreatmentEnv):
    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, reward + 1e-12, *rest


BROKEN = [
    (SharedBuffer, "share memory|overwrote"),
    (WrongDtype, "reward must be"),
    (ClassMetadata, "set on the instance"),
    (SeedPlusLane, "seeds s and s"),
    (Unseeded, "the caller|same seed"),
    (MeanOverLanes, "among 32 lanes"),
    (UncheckedActions, "refused"),
    (ChangesBeforeRefusing, "after wrong actions"),
    (ResetsEverybody, "reset_mask"),
    (ForgetsOnCopy, "copy"),
    (NoLimit, "max_episode_steps"),
    (TellsTheType, "equals the user type"),
    (TellsTheTruth, "equals the expected reward"),
    (ShowsTheType, "column 0"),
    (ScoringHurts, "score|candidate"),
    (ScoresAnotherNoise, "candidate 0"),
    (ForgetsState, "set_state"),
    (WrongOracle, "oracle_action"),
    (RendersNothing, "render"),
]


@pytest.mark.parametrize(("broken", "message"), BROKEN, ids=lambda value: str(value))
def test_broken_worlds_are_found(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_vector_env(broken, **FAST)


def test_single_must_be_the_same_world():
    with pytest.raises(AssertionError, match="SyncVectorEnv"):
        check_vector_env(TreatmentVectorEnv, OtherSingle, **FAST)
    with pytest.raises(AssertionError, match="SyncVectorEnv"):
        check_vector_env(TruncatesOnlyTheLiving, TreatmentEnv, **{**FAST, "n_ends": 300})
    check_vector_env(TreatmentVectorEnv, TreatmentEnv, **FAST)


def test_long_episodes_are_said_to_be_too_long(monkeypatch):
    monkeypatch.setattr("pgrpo_envs.checker_singles.MAX_STEPS", 10)
    endless = {**FAST, "horizon": 100, "dropout": (0.0,) * 3, "serious": (0.0,) * 3}
    with pytest.raises(AssertionError, match=r"shorten|episode"):
        check_vector_env(TreatmentVectorEnv, TreatmentEnv, **endless)


def test_other_actions_are_said_to_be_out_of_reach():
    class Continuous(TreatmentVectorEnv):
        def _single_action_space(self):
            return gym.spaces.Box(0.0, 1.0, (2,))

    with pytest.raises(AssertionError, match="Discrete"):
        check_vector_env(Continuous, **FAST)
