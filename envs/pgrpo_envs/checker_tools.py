"""What the checks of `checker` share: making, playing and comparing environments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subject:
    """The environment under check: how to make it, and how much to play."""

    vector: str | Callable[..., VectorEnv]
    single: Callable[..., gym.Env] | None
    n: int
    n_steps: int
    n_ends: int
    many: int
    kwargs: dict[str, Any]

    @property
    def has_single(self) -> bool:
        """Whether there is a single environment to compare with."""
        return isinstance(self.vector, str) or self.single is not None

    def make(self, num_envs: int | None = None, **more: Any) -> Any:
        """Return a new vector environment."""
        n = self.n if num_envs is None else num_envs
        if isinstance(self.vector, str):
            return gym.make_vec(self.vector, num_envs=n, **self.kwargs, **more)
        return self.vector(n, **self.kwargs, **more)

    def make_single(self, **more: Any) -> Any:
        """Return a new single environment."""
        if isinstance(self.vector, str):
            return gym.make(self.vector, **self.kwargs, **more)
        assert self.single is not None
        return self.single(**self.kwargs, **more)

    def draws(self, n: int) -> NDArray[np.float64]:
        """Return the uniform numbers that choose actions, shape (steps, n, ...).

        Up to ``many`` lanes, the numbers of a lane do not depend on how many there are.
        """
        shape = self.make().single_action_space.shape
        everything = np.random.default_rng(0).random((self.n_steps, max(self.many, n), *shape))
        return everything[:, :n]


def demand(condition: bool, message: str) -> None:
    """Fail a check, whatever Python's -O says."""
    if not condition:
        raise AssertionError(message)


def demand_raises(call: Callable[[], Any], what: str) -> None:
    """Fail unless the call is refused with an error of a fitting kind and some words."""
    try:
        call()
    except (ValueError, TypeError, RuntimeError, gym.error.Error) as error:
        demand(str(error) != "", f"{what} must be refused with a message")
        return
    except Exception as error:
        demand(False, f"{what} must be refused with a clear error, not {error!r}")
    demand(False, f"{what} must be refused")


def demand_same(first: Any, second: Any, what: str) -> None:
    """Fail unless two outputs have the same keys, shapes, types and bits."""
    if isinstance(first, dict):
        keys = sorted(set(first) ^ set(second))
        demand(not keys, f"{what} gave different keys in info: {keys}")
        for key in first:
            demand_same(*_pair(first, second, key), f"{what} (info[{key!r}])")
    elif isinstance(first, (tuple, list)):
        demand(len(first) == len(second), f"{what} gave outputs of another length")
        for left, right in zip(first, second, strict=True):
            demand_same(left, right, what)
    else:
        left, right = np.asarray(first), np.asarray(second)
        alike = left.shape == right.shape and left.dtype == right.dtype
        demand(alike, f"{what} gave {left.dtype}{left.shape} and {right.dtype}{right.shape}")
        nan = left.dtype.kind == "f"
        if not np.array_equal(left, right, equal_nan=nan):
            place = tuple(int(i) for i in np.argwhere(left != right)[0])
            demand(False, f"{what} gave {left[place]} and {right[place]} at {place}")


def _pair(first: dict[str, Any], second: dict[str, Any], key: str) -> tuple[Any, Any]:
    """Return one entry of both infos; final observations only of lanes that have one."""
    if key != "final_obs":
        return first[key], second[key]
    mask = np.asarray(first["_final_obs"])
    return tuple(np.stack(list(info[key][mask])) for info in (first, second))  # type: ignore[return-value]


def available_actions(env: Any, draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn uniform numbers into one valid action a lane, masks respected."""
    space = getattr(env, "single_action_space", env.action_space)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return np.asarray(draws * space.nvec, dtype=np.int64)
    if not isinstance(space, gym.spaces.Discrete):
        raise AssertionError(f"only Discrete and MultiDiscrete actions can be checked, not {space}")
    if not is_masked(env):
        return space.start + np.asarray(draws * space.n, dtype=np.int64)
    mask = _simulator(env).action_mask()
    order = np.argsort(~mask, axis=1, kind="stable")
    places = np.asarray(draws * mask.sum(axis=1), dtype=np.int64)
    return np.take_along_axis(order, places[:, None], axis=1)[:, 0]


def is_masked(env: Any) -> bool:
    """Tell whether some action is not available to some user now."""
    world = _simulator(env)
    return hasattr(world, "action_mask") and not world.action_mask().all()


def _simulator(env: Any) -> Any:
    """Return what has the privileges: of a single world, its vector environment."""
    return getattr(env.unwrapped, "vector", env.unwrapped)


def play(env: Any, draws: Iterable[NDArray[np.float64]], seed: int | None = None) -> list[Any]:
    """Return the outputs of `step` for all rows of draws; begin anew if given a seed."""
    if seed is not None:
        env.reset(seed=seed)
    return [env.step(available_actions(env, row)) for row in draws]


def arrays_of(output: Any) -> list[np.ndarray]:
    """Return every array in a nested output."""
    if isinstance(output, np.ndarray):
        return [output]
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        return [array for part in output for array in arrays_of(part)]
    return []


def lane_tracks(runs: list[list[Any]]) -> list[list[bytes]]:
    """Return for each run what each lane went through, as far as every step tells it."""
    keys = sorted(set.intersection(*(set(output[-1]) for run in runs for output in run)))
    tracks = []
    for run in runs:
        arrays = [part for output in run for part in output[:-1]]
        told = [output[-1][key] for output in run for key in keys]
        arrays += [part for part in told if isinstance(part, np.ndarray)]
        n = len(arrays[0])
        tracks.append([b"".join(array[i].tobytes() for array in arrays) for i in range(n)])
    return tracks
