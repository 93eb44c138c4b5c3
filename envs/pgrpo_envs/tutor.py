r"""`Tutor-v0`: choose the skill and the way it is taught; learners forget and give up.

A lesson in skill j by modality m reaches user u with probability
:math:`T_{um}\,\text{ease}_j`. With recall r before it,

.. math:: r' = r + \text{step}\,(1 - r)\,\mathbf 1\{\text{reached}\}, \qquad
          P(\text{correct}) = (1 - \text{slip})\, r' + \text{guess}\,(1 - r'),

the answer model of Bayesian knowledge tracing (Corbett & Anderson 1995), with mastery a
number in [0, 1] rather than a yes or no. Between lessons recall is halved every h visits,
:math:`r = r' 2^{-\Delta / h}`, and a correct answer doubles h (half-life regression, Settles
& Meeder 2016). After each answer a learner drops out with probability
``dropout + frustration_p * wrong``.

That modalities work better for some groups than for others is an **assumption** that
makes groups conflict. It is no claim about people: that teaching should match "learning
styles" is disputed (Pashler et al. 2008).

Shapes: n lanes, U users, P groups, J skills, M modalities, G candidates. An action is
``skill * M + modality``. Time is counted in visits; one visit is one lesson.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.lanes import SLOT_CHURN, SLOT_REWARD, SLOT_WORLD
from pgrpo_envs.populations import draw_user_types
from pgrpo_envs.scenarios import Scenario, require, require_per_group, require_shares
from pgrpo_envs.single import WorldEnv
from pgrpo_rec._numba import jit
from pgrpo_rec._random import generator, uniform

MAX_REACH = 0.95  # no lesson of the best learner is sure to succeed
MAX_HALF_LIFE = 1000.0  # visits; what is known that well is not forgotten here
FIRST_SCORE = 0.5  # running share of correct answers before the first answer


@dataclass(frozen=True)
class TutorScenario(Scenario):
    """Parameters of `TutorVectorEnv`.

    Parameters
    ----------
    n_skills : int, default=6
        J.
    n_users : int, default=1000
        U, people in the population.
    shares : tuple of float, default=(.7, .2, .1)
        Share of each preference group.
    effectiveness : tuple of tuple of float in [0, 1]
        P rows of M numbers: probability that a lesson in the easiest skill reaches a user
        of each group, by modality. An assumption, see the module's page.
    deviation : float, default=0.2
        How far people differ inside a group: standard deviation of the logarithm of a
        person's effectiveness, by modality.
    hardest : float in (0, 1], default=0.6
        Ease of the last skill; skills lie evenly between 1 and it.
    prior : float in [0, 0.5], default=0.1
        Mean recall of a skill before the first lesson; uniform from 0 to twice that. It is
        not forgotten until the first lesson.
    step : float in (0, 1], default=0.5
        Share of what is missing that a lesson adds when it reaches the learner.
    slip, guess : float in [0, 1], default=0.1 and 0.2
        Probability of a wrong answer when all is known, of a right one when nothing is.
    half_life : float, default=20
        Visits after which half is forgotten, before the first correct answer.
    dropout : float in [0, 1], default=0.002
        Probability to give up after a correct answer.
    frustration : tuple of float in [0, 1]
        What a wrong answer adds to it in each group.
    mastered : float in (0, 1], default=0.8
        Recall of all skills at which the course is over.
    scale : tuple of float
        Reward of learning all of a skill in each group, above 0.
    recency : float in (0, 1], default=0.3
        Weight of the newest answer in the observed score.
    horizon : int, default=60
        Visits after which an episode is truncated.
    """

    n_skills: int = 6
    n_users: int = 1000
    shares: tuple[float, ...] = (0.7, 0.2, 0.1)
    effectiveness: tuple[tuple[float, ...], ...] = (
        (0.50, 0.25, 0.33),
        (0.15, 0.40, 0.28),
        (0.10, 0.12, 0.30),
    )
    deviation: float = 0.2
    hardest: float = 0.6
    prior: float = 0.1
    step: float = 0.5
    slip: float = 0.1
    guess: float = 0.2
    half_life: float = 20.0
    dropout: float = 0.002
    frustration: tuple[float, ...] = (0.01, 0.02, 0.04)
    mastered: float = 0.8
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    recency: float = 0.3
    horizon: int = 60

    PRESETS: ClassVar = {
        "plain": {},
        "scale": {"scale": (1.0, 0.3, 0.1)},
        "sparse": {"effectiveness": ((0.50, 0.25, 0.33), (0.05, 0.14, 0.09), (0.02, 0.03, 0.06))},
        "forgetful": {"half_life": 5.0},
        "fragile": {"frustration": (0.02, 0.06, 0.12)},
    }

    def __post_init__(self) -> None:
        n_groups = len(self.shares)
        require_shares(self.shares)
        for name in ("effectiveness", "frustration", "scale"):
            require_per_group(getattr(self, name), n_groups, name)
        for name, low in (("n_skills", 1), ("n_users", n_groups), ("horizon", 1)):
            value = getattr(self, name)
            require(value >= low, name, value, f"at least {low}")
        rows = self.effectiveness
        even = len({len(row) for row in rows}) == 1 and len(rows[0]) >= 1
        right = "each group needs one number for each modality"
        require(even, "effectiveness", rows, right)
        numbers = [number for row in rows for number in row]
        right = "probabilities from 0 to 1"
        require(0 <= min(numbers) <= max(numbers) <= 1, "effectiveness", rows, right)
        low_f, high_f = min(self.frustration), max(self.frustration)
        require(0 <= low_f <= high_f <= 1, "frustration", self.frustration, right)
        for name in ("slip", "guess", "dropout"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "from 0 to 1")
        for name in ("hardest", "step", "mastered", "recency"):
            value = getattr(self, name)
            require(0 < value <= 1, name, value, "above 0, at most 1")
        require(0 <= self.prior <= 0.5, "prior", self.prior, "from 0 to 0.5")
        require(self.deviation >= 0, "deviation", self.deviation, "0 or more")
        right = f"above 0, at most {MAX_HALF_LIFE:g} visits"
        require(0 < self.half_life <= MAX_HALF_LIFE, "half_life", self.half_life, right)
        require(min(self.scale) > 0, "scale", self.scale, "every scale must be above 0")


class World(NamedTuple):
    """Everything that does not change."""

    n_items: int  # J * M lessons
    user_types: NDArray[np.int64]  # (U,)
    reach: NDArray[np.float64]  # (U, M)
    prior: NDArray[np.float64]  # (U, J)
    ease: NDArray[np.float64]  # (J,)
    frustration: NDArray[np.float64]  # (P,)
    scale: NDArray[np.float64]  # (P,)
    step: float
    slip: float
    guess: float
    half_life: float
    dropout: float
    mastered: float
    recency: float
    horizon: int


class State(NamedTuple):
    """What changes, by lane and skill."""

    mastery: NDArray[np.float64]  # (n, J), recall right after the last lesson
    half_life: NDArray[np.float64]  # (n, J), visits
    age: NDArray[np.float64]  # (n, J), visits since the last lesson; 0 before the first
    attempts: NDArray[np.float64]  # (n, J)
    score: NDArray[np.float64]  # (n, J), running share of correct answers


class TutorVectorEnv(WorldVectorEnv):
    """Many users at a time; the page is `TutorEnv`."""

    scenario_class = TutorScenario
    scenario: TutorScenario

    @staticmethod
    def build(scenario: TutorScenario, world_seed: int) -> World:
        """Build skills, users and groups."""
        s = scenario
        rng = generator(world_seed, 0)
        user_types = draw_user_types(rng, s.n_users, s.shares)
        means = np.array(s.effectiveness, dtype=np.float64)[user_types]
        person = np.exp(s.deviation * rng.normal(size=means.shape))
        return World(
            n_items=s.n_skills * means.shape[1],
            user_types=user_types,
            reach=np.minimum(means * person, MAX_REACH),
            prior=2.0 * s.prior * rng.random(size=(s.n_users, s.n_skills)),
            ease=np.linspace(1.0, s.hardest, s.n_skills),
            frustration=np.array(s.frustration, dtype=np.float64),
            scale=np.array(s.scale, dtype=np.float64),
            step=float(s.step),
            slip=float(s.slip),
            guess=float(s.guess),
            half_life=float(s.half_life),
            dropout=float(s.dropout),
            mastered=float(s.mastered),
            recency=float(s.recency),
            horizon=int(s.horizon),
        )

    @property
    def n_modalities(self) -> int:
        """Number of ways to teach a skill, M."""
        return int(self.world.reach.shape[1])

    def recall(self) -> NDArray[np.float64]:
        """Return what every lane's user knows now, shape (n, J). A privilege of simulators."""
        values = np.empty_like(self.state.mastery)
        _recall_all(self.state, values)
        return values

    def _layout(self) -> dict[str, slice]:
        n = self.scenario.n_skills
        return {
            "attempts": slice(0, n),
            "score": slice(n, 2 * n),
            "age": slice(2 * n, 3 * n),
            "time": slice(3 * n, 3 * n + 1),
        }

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.zeros(self._n_features), np.ones(self._n_features)

    def _allocate(self, n: int) -> State:
        return State(*(np.zeros((n, self.scenario.n_skills)) for _ in State._fields))

    def _spawn(self, lanes: NDArray[np.int64]) -> None:
        state = self.state
        state.mastery[lanes] = self.world.prior[self._clock.user[lanes]]
        state.half_life[lanes] = self.world.half_life
        state.age[lanes] = 0.0
        state.attempts[lanes] = 0.0
        state.score[lanes] = FIRST_SCORE

    def _observe(self, lanes: NDArray[np.int64], obs: NDArray[np.float32]) -> None:
        _observe_visits(self.world, lanes, self._clock, 0, self.state, obs)

    def _advance(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> dict[str, NDArray[Any]]:
        correct = np.empty(self.num_envs)
        mastery = np.empty(self.num_envs)
        completed = np.empty(self.num_envs)
        _answer(
            self.world,
            self._clock,
            self.state,
            actions[:, None],
            np.zeros(1, dtype=np.int64),
            reward[:, None],
        )
        _teach(
            self.world, self._clock, actions, self.state, correct, mastery, completed, terminated
        )
        lanes = np.arange(self.num_envs)
        _observe_visits(self.world, lanes, self._clock, 1, self.state, obs)
        told: dict[str, NDArray[Any]] = {"correct": correct, "completed": completed}
        if self.info_level == "eval":
            told["mastery"] = mastery
        return told

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape, dtype=np.float64)
        _answer(self.world, self._clock, self.state, actions, slots, reward)
        return {"reward": reward}

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        _expect(self.world, self._clock.user, self.state, values)
        return values


