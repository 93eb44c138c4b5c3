"""The table of worlds: ids, classes, one line each."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym

NAMESPACE = "pgrpo_envs"


class WorldEntry(NamedTuple):
    """One registered world: its id, and the module that holds ``<Name>Env``."""

    name: str
    module: str
    summary: str

    @property
    def id(self) -> str:
        """Gymnasium id."""
        return f"{NAMESPACE}/{self.name}-v0"


WORLDS: tuple[WorldEntry, ...] = (
    WorldEntry(
        "PreferenceBandit",
        "preference_bandit",
        "one visit a user, exact truth: the diagnostic world",
    ),
)


def register_worlds() -> None:
    """Register all ids with Gymnasium; a second call changes nothing."""
    for world in WORLDS:
        if world.id in gym.registry:
            continue
        target = f"pgrpo_envs.{world.module}:{world.name}"
        gym.register(world.id, entry_point=f"{target}Env", vector_entry_point=f"{target}VectorEnv")
