"""P-GRPO: a softmax policy that learns from rewards measured against the user's own group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pgrpo_rec._random import Seed
from pgrpo_rec.adaptation import OwnAnswers
from pgrpo_rec.constraints import cap_shares
from pgrpo_rec.estimators.audience import Audience, Everyone, KnownClusters, LearnedClusters
from pgrpo_rec.estimators.base import BaseRecommender
from pgrpo_rec.estimators.door import warn_once
from pgrpo_rec.estimators.first_order import FirstOrder
from pgrpo_rec.estimators.learners import Answers
from pgrpo_rec.estimators.learning_curve import LearningCurve
from pgrpo_rec.estimators.parameters import check_item_features, check_products
from pgrpo_rec.estimators.serving import Visitors, serve
from pgrpo_rec.estimators.set_up import new_audience, new_comparison, new_learner, new_weighing
from pgrpo_rec.estimators.settings import check_cap, check_settings
from pgrpo_rec.fairness import EachVisit, Objective
from pgrpo_rec.histories import Order, RewardHistory
from pgrpo_rec.interactions import Interactions, Visits
from pgrpo_rec.returns import credited

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    item_features : array, shape (K, m), optional
        Solver "natural": features of the items, in the order of their sorted labels. One fit for
        all items then, on products of the visit's features with the item's: for very many
        items, most of which nobody has seen (`pgrpo_rec.bilinear`). What an item has beyond its
        features is not learned, ``user_adaptation`` does nothing, and learned groups are told
        apart by the features of items that people like.
    policy : {"linear", "tabular"}, default="linear"
        "linear" has weights on the features for every item; "tabular" ignores the features.
    advantage : str, default="pgrpo"
        What a reward is compared with: "pgrpo", "pgrpo_local", "pgrpo_blend", "grpo",
        "dr_grpo", "rloo", "batch" or "reinforce"; see `pgrpo_rec.advantages`.
    solver : {"natural", "adam", "sgd"}, default="natural"
        "natural" keeps the least-squares fit of the advantages, which is the direction of
        the natural gradient, and shows items with their posterior-sampling probabilities
        (`pgrpo_rec.natural`); it is defined for ``advantage="pgrpo"``. "adam" and "sgd"
        climb the clipped surrogate (`pgrpo_rec.objectives`). With ``users``, people of whom it is
        in doubt to which group they belong are shown a mixture of the groups' policies: by
        what answers would tell (`pgrpo_rec.identification`), or, for strangers and with "adam",
        "sgd" or ``item_features``, by how likely each group is.
    n_clusters : int or "auto", default="auto"
        How many groups to learn when ``users`` are given.
    group_size : int, default=1
        G: every G rows in a row are candidates of one visit. Estimators that compare
        candidates need at least 2.
    gamma : float in [0, 1] or None, default=None
        Where visits depend on each other: learn from returns, discounted by ``gamma`` a visit,
        each compared with returns of the same cluster at the same step; feedback must then
        come as whole ``sessions``. None takes every visit by itself. See
        `pgrpo_rec.returns`.
    slate_credit : {"slate", "below"}, default="slate"
        First-order solvers: what a position of a slate is credited with, where its items have
        rewards of their own: the slate's whole reward, or what was earned from that position
        downwards (right where people read from the top). Solver "natural" learns items one
        by one.
    exploration : float, default=0.5
        Solver "natural": width of the posterior that items are drawn from; with 0.5 each
        answer counts as four would. Halved where features are given, unless ``gamma`` is.
        What is not known yet is explored as widely as ever (`pgrpo_rec.estimators.book`), but
        where rewards are fitted by log-odds (`pgrpo_rec.clicks`), with ``item_features`` and
        with ``gamma``: there this is a factor on all standard deviations.
    user_adaptation : bool, default=True
        Solver "natural" with ``users``: add to the group's fit what each person answered,
        shrunk by the person's own count, once that clearly predicts better
        (`pgrpo_rec.adaptation`).
    memory : int, default=100_000
        Solver "natural" with ``users`` and features: how many of the last answers are kept,
        to be summed up anew when users change clusters.
    max_users : int, default=None
        With ``users``: most users that are kept; who gave no feedback for longest is forgotten
        with all answers (`PreferenceClustering`). None: nobody is.
    learning_rate : float, default=0.05
        First-order solvers; above 0.
    clip_range, clip_range_high : float, default=0.2 and None
        First-order solvers: how far the importance ratio may leave 1 downwards and upwards
        before a row stops to count; None for the same on both sides.
    n_epochs : int, default=1
        First-order solvers: gradient steps a batch.
    entropy_coef : float, default=0.01
        First-order solvers: weight of the policy's entropy, in nats; keeps it exploring.
    kl_coef : float, default=0.0
        First-order solvers: weight of the divergence from a reference policy, in nats.
    kl : {"exact", "k3"}, default="exact"
        First-order solvers: the divergence summed over all items, or the estimate from the
        item shown that trainers of language models use (`pgrpo_rec.objectives`).
    reference_decay : float in [0, 1], default=1
        First-order solvers: what is left of the reference policy after each batch, the rest
        being the policy as it stands. 1 keeps it frozen, at the uniform policy until
        `freeze_reference` is called; 0 holds every step to the policy before the batch.
    max_grad_norm : float or None, default=None
        First-order solvers: a longer gradient is shortened to this norm.
    objective : str or Objective, default="visits"
        First-order solvers: what is made as large as can be where groups share a policy.
        "visits" (every visit counts alike), "balanced" (small groups count for more),
        "nash" and "max_min" (the less satisfied count for more, or the worst alone),
        "floor" (no group below one half of the best known); or one of them with numbers of
        its own, made by `Balanced`, `AlphaFair`, `MaxMin` or `Floor` of `pgrpo_rec.fairness`.
        All but "visits" need ``clusters`` or ``users``.
    cluster_part : {"full", "bias", "none"}, default="full"
        First-order solvers: weights that clusters have besides the shared ones: on all
        features, on the constant, or none. Under "none" everyone is served by one policy,
        while rewards are still compared within clusters.
    max_share : float in (0, 1] or None, default=None
        No item is shown with a higher probability at any visit, so that none takes more of
        what any person or group sees (`pgrpo_rec.constraints`); propensities are those of the
        capped policy. In longer lists it binds the first place; `predict`, which shows the best
        item, is not bound.
    categories : mapping, optional
        Category of every item: ``max_share`` then caps categories in place of items.
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
    history_shrinkage : float or "auto", default=0.0
        How many rewards of all clusters a cluster's own history is read together with, so
        that a new cluster begins where others are; "auto" measures it. 0 keeps clusters
        apart, as it must be where their rewards differ in unit (`pgrpo_rec.shrinkage`).
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
    learning_curve_ : DataFrame
        Advantages, histories, entropy, divergence and clipping, batch by batch.
    clustering_ : PreferenceClustering
        Only where ``users`` are given. With ``item_features`` it hears all answers as about one
        item, whose features are the item's.

    Notes
    -----
    Rows without ``propensities`` are taken to have been shown by this policy as it stands
    when the call begins (uniform, before any feedback); a warning says so once.

    With ``users`` and policy "linear", the features also say where people belong of whom little
    or nothing was heard, where people held out confirm it (`pgrpo_rec.clustering.concomitant`).

    With ``users``, one history, the sums of feedback, and mean and last of the features are kept
    for each user (and ``memory``). With ``clusters`` nothing about a user is stored.

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
        item_features: ArrayLike | None = None,
        policy: Literal["linear", "tabular"] = "linear",
        advantage: str = "pgrpo",
        solver: Literal["natural", "adam", "sgd"] = "natural",
        n_clusters: int | Literal["auto"] = "auto",
        group_size: int = 1,
        gamma: float | None = None,
        slate_credit: Literal["slate", "below"] = "slate",
        exploration: float = 0.5,
        user_adaptation: bool = True,
        memory: int = 100_000,
        max_users: int | None = None,
        learning_rate: float = 0.05,
        clip_range: float = 0.2,
        clip_range_high: float | None = None,
        n_epochs: int = 1,
        entropy_coef: float = 0.01,
        kl_coef: float = 0.0,
        kl: Literal["exact", "k3"] = "exact",
        reference_decay: float = 1.0,
        max_grad_norm: float | None = None,
        objective: str | Objective = "visits",
        cluster_part: Literal["full", "bias", "none"] = "full",
        max_share: float | None = None,
        categories: Mapping[Any, Any] | None = None,
        cluster_shrinkage: float = 0.0,
        advantage_clip: float | None = 10.0,
        history_order: Order = "before",
        history_decay: float = 1.0,
        history_shrinkage: float | Literal["auto"] = 0.0,
        batch_size: int = 64,
        n_passes: int = 10,
        random_state: Seed = None,
    ) -> None:
        self.items = items
        self.item_features = item_features
        self.policy = policy
        self.advantage = advantage
        self.solver = solver
        self.n_clusters = n_clusters
        self.group_size = group_size
        self.gamma = gamma
        self.slate_credit = slate_credit
        self.exploration = exploration
        self.user_adaptation = user_adaptation
        self.memory = memory
        self.max_users = max_users
        self.learning_rate = learning_rate
        self.clip_range = clip_range
        self.clip_range_high = clip_range_high
        self.n_epochs = n_epochs
        self.entropy_coef = entropy_coef
        self.kl_coef = kl_coef
        self.kl = kl
        self.reference_decay = reference_decay
        self.max_grad_norm = max_grad_norm
        self.objective = objective
        self.cluster_part = cluster_part
        self.max_share = max_share
        self.categories = categories
        self.cluster_shrinkage = cluster_shrinkage
        self.advantage_clip = advantage_clip
        self.history_order = history_order
        self.history_decay = history_decay
        self.history_shrinkage = history_shrinkage
        self.batch_size = batch_size
        self.n_passes = n_passes
        self.random_state = random_state

    # --- setting up ----------------------------------------------------------------------

    def _check_parameters(self) -> None:
        check_settings(self)

    def _check_items(self, labels: NDArray[Any]) -> None:
        check_cap(self, labels)
        check_item_features(self.item_features, labels.size)

    def _check_size(self, n_items: int, n_features: int) -> None:
        table = check_item_features(self.item_features, n_items)
        if table is not None:
            check_products(table, 0 if self.policy == "tabular" else n_features)

    def _start(self, n_features: int) -> None:
        n_columns = 1 if self.policy == "tabular" else 1 + n_features
        self.__dict__.pop("clustering_", None)  # of an earlier fit
        n_items = self.actions_.size
        self._item_features = check_item_features(self.item_features, n_items)
        self._learner = new_learner(self, n_items, n_columns, self._item_features)
        self._weighing = new_weighing(self, n_items, n_columns)
        self._comparison = new_comparison(self)
        self._categories = check_cap(self, self.actions_)
        self._audience: Audience | None = None
        self._curve = LearningCurve(self.group_size)

    def _meet(self, visits: Visits) -> Audience:
        """Fix at the first call how groups are told; later calls must tell them alike."""
        kind: type = Everyone
        if visits.clusters is not None:
            kind = KnownClusters
        elif visits.users is not None:
            kind = LearnedClusters
        if self._audience is None:
            if kind is Everyone and self._weighing.objective != EachVisit():
                raise ValueError(
                    f"objective={self.objective!r} weighs groups: give clusters= or users="
                )
            self._audience = new_audience(self, kind, self.actions_.size, self._item_features)
            if isinstance(self._audience, LearnedClusters):
                self.clustering_ = self._audience.clustering
            strangers = np.zeros((self._audience.n_clusters, 0))
            self._learner.follow(strangers, self._audience)
            self._weighing.follow(strangers, self._audience)
        if not isinstance(self._audience, kind):
            told = {Everyone: "neither", KnownClusters: "clusters=", LearnedClusters: "users="}
            raise ValueError(
                f"this recommender was told its groups by {told[type(self._audience)]}, "
                f"now by {told[kind]}: they must be told the same way at every call"
            )
        return self._audience

    @property
    def history_(self) -> RewardHistory:
        """Running mean and spread of each cluster's rewards."""
        if self._audience is None:
            raise AttributeError("no feedback has come yet")
        return self._audience.history

    @property
    def learning_curve_(self) -> pd.DataFrame:
        """How learning went, batch by batch; see `pgrpo_rec.estimators.learning_curve`.

        Columns: ``batch`` and ``answers`` heard by its end; ``cluster`` and its ``rows`` in
        the batch; mean and std of their advantages, the share of visits that were ``silent``,
        and the cluster's history; and of the whole batch the policy's ``entropy`` in nats, its
        ``kl`` from the reference (0 unless ``kl_coef`` is above 0) and the share ``clipped``,
        as the last epoch found them. Solver "natural" has no surrogate: kl and clipped are NaN,
        entropy is the mean of -log(propensity). Memory is bounded: long runs are kept more
        coarsely.
        """
        return self._curve.table()

    def progress_note(self) -> str:
        """Return the state of learning in a few words, for progress lines."""
        return self._curve.note() if self._is_started() else ""

    @property
    def groups_(self) -> pd.DataFrame:
        """How each cluster stands, as far as is known from its answers.

        Columns ``cluster``, ``share`` of the visits, ``satisfaction`` (0 for a random item, 1
        for the best known; NaN unless the objective watches it), ``weight`` of a visit, and
        ``verdict`` of the objective: for a floor, whether it holds.
        """
        audience = getattr(self, "_audience", None)
        if audience is None:
            raise AttributeError("no feedback has come yet")
        standing = self._weighing.standing(audience)
        return pd.DataFrame(
            {
                "cluster": getattr(audience, "labels", range(standing.shares.size)),
                "share": standing.shares,
                "satisfaction": standing.satisfaction,
                "weight": self._weighing.weights(audience),
                "verdict": self._weighing.verdicts(audience),
            }
        )

    # --- acting --------------------------------------------------------------------------

    def _probabilities(self, visits: Visits) -> Floats:
        """Return the policy of the visitor's cluster, or a mixture where that is in doubt."""
        z, own, available = self._z(visits), self._own_answers(visits), visits.available
        audience, met = self._meet(visits), np.zeros(visits.n, dtype=bool)
        if isinstance(audience, LearnedClusters) and visits.users is not None:
            met = audience.remembers(visits.users)
        parts = list(audience.parts(visits))
        policy = serve(self._learner, Visitors(z, available, own, met), parts)
        if self.max_share is None:
            return policy
        return cap_shares(policy, self._categories, self.max_share, available)

    def _values(self, visits: Visits) -> Floats:
        clusters = self._meet(visits).index(visits)
        own = self._own_answers(visits)
        return self._learner.values(self._z(visits), clusters, visits.available, own)

    def _own_answers(self, visits: Visits) -> OwnAnswers | None:
        audience = self._meet(visits)
        known_by_name = self.user_adaptation and self._item_features is None
        if not known_by_name or not isinstance(audience, LearnedClusters):
            return None
        assert visits.users is not None
        return audience.own_answers(visits.users) if audience.has_met_anyone else None

    def _z(self, visits: Visits) -> Floats:
        """Return the features with the constant first, shape (n, D)."""
        return np.ones((visits.n, 1)) if self.policy == "tabular" else visits.with_constant()

    # --- learning ------------------------------------------------------------------------

    def _check_interactions(self, interactions: Interactions) -> None:
        n = interactions.visits.n // interactions.slate_size
        if n % self.group_size:
            raise ValueError(
                f"{n} rows are no whole number of visits of group_size={self.group_size}"
            )
        if self.gamma is None:
            return
        if interactions.sessions is None and n > 0:
            raise ValueError(f"gamma={self.gamma!r} needs sessions=, which visits belong together")
        if self.solver == "natural" and interactions.visits.users is not None:
            raise ValueError(
                "gamma= with users= needs solver='adam' or 'sgd': what a person answered is no "
                "return, and 'natural' sums up what persons answered"
            )

    def _learn_log(self, interactions: Interactions) -> None:
        interactions = self._credited(interactions)  # batches may cut sessions apart
        rows_a_batch = self.batch_size * self.group_size * interactions.slate_size
        n_passes = 1 if self.solver == "natural" else self.n_passes
        for _ in range(n_passes):
            for start in range(0, interactions.visits.n, rows_a_batch):
                self._learn(interactions.take(slice(start, start + rows_a_batch)))

    def freeze_reference(self) -> Self:
        """Hold the policy from now on to what it is now; see ``kl_coef``.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If no catalogue and no feedback has come yet.
        ValueError
            If the solver is "natural", which has no reference policy.
        """
        check_is_fitted(self, "actions_")
        if not isinstance(self._learner, FirstOrder):
            raise ValueError(
                f"solver={self.solver!r} has no reference policy; solver='adam' and 'sgd' have"
            )
        self._learner.freeze_reference()
        return self

    def _credited(self, log: Interactions) -> Interactions:
        """Say what rows are credited with, where it is not the reward of the item alone."""
        items_one_by_one = log.slate_size == 1 or self.solver == "natural"
        if log.credits is not None or (self.gamma is None and items_one_by_one):
            return log
        return credited(log, self.gamma, downwards=self.slate_credit == "below")

    def _learn(self, interactions: Interactions) -> None:
        log = self._credited(interactions)
        propensities = log.propensities
        if propensities is None:
            warn_once(self, "no propensities given; items are taken as shown by this policy")
            propensities = self._chances(log)
        audience = self._meet(log.visits)
        compared = self._comparison.compare(log, audience)
        if compared.mixing is not None:
            self._learner.follow(compared.mixing, audience)
            self._weighing.follow(compared.mixing, audience)
        answers = Answers(
            self._z(log.visits),
            compared.clusters,
            log.actions,
            log.credit,
            compared.advantages,
            propensities,
            log.visits.available,
            log.visits.users,
            self._weighing.weights(audience)[compared.clusters],
            log.slate_size,
        )
        self._weighing.learn(answers, self._watched(log.visits), audience)
        promise = self._weighing.broken_promise(audience)
        if promise:
            warn_once(self, promise)
        diagnostics = self._learner.learn(answers, audience)
        self._curve.add(answers, audience.history, diagnostics)

    def _watched(self, visits: Visits) -> Floats | None:
        """Return the policy where the objective has to know what it is worth, shape (n, K)."""
        return self._probabilities(visits) if self._weighing.objective.watches else None