class TutorEnv(WorldEnv):
    """Choose the skill and the way it is taught; learners forget and give up.

    ## Description
    A tutor gives one lesson a visit and hears one answer. A lesson teaches most when much
    of the skill is missing and its modality suits the learner; which one suits differs by
    preference group. This is an assumption that makes groups conflict, not a claim about
    people: matching teaching to "learning styles" is disputed (Pashler et al. 2008). Skills
    that are left alone are forgotten. Wrong answers drive learners away, those of the
    minorities sooner. Presets: ``plain``; ``scale`` (rewards of the groups on different
    scales); ``sparse`` (lessons rarely reach the minorities); ``forgetful``; ``fragile``
    (wrong answers drive away sooner). The group can be told only from how a user's
    lessons went, over visits: no profile is observed.

    ## Action space
    ``Discrete(J * M)``: ``skill * M + modality``.

    ## Observation space
    ``Box(0, 1, (3 J + 1,), float32)``: by skill the ``attempts`` so far and the ``age`` of
    the last lesson (0 before the first), both as a share of the horizon, and the ``score``,
    a running share of correct answers that starts at a half; then the ``time`` as a share of
    the horizon.

    ## Rewards
    The learning gain of the lesson, recall after it minus recall before it, times
    ``scale_p`` of the user's group p: what a test before and one after would show. Not
    whether the answer was correct, which easy lessons would buy. Forgetting between
    lessons is not charged, so what is known at the end is worth a look of its own
    (``mastery``).

    ## Starting state
    A user drawn at random from the population, with some knowledge of every skill.

    ## Episode end
    Terminated when the learner drops out or has mastered all skills; truncated after
    ``horizon`` visits. Both may happen at once.

    ## Information
    ``user_id``; after a step also ``correct`` and ``completed``, 0 or 1: whether the answer
    was right, and whether all skills are mastered, which tells the end of the course from
    dropping out. With ``info_level="eval"`` also ``user_type``, ``mastery`` (mean recall
    over skills at the next visit), ``expected_reward``, ``best_expected_reward``, which
    count the present lesson only.

    ## Arguments
    ``preset``, ``world_seed`` and every field of `TutorScenario`.

    ## Version history
    * v0: first version.
    """

    vector_class = TutorVectorEnv


