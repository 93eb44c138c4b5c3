r"""What features of users say about their cluster, before any answer does.

A latent-class model with concomitant variables (Dayton & Macready 1988): somebody with
features x belongs to cluster p with probability

.. math:: \pi_p(x) = \frac{e^{a_p + b_p \cdot x}}{\sum_q e^{a_q + b_q \cdot x}}

in place of the cluster's share :math:`s_p`. The clusters themselves are left as the answers
made them: features tilt where people are placed, :math:`r_{up} \propto r_{up} \pi_p(x_u) / s_p`,
where r are responsibilities under the shares. Groups by taste thus never turn into groups by
age, and features that say nothing cost nothing.

Some features are the person's (age), others the visit's (where a group comes by at other
hours). n visits say as much as :math:`m = n / (1 + (n - 1) \rho)` that have nothing to do with
each other: :math:`\rho = 1` is a feature that never changes. The logits are fitted to one
visit a user, which is what is known of a stranger, and :math:`s_p (\pi_p(\bar x) / s_p)^m` is
the prior of whom n visits are known. Of several :math:`\rho` and the shares alone, people held
out decide, by the likelihood of their answers; they choose the ridge of the weights b, too.

Shapes: n rows, U users, P clusters, q features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RIDGES = (100.0, 10.0, 1.0)  # that are tried, of weights on standardised features, in people
CORRELATIONS = (1.0, 0.3, 0.1, 0.03, 0.0)  # of visits of one person, that are tried
ERRORS = 2.0  # standard errors by which features must predict better than the shares
LEAST_GAIN = 2.0  # nats over all people: a cluster of one or two is no reason to believe features
N_FOLDS = 5
N_PASSES = 2  # fits, each to where the one before places people; more change nothing
SAMPLE_SIZE = 5_000  # users; more do not make a few weights much better
CELLS = 500_000  # of users x clusters x features at most, so that a fit takes seconds
MAX_TILT = 30.0  # of logits: never quite certain, and never out of range


class Known(NamedTuple):
    """Of users: mean and last of their features (n, q), and of how many visits (n,)."""

    mean: Floats
    last: Floats
    n_visits: Ints


class Gate(NamedTuple):
    """From features to logits: ``weights`` (P, q), ``constants`` (P,) and log ``shares`` (P,)."""

    weights: Floats
    constants: Floats
    log_shares: Floats
    correlation: float

    def tilt(self, mean: Floats, n_visits: Ints) -> Floats:
        """Return by what each cluster is likelier than by its share, shape (n, P)."""
        # No matrix product: its last digits would depend on the number of threads.
        logits = np.einsum("nq,pq->np", mean, self.weights) + self.constants
        logits -= _log_sum(logits)
        visits = n_visits / (1.0 + (n_visits - 1.0) * self.correlation)
        scores = visits[:, None] * (logits - self.log_shares)
        scores -= _log_sum(scores + self.log_shares)
        return np.asarray(np.exp(np.clip(scores, -MAX_TILT, MAX_TILT)))


class UserFeatures:
    """Features of users by row, and what they say.

    Parameters
    ----------
    n_features : int
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.gate: Gate | None = None
        self._total = np.zeros((0, n_features))
        self._last = np.zeros((0, n_features))
        self._n_visits = np.zeros(0, dtype=np.int64)

    def make_room(self, n_users: int) -> None:
        """Have a row for so many users; room doubles, so that a new one costs no copy of all."""
        missing = n_users - self._n_visits.size
        if missing > 0:
            more = max(missing, self._n_visits.size)
            empty = np.zeros((more, self.n_features))
            self._total = np.concatenate([self._total, empty])
            self._last = np.concatenate([self._last, empty])
            self._n_visits = np.concatenate([self._n_visits, np.zeros(more, dtype=np.int64)])

    def add(self, rows: Ints, features: Floats) -> None:
        """Remember what the features of these users were at one visit more."""
        self.make_room(int(rows.max(initial=-1)) + 1)
        # Several answers of one visit, as of a slate, are rows that repeat each other.
        again = np.zeros(rows.size, dtype=np.bool_)
        again[1:] = (rows[1:] == rows[:-1]) & (features[1:] == features[:-1]).all(axis=1)
        rows, features = rows[~again], features[~again]
        np.add.at(self._total, rows, features)
        np.add.at(self._n_visits, rows, 1)
        self._last[rows] = features

    def follow_users(self, moved: Ints) -> None:
        """Give users their new rows, and forget those of row -1."""
        self.make_room(moved.size)
        stay = np.flatnonzero(moved >= 0)
        self._total, self._last = self._total[stay], self._last[stay]
        self._n_visits = self._n_visits[stay]

    def refit(self, resp: Floats, shares: Floats, rng: np.random.Generator) -> None:
        """Learn what features say of users with these responsibilities under the shares."""
        rows = np.flatnonzero(self._n_visits[: resp.shape[0]])
        at_most = min(SAMPLE_SIZE, CELLS // (resp.shape[1] * self.n_features))
        if rows.size > at_most:
            rows = np.sort(rng.choice(rows, at_most, replace=False))
        self.gate = fit_gate(self._known(rows), resp[rows], shares, rng)

    def tilts(self, rows: Ints, told: Floats | None = None) -> Floats | None:
        """Return by what each cluster is likelier than by its share; None: by nothing.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            -1 for people never met.
        told : ndarray, shape (n, q), optional
            Features of those of whom none are remembered.

        Returns
        -------
        ndarray, shape (n, P), or None
        """
        if self.gate is None:
            return None
        known = rows >= 0
        known[known] = self._n_visits[rows[known]] > 0
        tilts = np.ones((rows.size, self.gate.log_shares.size))
        remembered = self._known(rows[known])
        tilts[known] = self.gate.tilt(remembered.mean, remembered.n_visits)
        if told is not None:
            once = np.ones(int((~known).sum()), dtype=np.int64)
            tilts[~known] = self.gate.tilt(told[~known], once)
        return tilts

    def _known(self, rows: Ints) -> Known:
        n_visits = self._n_visits[rows]
        return Known(self._total[rows] / n_visits[:, None], self._last[rows], n_visits)


def check_user_features(values: Any, n: int, known: int | None) -> Floats:
    """Return features of users as finite numbers, shape (n, q).

    Raises
    ------
    ValueError
        If they are not, or q is not the ``known`` one.
    """
    table = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    try:
        table = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "user_features must be numbers; turn labels into one column of 0 and 1 each"
        ) from None
    if table.ndim != 2 or table.shape[0] != n or table.shape[1] == 0:
        raise ValueError(
            f"user_features has shape {table.shape}; it must be ({n}, q): one row for each entry "
            "of users, and at least one column"
        )
    if known is not None and table.shape[1] != known:
        raise ValueError(
            f"user_features has {table.shape[1]} columns, the first ones had {known}: they must "
            "be the same"
        )
    bad = ~np.isfinite(table).all(axis=1)
    if bad.any():
        raise ValueError(
            f"user_features is not finite in row {int(np.flatnonzero(bad)[0])}; fill in what is "
            "missing, say by the mean"
        )
    return table


