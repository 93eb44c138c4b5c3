"""The doors of `Ratings-v0`: its mode ``logged`` is a world of its own."""

from __future__ import annotations

from typing import Any

from pgrpo_envs.ratings import RatingsEnv, RatingsVectorEnv
from pgrpo_envs.ratings_logged import LoggedRatingsEnv, LoggedRatingsVectorEnv


def make_ratings(*, mode: str | None = None, **arguments: Any) -> RatingsEnv | LoggedRatingsEnv:
    """Return the single environment of a mode; see `RatingsEnv` and `LoggedRatingsEnv`."""
    if mode == "logged":
        return LoggedRatingsEnv(**arguments)
    return RatingsEnv(**_with_mode(mode, arguments))


def make_many_ratings(
    num_envs: int = 1, *, mode: str | None = None, **arguments: Any
) -> RatingsVectorEnv | LoggedRatingsVectorEnv:
    """Return the vector environment of a mode."""
    if mode == "logged":
        return LoggedRatingsVectorEnv(num_envs, **arguments)
    return RatingsVectorEnv(num_envs, **_with_mode(mode, arguments))


def _with_mode(mode: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments if mode is None else {"mode": mode, **arguments}