@jit
def _recall(state, i, j):
    """Return what the user of lane i knows of skill j now."""
    return state.mastery[i, j] * 2.0 ** (-state.age[i, j] / state.half_life[i, j])


@jit
def _recall_all(state, values):
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            values[i, j] = _recall(state, i, j)


@jit
def _gain(world, user, recall, action, draw):
    """Return how much a lesson adds to recall; a draw below the reach is a success."""
    n_modalities = world.reach.shape[1]
    skill, modality = action // n_modalities, action % n_modalities
    reached = draw < world.reach[user, modality] * world.ease[skill]
    return world.step * (1.0 - recall) if reached else 0.0


@jit
def _answer(world, clock, state, actions, slots, rewards):
    """Fill (n, G) rewards of candidates; each column draws from a slot of its own."""
    n_modalities = world.reach.shape[1]
    for i in range(actions.shape[0]):
        user = clock.user[i]
        scale = world.scale[world.user_types[user]]
        for g in range(actions.shape[1]):
            slot = SLOT_REWARD + slots[g]
            draw = uniform(clock.noise_key[i], clock.episode[i], clock.t[i], slot)
            recall = _recall(state, i, actions[i, g] // n_modalities)
            rewards[i, g] = scale * _gain(world, user, recall, actions[i, g], draw)


@jit
def _teach(world, clock, actions, state, correct, mastery, completed, terminated):
    """Give the lessons, hear the answers, let a visit's time pass; some learners leave."""
    n_skills = world.ease.size
    for i in range(actions.size):
        user, j = clock.user[i], actions[i] // world.reach.shape[1]
        key, episode, t = clock.noise_key[i], clock.episode[i], clock.t[i]
        recall = _recall(state, i, j)
        recall += _gain(world, user, recall, actions[i], uniform(key, episode, t, SLOT_REWARD))
        chance = (1.0 - world.slip) * recall + world.guess * (1.0 - recall)
        correct[i] = 1.0 if uniform(key, episode, t, SLOT_WORLD) < chance else 0.0
        state.mastery[i, j] = recall
        state.age[i, j] = 0.0
        state.attempts[i, j] += 1.0
        state.score[i, j] += world.recency * (correct[i] - state.score[i, j])
        if correct[i] > 0.0:
            state.half_life[i, j] = min(2.0 * state.half_life[i, j], MAX_HALF_LIFE)
        lowest, total = 1.0, 0.0
        for k in range(n_skills):
            if state.attempts[i, k] > 0.0:
                state.age[i, k] += 1.0
            known = _recall(state, i, k)
            lowest = min(lowest, known)
            total += known
        mastery[i] = total / n_skills
        wrong = 1.0 - correct[i]
        hazard = world.dropout + world.frustration[world.user_types[user]] * wrong
        completed[i] = 1.0 if lowest >= world.mastered else 0.0
        terminated[i] = completed[i] > 0.0 or uniform(key, episode, t, SLOT_CHURN) < hazard


@jit
def _observe_visits(world, lanes, clock, ahead, state, obs):
    """Write observations ``ahead`` visits after the clock's."""
    n = world.ease.size
    for i in lanes:
        for j in range(n):
            obs[i, j] = min(state.attempts[i, j] / world.horizon, 1.0)
            obs[i, n + j] = state.score[i, j]
            obs[i, 2 * n + j] = min(state.age[i, j] / world.horizon, 1.0)
        obs[i, 3 * n] = min((clock.t[i] + ahead) / world.horizon, 1.0)


@jit
def _expect(world, users, state, values):
    n_modalities = world.reach.shape[1]
    for i in range(values.shape[0]):
        scale = world.scale[world.user_types[users[i]]]
        for action in range(values.shape[1]):
            j = action // n_modalities
            reach = world.reach[users[i], action % n_modalities] * world.ease[j]
            values[i, action] = scale * reach * world.step * (1.0 - _recall(state, i, j))
