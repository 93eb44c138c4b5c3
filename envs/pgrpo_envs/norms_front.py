r"""The exact front of mean reward against mean externality, by linear programming.

.. math:: \max_\pi \sum_i \rho_i \langle \pi_i, v_i \rangle \quad \text{with} \quad
          \sum_i \rho_i \langle \pi_i, e \rangle \le B, \quad
          \bar v_p(\pi) \ge f_p \, \bar v_p^{\max}

over one distribution ``\pi_i`` a row i (a group, or a person); its optimum as a function of the
budget B is the front (Geoffrion 1968; for policies Altman 1999).

Shapes: R rows and K items of a table of values, P groups, B budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from pgrpo_envs.scenarios import require, require_shares


class ParetoFront(NamedTuple):
    """The best that policies can do, one point a budget."""

    budget: NDArray[np.float64]  # (B,)
    reward: NDArray[np.float64]  # (B,): mean reward, each row by its share
    cost: NDArray[np.float64]  # (B,): mean externality
    by_group: NDArray[np.float64]  # (B, P): mean reward of each group
    policy: NDArray[np.float64]  # (B, R, K): a policy that attains it


def pareto_front(
    values: NDArray[np.float64],
    externality: NDArray[np.float64],
    shares: Sequence[float] | NDArray[np.float64],
    budgets: Sequence[float] | NDArray[np.float64],
    *,
    user_types: NDArray[np.int64] | None = None,
    floors: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
) -> ParetoFront:
    """Return the exact front of mean reward against mean externality.

    Rows are what a policy can tell apart: groups (then it is the front of policies that know
    the group) or people (then no policy whatever lies above it).

    Parameters
    ----------
    values : ndarray of shape (R, K)
        Expected reward of each item for each row.
    externality : ndarray of shape (K,)
    shares : sequence of float, length R
        How often each row comes by, positive, summing to 1.
    budgets : sequence of float, length B
        Upper bounds on the mean externality.
    user_types : ndarray of int64, shape (R,), optional
        Group of each row; by default every row is a group.
    floors : sequence of float, length P, optional
        Share of its best possible mean reward that each group keeps; 0 by default.
    weights : sequence of float, length P, optional
        What a reward of each group counts in the sum that is maximised; 1 by default.
        Sweeping them moves along the front between groups.

    Returns
    -------
    ParetoFront

    Raises
    ------
    ValueError
        If shapes do not fit, or a budget and the floors cannot hold together.

    Examples
    --------
    Half the people like the harmful item; a budget of 1/4 halves how often they see it.

    >>> import numpy as np
    >>> from pgrpo_envs.norms_front import pareto_front
    >>> likes = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> front = pareto_front(likes, np.array([0.0, 1.0]), [0.5, 0.5], [0.0, 0.25, 0.5])
    >>> front.reward
    array([0.5 , 0.75, 1.  ])
    >>> front.by_group[:, 0]
    array([0. , 0.5, 1. ])
    """
    n_rows, n_items = values.shape
    types = np.arange(n_rows) if user_types is None else user_types
    n_groups = int(types.max()) + 1
    shares = np.asarray(shares, dtype=np.float64)
    floor = np.zeros(n_groups) if floors is None else np.asarray(floors, dtype=np.float64)
    weight = np.ones(n_groups) if weights is None else np.asarray(weights, dtype=np.float64)
    _check_front(values, externality, shares, types, floor, weight)
    member: Any = sparse.csr_matrix((shares, (types, np.arange(n_rows))), shape=(n_groups, n_rows))
    member = sparse.diags(1.0 / member.sum(axis=1).A1) @ member
    least = floor * (member @ values.max(axis=1))
    points = [
        _best_policy(values, externality, shares, shares * weight[types], member, least, budget)
        for budget in budgets
    ]
    policy = np.array(points).reshape(-1, n_rows, n_items)
    by_row = (policy * values).sum(axis=2)
    return ParetoFront(
        budget=np.asarray(budgets, dtype=np.float64),
        reward=by_row @ shares,
        cost=policy @ externality @ shares,
        by_group=(member @ by_row.T).T,
        policy=policy,
    )


def _check_front(
    values: NDArray[np.float64],
    externality: NDArray[np.float64],
    shares: NDArray[np.float64],
    types: NDArray[np.int64],
    floors: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> None:
    n_rows, n_items = values.shape
    right = f"the shape must be ({n_items},), one for each column of values"
    require(externality.shape == (n_items,), "externality", externality.shape, right)
    for name, array in (("shares", shares), ("user_types", types)):
        right = f"the shape must be ({n_rows},), one for each row of values"
        require(array.shape == (n_rows,), name, array.shape, right)
    require_shares(tuple(shares))
    n_groups = int(types.max()) + 1
    right = f"every group from 0 to {n_groups - 1} must occur"
    require(np.unique(types).size == n_groups and types.min() >= 0, "user_types", types, right)
    for name, array in (("floors", floors), ("weights", weights)):
        right = f"one value for each of {n_groups} groups"
        require(array.shape == (n_groups,), name, array.shape, right)


def _best_policy(
    values: NDArray[np.float64],
    externality: NDArray[np.float64],
    shares: NDArray[np.float64],
    worth: NDArray[np.float64],
    member: Any,
    least: NDArray[np.float64],
    budget: float,
) -> NDArray[np.float64]:
    """Solve the linear program at one budget; returns the policy, shape (R, K)."""
    n_rows, n_items = values.shape
    rows = np.repeat(np.arange(n_rows), n_items)
    each: Any = sparse.csr_matrix((np.ones(rows.size), (rows, np.arange(rows.size))))
    spread = sparse.csr_matrix((values.ravel(), (rows, np.arange(rows.size))))
    spent: Any = sparse.csr_matrix(np.outer(shares, externality).reshape(1, -1))
    limits: Any = sparse.vstack([spent, -(member @ spread)])
    found = linprog(
        -(worth[:, None] * values).ravel(),
        A_ub=limits,
        b_ub=np.append(budget, -least),
        A_eq=each,
        b_eq=np.ones(n_rows),
        bounds=(0.0, 1.0),
        method="highs",
    )
    right = "no policy stays under it and keeps every group above its floor"
    require(found.status != 2, "budget", budget, right)
    require(found.status == 0, "budget", budget, found.message)
    return np.asarray(found.x).reshape(n_rows, n_items)
