"""The search for clusters by how users respond to features: first guesses, and the number.

The first guess decides (with a random one nothing is found before users have answered as often
as there are parameters to a cluster): it is spectral. A user's residuals from the pooled fit,
times their features, are summed by item; all users' vectors lie near a plane of P dimensions,
which a singular value decomposition finds long before any one vector says anything (Vempala &
Wang 2004).

Later a cluster may be split where the residuals from its own fit vary most.

One more cluster must predict left-out answers better, and by more than it would if users of
one cluster were alike: their answers are dealt anew among them, and the search is repeated. (EM
finds something in noise too, which leaving out one answer at a time does not take back, since
all others' places still hold what they found.)

Shapes: n answers, U users, K items, P clusters, D = d + 1 columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from pgrpo_rec.clustering.linear import (
    Effort,
    LinearFit,
    Task,
    normalise,
    run_em,
    users_loglik,
)
from pgrpo_rec.clustering.memory import Kept, take_answers
from pgrpo_rec.clustering.starts import divided, seeded
from pgrpo_rec.clustering.users import is_binary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHORT_RUN = 6  # EM passes after which starts are compared
SAMPLE_SIZE = 20_000  # answers on which starts are tried and the number is chosen
ERRORS = 1.64  # standard errors beyond chance for one more cluster: 5 %, one-sided
LEAST_GAIN = 5.0  # nats over all answers: two copies of one cluster gain nothing, surely
DEALS = 2  # times that answers are dealt anew
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
    tuple of LinearFit and, for each number tried, (number, log-likelihood of the answers, each
    left out, gain over one cluster less in standard errors)
    """
    kept = take_answers(kept, np.argsort(kept.actions, kind="stable"))  # an item's side by side
    whole = Task(kept, n_users, n_items, is_binary(kept.rewards))
    task = whole._replace(kept=_sample(kept, n_users, rng))
    if n_clusters is None:
        chosen, trials = _choose(task, max_clusters, effort, rng, previous)
    else:
        chosen, trials = _grow_to(n_clusters, task, effort, rng, previous)[-1], []
    if task.kept is kept:
        return chosen, trials
    resp = np.log(chosen.parameters.shares)
    resp = resp + users_loglik(kept, n_users, chosen.parameters, whole.binary)
    normalise(resp)
    return run_em(whole, resp, chosen.parameters.priors, effort), trials


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
    task: Task,
    max_clusters: int,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> tuple[LinearFit, list[tuple[int, float, float]]]:
    """Fit 1, 2, ... clusters for as long as one more is worth it; return also a table."""
    fits = _grow_to(1, task, effort, rng, previous)
    trials = [(1, fits[0].loglik, 0.0)]
    while len(fits) < max_clusters:
        new = _with_one_more(fits, task, effort, rng, previous)
        gain = new.user_loglik - fits[-1].user_loglik
        surplus = _errors(gain, np.zeros(1))
        for _ in range(DEALS):
            if surplus > ERRORS:
                surplus = min(surplus, _errors(gain, _gain_by_chance(fits, task, effort, rng)))
        trials.append((len(fits) + 1, new.loglik, surplus))
        if surplus <= ERRORS:
            break
        fits.append(new)
    return fits[-1], trials


def _errors(gain: Floats, by_chance: Floats) -> float:
    """Return by how many standard errors users' gain is beyond chance, 0 if by a trifle."""
    surplus = gain.sum() - max(by_chance.sum(), 0.0)
    error = math.sqrt((gain.var() + by_chance.var()) * gain.size)
    return float(surplus / error) if surplus > LEAST_GAIN and error > 0.0 else 0.0


def _gain_by_chance(
    fits: list[LinearFit], task: Task, effort: Effort, rng: np.random.Generator
) -> Floats:
    """Return what one more cluster gains when answers are dealt anew within clusters, (U,)."""
    cluster = fits[-1].resp.argmax(axis=1)[task.kept.users]
    users = task.kept.users.copy()
    for p in range(fits[-1].resp.shape[1]):
        rows = np.flatnonzero(cluster == p)
        users[rows] = users[rng.permutation(rows)]
    dealt = task._replace(kept=task.kept._replace(users=users))
    last = run_em(dealt, fits[-1].resp, fits[-1].parameters.priors, effort)
    more = _with_one_more([*fits[:-1], last], dealt, effort, rng, None)
    return more.user_loglik - last.user_loglik


