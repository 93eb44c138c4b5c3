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

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgrpo_envs.base import WorldVectorEnv
from pgrpo_envs.populations import draw_user_types
from pgrpo_envs.single import WorldEnv
from pgrpo_envs.tutor_kernels import MAX_HALF_LIFE as MAX_HALF_LIFE
from pgrpo_envs.tutor_kernels import answer, expect, observe_visits, recall_all, teach
from pgrpo_envs.tutor_scenario import TutorScenario
from pgrpo_rec._random import generator

MAX_REACH = 0.95  # no lesson of the best learner is sure to succeed
FIRST_SCORE = 0.5  # running share of correct answers before the first answer


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
        recall_all(self.state, values)
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
        observe_visits(self.world, lanes, self._clock, 0, self.state, obs)

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
        answer(
            self.world,
            self._clock,
            self.state,
            actions[:, None],
            np.zeros(1, dtype=np.int64),
            reward[:, None],
        )
        teach(self.world, self._clock, actions, self.state, correct, mastery, completed, terminated)
        lanes = np.arange(self.num_envs)
        observe_visits(self.world, lanes, self._clock, 1, self.state, obs)
        told: dict[str, NDArray[Any]] = {"correct": correct, "completed": completed}
        if self.info_level == "eval":
            told["mastery"] = mastery
        return told

    def _score(
        self, actions: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        reward = np.empty(actions.shape, dtype=np.float64)
        answer(self.world, self._clock, self.state, actions, slots, reward)
        return {"reward": reward}

    def _expected(self) -> NDArray[np.float64]:
        values = np.empty((self.num_envs, self.n_items))
        expect(self.world, self._clock.user, self.state, values)
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

    ## Sources and units
    Answers: Bayesian knowledge tracing, Corbett & Anderson (1995). Forgetting: half-life
    regression, Settles & Meeder (2016). The values, and that modalities suit groups, are
    assumptions. Time is counted in visits (lessons), mastery from 0 to 1.

    ## Version history
    * v0: first version.
    """

    vector_class = TutorVectorEnv
