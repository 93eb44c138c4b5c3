"""Settings of `PGRPORecommender`: what each may be, one line a setting.

A setting is added here and in the estimator's ``__init__``; nothing else has to know of it
before it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.advantages import ESTIMATORS, check_estimator_name
from pgrpo_rec.estimators.first_order import SHARED_COLUMNS
from pgrpo_rec.estimators.parameters import check_choice, check_number
from pgrpo_rec.fairness import EachVisit, as_objective
from pgrpo_rec.histories import ORDERS
from pgrpo_rec.solvers import SOLVERS

Ints = NDArray[np.int64]


class Range(NamedTuple):
    """Numbers that a setting may be; ``instead`` is one more value, of any type."""

    kind: type[Integral] | type[Real]
    low: float | None = None
    above: float | None = None
    high: float | None = None
    instead: object = ...


CHOICES: dict[str, Iterable[object]] = {
    "policy": ("linear", "tabular"),
    "advantage": ESTIMATORS,
    "solver": ("natural", *SOLVERS),
    "history_order": ORDERS,
    "user_adaptation": (True, False),
    "kl": ("exact", "k3"),
    "slate_credit": ("slate", "below"),
    "cluster_part": tuple(SHARED_COLUMNS),
}
RANGES: dict[str, Range] = {
    "n_clusters": Range(Integral, low=1, instead="auto"),
    "group_size": Range(Integral, low=1),
    "memory": Range(Integral, low=1),
    "max_users": Range(Integral, low=1, instead=None),
    "n_epochs": Range(Integral, low=1),
    "batch_size": Range(Integral, low=1),
    "n_passes": Range(Integral, low=1),
    "exploration": Range(Real, above=0.0),
    "learning_rate": Range(Real, above=0.0),
    "gamma": Range(Real, low=0.0, high=1.0, instead=None),
    "history_decay": Range(Real, above=0.0, high=1.0),
    "history_shrinkage": Range(Real, low=0.0, instead="auto"),
    "clip_range": Range(Real, low=0.0),
    "clip_range_high": Range(Real, above=0.0, instead=None),
    "entropy_coef": Range(Real, low=0.0),
    "cluster_shrinkage": Range(Real, low=0.0),
    "kl_coef": Range(Real, low=0.0),
    "reference_decay": Range(Real, low=0.0, high=1.0),
    "max_grad_norm": Range(Real, above=0.0, instead=None),
    "advantage_clip": Range(Real, above=0.0, instead=None),
    "max_share": Range(Real, above=0.0, high=1.0, instead=None),
}


def check_settings(settings: Any) -> None:
    """Check every setting by itself, then those that must fit each other.

    Parameters
    ----------
    settings : PGRPORecommender
        Or anything with the same attributes.

    Raises
    ------
    ValueError
        If a setting is out of range, or two of them cannot be had together.
    """
    for name, choices in CHOICES.items():
        check_choice(name, getattr(settings, name), choices)
    for name, (kind, low, above, high, instead) in RANGES.items():
        value = getattr(settings, name)
        if not (value is instead or (isinstance(instead, str) and value == instead)):
            check_number(name, value, kind, low=low, above=above, high=high)
    check_estimator_name(settings.advantage, settings.group_size)
    if settings.gamma is not None and settings.group_size > 1:
        raise ValueError(
            f"gamma={settings.gamma!r} with group_size={settings.group_size}: sessions cannot be "
            "gone through several times; 'pgrpo' advantages need no candidates"
        )
    if settings.solver == "natural" and settings.advantage != "pgrpo":
        raise ValueError(
            f"advantage={settings.advantage!r} needs a first-order solver: solver='adam' or 'sgd'; "
            "'natural' is the fit of 'pgrpo' advantages"
        )
    if settings.item_features is not None and settings.solver != "natural":
        raise ValueError(
            f"item_features need solver='natural', not {settings.solver!r}: first-order solvers "
            "have weights of each item"
        )
    _check_sharing(settings)


def _check_sharing(settings: Any) -> None:
    """Check what is said of groups that share a policy, and of what is shown."""
    weighs = as_objective(settings.objective) != EachVisit()
    if settings.solver == "natural" and weighs:
        raise ValueError(
            f"objective={settings.objective!r} needs a first-order solver: solver='adam' or 'sgd'; "
            "'natural' gives every cluster a fit of its own, and there is nothing to weigh"
        )
    if settings.solver == "natural" and settings.cluster_part != "full":
        raise ValueError(
            f"cluster_part={settings.cluster_part!r} needs a first-order solver: solver='adam' or "
            "'sgd'; 'natural' gives every cluster a fit of its own"
        )
    if settings.cluster_part == "none" and settings.cluster_shrinkage > 0.0:
        raise ValueError(
            f"cluster_shrinkage={settings.cluster_shrinkage!r} has nothing to shrink: with "
            "cluster_part='none' it must be 0"
        )
    if settings.categories is not None and settings.max_share is None:
        raise ValueError("categories are there for max_share=, which is None")


def check_cap(settings: Any, labels: NDArray[Any]) -> Ints:
    """Check the cap on shares against the items, and return the category of each, shape (K,).

    Raises
    ------
    ValueError
        If an item has no category, or there are too few for the cap.
    """
    items = labels.tolist()
    groups = items
    if settings.categories is not None:
        missing = [item for item in items if item not in settings.categories]
        if missing:
            raise ValueError(f"categories lacks {len(missing)} items, among them {missing[0]!r}")
        groups = [settings.categories[item] for item in items]
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    if settings.max_share is not None and settings.max_share * len(places) < 1.0 - 1e-12:
        kind = "items" if settings.categories is None else "categories"
        raise ValueError(
            f"max_share={settings.max_share!r} is not possible with {len(places)} {kind}: "
            f"it must be at least 1/{len(places)}"
        )
    return np.array([places[group] for group in groups], dtype=np.int64)
