r"""`Norms-v0`: what I like against what it does to others.

Item a has a known externality ``e_a`` in [0, 1], such as the harm it does to people who do not
choose it. A user with taste u of preference group p answers

.. math:: r = s_p \, \text{Bernoulli}(\operatorname{sigmoid}(b_p + u \cdot v_a)),
          \qquad \text{cost} = e_a

and society wants the mean cost under a budget, and no group's mean reward under a floor. The
world is small enough that the best any policy can do is known exactly: see
`pgrpo_envs.norms_front`.

Shapes: n lanes, U users, P groups, K items, d features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.lanes import SLOT_REWARD
from pgrpo_envs.norms_front import ParetoFront, pareto_front
from pgrpo_envs.norms_scenario import NormsScenario
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types, normalise
from pgrpo_envs.responses import bernoulli, sigmoid
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, uniform

BOUND = 8.0  # profiles are clipped to [-8, 8]


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

    ## Sources and units
    The model, tastes and externalities are built for this project, and the values are
    assumptions. The front is exact, by linear programs (`pgrpo_envs.norms_front`). Cost is
    the externality in [0, 1], taste is counted in logits.

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
