"""Settings of `PGRPORecommender`: what each may be, one line a setting.

A setting is added here and in the estimator's ``__init__``; nothing else has to know of it
before it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, NamedTuple

from pgrpo_rec.advantages import ESTIMATORS, check_estimator_name
from pgrpo_rec.estimators.parameters import check_choice, check_number
from pgrpo_rec.histories import ORDERS
from pgrpo_rec.solvers import SOLVERS


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
}
RANGES: dict[str, Range] = {
    "n_clusters": Range(Integral, low=1, instead="auto"),
    "group_size": Range(Integral, low=1),
    "memory": Range(Integral, low=1),
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
