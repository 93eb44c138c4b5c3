r"""`Treatment-v0`: which drug at which dose. A TOY, NOT CLINICAL: no number fits any medicine.

A dose d of drug m reaches person u as exposure ``x = d * clearance_u`` and gives

.. math:: E = E_{pm} \frac{x^h}{c^h + x^h}, \quad c = c_p (1 + \rho_p a_m), \qquad
          q = \operatorname{sigmoid}(s (x - t_p f_m)), \qquad
          r = \text{scale}_p (E + \text{noise} - w_p y - b_p d), \quad y \sim \text{Bernoulli}(q)

the Emax model (Hill 1910; Holford & Sheiner 1981) and a logistic adverse event y. Tolerance
``a_m`` is a moving average of the doses of drug m and wears off while another is given. After
an event a person may give up; a serious event ends the treatment.

Shapes: n lanes, U users, P groups, M drugs, J doses, K = M J actions, d markers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.lanes import SLOT_CHURN, SLOT_REWARD, SLOT_WORLD
from pgrpo_envs.populations import draw_centroids, draw_user_types
from pgrpo_envs.responses import bernoulli, sigmoid
from pgrpo_envs.single import WorldEnv
from pgrpo_envs.treatment_scenario import TreatmentScenario
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, normal, uniform

BOUND = 8.0  # markers and outcomes are clipped to [-8, 8]
SLOT_SERIOUS = SLOT_WORLD  # whether an adverse event is a serious one
SLOT_OUTCOME = 131_072  # noise of the outcome, beyond the slots of any number of candidates


class World(NamedTuple):
    """Everything that does not change; per-group rows are in the order of the shares."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    centroids: NDArray[np.float64]  # (P, d): mean markers
    markers: NDArray[np.float32]  # (U, d)
    clearance: NDArray[np.float64]  # (U,): exposure per unit of dose
    doses: NDArray[np.float64]  # (J,)
    emax: NDArray[np.float64]  # (P, M)
    half_dose: NDArray[np.float64]  # (P,)
    toxic_dose: NDArray[np.float64]  # (P, M)
    event_weight: NDArray[np.float64]  # (P,)
    burden: NDArray[np.float64]  # (P,)
    tolerance: NDArray[np.float64]  # (P,)
    dropout: NDArray[np.float64]  # (P,)
    serious: NDArray[np.float64]  # (P,)
    scale: NDArray[np.float64]  # (P,)
    hill: float
    steepness: float
    memory: float
    noise: float
    horizon: int


class State(NamedTuple):
    """What changes: tolerance to each drug, and what the last visit brought."""

    doses: NDArray[np.float64]  # (n, M): moving average of doses, in [0, 1]
    outcome: NDArray[np.float64]  # (n,): efficacy with noise, 0 before the first visit
    event: NDArray[np.float64]  # (n,): 1 after an adverse event