def _grow_to(
    number: int,
    task: Task,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> list[LinearFit]:
    fits = [run_em(task, np.ones((task.n_users, 1)), None, effort)]
    while len(fits) < number:
        fits.append(_with_one_more(fits, task, effort, rng, previous))
    return fits


def _with_one_more(
    fits: list[LinearFit],
    task: Task,
    effort: Effort,
    rng: np.random.Generator,
    previous: Floats | None,
) -> LinearFit:
    """Fit one cluster more than the last fit has: try all starts briefly, then the best."""
    priors = fits[-1].parameters.priors
    short = effort._replace(max_iter=SHORT_RUN, tune_at=())  # a choice of ridges costs four passes
    starts = _starts(fits, task, effort.n_init, rng, previous)
    runs = [run_em(task, resp, priors, short) for resp in starts]
    leader = max(runs, key=lambda run: run.loglik)
    return run_em(task, leader.resp, leader.parameters.priors, effort)


def _starts(
    fits: list[LinearFit],
    task: Task,
    n_init: int,
    rng: np.random.Generator,
    previous: Floats | None,
) -> Iterator[Floats]:
    """Yield responsibilities: the last ones, all clusters seeded afresh, and one cut in two."""
    number = len(fits) + 1
    if previous is not None and previous.shape[1] == number:
        yield previous
    features = spectral_features(task, fits[0], number, rng)
    for _ in range(n_init):
        yield seeded(features, number, rng)
    if number == 2:
        return
    vectors = _vectors(task, _residuals(task.kept, fits[-1]))
    for p in range(number - 1):
        yield _cut(vectors, fits[-1].resp, p, rng)


def spectral_features(
    task: Task, pooled: LinearFit, number: int, rng: np.random.Generator
) -> Floats:
    """Return what first guesses measure distance by, shape (U, number + 2).

    The users' residuals times features, by item, on the leading singular directions; and the
    users' mean and spread of residuals, for groups may differ in nothing but scale.
    """
    users, n_users = task.kept.users, task.n_users
    residual = _residuals(task.kept, pooled)
    vectors = _vectors(task, residual)
    left, strength, _ = _directions(vectors, min(number, *vectors.shape), rng)
    count = np.maximum(np.bincount(users, minlength=n_users), 1)
    level = np.bincount(users, residual, n_users) / count
    spread = 0.5 * np.log(np.bincount(users, residual**2, n_users) / count + 0.1)
    extra = np.column_stack([level, spread]) * np.sqrt(count)[:, None] / math.sqrt(task.n_items)
    return np.column_stack([left * strength, extra])


def _cut(vectors: csr_array, resp: Floats, p: int, rng: np.random.Generator) -> Floats:
    """Return responsibilities in which cluster p is cut where its users' vectors vary most."""
    weight = resp[:, p]
    _, _, (direction,) = _directions(vectors.multiply(np.sqrt(weight)[:, None]).tocsr(), 1, rng)
    place = vectors @ direction
    beyond = place > (weight @ place) / max(weight.sum(), 1e-12)
    return divided(resp, p, beyond)


def _vectors(task: Task, residual: Floats) -> csr_array:
    """Return the users' mean residuals times features, by item, shape (U, K D)."""
    kept, n_columns = task.kept, task.kept.z.shape[1]
    count = np.maximum(np.bincount(kept.users, minlength=task.n_users), 1)
    weight = (np.clip(residual, -OUTLIER, OUTLIER) / np.sqrt(count[kept.users]))[:, None]
    rows = np.repeat(kept.users, n_columns)
    columns = kept.actions[:, None] * n_columns + np.arange(n_columns)
    scale = np.maximum(np.sqrt((kept.z**2).mean(axis=0)), 1e-12)
    values = (weight * kept.z / scale).ravel()
    size = (task.n_users, task.n_items * n_columns)
    return coo_array((values, (rows, columns.ravel())), shape=size).tocsr()


def _directions(
    vectors: csr_array, number: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Return the leading singular directions."""
    with threadpool_limits(1):  # sums over threads would depend on their number
        found: tuple[Floats, Floats, Floats] = randomized_svd(
            vectors, number, random_state=int(rng.integers(2**31))
        )
    return found


def _residuals(kept: Kept, fit: LinearFit) -> Floats:
    """Return residuals in standard deviations of the noise, mean over the clusters, shape (n,)."""
    total = np.zeros(kept.rewards.size)
    mean, std, linear = fit.parameters.mean, fit.parameters.std, fit.parameters.fit
    for p in range(mean.size):
        expected = np.einsum("nj,nj->n", linear.beta[p, kept.actions], kept.z)
        residual = (kept.rewards - mean[p]) / std[p] - expected
        total += fit.resp[kept.users, p] * residual / np.sqrt(linear.noise[p, kept.actions])
    return total
