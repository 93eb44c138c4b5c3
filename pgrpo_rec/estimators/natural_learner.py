"""The natural learner: keeps the fit of the advantages and samples from its posterior.

What the fit is made of is decided by what is heard, not by settings:

- Rewards of two values are fitted on the scale of log-odds (`pgrpo_rec.clicks`).
- Products of features join the fit of a cluster when its evidence is higher with them.
- A second book forgets: when it predicts a cluster's answers better than the book of all
  answers by more than chance, what was heard long ago is dropped (Page 1954).

Shapes: n visits, K items, P clusters, D = d + 1 features with the constant first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pgrpo_rec.adaptation import OwnAnswers, adapt
from pgrpo_rec.clustering.memory import AnswerMemory, Kept
from pgrpo_rec.estimators.answer_scale import AnswerScale
from pgrpo_rec.estimators.audience import Audience, LearnedClusters
from pgrpo_rec.estimators.book import Book
from pgrpo_rec.estimators.following import Following
from pgrpo_rec.estimators.learners import Answers, Outlook
from pgrpo_rec.evidence import (
    NO_COMMON_PART,
    NO_PRODUCTS,
    choose_curvature,
    choose_priors,
    measure_noise,
)
from pgrpo_rec.natural import FIRST_RIDGE, Fit, Priors, Sums
from pgrpo_rec.posterior import probability_of_best

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_SUMS = 1_000_000  # numbers a cluster that products of features may take
SHORT_MEMORY = 10.0  # answers a coefficient that the book which forgets remembers ...
LEAST_MEMORY = 1_000.0  # ... and at least
RIDGE_OF_CLICKS = 1.0  # log-odds of items differ by about 1
WIDTH_WITH_FEATURES = 0.5  # of exploration
FIRST_PORTION = 64  # clicks that are gathered before the first fit
REST = 16  # refreshes from one of the book that forgets to its next
SURPRISE = 12.0  # nats by which the book that forgets must have predicted better


class Natural:
    """Posterior sampling on the least-squares fit of the advantages.

    Parameters
    ----------
    n_items : int
        K.
    kinds : ndarray of int64
        Of the columns, and of the products of columns that may join; see `kinds_of_columns`.
    exploration : float
        Width of the posterior that items are shown by; with features it is half of it, but of
        real rewards not where ``narrows_prior``.
    memory : int
        With learned clusters: how many of the last answers are kept, so that the fit can be
        made anew when users change clusters. Without features nothing is kept: the
        clustering's sums suffice.
    adapts : bool
        With learned clusters: add each person's own answers to the cluster's fit.
    first_ridge : float
        Of every coefficient, until a cluster has answered ``least_heard`` times; the evidence
        is asked for better ones then.
    least_heard : float
    narrows_prior : bool
        Whether the prior is as much narrower as the posterior; else it keeps its width. Of
        clicks that are fitted as log-odds it is narrower always.
    """

    def __init__(
        self,
        n_items: int,
        kinds: Ints,
        *,
        exploration: float,
        memory: int,
        adapts: bool,
        first_ridge: float = FIRST_RIDGE,
        least_heard: float = 0.0,
        narrows_prior: bool = False,
    ) -> None:
        self.n_columns = n_columns = int((kinds < 2).sum())
        self.adapts = adapts
        self.exploration = exploration
        self._first_ridge = first_ridge
        self._least_heard = least_heard
        self._narrows_prior = narrows_prior
        self._pairs = np.triu_indices(n_columns - 1)
        self.priors = Priors(np.full(3, NO_COMMON_PART), np.zeros((0, 3)), np.zeros(0), kinds)
        self._scale = AnswerScale(with_features=n_columns > 1)
        self._as_they_are = Book(n_items, kinds.size, first_ridge)
        self._as_clicks = Book(n_items, kinds.size, first_ridge)
        self._fading = Book(n_items, kinds.size, first_ridge)
        for book in self._books:
            book.use_columns(n_columns)
        self._kept_a_visit = 1.0 - 1.0 / max(SHORT_MEMORY * n_items * n_columns, LEAST_MEMORY)
        self._surprise = np.zeros(0)
        self._memory = AnswerMemory(memory)
        self._following = Following()
        self._regrouped = False
        self._n_refreshed = 0
        self._next_tuning = 64.0

    @property
    def sums(self) -> Sums:
        """Sums of all answers as they are."""
        return self._as_they_are.sums

    @property
    def fit(self) -> Fit:
        """The fit that items are shown by."""
        return self._followed.fit

    def fit_of(self, clusters: Ints) -> Fit:
        """Return the fit that items are shown by, also for clusters never met."""
        return self._followed.fit_of(clusters)

    @property
    def width(self) -> float:
        """Standard deviations are multiplied by this to explore."""
        halved = self._scale.clicks or (self.n_columns > 1 and not self._narrows_prior)
        return self.exploration * (WIDTH_WITH_FEATURES if halved else 1.0)

    @property
    def _followed(self) -> Book:
        return self._as_clicks if self._scale.clicks else self._as_they_are

    @property
    def _books(self) -> tuple[Book, Book, Book]:
        return self._as_they_are, self._as_clicks, self._fading

    # --- acting --------------------------------------------------------------------------

    def probabilities(
        self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None
    ) -> Floats:
        """Return the posterior-sampling probabilities."""
        mean, std = self._read_to_show(z, clusters, own)
        return probability_of_best(mean, self.width * std, available)

    def values(self, z: Floats, clusters: Ints, available: Bools, own: OwnAnswers | None) -> Floats:
        """Return the expected advantages, or log-odds against the cluster's own."""
        return self._read(z, clusters, own)[0]

    def outlook(self, z: Floats, clusters: Ints) -> Outlook:
        """Return what clusters would answer."""
        values, _ = self._read_advantages(z, clusters)
        level, unit = self._scale.unit[clusters].T[:, :, None]
        noise = unit**2 * self._noise_of_advantages()[clusters]
        return Outlook(values, level + unit * values, noise)

    def _read(self, z: Floats, clusters: Ints, own: OwnAnswers | None) -> tuple[Floats, Floats]:
        """Return mean and width of every item's value: of log-odds while nobody is followed."""
        if own is None or not self._following.trusted.any():
            return self._followed.read(self._columns(z), clusters)
        return self._adapted(*self._read_advantages(z, clusters), clusters, own)

    def _read_to_show(
        self, z: Floats, clusters: Ints, own: OwnAnswers | None
    ) -> tuple[Floats, Floats]:
        """Return the same by the fit that items are shown by."""
        if self._scale.clicks or self._narrows_prior:
            return self._read(z, clusters, own)
        mean, std = self._followed.read_sharp(self._columns(z), clusters, self.width)
        return (mean, std) if own is None else self._adapted(mean, std, clusters, own)

    def _adapted(
        self, mean: Floats, std: Floats, clusters: Ints, own: OwnAnswers
    ) -> tuple[Floats, Floats]:
        """Return the values of the persons who are here, on the scale of advantages."""
        noise = self._noise_of_advantages()
        adapt(mean, std, own, clusters, self._scale.unit, self._following.trusted, noise)
        return mean, std

    def _read_advantages(self, z: Floats, clusters: Ints) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of values on the scale of advantages."""
        return self._scale.to_advantages(*self._followed.read(self._columns(z), clusters), clusters)

    def _noise_of_advantages(self) -> Floats:
        """Return the variance of a standardised reward around its item's value, (P, K)."""
        return self._scale.noise_of_clicks(self.sums) if self._scale.clicks else self.fit.noise

    # --- learning ------------------------------------------------------------------------

    def follow(self, mixing: Floats, audience: Audience) -> None:
        """Make room for new clusters; sums of regrouped users are gathered by `learn`."""
        n_clusters = mixing.shape[0]
        self._regrouped = isinstance(audience, LearnedClusters)
        for book in self._books:
            book.follow(n_clusters, keep=not self._regrouped)
        self._scale.two_values.grow(0 if self._regrouped else n_clusters)
        self._scale.two_values.grow(n_clusters)
        weight = mixing / np.maximum(mixing.sum(axis=1, keepdims=True), 1e-300)
        strange = mixing.sum(axis=1) == 0.0
        own = weight @ self.priors.own + np.where(strange[:, None], self._first_ridge, 0.0)
        if strange.any():
            own[strange, 2] = NO_PRODUCTS
        noise = weight @ self.priors.noise + np.where(strange, 1.0, 0.0)
        self.priors = self.priors._replace(own=own, noise=noise)
        self._surprise = weight @ self._surprise

    def learn(self, answers: Answers, audience: Audience) -> None:
        """Fold the answers in; choose ridges anew whenever the answers have doubled."""
        a, learned = answers, audience if isinstance(audience, LearnedClusters) else None
        if learned is not None and self.n_columns > 1:
            self._memory.add(Kept(np.asarray(a.users), a.z, a.actions, a.rewards))
        if learned is not None and self._regrouped:
            self._gather(learned)
            self._regrouped = False
        else:
            if learned is not None and self.adapts:
                values = self._read_advantages(a.z, a.clusters)
                noise = self._noise_of_advantages()
                self._following.judge(a, learned, *values, self._scale.unit, noise)
            self._notice(answers)
            self._take_in(a.clusters, a.z, a.actions, a.rewards, audience)
        self._refresh(audience)
        if learned is not None and self.adapts:
            self._following.measure(self.sums.heard.sum(), learned)
        if self.sums.heard.sum() >= self._next_tuning:
            self._next_tuning *= 2.0
            self._tune(audience)

    def _take_in(
        self, clusters: Ints, z: Floats, actions: Ints, rewards: Floats, audience: Audience
    ) -> None:
        """Fold answers into every book."""
        z, held = self._columns(z), self._scale.clicks
        turned = self._scale.two_values.watch(rewards, clusters)
        self._as_they_are.add(z, clusters, actions, rewards)
        if held and not self._scale.clicks:
            self._leave_clicks()
        if not self._scale.clicks:
            self._fading.add_fading(z, clusters, actions, rewards, self._kept_a_visit)
            return
        clicked = self._scale.two_values.clicked(rewards, clusters)
        for book in (self._as_clicks, self._fading):
            book.turn(turned)
        if self._as_clicks.stale.any():
            self._refresh(audience)  # working responses need a fit that is up to date
        said = z, clusters, actions, clicked, self._scale.centre
        self._as_clicks.add_clicks(*said)
        self._fading.add_fading_clicks(*said, self._kept_a_visit)

    def _leave_clicks(self) -> None:
        """Go on with rewards as they are: some cluster has shown a third value."""
        for p in range(self.sums.heard.shape[0]):
            self._fading.copy_cluster(self._as_they_are, p)
        self._next_tuning = min(self._next_tuning, self.sums.heard.sum())

    def _notice(self, answers: Answers) -> None:
        """Drop what a cluster said long ago once the book that forgets predicts it better."""
        a, z = answers, self._columns(answers.z)
        n_measured = self._scale.centre.size
        known = (a.clusters < n_measured) & (a.clusters < self._surprise.size)
        if not known.all() or n_measured != self._surprise.size:
            return
        better = self._loglik(self._fading, a, z) - self._loglik(self._followed, a, z)
        gain = np.bincount(a.clusters, better, minlength=self._surprise.size)
        self._surprise = np.maximum(self._surprise + gain, 0.0)
        for p in np.flatnonzero(self._surprise > SURPRISE):
            self._followed.copy_cluster(self._fading, int(p))
            self._surprise[p] = 0.0

    def _loglik(self, book: Book, answers: Answers, z: Floats) -> Floats:
        """Return how probable each answer was by a book that has not taken it in, (n,)."""
        clusters, actions = answers.clusters, answers.actions
        mean, std = book.read_shown(z, clusters, actions)
        noise = self._followed.fit.noise[clusters, actions]
        return self._scale.loglik(answers.rewards, clusters, mean, std, noise)

    def _tune(self, audience: Audience) -> None:
        """Choose ridges, noise and products of features by the evidence."""
        book, level, unit = self._followed, *self._scale.level_and_unit(audience.history)
        std = np.where(audience.history.std > 0.0, unit, 0.0)
        used = self.priors._replace(kinds=self.priors.kinds[: book.fit.beta.shape[2]])
        if not self._scale.clicks:
            noise = measure_noise(book.used, book.fit, level, std, used)
            self._use_columns(self.n_columns)
            self._refresh(audience)
            straight = self.priors._replace(kinds=self.priors.kinds[: self.n_columns])
            chosen = choose_priors(book.used, book.fit, level, std, straight, noise)
            few = self.sums.heard.sum(axis=1) < self._least_heard
            chosen.own[few] = self.priors.own[few]
            self.priors = chosen._replace(kinds=self.priors.kinds)
        if self.priors.kinds.size > self.n_columns:
            priors = self.priors._replace(own=self.priors.own.copy())
            if self._scale.clicks:
                priors.own[:, :2] = RIDGE_OF_CLICKS
            self.priors.own[:, 2] = choose_curvature(book.sums, level, std, priors)
            if (self.priors.own[:, 2] < NO_PRODUCTS).any():
                self._use_columns(self.priors.kinds.size)
        for each in self._books:
            each.expire(np.arange(each.stale.shape[0]))
        self._refresh(audience)
        if not self._scale.clicks and (self.priors.own[:, 2] < NO_PRODUCTS).any():
            noise = measure_noise(book.used, book.fit, level, std, self.priors)
            self.priors = self.priors._replace(noise=noise)
            self._refresh(audience)

    def _use_columns(self, n_used: int) -> None:
        for book in self._books:
            if book.fit.beta.shape[2] != n_used:
                book.use_columns(n_used)

    def _refresh(self, audience: Audience) -> None:
        level, unit = self._scale.update(audience.history)
        priors = self.priors
        if self._scale.clicks:
            priors = priors._replace(own=priors.own.copy())
            priors.own[:, :2] = RIDGE_OF_CLICKS
        self._n_refreshed += 1
        books = [self._followed]
        if self._n_refreshed % REST == 0 or self._fading.overdue:
            books.append(self._fading)  # moves slowly, and all of it
        for book in books:
            book.refresh(level, unit, priors)
            if self._scale.clicks:
                book.fit.noise[:] = 1.0

    def _gather(self, audience: LearnedClusters) -> None:
        """Sum all answers up anew, by the clusters that users are in now."""
        clustering, sums = audience.clustering, self.sums
        if self.n_columns == 1:
            sums.heard[:], sums.moment[:, :, 0], sums.square[:] = clustering.totals()
            sums.gram[:, :, 0, 0] = sums.heard
            for p in range(sums.heard.shape[0]):
                self._fading.copy_cluster(self._as_they_are, p)
            return
        if clustering.max_users is not None:
            self._memory.keep_only(clustering.users_)
        users, z, actions, rewards = self._memory.all()
        labels = clustering.predict(users)
        for part in self._portions(rewards.size):
            self._take_in(labels[part], z[part], actions[part], rewards[part], audience)

    def _portions(self, n: int) -> Iterator[slice]:
        """Yield all at once; of clicks as many as came before: a fit that keeps up is needed."""
        first = 0
        while first < n:
            end = min(n, max(2 * first, FIRST_PORTION)) if self._scale.clicks else n
            yield slice(first, end)
            first = end

    def _columns(self, z: Floats) -> Floats:
        """Return the features, with their products where there is room for them."""
        if self.priors.kinds.size == z.shape[1]:
            return z
        i, j = self._pairs
        return np.hstack([z, z[:, 1 + i] * z[:, 1 + j]])


def kinds_of_columns(n_items: int, n_columns: int) -> Ints:
    """Return 0 for the constant, 1 for each feature, 2 for each product that there is room for."""
    n_features = n_columns - 1
    kinds = [0] + [1] * n_features
    n_all = n_columns + n_features * (n_features + 1) // 2
    if n_items * n_all**2 <= MOST_SUMS:
        kinds += [2] * (n_all - n_columns)
    return np.array(kinds, dtype=np.int64)
