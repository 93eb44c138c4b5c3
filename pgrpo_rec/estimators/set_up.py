"""Setting up: the parts of `PGRPORecommender`, made from its settings.

Settings are those of the estimator, checked before (`pgrpo_rec.estimators.settings`).

Shapes: K items, m features of an item, D = d + 1 features of a visit with the constant first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._random import generator
from pgrpo_rec.estimators.audience import Audience, Everyone, KnownClusters, LearnedClusters
from pgrpo_rec.estimators.bilinear_learner import Bilinear
from pgrpo_rec.estimators.clustering import PreferenceClustering
from pgrpo_rec.estimators.comparison import Comparison
from pgrpo_rec.estimators.first_order import FirstOrder
from pgrpo_rec.estimators.learners import Learner
from pgrpo_rec.estimators.natural_learner import Natural, kinds_of_columns
from pgrpo_rec.estimators.weighing import Satisfaction, Weighing
from pgrpo_rec.fairness import as_objective
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.objectives import Penalties
from pgrpo_rec.solvers import SOLVERS

Floats = NDArray[np.float64]

REFIT_FACTOR = 1.5  # growth of the feedback from one search for groups to the next


def new_learner(
    settings: Any, n_items: int, n_columns: int, item_features: Floats | None
) -> Learner:
    """Return who turns advantages into a policy of K items on D columns.

    Parameters
    ----------
    settings : PGRPORecommender
    n_items, n_columns : int
        K and D.
    item_features : ndarray of float64, shape (K, m), or None
    """
    if item_features is not None:
        return Bilinear(
            item_features, n_columns, exploration=settings.exploration, memory=settings.memory
        )
    if settings.solver == "natural":
        return Natural(
            n_items,
            kinds_of_columns(n_items, n_columns),
            exploration=settings.exploration,
            memory=settings.memory,
            adapts=settings.user_adaptation,
            narrows_prior=settings.gamma is not None,  # returns move with the policy
        )
    low, high = settings.clip_range, settings.clip_range_high
    return FirstOrder(
        n_items,
        n_columns,
        solver=SOLVERS[settings.solver](settings.learning_rate),
        penalties=Penalties(
            low,
            low if high is None else high,
            settings.kl_coef,
            settings.entropy_coef,
            settings.kl == "k3",
        ),
        n_epochs=settings.n_epochs,
        shrinkage=settings.learning_rate * settings.cluster_shrinkage,
        max_norm=settings.max_grad_norm,
        cluster_part=settings.cluster_part,
        reference_decay=settings.reference_decay,
    )


def new_weighing(settings: Any, n_items: int, n_columns: int) -> Weighing:
    """Return who says how much each cluster counts, with a reward model if that is watched."""
    objective = as_objective(settings.objective)
    if not objective.watches:
        return Weighing(objective, None)
    kinds = kinds_of_columns(n_items, n_columns)
    model = Natural(n_items, kinds, exploration=1.0, memory=settings.memory, adapts=False)
    return Weighing(objective, Satisfaction(model))


def new_comparison(settings: Any) -> Comparison:
    """Return who makes advantages of rewards."""
    return Comparison(
        settings.advantage,
        settings.group_size,
        settings.history_order,
        settings.history_decay,
        settings.advantage_clip,
        settings.history_shrinkage,
    )


def new_audience(settings: Any, kind: type, n_items: int, item_features: Floats | None) -> Audience:
    """Return who knows which cluster each visitor is of: one of the three classes, by ``kind``."""
    history = RewardHistory(0 if kind is KnownClusters else 1, decay=settings.history_decay)
    if kind is KnownClusters:
        return KnownClusters(history)
    if kind is Everyone:
        return Everyone(history)
    clustering = PreferenceClustering(
        settings.n_clusters,
        items=n_items if item_features is None else 1,
        refit_factor=REFIT_FACTOR,
        memory=settings.memory,
        max_users=settings.max_users,
        random_state=generator(settings.random_state, 1),
    )
    by_features = settings.policy == "linear"
    return LearnedClusters(clustering, history, by_features=by_features, items=item_features)
