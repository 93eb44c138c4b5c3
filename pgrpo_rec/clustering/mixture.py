"""Fit a mixture of clusters by EM: passes, stopping, number of clusters, stable labels.

The two kinds of rewards are two modules with the same functions (``bernoulli``,
``gaussian``): ``prepare``, ``start``, ``variants``, ``e_step``, ``m_step``, ``log_prior``,
``positions``.

Shapes: U users, K actions, P clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from pgrpo_rec.clustering import bernoulli, gaussian
from pgrpo_rec.clustering.starts import rank_features, seeded, split
from pgrpo_rec.clustering.statistics import Statistics, take

FAMILIES: dict[str, ModuleType] = {"bernoulli": bernoulli, "gaussian": gaussian}
SAMPLE_SIZE = 20_000  # users on whom starts are tried and the number of clusters is chosen
SHORT_RUN = 12  # EM passes after which the starts are compared
PATIENCE = 2  # numbers of clusters that may fail to be better before the search ends
MIN_SEPARATION = 0.15  # between clusters that count as two; see ``separation``
MIN_GAIN = 0.01  # of all that clusters explain, which one more must explain; see ``_is_better``
TRIAL = np.dtype(
    [("n_clusters", int), ("loglik", float), ("criterion", float), ("separation", float)]
)


class Budget(NamedTuple):
    """``n_init`` fresh starts; EM passes at most, and gain per user at which EM stops."""

    n_init: int
    max_iter: int
    tol: float


class Search(NamedTuple):
    """What to look for: ``n_clusters`` or None (the best number), ``max_clusters``, effort."""

    n_clusters: int | None
    max_clusters: int
    budget: Budget


class Fit(NamedTuple):
    """``parameters``, ``resp`` (U, P), ``sums`` for the M step; log-likelihood, with prior."""

    parameters: Any
    resp: np.ndarray
    sums: Any
    loglik: float
    objective: float
    n_iter: int


def fit_mixture(
    kind: str,
    statistics: Statistics,
    search: Search,
    rng: np.random.Generator,
    previous: Any = None,
) -> tuple[Fit, np.ndarray]:
    """Fit 1, 2, ... clusters, each number from the one before; keep the wanted or best number.

    Parameters
    ----------
    kind : {"bernoulli", "gaussian"}
    statistics : Statistics of U users
    search : Search
    rng : Generator
    previous : Parameters, optional
        An earlier fit to start from, beside the fresh starts.

    Returns
    -------
    tuple of Fit and of the table of numbers tried, a structured array of dtype ``TRIAL``
    """
    family = FAMILIES[kind]
    n_users = statistics.counts.shape[0]
    if n_users <= SAMPLE_SIZE:
        return _grow(family, statistics, search, rng, previous)
    sample = take(statistics, np.sort(rng.choice(n_users, SAMPLE_SIZE, replace=False)))
    best, trials = _grow(family, sample, search, rng, previous)
    budget = search.budget
    cells = family.prepare(statistics)
    return run_em(family, cells, best.parameters, budget.max_iter, budget.tol), trials


def run_em(family: ModuleType, cells: Any, parameters: Any, max_iter: int, tol: float) -> Fit:
    """Repeat EM passes until the objective gains less than ``tol`` per user.

    The objective is the log-likelihood plus the log prior; it never goes down.
    """
    resp = np.empty((cells.counts.shape[0], parameters.shares.size))
    before = -np.inf
    for n_iter in range(max_iter + 1):
        loglik, sums = family.e_step(parameters, cells, resp)
        objective = loglik + family.log_prior(parameters)
        if objective - before < tol * resp.shape[0] or n_iter == max_iter:
            break
        before = objective
        parameters = family.m_step(parameters, cells, resp, sums)
    return Fit(parameters, resp, sums, loglik, objective, n_iter)


def criterion(family: ModuleType, cells: Any, fit: Fit) -> float:
    r"""Return minus twice the log evidence, by Laplace's method (Kass & Raftery 1995).

    .. math:: -2 \log L + (P - 1) \log U + \sum_\theta \Big(
              \frac{(\theta - c)^2}{\omega^2} + \log(1 + I_\theta \omega^2) \Big)

    Each parameter pays for its distance from the centre c of its prior, in units of the
    prior's deviation, and for the information I that the users of its cluster give on it.
    BIC would charge log U for all, and keep small clusters out.
    """
    n_users, n_clusters = fit.resp.shape
    cost = family.complexity(fit.parameters, cells, fit.sums) + (n_clusters - 1) * np.log(n_users)
    return float(cost - 2.0 * fit.loglik)


def separation(family: ModuleType, parameters: Any) -> float:
    r"""Return how far the two nearest clusters are apart, in people's deviations.

    The mean over items of the squared difference between two clusters, over the squared
    difference expected between a person of the one and a person of the other:
    :math:`\overline{(m_{pk} - m_{qk})^2} / (\tau_p^2 + \tau_q^2)`. With much feedback a
    likelihood always finds more clusters, since no law of people's deviation is the true
    one; it draws them through the middle of a cluster, where this is near 0.05. Clusters of
    people who differ more among themselves than from each other help nobody.

    Returns
    -------
    float : infinite for one cluster
    """
    where, spread = family.positions(parameters)
    pairs = combinations(range(spread.size), 2)
    distances = (
        float(((where[p] - where[q]) ** 2).mean() / (spread[p] + spread[q])) for p, q in pairs
    )
    return min(distances, default=float("inf"))


def match_labels(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the order of the new clusters in which each sits where it sat before.

    Clusters are matched so that the users share as much responsibility as possible (the
    assignment problem, Kuhn 1955); clusters without a counterpart follow by size.

    Parameters
    ----------
    before, after : ndarray, shapes (U, P_before) and (U, P_after)

    Returns
    -------
    ndarray of int, shape (P_after,) : new cluster ``order[p]`` gets the label p

    Examples
    --------
    >>> import numpy as np
    >>> match_labels(np.eye(3), np.eye(3)[:, [2, 0, 1]]).tolist()
    [1, 2, 0]
    """
    overlap = np.einsum("up,uq->pq", before, after)
    old, new = linear_sum_assignment(overlap, maximize=True)
    rest = [int(q) for q in np.argsort(-after.sum(axis=0), kind="stable") if q not in new]
    return np.array([*(int(q) for q in new[np.argsort(old)]), *rest])


