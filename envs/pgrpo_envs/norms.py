r"""`Norms-v0`: what I like against what it does to others.

Item a has a known externality ``e_a`` in [0, 1], such as the harm it does to people who do not
choose it. A user with taste u of preference group p answers

.. math:: r = s_p \, \text{Bernoulli}(\operatorname{sigmoid}(b_p + u \cdot v_a)),
          \qquad \text{cost} = e_a

and society wants the mean cost under a budget, and no group's mean reward under a floor. The
world is small enough that the best any policy can do is known exactly: `pareto_front` solves

.. math:: \max_\pi \sum_i \rho_i \langle \pi_i, v_i \rangle \quad \text{with} \quad
          \sum_i \rho_i \langle \pi_i, e \rangle \le B, \quad
          \bar v_p(\pi) \ge f_p \, \bar v_p^{\max}

a linear program over one distribution ``\pi_i`` a row i (a group, or a person); its optimum as
a function of the budget B is the front (Geoffrion 1968; for policies Altman 1999).

Shapes: n lanes, U users, P groups, K items, d features, R rows of a table of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.lanes import SLOT_REWARD
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types, normalise
from pgrpo_envs.responses import bernoulli, sigmoid
from pgrpo_envs.scenarios import Scenario, require, require_per_group, require_shares
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, uniform

BOUND = 8.0  # profiles are clipped to [-8, 8]


@dataclass(frozen=True)
class NormsScenario(Scenario):
    """Parameters of `NormsVectorEnv`.

    Parameters
    ----------
    n_items : int, default=16
        K.
    n_users : int, default=1000
        U, people in the population.
    n_features : int, default=6
        d, dimensions of taste.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    conflict : float in [0, 1], default=0.8
        Minus the cosine between a minority's taste and the majority's.
    deviation : float, default=0.3
        How far people's tastes differ inside a group.
    obs_noise : float, default=0.2
        Standard deviation of the noise on the observed profile.
    slope : float, default=4
        Length of the item vectors.
    base, scale : tuple of float
        Base logit, and reward of a click (above 0), of each group.
    liked_by : int, default=0
        Group whose taste goes with harm.
    harm : float in [0, 1], default=0.8
        Correlation of an item's externality with what that group likes. Externalities are
        the ranks ``0, 1/(K-1), ..., 1``, so that a uniform policy costs 1/2.
    budget : float in [0, 1], default=0.3
        Mean cost that society wants to stay under. For reports and constrained learners:
        the world does not enforce it.
    floors : tuple of float in [0, 1], default=(0, 0, 0)
        Share of its best possible mean reward that each group should keep.
    """

    n_items: int = 16
    n_users: int = 1000
    n_features: int = 6
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    conflict: float = 0.8
    deviation: float = 0.3
    obs_noise: float = 0.2
    slope: float = 4.0
    base: tuple[float, ...] = (-0.5, -0.5, -0.5)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    liked_by: int = 0
    harm: float = 0.8
    budget: float = 0.3
    floors: tuple[float, ...] = (0.0, 0.0, 0.0)

    PRESETS: ClassVar = {
        "plain": {},
        "hidden": {"obs_noise": 1.5},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "sparse": {"base": (-0.5, -2.0, -3.5)},
        "minority": {"liked_by": 1, "budget": 0.15, "floors": (0.6, 0.6, 0.6)},
        "strict": {"budget": 0.25, "floors": (0.7, 0.7, 0.7)},
    }

    def __post_init__(self) -> None:
        n_groups = len(self.shares)
        require_shares(self.shares)
        for name in ("base", "scale", "floors"):
            require_per_group(getattr(self, name), n_groups, name)
        for name in ("n_items", "n_features"):
            require(getattr(self, name) >= 2, name, getattr(self, name), "at least 2")
        right = f"at least one for {n_groups} groups"
        require(self.n_users >= n_groups, "n_users", self.n_users, right)
        for name in ("deviation", "obs_noise", "slope"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(min(self.scale) > 0, "scale", self.scale, "every scale must be above 0")
        for name in ("conflict", "harm", "budget", "floors"):
            value = getattr(self, name)
            require(0 <= np.min(value) <= np.max(value) <= 1, name, value, "from 0 to 1")
        right = f"a group from 0 to {n_groups - 1}"
        require(self.liked_by in range(n_groups), "liked_by", self.liked_by, right)


class World(NamedTuple):
    """Everything that does not change."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    tastes: NDArray[np.float64]  # (U, d)
    profiles: NDArray[np.float32]  # (U, d)
    items: NDArray[np.float64]  # (K, d)
    externality: NDArray[np.float64]  # (K,)
    base: NDArray[np.float64]  # (P,)
    scale: NDArray[np.float64]  # (P,)


class State(NamedTuple):
    """Nothing changes but who comes by."""


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
    >>> from pgrpo_envs.norms import pareto_front
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


class NormsVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `NormsEnv`."""

    scenario_class = NormsScenario
    scenario: NormsScenario

    @staticmethod
    def build(scenario: NormsScenario, world_seed: int) -> World:
        """Build items, users and groups."""
        s = scenario
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        centroids = draw_centroids(rng, len(s.shares), s.n_features, s.conflict)
        tastes = draw_tastes(rng, centroids, user_types, s.deviation)
        seen = tastes + s.obs_noise * rng.normal(size=tastes.shape)
        rng = generator(world_seed, 1)
        directions = normalise(rng.normal(size=(s.n_items, s.n_features)))
        liked = directions @ centroids[s.liked_by]
        liked = (liked - liked.mean()) / liked.std()
        harm = s.harm * liked + np.sqrt(1.0 - s.harm**2) * rng.normal(size=s.n_items)
        return World(
            n_items=s.n_items,
            user_types=user_types,
            tastes=tastes,
            profiles=np.clip(seen, -BOUND, BOUND).astype(np.float32),
            items=s.slope * directions,
            externality=harm.argsort().argsort() / (s.n_items - 1),
            base=np.array(s.base, dtype=np.float64),
            scale=np.array(s.scale, dtype=np.float64),
        )

    @property
    def externality(self) -> NDArray[np.float64]:
        """What showing each item costs, shape (K,). Public knowledge, no privilege."""
        return self.world.externality

    def pareto_front(self, budgets: Sequence[float] | NDArray[np.float64]) -> ParetoFront:
        """Return the exact front of policies that know the person, floors included.

        A privilege of simulators; rows are the U people, who come by equally often.
        """
        types = self.user_types
        values = np.empty((types.size, self.n_items))
        _expect(self.world, np.arange(types.size), values)
        shares = np.full(types.size, 1.0 / types.size)
        floors = self.scenario.floors
        return pareto_front(
            values, self.externality, shares, budgets, user_types=types, floors=floors
        )

    def _layout(self) -> dict[str, slice]:
        return {"profile": slice(0, self.scenario.n_features)}

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        high = np.full(self.scenario.n_features, BOUND)
        return -high, high

    def _allocate(self, n: int) -> State:
        return State()

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        """Nobody brings anything but themselves."""

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        obs[lanes, : self.scenario.n_features] = self.world.profiles[self._clock.user[lanes]]

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        slots = np.zeros(1, dtype=np.int64)
        _answer(self.world, self._clock, actions[:, None], slots, reward[:, None])
        self._observe(np.arange(self.num_envs), obs)
        terminated[:] = True
        return {"cost": self.externality[actions]}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape)
        _answer(self.world, self._clock, actions, slots, reward)
        return {"reward": reward, "cost": self.externality[actions]}

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        _expect(self.world, self._clock.user, values)
        return values


class NormsEnv(WorldEnv):
    """What I like against what it does to others, with the exact Pareto front.

    ## Description
    One visit, one item, one answer, and a known externality of every item that goes with
    the taste of one group. Reward alone overspends the budget; the budget alone is paid by
    those who like harmful items; floors say how much of its best each group should keep.
    Presets: ``plain``, ``hidden`` (profiles tell little), ``scale`` (rewards of unequal
    size), ``sparse`` (unequal base rates), ``strict`` (tight budget and floors),
    ``minority`` (the same, with harm that a minority likes).

    ## Action space
    ``Discrete(K)``: the item to show.

    ## Observation space
    ``Box(-8, 8, (d,), float32)``: a noisy profile of the user. The externality of items is
    public: ``env.unwrapped.vector.externality``.

    ## Rewards
    ``scale_p`` for a click, else 0.

    ## Starting state
    A user drawn at random from the population.

    ## Episode end
    Always terminated after one step.

    ## Information
    ``user_id``; ``cost``, the externality of the item shown; with ``info_level="eval"``
    also ``user_type``, ``expected_reward``, ``best_expected_reward``.

    ## Arguments
    ``preset``, ``world_seed`` and every field of `NormsScenario`.

    ## Version history
    * v0: first version.

    Examples
    --------
    >>> from pgrpo_envs.norms import NormsEnv
    >>> env = NormsEnv(preset="plain")
    >>> obs, info = env.reset(seed=0)
    >>> obs, reward, terminated, truncated, info = env.step(3)
    >>> terminated, sorted(info)
    (True, ['cost', 'user_id'])
    """

    vector_class = NormsVectorEnv


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


@jit
def _mean(world, user, k):
    """Return the chance that a user clicks item k."""
    dot = world.base[world.user_types[user]]
    for j in range(world.items.shape[1]):
        dot += world.tastes[user, j] * world.items[k, j]
    return sigmoid(dot)


@jit
def _answer(world, clock, actions, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws from a slot of its own."""
    for i in range(actions.shape[0]):
        user = clock.user[i]
        scale = world.scale[world.user_types[user]]
        for g in range(actions.shape[1]):
            u = uniform(clock.noise_key[i], clock.episode[i], 0, SLOT_REWARD + slots[g])
            rewards[i, g] = scale * bernoulli(_mean(world, user, actions[i, g]), u)


@jit
def _expect(world, users, values):
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            scale = world.scale[world.user_types[users[i]]]
            values[i, k] = scale * _mean(world, users[i], k)
