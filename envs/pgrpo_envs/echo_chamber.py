r"""`EchoChamber-v0`: tastes that grow towards what is clicked, so that clicks reward the bubble.

A user of group p with taste u is shown item k with direction v:

.. math:: P(\text{click}) = \sigma(b_p + \text{slope}\, u \cdot v_k + \text{craving}_p h_k),
          \qquad u' = \text{normalise}(u + \eta_p\, \text{click}\; v_k)

(preference reinforcement [1]_ [2]_); h is 1 for harmful items. Whoever maximises clicks
narrows tastes, and is paid for it; so each visit also tells other objectives and a cost.

Shapes: n lanes, U users, P groups, K items, T topics, W visits of the window.

References
----------
.. [1] Jiang et al. (2019), Degenerate Feedback Loops in Recommender Systems, arXiv:1902.10730.
.. [2] Dean & Morgenstern (2022), Preference Dynamics Under Personalized Recommendations,
   arXiv:2205.13026.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.dynamics import blend, dot_rows, reinforce, swift_sigmoid, topic_items
from pgrpo_envs.echo_chamber_scenario import EchoChamberScenario
from pgrpo_envs.lanes import SLOT_REWARD
from pgrpo_envs.populations import draw_centroids, draw_tastes, draw_user_types
from pgrpo_envs.responses import bernoulli
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, uniform

BOUND = 8.0  # profiles are clipped to [-8, 8]
NOTICE = 0.1  # weight of the present visit in the observed engagement
OBJECTIVES = ("clicks", "diversity", "safety")


class World(NamedTuple):
    """Everything that does not change."""

    n_items: int
    user_types: NDArray[np.int64]  # (U,)
    tastes: NDArray[np.float64]  # (U, T)
    profiles: NDArray[np.float32]  # (U, T)
    items: NDArray[np.float64]  # (K, T), unit rows
    topics: NDArray[np.int64]  # (K,)
    harm: NDArray[np.int64]  # (K,): 1 for harmful items
    base: NDArray[np.float64]  # (P, K): base logit and craving
    scale: NDArray[np.float64]  # (P,)
    susceptibility: NDArray[np.float64]  # (P,)
    plogp: NDArray[np.float64]  # (W + 1,): a topic's part of the entropy, by its count
    slope: float
    least_diversity: float


class State(NamedTuple):
    """What changes. The window is a ring: its oldest exposure is at t modulo W."""

    taste: NDArray[np.float64]  # (n, T), unit rows
    ring: NDArray[np.int64]  # (n, W): topic, plus T if harmful
    counts: NDArray[np.int64]  # (n, T + 1): exposures in the window, harmful ones last
    engagement: NDArray[np.float64]  # (n, T)


class EchoChamberVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `EchoChamberEnv`."""

    scenario_class = EchoChamberScenario
    scenario: EchoChamberScenario

    @staticmethod
    def build(scenario: EchoChamberScenario, world_seed: int) -> World:
        """Build items, users and groups."""
        s = scenario
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        centroids = draw_centroids(rng, len(s.shares), s.n_topics, s.conflict)
        tastes = draw_tastes(rng, centroids, user_types, s.deviation)
        seen = tastes + s.obs_noise * rng.normal(size=tastes.shape)
        rng_items = generator(world_seed, 1)
        items, topics = topic_items(rng_items, s.n_items, s.n_topics, s.item_spread)
        harm = (rng_items.permutation(s.n_items) < round(s.harmful * s.n_items)).astype(np.int64)
        part = np.arange(s.window + 1) / s.window
        plogp = -part * np.log(np.maximum(part, 1.0 / s.window)) / np.log(s.n_topics)
        return World(
            n_items=s.n_items,
            user_types=user_types,
            tastes=tastes,
            profiles=np.clip(seen, -BOUND, BOUND).astype(np.float32),
            items=items,
            topics=topics,
            harm=harm,
            base=np.array(s.base)[:, None] + np.array(s.craving)[:, None] * harm,
            scale=np.array(s.scale),
            susceptibility=np.array(s.susceptibility),
            plogp=plogp,
            slope=s.slope,
            least_diversity=s.least_diversity,
        )

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the columns of ``info["objectives"]``."""
        return OBJECTIVES

    def _layout(self) -> dict[str, slice]:
        n = self.scenario.n_topics
        layout = {
            name: slice(j * n, (j + 1) * n)
            for j, name in enumerate(("profile", "engagement", "exposure"))
        }
        return layout | {"harm": slice(3 * n, 3 * n + 1), "time": slice(3 * n + 1, 3 * n + 2)}

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n = self.scenario.n_topics
        low, high = np.zeros(3 * n + 2), np.ones(3 * n + 2)
        low[:n], high[:n] = -BOUND, BOUND
        return low, high

    def _allocate(self, n: int) -> State:
        n_topics = self.scenario.n_topics
        return State(
            taste=np.zeros((n, n_topics)),
            ring=np.zeros((n, self.scenario.window), dtype=np.int64),
            counts=np.zeros((n, n_topics + 1), dtype=np.int64),
            engagement=np.zeros((n, n_topics)),
        )

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        _spawn_users(self.world, lanes, self._clock.user, self.state)

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        c = self._clock
        _observe_users(self.world, self.state, lanes, c.user, c.t, 1.0 / self.horizon, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        answer = self._score(actions[:, None], np.zeros(1, dtype=np.int64))
        reward[:] = answer["reward"][:, 0]
        c = self._clock
        _change(self.world, self.state, c, actions, answer["objectives"][:, 0, 0])
        lanes = np.arange(self.num_envs)
        _observe_users(self.world, self.state, lanes, c.user, c.t + 1, 1.0 / self.horizon, obs)
        # Loyalty tells how far a click moved the taste, and so the group.
        told = ("cost", "objectives", "loyalty")[: 3 if self.info_level == "eval" else 2]
        return {name: answer[name][:, 0].copy() for name in told}

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        answer = {
            "reward": np.empty(actions.shape),
            "cost": np.empty(actions.shape),
            "objectives": np.empty((*actions.shape, len(OBJECTIVES))),
            "loyalty": np.empty(actions.shape),
        }
        _answer(self.world, self.state, self._clock, actions, slots, *answer.values())
        return answer

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        _expect(self.world, self.state, self._clock.user, values)
        return values


class EchoChamberEnv(WorldEnv):
    """Tastes that grow towards what is clicked, so that clicks reward the bubble.

    ## Description
    A user visits 100 times and is shown one item a visit. Each click moves the taste
    towards the item clicked, most in the third group, which is also prone to harmful
    items. Showing everyone what they click most makes clicks rise *and* tastes narrow.
    Presets: ``plain``; ``firm`` (tastes do not move: the control); ``scale`` (clicks of the
    groups are worth 1, 0.3 and 0.1); ``hard`` (that, rare clicks, hidden groups, faster moves).

    ## Action space
    ``Discrete(K)``: the item to show.

    ## Observation space
    ``Box((3T + 2,), float32)``: a noisy profile of the taste at the first visit (T, in
    [-8, 8]); moving averages of clicks by topic; the share of each topic, and of harmful
    items, among the last W exposures; and the share of the horizon that has passed (all in
    [0, 1]). ``obs_layout`` names the columns.

    ## Rewards
    ``scale_p`` for a click, else 0.

    ## Starting state
    A user drawn at random from the population, with the taste of old and a window evenly
    filled with harmless exposures to all topics.

    ## Episode end
    Truncated after ``horizon`` visits; nobody leaves.

    ## Information
    ``user_id``; ``objectives``, three columns, larger is better: ``clicks`` (0 or 1),
    ``diversity`` (entropy of the topics of the last W exposures, 1 = even), ``safety``
    (1 - share of harmful ones among them); ``cost = max(0, least_diversity - diversity)``.
    With ``info_level="eval"`` also ``loyalty`` (cosine between the present taste and the
    first one, in [-1, 1]: an objective that only simulators can measure), ``user_type``,
    ``expected_reward``, ``best_expected_reward`` (of the present visit: regret is myopic).

    ## Arguments
    ``preset``, ``world_seed`` and every field of `EchoChamberScenario`.

    ## Sources and units
    Reinforcement of tastes: Jiang et al. (2019), Degenerate Feedback Loops in Recommender
    Systems; Dean & Morgenstern (2022), Preference Dynamics Under Personalized
    Recommendations. The values are assumptions. Time is counted in visits, taste in logits.

    ## Version history
    * v0: first version.
    """

    vector_class = EchoChamberVectorEnv


@jit
def _spawn_users(world, lanes, users, state):
    """Set the state to a user's first visit; the window holds every topic in turn."""
    n_topics, window = world.tastes.shape[1], state.ring.shape[1]
    for i in lanes:
        state.taste[i] = world.tastes[users[i]]
        state.counts[i] = 0
        state.engagement[i] = 0.0
        for w in range(window):
            state.ring[i, w] = w % n_topics
            state.counts[i, w % n_topics] += 1


