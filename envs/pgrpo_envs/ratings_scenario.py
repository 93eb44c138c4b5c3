"""Parameters of `ratings`: which table, who and what of it is kept, who comes when."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

from pgrpo_envs.scenarios import (
    Scenario,
    require,
    require_within,
)
from pgrpo_rec.datasets import RatingsTable, read_ratings

MODES = ("observed", "full", "completed")


@dataclass(frozen=True)
class RatingsScenario(Scenario):
    """Parameters of `RatingsVectorEnv`.

    Parameters
    ----------
    ratings : RatingsTable, str or path, optional
        A table, or the file or folder that `pgrpo_rec.datasets.read_ratings` can read without
        being told more; the sample that is shipped (generated, not real) by default.
    mode : {"observed", "full", "completed"}, default="observed"
        "observed": a user can be shown what that user rated (``info["action_mask"]``).
        "full": the same without a mask, for tables in which every user rated every item.
        "completed": a model guesses what is missing, and is the truth there; refused where
        users rated too little for that (`pgrpo_envs.completion.least_ratings`).
    max_items : int, optional, default=100
        Offer only so many items, the most rated of the table; None offers all.
    min_user_ratings : int, default=1
        Leave out users who rated fewer of the items offered.
    max_users : int, optional
        Keep only so many of the users, drawn at random by ``world_seed``: fewer people come
        by more often. None keeps all.
    complete : bool, default=False
        Leave out users who did not rate every item.
    visits : int, default=1
        Visits of one session (episode): a user stays for so many, and is never shown the same
        item twice in a session. Users of whom fewer items are known cannot come. With 1 a
        user who comes again gives the same answer again, and rote memory is rewarded.
    in_turn : int, optional
        L: users come in turn when L are served at a time, nobody a second time before
        everyone has come (`pgrpo_envs.turns`); set it to the number of lanes. Lanes beyond L
        serve people who come in other lanes too, and lanes that are given a list of seeds have
        an order of their own each. None draws users at random.
    past : float, default=0
        Share of each user's ratings, in [0, 1), that are a log of the past: drawn at random
        by ``world_seed``, rounded down, never offered, read from ``vector.past``.
    n_profile : int, default=0
        m, further items that are never offered: the user's ratings of them are the
        observation. They are drawn at random from the ``max_items + n_profile`` most rated.
    n_reference_groups : int, default=0
        If above 0, reports group users by k-means of their profiles, with so many clusters,
        instead of by the table's segments. No rating that is ever a reward has a part in it.
    noise : float, default=0
        Standard deviation of what is added to each reward, in units of the ratings.
    n_factors : int, default=4
        Rank of the model of mode "completed".
    ridge : float, default=10
        Penalty of that model, in ratings of unit variance.
    """

    ratings: RatingsTable | str | os.PathLike[str] | None = None
    mode: Literal["observed", "full", "completed"] = "observed"
    max_items: int | None = 100
    min_user_ratings: int = 1
    max_users: int | None = None
    complete: bool = False
    visits: int = 1
    in_turn: int | None = None
    past: float = 0.0
    n_profile: int = 0
    n_reference_groups: int = 0
    noise: float = 0.0
    n_factors: int = 4
    ridge: float = 10.0

    PRESETS: ClassVar = {
        "observed": {},
        "full": {"mode": "full", "complete": True, "max_items": 8},
        "profile": {"n_profile": 10, "n_reference_groups": 3},
        "completed": {"mode": "completed"},
        "sessions": {"visits": 8},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.ratings, (str, os.PathLike)):
            object.__setattr__(self, "ratings", _read(self.ratings))
        right = "a RatingsTable (see pgrpo_rec.datasets.read_ratings), a path, or None"
        good = self.ratings is None or isinstance(self.ratings, RatingsTable)
        require(good, "ratings", type(self.ratings).__name__, right)
        right = f"one of {MODES} (logs: pgrpo_envs.ratings_logged, or mode='logged' of the id)"
        require(self.mode in MODES, "mode", self.mode, right)
        for name, fewest, what in (
            ("max_items", 2, "items to choose from"),
            ("max_users", 2, "users"),
            ("in_turn", 1, "user at a time"),
        ):
            value = getattr(self, name)
            right = f"at least {fewest} {what}, or None"
            require(value is None or value >= fewest, name, value, right)
        require_within(self, "[1, inf)", "min_user_ratings", "visits")
        require_within(self, "[0, inf)", "n_profile", "n_reference_groups", "noise", "n_factors")
        require_within(self, "(0, inf)", "ridge")
        require_within(self, "[0, 1)", "past")
        n_groups = self.n_reference_groups
        right = "groups are made from profiles, set n_profile above 0"
        require(n_groups == 0 or self.n_profile > 0, "n_reference_groups", n_groups, right)


def _read(path: str | os.PathLike[str]) -> RatingsTable:
    """Read a table once for as long as its files do not change: equal tables share a world."""
    place = Path(path)
    files = [place] if place.is_file() else sorted(place.glob("*"))
    stamps = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _read_once(str(place.absolute()), stamps)


@lru_cache(maxsize=4)
def _read_once(path: str, stamps: tuple[tuple[str, int, int], ...]) -> RatingsTable:
    return read_ratings(path)