class TreatmentVectorEnv(WorldVectorEnv):
    """Many people at a time; the page is `TreatmentEnv`."""

    scenario_class = TreatmentScenario
    scenario: TreatmentScenario

    @staticmethod
    def build(scenario: TreatmentScenario, world_seed: int) -> World:
        """Build people, groups and drugs."""
        s = scenario
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        centroids = draw_centroids(rng, len(s.shares), s.n_features, s.conflict)
        noise = s.obs_noise * rng.normal(size=(s.n_users, s.n_features))
        markers = np.clip(centroids[user_types] + noise, -BOUND, BOUND)
        by_group = ("half_dose", "event_weight", "burden", "tolerance", "dropout", "serious")
        return World(
            n_items=len(s.margin) * s.n_doses,
            user_types=user_types,
            centroids=centroids,
            markers=markers.astype(np.float32),
            clearance=np.exp(s.deviation * generator(world_seed, 1).normal(size=s.n_users)),
            doses=np.arange(1, s.n_doses + 1) / s.n_doses,
            emax=np.array(s.emax, dtype=np.float64),
            toxic_dose=np.outer(s.toxic_dose, s.margin),
            **{name: np.array(getattr(s, name), dtype=np.float64) for name in by_group},
            scale=np.array(s.scale, dtype=np.float64),
            hill=float(s.hill),
            steepness=float(s.steepness),
            memory=float(s.memory),
            noise=float(s.noise),
            horizon=s.horizon,
        )

    @property
    def cost_ceiling(self) -> NDArray[np.float64]:
        """Adverse events a visit that each group would accept, shape (P,)."""
        return np.array(self.scenario.cost_ceiling)

    def expected_cost(self) -> NDArray[np.float64]:
        """Return the chance of an adverse event of every action, shape (n, K)."""
        return self._both()[1]

    def _layout(self) -> dict[str, slice]:
        d, n_drugs = self.scenario.n_features, len(self.scenario.margin)
        return {
            "markers": slice(0, d),
            "mean_dose": slice(d, d + n_drugs),
            "outcome": slice(d + n_drugs, d + n_drugs + 1),
            "event": slice(d + n_drugs + 1, d + n_drugs + 2),
            "time": slice(d + n_drugs + 2, d + n_drugs + 3),
        }

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        d, n_drugs = self.scenario.n_features, len(self.scenario.margin)
        low = np.repeat([-BOUND, 0.0, -BOUND, 0.0], [d, n_drugs, 1, 2])
        high = np.repeat([BOUND, 1.0, BOUND, 1.0], [d, n_drugs, 1, 2])
        return low, high

    def _allocate(self, n: int) -> State:
        return State(np.zeros((n, len(self.scenario.margin))), np.zeros(n), np.zeros(n))

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        for array in self.state:
            array[lanes] = 0.0

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        _write_visits(self.world, lanes, self._clock.user, self._clock.t, self.state, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        c, cost = self._clock, np.empty(self.num_envs)
        _treat(self.world, c, self.state, actions, reward, cost, terminated)
        _write_visits(self.world, np.arange(self.num_envs), c.user, c.t + 1, self.state, obs)
        return {"cost": cost}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward, cost = np.empty(actions.shape), np.empty(actions.shape)
        _answer(self.world, self._clock, self.state.doses, actions, slots, reward, cost)
        return {"reward": reward, "cost": cost}

    def _expected(self) -> NDArray[np.float64]:
        return self._both()[0]

    def _both(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values, risks = np.empty((2, self.num_envs, self.n_items))
        _expect(self.world, self._clock.user, self.state.doses, values, risks)
        return values, risks


class TreatmentEnv(WorldEnv):
    """Which drug at which dose. A TOY, NOT CLINICAL: no number fits any medicine.

    ## Description
    A person comes for up to ``horizon`` visits; at each one drug is given at one dose.
    Efficacy saturates with the dose, adverse events rise with it, and tolerance to a drug
    builds up with use. Groups differ in which drug works and in what they stand: by
    default the dose that is best for everybody together harms the frail tenth. Presets:
    ``plain``, ``hidden`` (markers tell little), ``scale`` (rewards of unequal size),
    ``tolerant`` (tolerance so strong that drugs should alternate), ``hard`` (all of it).

    ## Action space
    ``Discrete(M * J)``: action ``m * J + j`` gives drug m at dose ``(j + 1) / J``.

    ## Observation space
    ``Box((d + M + 3,), float32)``: markers of the person, moving average of the doses of
    each drug, outcome and adverse event of the last visit, share of the horizon gone by;
    ``obs_layout`` tells which. Clearance and group are hidden.

    ## Rewards
    ``scale_p (efficacy + noise - event_weight_p * event - burden_p * dose)``.

    ## Starting state
    A person drawn at random from the population, without tolerance.

    ## Episode end
    Terminated when a person gives up after an adverse event, or the event is serious;
    truncated after ``horizon`` visits.

    ## Information
    ``user_id``; ``cost``, 1 for an adverse event (to be kept under ``cost_ceiling``); with
    ``info_level="eval"`` also ``user_type``, ``expected_reward``, ``best_expected_reward``.

    ## Arguments
    ``preset``, ``world_seed`` and every field of `TreatmentScenario`.

    ## Sources and units
    Efficacy: the Emax model, Hill (1910), Holford & Sheiner (1981). Every value is made up.
    Time is counted in visits, doses as a share of the largest.

    ## Version history
    * v0: first version.

    Examples
    --------
    >>> from pgrpo_envs.treatment import TreatmentEnv
    >>> env = TreatmentEnv(preset="plain")
    >>> obs, info = env.reset(seed=0)
    >>> obs, reward, terminated, truncated, info = env.step(3)
    >>> sorted(info), obs.shape
    (['cost', 'user_id'], (9,))
    """

    vector_class = TreatmentVectorEnv


@jit
def _effect(world, user, doses, k):
    """Return efficacy, chance of an adverse event and dose of action k for a person."""
    p = world.user_types[user]
    m = k // world.doses.size
    dose = world.doses[k % world.doses.size]
    x = (dose * world.clearance[user]) ** world.hill
    half = (world.half_dose[p] * (1.0 + world.tolerance[p] * doses[m])) ** world.hill
    efficacy = world.emax[p, m] * x / (half + x)
    exposure = dose * world.clearance[user]
    risk = sigmoid(world.steepness * (exposure - world.toxic_dose[p, m]))
    return efficacy, risk, dose


@jit
def _hear(world, clock, i, doses, k, slot):
    """Return reward, adverse event and noisy efficacy if lane i were given action k."""
    p = world.user_types[clock.user[i]]
    efficacy, risk, dose = _effect(world, clock.user[i], doses, k)
    key, episode, t = clock.noise_key[i], clock.episode[i], clock.t[i]
    event = bernoulli(risk, uniform(key, episode, t, SLOT_REWARD + slot))
    outcome = efficacy + world.noise * normal(key, episode, t, SLOT_OUTCOME + slot)
    reward = outcome - world.event_weight[p] * event - world.burden[p] * dose
    return world.scale[p] * reward, event, outcome


@jit
def _answer(world, clock, doses, actions, slots, rewards, costs):
    """Fill (n, G) rewards and adverse events of candidates."""
    for i in range(actions.shape[0]):
        for g in range(actions.shape[1]):
            answer = _hear(world, clock, i, doses[i], actions[i, g], slots[g])
            rewards[i, g] = answer[0]
            costs[i, g] = answer[1]


@jit
def _treat(world, clock, state, actions, rewards, costs, terminated):
    """Give every lane's person the action: answer, tolerance, and who stops."""
    for i in range(actions.size):
        k = actions[i]
        rewards[i], event, outcome = _hear(world, clock, i, state.doses[i], k, 0)
        costs[i] = event
        state.event[i] = event
        state.outcome[i] = outcome
        for m in range(state.doses.shape[1]):
            given = world.doses[k % world.doses.size] if m == k // world.doses.size else 0.0
            state.doses[i, m] = world.memory * state.doses[i, m] + (1.0 - world.memory) * given
        p = world.user_types[clock.user[i]]
        key, episode, t = clock.noise_key[i], clock.episode[i], clock.t[i]
        stops = uniform(key, episode, t, SLOT_CHURN) < world.dropout[p]
        serious = uniform(key, episode, t, SLOT_SERIOUS) < world.serious[p]
        terminated[i] = event > 0.0 and (stops or serious)


@jit
def _write_visits(world, lanes, users, t, state, obs):
    """Write observations of lanes that have had ``t`` visits."""
    d, n_drugs = world.markers.shape[1], state.doses.shape[1]
    for i in lanes:
        obs[i, :d] = world.markers[users[i]]
        obs[i, d : d + n_drugs] = state.doses[i]
        obs[i, d + n_drugs] = min(max(state.outcome[i], -BOUND), BOUND)
        obs[i, d + n_drugs + 1] = state.event[i]
        obs[i, d + n_drugs + 2] = min(t[i] / world.horizon, 1.0)


@jit
def _expect(world, users, doses, values, risks):
    for i in range(values.shape[0]):
        p = world.user_types[users[i]]
        for k in range(values.shape[1]):
            efficacy, risk, dose = _effect(world, users[i], doses[i], k)
            mean = efficacy - world.event_weight[p] * risk - world.burden[p] * dose
            values[i, k] = world.scale[p] * mean
            risks[i, k] = risk
