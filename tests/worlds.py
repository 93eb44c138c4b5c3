"""Every registered world with arguments that make it small, for tests over all of them.

A new world is covered as it is registered; a line here only makes its tests faster.
"""

from typing import Any

from pgrpo_envs import WORLDS

SMALL: dict[str, dict[str, Any]] = {
    "PreferenceBandit": {"preset": "hard"},
    "Recommend": {"horizon": 8},
    "Slate": {"horizon": 8},
    "EchoChamber": {"horizon": 8},
    "Tutor": {"horizon": 8},
    "Treatment": {"preset": "hard", "horizon": 8},
    "Norms": {"preset": "strict"},
}
MORE: dict[str, dict[str, Any]] = {"Ratings": {"preset": "full"}}  # checked as well: no masks

# Arguments under which a first observation tells nothing of the group; None if there are none.
BLIND: dict[str, dict[str, Any] | None] = {
    "Tutor": {},  # there is no profile to drown
    "Ratings": None,  # profiles are real ratings
}
IDS = [world.id for world in WORLDS]
ARGUMENTS = {world.id: SMALL.get(world.name, {}) for world in WORLDS}
CASES = [*ARGUMENTS.items(), *((w.id, MORE[w.name]) for w in WORLDS if w.name in MORE)]
BLIND_ARGUMENTS = {
    world.id: blind
    for world in WORLDS
    if (blind := BLIND.get(world.name, {"obs_noise": 1e4})) is not None
}
