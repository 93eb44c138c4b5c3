r"""A book: the sums of answers, and the fits that are read from them.

What is believed is the posterior by the ridges that the evidence asks for. Items can be shown by
a sharpened one, in which each answer counts :math:`1 / w^2` times: the posterior narrows to w of
its width as answers come, and the prior stays as wide as it was. (Chapelle and Li, 2011, reshape
the posterior with its prior.) With ridges R, noise s and the answers' G,

.. math:: \mathrm{cov} = w^2 s^2 (G + w^2 R)^{-1},

the fit by ridges :math:`w^2 R`, read at w of its width.

Shapes: n visits, K items, P clusters, D columns kept, of which the first ones may be used alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.clicks import add_clicks
from pgrpo_rec.natural import (
    Fit,
    Priors,
    Sums,
    add_answers,
    empty_fit,
    empty_sums,
    first_columns,
    read_shown,
    read_values,
    refresh,
    weights_left,
    widened,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NARROWEST = 1e-3  # a width under which ridges shrink no further: matrices must be invertible


class Book:
    """Sums of one way to hear answers: all of them, or the last ones; as they are, or as clicks.

    Parameters
    ----------
    n_items, n_columns : int
        K and D.
    first_ridge : float
        Of clusters that have answered nothing.

    Attributes
    ----------
    fit : Fit
        What is believed.
    stale : ndarray of bool, shape (P, K)
        Where sums have changed since the last refresh.
    overdue : bool
        Whether the next refresh cannot wait; see `expire`.
    """

    def __init__(self, n_items: int, n_columns: int, first_ridge: float) -> None:
        self.n_columns = n_columns
        self.first_ridge = first_ridge
        self.sums: Sums = empty_sums(0, n_items, n_columns)
        self.fit: Fit = empty_fit(0, n_items, n_columns)
        self.stale = np.zeros((0, n_items), dtype=np.bool_)
        self.overdue = False
        self._sharp: Fit | None = None  # made when it is first read
        self._sharp_stale = self.stale.copy()
        self._refreshed_by: tuple[Floats, Floats, Priors] | None = None  # not sharpened since

    def follow(self, n_clusters: int, *, keep: bool) -> None:
        """Make room for clusters; keep the sums of those that there were, or forget them."""
        n_items = self.stale.shape[1]
        fresh = empty_sums(n_clusters, n_items, self.n_columns)
        if keep:
            for new, old in zip(fresh, self.sums, strict=True):
                new[: old.shape[0]] = old
        self.sums = fresh
        self.use_columns(self.fit.beta.shape[2])

    def use_columns(self, n_used: int) -> None:
        """Fit on so many of the columns from the next refresh on."""
        n_clusters, n_items = self.sums.heard.shape
        self.fit = empty_fit(n_clusters, n_items, n_used)
        self.stale = np.empty((n_clusters, n_items), dtype=np.bool_)
        self._sharp = self._refreshed_by = None
        self._sharp_stale = np.ones((n_clusters, n_items), dtype=np.bool_)
        self.expire(np.arange(n_clusters))

    def expire(self, clusters: Ints) -> None:
        """Let the refresh of some clusters not wait: their fit has fallen behind their sums."""
        self.stale[clusters] = True
        self.overdue |= clusters.size > 0

    @property
    def used(self) -> Sums:
        """Sums of the columns in use."""
        return first_columns(self.sums, self.fit.beta.shape[2])

    def add(self, z: Floats, clusters: Ints, actions: Ints, rewards: Floats) -> None:
        """Fold answers in as they are."""
        add_answers(self.sums, z, clusters, actions, rewards, np.ones(rewards.size))
        self.stale[clusters, actions] = True

    def add_fading(
        self, z: Floats, clusters: Ints, actions: Ints, rewards: Floats, kept: float
    ) -> None:
        """Fold answers in as they are; each leaves ``kept`` of what its cluster said before."""
        self.fade(clusters, kept)
        weights = weights_left(clusters, self.stale.shape[0], kept)
        add_answers(self.sums, z, clusters, actions, rewards, weights)
        self.expire(clusters)

    def add_clicks(
        self, z: Floats, clusters: Ints, actions: Ints, clicked: Floats, centre: Floats
    ) -> None:
        """Fold answers in as clicks or misses; the fit must be up to date."""
        weights = np.ones(clicked.size)
        add_clicks(self.sums, self.fit, z, clusters, actions, clicked, centre, weights)
        self.stale[clusters, actions] = True

    def add_fading_clicks(
        self,
        z: Floats,
        clusters: Ints,
        actions: Ints,
        clicked: Floats,
        centre: Floats,
        kept: float,
    ) -> None:
        """Fold answers in as clicks or misses; each leaves ``kept`` of what was said before.

        The fit moves with every click, so that its refresh can wait.
        """
        self.fade(clusters, kept)
        weights = weights_left(clusters, self.stale.shape[0], kept)
        add_clicks(self.sums, self.fit, z, clusters, actions, clicked, centre, weights)

    def fade(self, clusters: Ints, kept: float) -> None:
        """Let each cluster forget a little at every visit of it."""
        left = kept ** np.bincount(clusters, minlength=self.stale.shape[0])
        for part in self.sums:
            part *= left.reshape(-1, *[1] * (part.ndim - 1))
        self.stale[left < 1.0] = True

    def turn(self, clusters: Ints) -> None:
        """Take clicks for misses and misses for clicks: log-odds change their sign."""
        self.sums.moment[clusters] *= -1.0
        self.expire(clusters)

    def copy_cluster(self, other: Book, p: int) -> None:
        """Know of a cluster what another book knows."""
        for part, source in zip(self.sums, other.sums, strict=True):
            part[p] = source[p]
        self.expire(np.array([p]))

    def refresh(self, level: Floats, unit: Floats, priors: Priors) -> None:
        """Bring the fit up to date."""
        priors = priors._replace(kinds=priors.kinds[: self.fit.beta.shape[2]])
        refresh(self.fit, self.used, self.stale, level, unit, priors)
        self._refreshed_by = level, unit, priors
        self._sharp_stale |= self.stale
        self.stale[:] = False
        self.overdue = False

    def read(self, z: Floats, clusters: Ints) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of every item's value, shapes (n, K)."""
        fit = self.fit_of(clusters)
        return read_values(fit, _used(fit, z), clusters)

    def read_shown(self, z: Floats, clusters: Ints, actions: Ints) -> tuple[Floats, Floats]:
        """Return the same of what was shown alone, shapes (n,)."""
        fit = self.fit_of(clusters)
        return read_shown(fit, _used(fit, z), clusters, actions)

    def read_sharp(self, z: Floats, clusters: Ints, width: float) -> tuple[Floats, Floats]:
        """Return the same by the sharpened fit, whose standard deviations are w of these.

        A book is read at one width only, above 0.
        """
        factor = max(width, NARROWEST) ** 2
        fit = _with_strangers(self._sharpened(factor), clusters, self.first_ridge * factor)
        return read_values(fit, _used(fit, z), clusters)

    def _sharpened(self, factor: float) -> Fit:
        """Return the fit with ridges times a factor; it is brought up to date when it is read."""
        if self._refreshed_by is None:
            return self._sharp or self.fit
        level, unit, priors = self._refreshed_by
        if self._sharp is None:
            self._sharp = empty_fit(*self.fit.beta.shape)
        refresh(self._sharp, self.used, self._sharp_stale, level, unit, widened(priors, factor))
        self._sharp_stale[:] = False
        self._refreshed_by = None
        return self._sharp

    def fit_of(self, clusters: Ints) -> Fit:
        """Return the fit, with one more cluster if one of these has never been met."""
        return _with_strangers(self.fit, clusters, self.first_ridge)


def _used(fit: Fit, z: Floats) -> Floats:
    """Return the columns of the visits that a fit is on."""
    return np.ascontiguousarray(z[:, : fit.beta.shape[2]])


def _with_strangers(fit: Fit, clusters: Ints, first_ridge: float) -> Fit:
    """Return the fit; if a cluster has never been met, with one more: the common part."""
    if not clusters.size or clusters.max() < fit.noise.shape[0]:
        return fit
    shape = (1, *fit.common.shape)
    deviation = np.eye(shape[2]) / first_ridge
    return fit._replace(
        beta=np.concatenate([fit.beta, fit.common[None]]),
        covariance=np.concatenate([fit.covariance, fit.common_inverse[None] + deviation]),
        noise=np.concatenate([fit.noise, np.ones(shape[:2])]),
    )
