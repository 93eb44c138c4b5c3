"""The search for clusters by how users respond to features: first guesses, and the number.

The first guess decides (with a random one nothing is found before users have answered as often
as there are parameters to a cluster): it is spectral. A user's residuals from the pooled fit,
times their features, are summed by item; all users' vectors lie near a plane of P dimensions,
which a singular value decomposition finds long before any one vector says anything (Vempala &
Wang 2004).

The number of clusters is chosen on answers held out: one more must predict them better, by
more than twice the standard error over users.

Shapes: n answers, U users, K items, P clusters, D = d + 1 columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from pgrpo_rec.clustering.linear import (
    Effort,
    LinearFit,
    LinearParameters,
    e_step,
    predictive,
    run_em,
)
from pgrpo_rec.clustering.memory import Kept, take_answers
from pgrpo_rec.clustering.starts import seeded, split
from pgrpo_rec.clustering.users import is_binary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHORT_RUN = 6  # EM passes after which starts are compared
SAMPLE_SIZE = 20_000  # answers on which starts are tried and the number is chosen
HELD_OUT = 5  # every so many-th answer of a user is held out to choose the number of clusters
PATIENCE = 2  # numbers of clusters that may fail to be better before the search ends
ERRORS = 2.0  # standard errors by which one more cluster must predict better
LEAST_GAIN = 5.0  # nats over all that is held out: two copies of one cluster gain nothing, surely
OUTLIER = 4.0  # residuals count no more than this in the first guess


def fit_linear(
    kept: Kept,
    n_users: int,
    n_items: int,
    n_clusters: int | None,
    max_clusters: int,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None = None,
) -> tuple[LinearFit, list[tuple[int, float, float]]]:
    """Fit the wanted number of clusters, or the number that predicts best.

    Parameters
    ----------
    kept : Kept
    n_users, n_items : int
    n_clusters : int or None
        None: chosen on answers held out.
    max_clusters : int
    effort : Effort
    rng : Generator
    previous : ndarray, shape (U, P), optional
        Responsibilities to start from, beside the fresh starts.

    Returns
    -------
    tuple of LinearFit and, for each number tried, (number, log-likelihood of the answers held
    out, gain over the best smaller number in standard errors)
    """
    shape = (n_users, n_items)
    sample = _sample(kept, n_users, rng)
    if n_clusters is None:
        chosen, trials = _choose(sample, shape, max_clusters, effort, rng, previous)
    else:
        chosen, trials = _grow_to(n_clusters, sample, shape, effort, rng, previous)[-1], []
    binary = is_binary(kept.rewards)
    resp, _ = e_step(kept, n_users, chosen.parameters, binary)
    return run_em(kept, shape, resp, chosen.parameters.priors, binary, effort), trials


def _sample(kept: Kept, n_users: int, rng: np.random.Generator) -> Kept:
    """Return all answers of as many users as give `SAMPLE_SIZE` answers."""
    if kept.users.size <= SAMPLE_SIZE:
        return kept
    order = rng.permutation(n_users)
    count = np.bincount(kept.users, minlength=n_users)[order]
    within = np.zeros(n_users, dtype=np.bool_)
    within[order[np.cumsum(count) <= max(SAMPLE_SIZE, count[0])]] = True
    return take_answers(kept, within[kept.users])


def _choose(
    kept: Kept,
    shape: tuple[int, int],
    max_clusters: int,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> tuple[LinearFit, list[tuple[int, float, float]]]:
    """Fit 1, 2, ... clusters; return the fit that predicts answers held out, and the table."""
    n_users = shape[0]
    held = _held_out(kept.users, n_users)
    learned, judged = take_answers(kept, ~held), take_answers(kept, held)
    trials: list[tuple[int, float, float]] = []
    fits: list[LinearFit] = []
    best, values = 0, np.zeros((0, n_users))
    for number in range(1, max_clusters + 1):
        fits.append(_next(number, fits, learned, shape, effort, rng, previous))
        value = predictive(judged, fits[-1], n_users)
        values = np.vstack([values, value])
        gain = value - values[best]
        error = max(float(gain.std()) * math.sqrt(n_users), 1e-12)
        trials.append((number, float(value.sum()), float(gain.sum()) / error))
        if number == 1 or (trials[-1][2] > ERRORS and gain.sum() > LEAST_GAIN):
            best = number - 1
        elif number - 1 - best >= PATIENCE:
            break
    return fits[best], trials


def _grow_to(
    number: int,
    kept: Kept,
    shape: tuple[int, int],
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> list[LinearFit]:
    fits: list[LinearFit] = []
    for p in range(1, number + 1):
        fits.append(_next(p, fits, kept, shape, effort, rng, previous))
    return fits


def _next(
    number: int,
    fits: list[LinearFit],
    kept: Kept,
    shape: tuple[int, int],
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> LinearFit:
    """Fit one cluster more than the last fit has: try all starts briefly, then the best."""
    binary = is_binary(kept.rewards)
    if number == 1:
        return run_em(kept, shape, np.ones((shape[0], 1)), None, binary, effort)
    priors = fits[-1].parameters.priors
    short = effort._replace(max_iter=SHORT_RUN)
    runs = [
        run_em(kept, shape, resp, priors, binary, short)
        for resp in _starts(number, fits, kept, shape, effort.n_init, rng, previous)
    ]
    leader = max(runs, key=lambda run: run.loglik)
    return run_em(kept, shape, leader.resp, leader.parameters.priors, binary, effort)


def _starts(
    number: int,
    fits: list[LinearFit],
    kept: Kept,
    shape: tuple[int, int],
    n_init: int,
    rng: np.random.Generator,
    previous: Floats | None,
) -> Iterator[Floats]:
    """Yield responsibilities: the last ones, all clusters seeded afresh, and one split in two."""
    if previous is not None and previous.shape[1] == number:
        yield previous
    features = spectral_features(kept, shape, fits[0], number, rng)
    for _ in range(n_init):
        yield seeded(features, number, rng)
    for p in range(number - 1):
        if number > 2:
            yield split(features, fits[-1].resp, p, rng)


def spectral_features(
    kept: Kept, shape: tuple[int, int], pooled: LinearFit, number: int, rng: np.random.Generator
) -> Floats:
    """Return what first guesses measure distance by, shape (U, number + 2).

    The users' residuals times features, by item, on the leading singular directions; and the
    users' mean and spread of residuals, for groups may differ in nothing but scale.
    """
    n_users, n_items = shape
    n_columns = kept.z.shape[1]
    residual = _residuals(kept, pooled.parameters)
    count = np.maximum(np.bincount(kept.users, minlength=n_users), 1)
    weight = (np.clip(residual, -OUTLIER, OUTLIER) / np.sqrt(count[kept.users]))[:, None]
    rows = np.repeat(kept.users, n_columns)
    columns = kept.actions[:, None] * n_columns + np.arange(n_columns)
    scale = np.maximum(np.sqrt((kept.z**2).mean(axis=0)), 1e-12)
    values = (weight * kept.z / scale).ravel()
    size = (n_users, n_items * n_columns)
    vectors = coo_array((values, (rows, columns.ravel())), shape=size).tocsr()
    n_directions = min(number, *size)
    with threadpool_limits(1):  # sums over threads would depend on their number
        left, strength, _ = randomized_svd(
            vectors, n_directions, random_state=int(rng.integers(2**31))
        )
    level = np.bincount(kept.users, residual, n_users) / count
    spread = 0.5 * np.log(np.bincount(kept.users, residual**2, n_users) / count + 0.1)
    extra = np.column_stack([level, spread]) * np.sqrt(count)[:, None] / math.sqrt(n_items)
    return np.column_stack([left * strength, extra])


def _residuals(kept: Kept, parameters: LinearParameters) -> Floats:
    """Return the residuals from a fit of one cluster, in standard deviations of the noise."""
    fit = parameters.fit
    expected = np.einsum("nj,nj->n", fit.beta[0, kept.actions], kept.z)
    advantage = (kept.rewards - parameters.mean[0]) / parameters.std[0]
    return np.asarray((advantage - expected) / np.sqrt(fit.noise[0, kept.actions]))


def _held_out(users: Ints, n_users: int) -> NDArray[np.bool_]:
    """Return which answers are held out: every so many-th of a user."""
    order = np.argsort(users, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])[:-1]
    turn = np.empty(users.size, dtype=np.int64)
    turn[order] = np.arange(users.size) - starts[users[order]]
    return turn % HELD_OUT == HELD_OUT - 1
