"""Reference values that ship: what simple policies earn in every world and preset.

A learner's result says little without them: `uniform` is what chance earns, `best_fixed` what
the best one action for everybody earns, `oracle` what the best action of each visit earns. The
table is made by ``python benchmarks/reference_values.py``.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from pgrpo_envs.registration import NAMESPACE, WORLDS, WorldEntry

if TYPE_CHECKING:
    import pandas as pd


def find_world(name: str) -> WorldEntry:
    """Return the registered world of a name.

    Parameters
    ----------
    name : str
        Such as ``"EchoChamber"``, ``"EchoChamber-v0"`` or ``"pgrpo_envs/EchoChamber-v0"``.

    Returns
    -------
    WorldEntry

    Raises
    ------
    ValueError
        If there is no such world; the message lists those there are.

    Examples
    --------
    >>> from pgrpo_envs.reference import find_world
    >>> find_world("EchoChamber").id
    'pgrpo_envs/EchoChamber-v0'
    """
    for world in WORLDS:
        if name.removeprefix(f"{NAMESPACE}/") in (world.name, world.id.split("/")[1]):
            return world
    known = ", ".join(world.name for world in WORLDS)
    raise ValueError(f"world={name!r} is unknown; there are {known}")


def reference_values(world: str, preset: str | None = None) -> pd.DataFrame:
    """Return what simple policies earn in a world, as measured when the world was released.

    Worlds are built with ``world_seed=0``; episodes count as a whole, so that those who leave
    early count with the visits they made. The oracle knows the truth but looks at the present
    visit alone: in worlds with dynamics far-sighted policies may earn more. The best fixed
    action was chosen in one run and measured in another.

    Parameters
    ----------
    world : str
        As `find_world` takes it.
    preset : str, optional
        One preset; all of them by default. The first one is what the world is without any.

    Returns
    -------
    pandas.DataFrame
        One row for each preset, policy ("uniform", "oracle", "best_fixed") and user type
        ("all", "0", "1", ...), with the columns ``world``, ``preset``, ``policy``,
        ``user_type``, ``mean_reward`` (a visit), ``standard_error``, ``n_visits``,
        ``n_episodes``, ``action`` (the best fixed one; of a slate its items) and ``note``.

    Raises
    ------
    ValueError
        If there is no such world or preset.

    Examples
    --------
    >>> from pgrpo_envs.reference import reference_values
    >>> values = reference_values("PreferenceBandit", "hard")
    >>> values[values["user_type"] == "all"].set_index("policy")["mean_reward"].round(2)
    policy
    uniform       0.27
    oracle        0.61
    best_fixed    0.55
    Name: mean_reward, dtype: float64
    """
    entry = find_world(world)
    table = _read_table()
    rows = table[table["world"] == entry.name]
    if preset is not None:
        known = list(dict.fromkeys(rows["preset"]))
        if preset not in known:
            names = ", ".join(map(repr, known))
            raise ValueError(f"preset={preset!r} is unknown to {entry.name}; it has {names}")
        rows = rows[rows["preset"] == preset]
    return rows.reset_index(drop=True)


@lru_cache(maxsize=1)
def _read_table() -> pd.DataFrame:
    import pandas as pd

    file = resources.files("pgrpo_envs").joinpath("reference.csv")
    texts = dict.fromkeys(("world", "preset", "policy", "user_type", "action", "note"), "str")
    with file.open("r", encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=texts, keep_default_na=False)
