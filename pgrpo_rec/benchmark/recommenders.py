"""Named recommenders, each with the settings worth trying when it is tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gymnasium.vector import VectorEnv

from pgrpo_rec.baselines import (
    CLUB,
    EXP3,
    KLUCB,
    SCLUB,
    UCB1,
    BetaThompson,
    Boltzmann,
    BoltzmannGumbel,
    DynUCB,
    EpsilonGreedy,
    GaussianThompson,
    HybridLinTS,
    HybridLinUCB,
    LinTS,
    LinUCB,
    LogisticTS,
    MatrixFactorisation,
    Oracle,
    PerUser,
    Popularity,
    SharedLinTS,
    SharedLinUCB,
    SquareCB,
    Uniform,
)
from pgrpo_rec.benchmark.plan import Need, Recommender, count_items, item_features
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
_THOMPSON = {"prior_count": [0.1, 0.3, 1.0, 3.0], "width": [0.1, 0.2, 0.4, 0.7, 1.0]}
_LINEAR = {
    "ridge": [0.03, 0.1, 0.3, 1.0, 5.0],
    "width": [0.02, 0.05, 0.1, 0.2, 0.4, 0.8],
    "standardise": [False, True],
    "discount": [1.0, 0.9999, 0.999],
}

_HYBRID = {**_LINEAR, "shared_ridge": [0.1, 1.0, 10.0]}


def _build(kind: Any, env: VectorEnv, seed: int, **settings: Any) -> Any:
    return kind(count_items(env), random_state=seed, **settings)


def _build_for_items(kind: Any, env: VectorEnv, seed: int, **settings: Any) -> Any:
    """Return a recommender that is told the features of the items, where there are any."""
    return _build(kind, env, seed, item_features=item_features(env), **settings)


def _oracle(env: VectorEnv, seed: int) -> Oracle:
    return Oracle(env)


def _pgrpo(name: str, told: Any, **settings: Any) -> Recommender:
    make = partial(_build_for_items, PGRPORecommender)
    return Recommender(name, make, told, "P-GRPO", settings, _EXPLORATION)


def _policy_gradient(name: str, **settings: Any) -> Recommender:
    needs: tuple[Need, ...] = ("candidates",) if settings.get("group_size", 1) > 1 else ()
    settings = {"solver": "adam", **settings}
    make = partial(_build, PGRPORecommender)
    return Recommender(name, make, "nothing", "policy gradient", settings, _STEPS, needs)


def _bandit(
    name: str, kind: Any, grid: Mapping[str, Any], *needs: Need, build: Any = _build
) -> list[Recommender]:
    """Return a bandit that pools everyone, and one told the true groups."""
    pooled = Recommender(name, partial(build, kind), "nothing", "bandit", {}, grid, needs)
    return [pooled, replace(pooled, name=f"{name} known", told="true groups")]


def _clustering(name: str, kind: Any, grid: Mapping[str, Any]) -> Recommender:
    grid = {**grid, "width": [0.05, 0.1, 0.3, 1.0], "ridge": [0.3, 1.0, 5.0]}
    make = partial(_build, kind)
    return Recommender(name, make, "users", "clustering bandit", {}, grid, ("few items",))


def _build_per_user(kind: Any, env: VectorEnv, seed: int, **settings: Any) -> PerUser:
    return PerUser(_build(kind, env, seed)).set_params(**settings)


def _per_user(name: str, kind: Any, grid: Mapping[str, Any]) -> Recommender:
    """Return a bandit that keeps one model a user."""
    inner = {f"bandit__{key}": values for key, values in grid.items()}
    return Recommender(name, partial(_build_per_user, kind), "users", "bandit", {}, inner)


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
        _THOMPSON,
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
    *_bandit("LinTS shared", SharedLinTS, _LINEAR, "item features", build=_build_for_items),
    *_bandit("LinUCB shared", SharedLinUCB, _LINEAR, "item features", build=_build_for_items),
    *_bandit("LinTS hybrid", HybridLinTS, _HYBRID),
    *_bandit("LinUCB hybrid", HybridLinUCB, _HYBRID),
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
    *_bandit(
        "UCB1",
        UCB1,
        {"width": [0.03, 0.1, 0.2, 0.4, 0.7, 1.0], "discount": [1.0, 0.9999, 0.999]},
    ),
    *_bandit(
        "KL-UCB",
        KLUCB,
        {"width": [0.03, 0.1, 0.2, 0.4, 0.7, 1.0], "discount": [1.0, 0.9999, 0.999]},
        "binary rewards",
    ),
    *_bandit(
        "Boltzmann",
        Boltzmann,
        {"temperature": [0.1, 0.3, 1.0, 3.0, 10.0], "decay": [0.0, 0.25, 0.5]},
    ),
    *_bandit(
        "Boltzmann-Gumbel",
        BoltzmannGumbel,
        {"width": [0.03, 0.1, 0.2, 0.4, 0.7, 1.0], "discount": [1.0, 0.9999, 0.999]},
    ),
    *_bandit(
        "EXP3",
        EXP3,
        {"learning_rate": [0.3, 1.0, 3.0, 10.0, 30.0], "mixing": [0.0, 0.02, 0.1]},
        "binary rewards",
    ),
    *_bandit(
        "SquareCB",
        SquareCB,
        {
            "ridge": [0.1, 1.0, 5.0],
            "gamma": [1.0, 3.0, 10.0, 30.0, 100.0],
            "growth": [0.25, 0.5],
            "standardise": [False, True],
        },
    ),
    *_bandit("popularity", Popularity, {}),
    _per_user("Thompson (Gaussian) per user", GaussianThompson, _THOMPSON),
    _per_user("LinTS per user", LinTS, _LINEAR),
    Recommender(
        "matrix factorisation",
        partial(_build, MatrixFactorisation),
        "users",
        "bandit",
        grid={
            "n_factors": [1, 2, 4, 8],
            "ridge": [1.0, 3.0, 10.0, 30.0],
            "epsilon": [0.1, 0.3, 1.0],
            "decay": [0.25, 0.5],
        },
    ),
    _clustering("CLUB", CLUB, {"separation": [0.25, 0.5, 1.0, 2.0]}),
    _clustering("SCLUB", SCLUB, {"separation": [0.25, 0.5, 1.0, 2.0]}),
    _clustering("DynUCB", DynUCB, {"n_clusters": [2, 3, 5, 8, 16]}),
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