@jit
def _observe_users(world, state, lanes, users, visits, tick, obs):
    n_topics, window = world.tastes.shape[1], state.ring.shape[1]
    for i in lanes:
        for j in range(n_topics):
            obs[i, j] = world.profiles[users[i], j]
            obs[i, n_topics + j] = state.engagement[i, j]
        for j in range(n_topics + 1):
            obs[i, 2 * n_topics + j] = state.counts[i, j] / window
        obs[i, 3 * n_topics + 1] = min(visits[i] * tick, 1.0)


@jit
def _probability(world, state, user, i, k):
    p = world.user_types[user]
    match = world.slope * dot_rows(state.taste, i, world.items, k)
    return swift_sigmoid(world.base[p, k] + match)


@jit
def _answer(world, state, clock, actions, slots, rewards, costs, objectives, loyalties):
    """Foresee what candidates (n, G) would bring: reward, cost, objectives, and loyalty."""
    for i in range(actions.shape[0]):
        user = clock.user[i]
        p = world.user_types[user]
        for g in range(actions.shape[1]):
            k = actions[i, g]
            slot = SLOT_REWARD + slots[g]
            u = uniform(clock.noise_key[i], clock.episode[i], clock.t[i], slot)
            click = bernoulli(_probability(world, state, user, i, k), u)
            step = click * world.susceptibility[p]
            rewards[i, g] = world.scale[p] * click
            objectives[i, g, 0] = click
            _foresee_window(world, state, i, clock.t[i], k, objectives[i, g])
            loyalties[i, g] = _foresee_loyalty(world, state, user, i, k, step)
            costs[i, g] = max(world.least_diversity - objectives[i, g, 1], 0.0)