def tilt(resp: Floats, by: Floats) -> Floats:
    """Return responsibilities (n, P) times tilts (n, P), summing to 1 again."""
    scores = resp * by
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def gains(resp: Floats, by: Floats) -> Floats:
    """Return how much likelier the tilts make what each user answered, in nats, shape (n,)."""
    return np.asarray(np.log(np.maximum((resp * by).sum(axis=1), 1e-300)))


def fit_gate(known: Known, resp: Floats, shares: Floats, rng: np.random.Generator) -> Gate | None:
    """Fit the logits; None where features do not predict better than the shares do.

    Parameters
    ----------
    known : Known of n users
    resp : ndarray, shape (n, P)
        Responsibilities under the shares.
    shares : ndarray, shape (P,)
    rng : Generator
        Says who is held out when.

    Returns
    -------
    Gate or None
    """
    n_users, n_clusters = resp.shape
    if n_clusters < 2 or n_users < 2 * N_FOLDS or (np.ptp(known.last, axis=0) == 0.0).all():
        return None
    with threadpool_limits(1):  # sums over threads would depend on their number
        return _chosen(known, resp, shares, rng)


def _chosen(known: Known, resp: Floats, shares: Floats, rng: np.random.Generator) -> Gate | None:
    """Return the gate that predicts people held out best, if it is better than the shares.

    The ridge is chosen as for strangers, by one visit each: else many visits of little
    correlation would make up for weights that are too small, but not for strangers.
    """
    n_users = resp.shape[0]
    fold = rng.permutation(n_users) % N_FOLDS
    strangers = known._replace(mean=known.last, n_visits=np.ones(n_users, dtype=np.int64))
    gates = {
        ridge: [_fit(known.last[fold != f], resp[fold != f], shares, ridge) for f in range(N_FOLDS)]
        for ridge in RIDGES
    }
    ridge = max(RIDGES, key=lambda r: _held_out(gates[r], 1.0, fold, strangers, resp).sum())
    trials = {c: _held_out(gates[ridge], c, fold, known, resp) for c in CORRELATIONS}
    best = max(CORRELATIONS, key=lambda c: trials[c].sum())  # of equals the first
    needed = max(ERRORS * float(trials[best].std()) * np.sqrt(n_users), LEAST_GAIN)
    if trials[best].sum() <= needed:
        return None
    return _fit(known.last, resp, shares, ridge)._replace(correlation=best)


def _held_out(
    gates: list[Gate], correlation: float, fold: Ints, known: Known, resp: Floats
) -> Floats:
    """Return gains of people by the gates that were fitted without their fold, shape (n,)."""
    gain = np.zeros(fold.size)
    for f, gate in enumerate(gates):
        held = fold == f
        by = gate._replace(correlation=correlation).tilt(known.mean[held], known.n_visits[held])
        gain[held] = gains(resp[held], by)
    return gain


def _fit(features: Floats, resp: Floats, shares: Floats, ridge: float) -> Gate:
    """Fit logits to where people are, which itself depends on the logits: a few EM passes."""
    n_users, n_clusters = resp.shape
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-12 * (1.0 + np.abs(centre)), scale, np.inf)
    rows = np.repeat((features - centre) / scale, n_clusters, axis=0)
    labels = np.tile(np.arange(n_clusters), n_users)
    model = LogisticRegression(C=1.0 / ridge, tol=1e-3, max_iter=1000, warm_start=True)
    placed, ones = resp, np.ones(n_users, dtype=np.int64)
    for _ in range(N_PASSES):
        # No cluster may be without anybody: one person's worth is shared among all.
        weights = placed + shares / n_users
        model.fit(rows, labels, sample_weight=weights.ravel())
        coef, constants = model.coef_, model.intercept_
        if n_clusters == 2:
            coef, constants = np.vstack([0.0 * coef, coef]), np.append(0.0, constants)
        constants = constants - (coef * centre / scale).sum(axis=1)
        gate = Gate(coef / scale, constants, np.log(shares), 1.0)
        placed = tilt(resp, gate.tilt(features, ones))
    return gate


def _log_sum(scores: Floats) -> Floats:
    """Return the log of the sum of exponentials of each row, shape (n, 1)."""
    top = scores.max(axis=1, keepdims=True)
    return np.asarray(top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True)))
