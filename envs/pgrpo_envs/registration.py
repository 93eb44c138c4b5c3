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
    WorldEntry("Recommend", "recommend", "visits over time: people tire, drift, and leave"),
    WorldEntry(
        "Slate",
        "slate",
        "a list of items a visit: click models, satiation, people who leave",
    ),
    WorldEntry(
        "EchoChamber",
        "echo_chamber",
        "tastes grow towards clicks: reward pays for the bubble",
    ),
    WorldEntry("Tutor", "tutor", "which skill, taught how: learning, forgetting, giving up"),
    WorldEntry(
        "Treatment",
        "treatment",
        "which drug at which dose, a toy: the best for all harms the frail",
    ),
    WorldEntry(
        "Norms",
        "norms",
        "what I like against what it does to others, with the exact Pareto front",
    ),
    WorldEntry(
        "Ratings",
        "ratings",
        "real tastes: users of any ratings table, their own ratings as rewards",
    ),
)


def register_worlds() -> None:
    """Register all ids with Gymnasium; a second call changes nothing."""
    for world in WORLDS:
        if world.id in gym.registry:
            continue
        target = f"pgrpo_envs.{world.module}:{world.name}"
        gym.register(world.id, entry_point=f"{target}Env", vector_entry_point=f"{target}VectorEnv")