@jit
def _foresee_window(world, state, i, visit, k, objectives):
    """Fill diversity and safety of the window with item k in place of its oldest exposure."""
    n_topics, window = world.tastes.shape[1], state.ring.shape[1]
    oldest = state.ring[i, visit % window]
    entropy = 0.0
    for j in range(n_topics):
        count = state.counts[i, j] + (j == world.topics[k]) - (j == oldest % n_topics)
        entropy += world.plogp[count]
    harmful = state.counts[i, n_topics] + world.harm[k] - oldest // n_topics
    objectives[1] = min(entropy, 1.0)
    objectives[2] = 1.0 - harmful / window


@jit
def _foresee_loyalty(world, state, user, i, k, step):
    """Return the cosine of the first taste with the taste after a step towards item k."""
    dot, square = 0.0, 0.0
    for j in range(world.tastes.shape[1]):
        moved = state.taste[i, j] + step * world.items[k, j]
        dot += moved * world.tastes[user, j]
        square += moved * moved
    return min(max(dot / np.sqrt(square), -1.0), 1.0)


@jit
def _change(world, state, clock, actions, clicks):
    """Let tastes grow, and put the exposure into the window and the averages."""
    n_topics, window = world.tastes.shape[1], state.ring.shape[1]
    for i in range(actions.size):
        k = actions[i]
        topic = world.topics[k]
        place = clock.t[i] % window
        oldest = state.ring[i, place]
        reinforce(
            state.taste,
            i,
            world.items,
            k,
            clicks[i] * world.susceptibility[world.user_types[clock.user[i]]],
        )
        state.counts[i, oldest % n_topics] -= 1
        state.counts[i, n_topics] += world.harm[k] - oldest // n_topics
        state.counts[i, topic] += 1
        state.ring[i, place] = topic + n_topics * world.harm[k]
        for j in range(n_topics):
            heard = clicks[i] if j == topic else 0.0
            state.engagement[i, j] = blend(state.engagement[i, j], heard, NOTICE)


@jit
def _expect(world, state, users, values):
    for i in range(values.shape[0]):
        scale = world.scale[world.user_types[users[i]]]
        for k in range(values.shape[1]):
            values[i, k] = scale * _probability(world, state, users[i], i, k)
