r"""Returns: rewards of visits that depend on each other, and of positions of a slate.

Where what is shown now decides what can be earned later (people tire, or leave), a visit is
not to be judged by its own reward but by what followed,

.. math:: G_t = r_t + \gamma G_{t+1},

up to the end of the session (return-to-go; Williams 1992, Sutton et al. 1999). A return is
compared with the returns of the same preference group at the same step: what is still to come
differs by step as rewards differ by group. This needs no replicas of a session.

How it comes about:

- ``partial_fit(..., sessions=)`` names the session of every row; rows of a session are in the
  order of time, rewards are plain rewards, and a call holds whole sessions. A recommender with
  ``gamma`` learns from their returns; any other takes the rows as single visits.
- While people are served, a session ends long after its first visit. `Sessions` keeps the rows
  of each lane until then; `pgrpo_rec.simulate` uses it for recommenders that have ``gamma``.
- What a row is *credited* with (`credit_visits`) is written beside its reward: histories and
  advantages go by the credit, the learning of groups by the reward.

A slate whose positions are read from the top, with a reward for each, is a session in small:
a position is credited with what was earned from it downwards.

Shapes: n visits, m positions of a slate (1 for single items), rows = n m.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec._numba import jit
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.interactions import Interactions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@jit
def credit_visits(
    rewards: Floats, sessions: Ints, n_sessions: int, gamma: float, downwards: bool
) -> tuple[Floats, Ints]:
    """Return what every position earns from there on, and the step of every visit.

    Parameters
    ----------
    rewards : ndarray of float64, shape (n, m)
    sessions : ndarray of int64, shape (n,), values in [0, n_sessions)
    n_sessions : int
    gamma : float in [0, 1]
        Discount from one visit of a session to the next.
    downwards : bool
        Credit a position with what itself and those below it earned; else with what the
        whole slate did.

    Returns
    -------
    credits : ndarray of float64, shape (n, m)
    steps : ndarray of int64, shape (n,): visits of the session before this one
    """
    later = np.zeros(n_sessions)
    n_steps = np.zeros(n_sessions, dtype=np.int64)
    credits, steps = np.empty(rewards.shape), np.empty(sessions.size, dtype=np.int64)
    for i in range(sessions.size):
        steps[i] = n_steps[sessions[i]]
        n_steps[sessions[i]] += 1
    for i in range(sessions.size - 1, -1, -1):
        below = gamma * later[sessions[i]]
        for s in range(rewards.shape[1] - 1, -1, -1):
            below += rewards[i, s]
            credits[i, s] = below
        if not downwards:
            credits[i] = below
        later[sessions[i]] = below
    return credits, steps


def credited(log: Interactions, gamma: float | None, *, downwards: bool) -> Interactions:
    """Return the log with the credit and the step of every row.

    Parameters
    ----------
    log : Interactions
    gamma : float in [0, 1] or None
        None takes every visit by itself.
    downwards : bool
        As in `credit_visits`, where positions have rewards of their own.
    """
    m = log.slate_size
    rewards = log.rewards.reshape(-1, m)
    if log.whole_slates:  # one reward, repeated
        rewards = np.where(np.arange(m) == 0, rewards, 0.0)
    alone = gamma is None or log.sessions is None
    sessions = np.arange(len(rewards)) if alone else log.sessions[::m]  # type: ignore[index]
    _, places = np.unique(sessions, return_inverse=True)
    credits, steps = credit_visits(
        rewards,
        places,
        places.max(initial=-1) + 1,
        gamma or 0.0,
        downwards and not log.whole_slates,
    )
    return log._replace(credits=credits.ravel(), steps=(steps[:, None] * m + np.arange(m)).ravel())


class Sessions:
    """Keeps the rows of sessions that go on, gives them out when they end.

    Examples
    --------
    Two lanes; the session in lane 1 ends at its second visit:

    >>> import numpy as np
    >>> from pgrpo_rec.returns import Sessions
    >>> sessions = Sessions()
    >>> lanes = np.arange(2)
    >>> sessions.add(lanes, np.array([False, False]), y=np.array([1.0, 2.0]))
    >>> sessions.add(lanes, np.array([False, True]), y=np.array([3.0, 4.0]))
    {'sessions': array([1, 1]), 'y': array([2., 4.])}
    """

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[Any]] = {}

    def add(
        self, lanes: Ints, ended: Bools, **columns: NDArray[Any]
    ) -> dict[str, NDArray[Any]] | None:
        """Take one visit of some lanes; return whole sessions, or None where none has ended.

        Parameters
        ----------
        lanes : ndarray of int64, shape (n,)
        ended : ndarray of bool, shape (L,)
            For every lane there is, whether its session ends with this visit.
        **columns : ndarray, shape (n, ...)
            What is known of the visits, the same at every call.

        Returns
        -------
        dict of ndarray, shape (rows, ...), or None
            The columns, and ``sessions``: a number for each session, to be told apart within
            this call only.
        """
        rows = {"sessions": lanes, **columns}
        if self._kept:
            rows = {name: np.concatenate([self._kept[name], rows[name]]) for name in rows}
        over = ended[rows["sessions"]]
        self._kept = {name: values[~over] for name, values in rows.items()}
        return {name: values[over] for name, values in rows.items()} if over.any() else None


class StepHistory:
    """Histories of credits by step, one for each cluster or for each user.

    With learned clusters the units are users, so that a cluster's history by step is the
    merge of its members' and follows them; that is U x T sums of four numbers.

    Parameters
    ----------
    decay : float in (0, 1]
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._units: NDArray[Any] = np.empty(0)
        self.n_steps = 0
        self._history = RewardHistory(0, decay=decay)

    def make_room(self, units: NDArray[Any], n_steps: int) -> None:
        """Line up with the units there are now, sorted, none of them lost; and the steps."""
        n_steps = max(n_steps, self.n_steps)
        if units.size == self._units.size and n_steps == self.n_steps:
            return
        longer = RewardHistory(units.size * n_steps, decay=self._decay)
        places = np.searchsorted(units, self._units) if self._units.size else np.zeros(0, int)
        for part, old in zip(longer.moments, self._history.moments, strict=True):
            grid = part.reshape(units.size, n_steps)
            grid[places, : self.n_steps] = old.reshape(self._units.size, self.n_steps)
        self._units, self.n_steps, self._history = units, n_steps, longer

    def update(self, credits: Floats, rows: Ints, steps: Ints) -> None:
        """Decay what is old, then fold in credits of units ``rows`` at ``steps``, all (n,)."""
        self._history.update(credits, rows * self.n_steps + steps)

    def by_cluster(self, labels: Ints, n_clusters: int) -> RewardHistory:
        """Return P T histories, those of a cluster next to each other; labels of the units."""
        cells = labels[:, None] * self.n_steps + np.arange(self.n_steps)
        return self._history.grouped(cells.ravel(), n_clusters * self.n_steps)
