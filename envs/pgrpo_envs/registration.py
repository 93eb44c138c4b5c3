"""The table of worlds: ids, classes, one line each."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym

NAMESPACE = "pgrpo_envs"


class WorldEntry(NamedTuple):
    """One registered world: its name and module, and what makes it, single and vector.

    ``makers`` are ``<Name>Env`` and ``<Name>VectorEnv`` unless told otherwise.
    """

    name: str
    module: str
    summary: str
    makers: tuple[str, str] | None = None

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
        "ratings_modes",
        "real tastes: users of any ratings table, their own ratings as rewards",
        ("make_ratings", "make_many_ratings"),
    ),
)


def register_worlds() -> None:
    """Register all ids with Gymnasium; a second call changes nothing."""
    for world in WORLDS:
        if world.id in gym.registry:
            continue
        makers = world.makers or (f"{world.name}Env", f"{world.name}VectorEnv")
        single, vector = (f"pgrpo_envs.{world.module}:{maker}" for maker in makers)
        gym.register(world.id, entry_point=single, vector_entry_point=vector)
