"""Named recommenders, each with the settings worth trying when it is tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gymnasium.vector import VectorEnv

from pgrpo_rec.baselines import (
    BetaThompson,
    EpsilonGreedy,
    GaussianThompson,
    LinTS,
    LinUCB,
    LogisticTS,
    Oracle,
    Uniform,
)
from pgrpo_rec.benchmark.plan import Family, Need, Recommender, count_items
from pgrpo_rec.benchmark.scenarios import own
from pgrpo_rec.estimators.pgrpo import PGRPORecommender

_EXPLORATION = {
    "exploration": [0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0],
    "history_decay": [1.0, 0.999, 0.99],
}
_STEPS = {
    "learning_rate": [0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
    "entropy_coef": [0.0, 0.003, 0.01, 0.03],
}
_LINEAR = {
    "ridge": [0.03, 0.1, 0.3, 1.0, 5.0],
    "width": [0.02, 0.05, 0.1, 0.2, 0.4, 0.8],
    "standardise": [False, True],
    "discount": [1.0, 0.9999, 0.999],
}


def _build(kind: Any, env: VectorEnv, seed: int, **settings: Any) -> Any:
    return kind(count_items(env), random_state=seed, **settings)


def _oracle(env: VectorEnv, seed: int) -> Oracle:
    return Oracle(env)


def _pgrpo(name: str, told: Any, **settings: Any) -> Recommender:
    make = partial(_build, PGRPORecommender)
    return Recommender(name, make, told, "P-GRPO", settings, _EXPLORATION)


def _policy_gradient(name: str, **settings: Any) -> Recommender:
    needs: tuple[Need, ...] = ("candidates",) if settings.get("group_size", 1) > 1 else ()
    settings = {"solver": "adam", **settings}
    make = partial(_build, PGRPORecommender)
    return Recommender(name, make, "nothing", "policy gradient", settings, _STEPS, needs)


def _bandit(
    name: str, kind: Any, grid: Mapping[str, Any], *needs: Need, family: Family = "bandit"
) -> list[Recommender]:
    """Return a bandit that pools everyone, and one told the true groups."""
    pooled = Recommender(name, partial(_build, kind), "nothing", family, {}, grid, needs)
    return [pooled, replace(pooled, name=f"{name} known", told="true groups")]


_ALL = [
    _pgrpo("P-GRPO learned", "users"),
    _pgrpo("P-GRPO groups", "users", user_adaptation=False),
    _pgrpo("P-GRPO person", "users", n_clusters=1),
    _pgrpo("P-GRPO known", "true groups"),
    _pgrpo("P-GRPO random", "random groups"),
    _pgrpo("P-GRPO one group", "nothing"),
    replace(
        _policy_gradient("P-GRPO adam known", advantage="pgrpo"),
        told="true groups",
        family="P-GRPO",
    ),
    _policy_gradient("REINFORCE", advantage="reinforce"),
    _policy_gradient("PPO-clip", advantage="batch", n_epochs=4),
    _policy_gradient("GRPO (G=4)", advantage="grpo", group_size=4),
    _policy_gradient("Dr. GRPO (G=4)", advantage="dr_grpo", group_size=4),
    _policy_gradient("RLOO (G=4)", advantage="rloo", group_size=4),
    *_bandit(
        "Thompson (Gaussian)",
        GaussianThompson,
        {"prior_count": [0.1, 0.3, 1.0, 3.0], "width": [0.1, 0.2, 0.4, 0.7, 1.0]},
    ),
    *_bandit(
        "Thompson (beta)",
        BetaThompson,
        {
            "prior": [(1.0, 1.0), (0.4, 1.6), (0.2, 2.0), (0.1, 2.0)],
            "sharpness": [1.0, 2.0, 4.0, 8.0],
        },
        "binary rewards",
    ),
    *_bandit("LinTS", LinTS, _LINEAR),
    *_bandit("LinUCB", LinUCB, _LINEAR),
    *_bandit(
        "logistic Thompson",
        LogisticTS,
        {
            "prior_rate": [0.5, 0.2, 0.05],
            "ridge": [0.1, 0.3, 1.0, 3.0],
            "width": [0.1, 0.2, 0.4, 0.7, 1.0],
            "discount": [1.0, 0.9999, 0.999],
        },
        "binary rewards",
    ),
    *_bandit(
        "epsilon-greedy",
        EpsilonGreedy,
        {"epsilon": [0.1, 0.2, 0.5, 1.0], "decay": [0.0, 0.25, 0.5, 0.75]},
    ),
    Recommender("uniform", partial(_build, Uniform), family="reference"),
    Recommender("oracle", _oracle, family="reference", needs=("oracle",)),
]
RECOMMENDERS = {recommender.name: recommender for recommender in _ALL}


def find_recommender(name: str) -> Recommender:
    """Return a recommender by its name.

    Parameters
    ----------
    name : str
        A key of `RECOMMENDERS`; or ``module:name`` for a `Recommender` in a module of your own.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> from pgrpo_rec.benchmark.recommenders import find_recommender
    >>> find_recommender("LinTS known").told
    'true groups'
    """
    if name in RECOMMENDERS:
        return RECOMMENDERS[name]
    return own(name, Recommender, ", ".join(RECOMMENDERS))