def reordered(parameters: Any, order: np.ndarray) -> Any:
    """Return the parameters with cluster ``order[p]`` in place p."""
    parts = (part[order] if isinstance(part, np.ndarray) else part for part in parameters)
    return type(parameters)(*parts)


def _grow(
    family: ModuleType,
    statistics: Statistics,
    search: Search,
    rng: np.random.Generator,
    previous: Any,
) -> tuple[Fit, np.ndarray]:
    """Fit one cluster, two, ...; return the wanted fit and the table of all."""
    cells, features = family.prepare(statistics), rank_features(statistics)
    fits: list[Fit] = []
    trials: list[tuple[int, float, float, float]] = []
    best, leader = 0, 0
    for number in range(1, (search.n_clusters or search.max_clusters) + 1):
        smaller = fits[-1].resp if fits else None
        starts = list(_starts(family, cells, features, smaller, search.budget.n_init, rng))
        if previous is not None and previous.shares.size == number:
            starts.append(previous)
        fits.append(_best_run(family, cells, starts, search.budget))
        value = criterion(family, cells, fits[-1])
        apart = separation(family, fits[-1].parameters)
        trials.append((number, fits[-1].loglik, value, apart))
        if value <= trials[leader][2]:
            leader = number - 1
        if apart >= MIN_SEPARATION and _is_better(value, trials[best][2], trials[0][2]):
            best = number - 1
        if search.n_clusters is None and number - 1 - leader >= PATIENCE:
            break
    return fits[best if search.n_clusters is None else -1], np.array(trials, dtype=TRIAL)


def _is_better(value: float, best: float, alone: float) -> bool:
    """Return whether the criterion falls enough below the best one so far.

    No law of people's deviation is the true one, so with much feedback the evidence always
    rises a little with one more cluster. What such a cluster adds does not grow beside what
    the clusters that are there explain over one ``alone``; what a group of people adds does.
    """
    return value <= best and best - value >= MIN_GAIN * (alone - value)


def _best_run(family: ModuleType, cells: Any, starts: list[Any], budget: Budget) -> Fit:
    """Run all starts for a few passes and the best one to the end (Biernacki et al. 2003)."""
    runs = (run_em(family, cells, first, SHORT_RUN, budget.tol) for first in starts)
    leader = max(runs, key=lambda run: run.objective)
    return run_em(family, cells, leader.parameters, budget.max_iter, budget.tol)


def _starts(
    family: ModuleType,
    cells: Any,
    features: np.ndarray,
    smaller: np.ndarray | None,
    n_init: int,
    rng: np.random.Generator,
) -> Iterator[Any]:
    """Yield first parameters: all clusters seeded afresh, or one of the smaller fit split."""
    if smaller is None:
        yield from family.variants(family.start(cells, np.ones((features.shape[0], 1))))
        return
    for _ in range(n_init):
        fresh = seeded(features, smaller.shape[1] + 1, rng)
        yield from family.variants(family.start(cells, fresh))
    for p in range(smaller.shape[1]):
        yield from family.variants(family.start(cells, split(features, smaller, p, rng)))
