"""P-GRPO: a softmax policy that learns from rewards measured against the user's own group."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec._random import Seed, generator
from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.advantages import (
    ESTIMATORS,
    BlendWeight,
    Feedback,
    advantages,
    check_estimator_name,
)
from pgrpo_rec.estimators.audience import Audience, Everyone, KnownClusters, LearnedClusters
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.estimators.clustering import PreferenceClustering
from pgrpo_rec.estimators.door import warn_once
from pgrpo_rec.estimators.first_order import FirstOrder
from pgrpo_rec.estimators.learners import Answers, Learner
from pgrpo_rec.estimators.natural_learner import Natural
from pgrpo_rec.estimators.parameters import check_choice, check_number
from pgrpo_rec.histories import ORDERS, Order, RewardHistory
from pgrpo_rec.interactions import Interactions, Visits
from pgrpo_rec.objectives import Penalties
from pgrpo_rec.solvers import SOLVERS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


REFIT_FACTOR = 1.5  # growth of the feedback from one search for groups to the next


class PGRPORecommender(BaseRecommender):
    r"""Recommend by a softmax policy trained on group-relative advantages.

    Each reward is standardised by the running history of the user's own preference group
    (P-GRPO [1]_), so that a loud or a large group does not drown out a quiet or a small one;
    the policy then follows the natural gradient of those advantages. Groups are given
    (``clusters``), learned from feedback (``users``), or one for all.

    Parameters
    ----------
    items : int or array of labels, optional
        The catalogue: needed to `recommend` before any feedback, else learned from the
        first log.
    policy : {"linear", "tabular"}, default="linear"
        "linear" has weights on the features for every item; "tabular" ignores the features.
    advantage : str, default="pgrpo"
        What a reward is compared with: "pgrpo", "pgrpo_local", "pgrpo_blend", "grpo",
        "dr_grpo", "rloo", "batch" or "reinforce"; see `pgrpo_rec.advantages`.
    solver : {"natural", "adam", "sgd"}, default="natural"
        "natural" keeps the least-squares fit of the advantages, which is the direction of
        the natural gradient, and shows items with their posterior-sampling probabilities
        (`pgrpo_rec.natural`); it is defined for ``advantage="pgrpo"``. "adam" and "sgd"
        climb the clipped surrogate (`pgrpo_rec.objectives`).
    n_clusters : int or "auto", default="auto"
        How many groups to learn when ``users`` are given.
    group_size : int, default=1
        G: every G rows in a row are candidates of one visit. Estimators that compare
        candidates need at least 2.
    exploration : float, default=0.5
        Solver "natural": factor on the posterior's standard deviation; 0.5 draws as if
        four times as much had been heard.
    user_adaptation : bool, default=True
        Solver "natural" with ``users``: add to the group's fit what each person answered,
        shrunk by the person's own count (`pgrpo_rec.adaptation`).
    memory : int, default=100_000
        Solver "natural" with ``users`` and features: how many of the last answers are kept,
        to be summed up anew when users change clusters.
    learning_rate : float, default=0.05
        First-order solvers; above 0.
    clip_range, clip_range_high : float, default=0.2 and None
        First-order solvers: how far the importance ratio may leave 1 downwards and upwards
        before a row stops to count; None for the same on both sides.
    n_epochs : int, default=1
        First-order solvers: gradient steps a batch.
    entropy_coef : float, default=0.01
        First-order solvers: weight of the policy's entropy, in nats; keeps it exploring.
    cluster_shrinkage : float, default=0.0
        First-order solvers: pulls the clusters' own weights towards the shared ones, at
        every step by this fraction of the learning rate.
    advantage_clip : float or None, default=10
        First-order solvers: bound on absolute advantages; None for the exact formula.
    history_order : {"before", "after", "loo"}, default="before"
        First-order solvers: whether a batch enters the history before it is compared with
        it, after, or before with each reward taken out of its own comparison.
    history_decay : float in (0, 1], default=1
        What is left of the old history after each batch.
    batch_size : int, default=64
        Visits a batch when `fit` goes through a log.
    n_passes : int, default=10
        First-order solvers: passes of `fit` through the log.
    random_state : int, Generator, RandomState or None, default=None

    Attributes
    ----------
    actions_ : ndarray, shape (K,)
        Item labels.
    history_ : RewardHistory
        Running mean and spread of each cluster's rewards.
    clustering_ : PreferenceClustering
        Only where ``users`` are given.

    Notes
    -----
    Rows without ``propensities`` are taken to have been shown by this policy as it stands
    when the call begins (uniform, before any feedback); a warning says so once.

    With ``users``, one history and the sums of feedback are kept for each user (and
    ``memory``). With ``clusters`` nothing about a user is stored.

    References
    ----------
    .. [1] Wang et al., Personalized Group Relative Policy Optimization for Heterogenous
       Preference Alignment, 2026, arXiv:2603.10009. Order of update, eps, warm-up and the
       learning of groups are ours.

    Examples
    --------
    Two groups that want opposite things, one of them on a scale a hundred times larger:

    >>> import numpy as np
    >>> from pgrpo_rec import PGRPORecommender
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(2, size=4000)
    >>> shown = rng.integers(2, size=4000)
    >>> reward = np.where(group == shown, 1.0, 0.0) * np.where(group == 0, 100.0, 1.0)
    >>> rec = PGRPORecommender(random_state=0)
    >>> rec = rec.fit(None, reward, actions=shown, clusters=group, propensities=np.full(4000, 0.5))
    >>> rec.predict(None, clusters=np.array([0, 1]))
    array([0, 1])
    """

    def __init__(
        self,
        items: int | ArrayLike | None = None,
        *,
        policy: Literal["linear", "tabular"] = "linear",
        advantage: str = "pgrpo",
        solver: Literal["natural", "adam", "sgd"] = "natural",
        n_clusters: int | Literal["auto"] = "auto",
        group_size: int = 1,
        exploration: float = 0.5,
        user_adaptation: bool = True,
        memory: int = 100_000,
        learning_rate: float = 0.05,
        clip_range: float = 0.2,
        clip_range_high: float | None = None,
        n_epochs: int = 1,
        entropy_coef: float = 0.01,
        cluster_shrinkage: float = 0.0,
        advantage_clip: float | None = 10.0,
        history_order: Order = "before",
        history_decay: float = 1.0,
        batch_size: int = 64,
        n_passes: int = 10,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.policy = policy
        self.advantage = advantage
        self.solver = solver
        self.n_clusters = n_clusters
        self.group_size = group_size
        self.exploration = exploration
        self.user_adaptation = user_adaptation
        self.memory = memory
        self.learning_rate = learning_rate
        self.clip_range = clip_range
        self.clip_range_high = clip_range_high
        self.n_epochs = n_epochs
        self.entropy_coef = entropy_coef
        self.cluster_shrinkage = cluster_shrinkage
        self.advantage_clip = advantage_clip
        self.history_order = history_order
        self.history_decay = history_decay
        self.batch_size = batch_size
        self.n_passes = n_passes
        self.random_state = random_state

    # --- setting up ----------------------------------------------------------------------

    def _check_parameters(self) -> None:
        check_choice("policy", self.policy, ("linear", "tabular"))
        check_choice("advantage", self.advantage, ESTIMATORS)
        check_choice("solver", self.solver, ("natural", *SOLVERS))
        check_choice("history_order", self.history_order, ORDERS)
        check_choice("user_adaptation", self.user_adaptation, (True, False))
        for name in ("group_size", "memory", "n_epochs", "batch_size", "n_passes"):
            check_number(name, getattr(self, name), Integral, low=1)
        for name in ("exploration", "learning_rate"):
            check_number(name, getattr(self, name), Real, above=0.0)
        check_number("history_decay", self.history_decay, Real, above=0.0, high=1.0)
        for name in ("clip_range", "entropy_coef", "cluster_shrinkage"):
            check_number(name, getattr(self, name), Real, low=0.0)
        for name in ("clip_range_high", "advantage_clip"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), Real, above=0.0)
        if self.n_clusters != "auto":
            check_number("n_clusters", self.n_clusters, Integral, low=1)
        check_estimator_name(self.advantage, self.group_size)
        if self.solver == "natural" and self.advantage != "pgrpo":
            raise ValueError(
                f"advantage={self.advantage!r} needs a first-order solver: solver='adam' or 'sgd'; "
                "'natural' is the fit of 'pgrpo' advantages"
            )

    def _start(self, n_features: int) -> None:
        n_columns = 1 if self.policy == "tabular" else 1 + n_features
        self.__dict__.pop("clustering_", None)  # of an earlier fit
        self._learner = self._new_learner(self.actions_.size, n_columns)
        self._audience: Audience | None = None
        self._pool = RewardHistory(1, decay=self.history_decay)
        self._blend = BlendWeight()

    def _new_learner(self, n_items: int, n_columns: int) -> Learner:
        if self.solver == "natural":
            return Natural(
                n_items,
                n_columns,
                exploration=self.exploration,
                memory=self.memory,
                adapts=self.user_adaptation,
            )
        high = self.clip_range if self.clip_range_high is None else self.clip_range_high
        return FirstOrder(
            n_items,
            n_columns,
            solver=SOLVERS[self.solver](self.learning_rate),
            penalties=Penalties(self.clip_range, high, 0.0, self.entropy_coef),
            n_epochs=self.n_epochs,
            shrinkage=self.learning_rate * self.cluster_shrinkage,
        )

    def _meet(self, visits: Visits) -> Audience:
        """Fix at the first call how groups are told; later calls must tell them alike."""
        kind: type = Everyone
        if visits.clusters is not None:
            kind = KnownClusters
        elif visits.users is not None:
            kind = LearnedClusters
        if self._audience is None:
            self._audience = self._new_audience(kind)
            strangers = np.zeros((self._audience.n_clusters, 0))
            self._learner.follow(strangers, self._audience)
        if not isinstance(self._audience, kind):
            told = {Everyone: "neither", KnownClusters: "clusters=", LearnedClusters: "users="}
            raise ValueError(
                f"this recommender was told its groups by {told[type(self._audience)]}, "
                f"now by {told[kind]}: they must be told the same way at every call"
            )
        return self._audience

    def _new_audience(self, kind: type) -> Audience:
        if kind is LearnedClusters:
            self.clustering_ = PreferenceClustering(
                self.n_clusters,
                items=self.actions_.size,
                refit_factor=REFIT_FACTOR,
                memory=self.memory,
                random_state=generator(self.random_state, 1),
            )
            history = RewardHistory(1, decay=self.history_decay)
            return LearnedClusters(self.clustering_, history, by_features=self.policy == "linear")
        if kind is KnownClusters:
            return KnownClusters(RewardHistory(0, decay=self.history_decay))
        return Everyone(RewardHistory(1, decay=self.history_decay))

    @property
    def history_(self) -> RewardHistory:
        """Running mean and spread of each cluster's rewards."""
        if self._audience is None:
            raise AttributeError("no feedback has come yet")
        return self._audience.history

    # --- acting --------------------------------------------------------------------------

    def _probabilities(self, visits: Visits) -> Floats:
        """Return the mixture of the clusters' policies, by how likely each is the user's."""
        z, mixture = self._z(visits), np.zeros((visits.n, self.actions_.size))
        own = self._own_answers(visits)
        for rows, clusters, share in self._meet(visits).parts(visits):
            mine = None if own is None else OwnAnswers(own.heard[rows], own.total[rows])
            available = visits.available[rows]
            of_cluster = self._learner.probabilities(z[rows], clusters, available, mine)
            mixture[rows] += share[:, None] * of_cluster
        return mixture

    def _values(self, visits: Visits) -> Floats:
        clusters = self._meet(visits).index(visits)
        own = self._own_answers(visits)
        return self._learner.values(self._z(visits), clusters, visits.available, own)

    def _own_answers(self, visits: Visits) -> OwnAnswers | None:
        audience = self._meet(visits)
        if not self.user_adaptation or not isinstance(audience, LearnedClusters):
            return None
        assert visits.users is not None
        return audience.own_answers(visits.users) if audience.has_met_anyone else None

    def _z(self, visits: Visits) -> Floats:
        """Return the features with the constant first, shape (n, D)."""
        constant = np.ones((visits.n, 1))
        return constant if self.policy == "tabular" else np.hstack([constant, visits.features])

    # --- learning ------------------------------------------------------------------------

    def _check_interactions(self, interactions: Interactions) -> None:
        n = interactions.visits.n
        if n % self.group_size:
            raise ValueError(
                f"{n} rows are no whole number of visits of group_size={self.group_size}"
            )

    def _learn_log(self, interactions: Interactions) -> None:
        rows_a_batch = self.batch_size * self.group_size
        n_passes = 1 if self.solver == "natural" else self.n_passes
        for _ in range(n_passes):
            for start in range(0, interactions.visits.n, rows_a_batch):
                self._learn(interactions.take(slice(start, start + rows_a_batch)))

    def _learn(self, interactions: Interactions) -> None:
        log = interactions
        propensities = log.propensities
        if propensities is None:
            warn_once(self, "no propensities given; items are taken as shown by this policy")
            shown = self._probabilities(log.visits)
            propensities = shown[np.arange(log.visits.n), log.actions]
        clusters, values = self._compare(log)
        answers = Answers(
            self._z(log.visits),
            clusters,
            log.actions,
            log.rewards,
            values,
            propensities,
            log.visits.available,
            log.visits.users,
        )
        assert self._audience is not None
        self._learner.learn(answers, self._audience)

    def _compare(self, log: Interactions) -> tuple[Ints, Floats]:
        """Return each row's cluster and advantage; the histories have taken the batch in."""
        audience = self._meet(log.visits)
        everyone = np.zeros(log.visits.n, dtype=np.int64)
        strictly_before = self.history_order == "after"
        if strictly_before:
            room = audience.history.grouped(np.arange(audience.n_clusters), audience.n_clusters + 1)
            mean, std = room.read(log.rewards, audience.index(log.visits), leave_out=False)
        clusters, mixing = audience.absorb(log)
        self._pool.update(log.rewards, everyone)
        if mixing is not None:
            self._learner.follow(mixing, audience)
        leave_out = self.history_order == "loo"
        if not strictly_before:
            mean, std = audience.history.read(log.rewards, clusters, leave_out=leave_out)
        pool_mean, _ = self._pool.read(log.rewards, everyone, leave_out=leave_out)
        feedback = Feedback(log.rewards, self.group_size, mean, std, pool_mean, self._blend.weight)
        values = advantages(self.advantage, feedback, clip=self.advantage_clip)
        self._blend.update(feedback)
        return clusters, values
