"""The learning curve: how each batch was compared and how the policy stood, in bounded memory.

The first batches are kept one by one; whenever the room is used up every second kept batch is
dropped, so that a long run keeps its whole course, ever more coarsely.

Shapes: n rows in a batch, P clusters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pgrpo_rec.estimators.learners import Answers
from pgrpo_rec.histories import RewardHistory
from pgrpo_rec.objectives import Diagnostics

Floats = NDArray[np.float64]

CAPACITY = 512  # rows: one for each cluster that was heard in a batch
COLUMNS = np.dtype(
    [("batch", np.int64), ("answers", np.int64), ("cluster", np.int64), ("rows", np.int64)]
    + [
        (name, np.float64)
        for name in (
            "advantage_mean",
            "advantage_std",
            "silent",
            "history_mean",
            "history_std",
            "entropy",
            "kl",
            "clipped",
        )
    ]
)


class LearningCurve:
    """Keeps a few numbers of each batch.

    Parameters
    ----------
    group_size : int
        G: a visit is silent if none of its candidates has an advantage.
    """

    def __init__(self, group_size: int) -> None:
        self.group_size = group_size
        self._rows = np.zeros(CAPACITY, dtype=COLUMNS)
        self._n_rows = 0
        self._every = 1  # batches that one kept batch stands for
        self._n_batches = 0
        self._n_answers = 0
        self._last = np.zeros(0, dtype=COLUMNS)

    def add(
        self, answers: Answers, history: RewardHistory, diagnostics: Diagnostics | None
    ) -> None:
        """Take one batch; ``diagnostics`` are None where there is no surrogate."""
        self._n_answers += answers.actions.size // answers.slate_size
        self._last = self._measure(answers, history, diagnostics)
        if self._n_batches % self._every == 0:
            self._keep(self._last)
        self._n_batches += 1

    def table(self) -> pd.DataFrame:
        """Return one row for each kept batch and each cluster that was heard in it."""
        return pd.DataFrame.from_records(self._rows[: self._n_rows])

    def note(self) -> str:
        """Return the newest batch in a few words."""
        if self._last.size == 0:
            return ""
        row = self._last[0]
        known = [f"entropy {row['entropy']:.2f}"]
        known += [f"{name} {row[name]:.3f}" for name in ("kl", "clipped") if np.isfinite(row[name])]
        silent = np.average(self._last["silent"], weights=self._last["rows"])
        return ", ".join([*known, f"silent {silent:.2f}"])

    def _measure(
        self, answers: Answers, history: RewardHistory, diagnostics: Diagnostics | None
    ) -> NDArray[np.void]:
        clusters, inverse = np.unique(answers.clusters, return_inverse=True)
        rows = np.zeros(clusters.size, dtype=COLUMNS)
        advantages = answers.advantages
        silent = _whole_visits(advantages == 0.0, self.group_size, answers.slate_size)
        by_cluster = _averages(inverse, clusters.size)
        rows["batch"], rows["answers"] = self._n_batches, self._n_answers
        rows["cluster"], rows["rows"] = clusters, np.bincount(inverse)
        rows["advantage_mean"] = mean = by_cluster(advantages)
        rows["advantage_std"] = np.sqrt(by_cluster((advantages - mean[inverse]) ** 2))
        rows["silent"] = by_cluster(silent.astype(np.float64))
        rows["history_mean"], rows["history_std"] = history.mean[clusters], history.std[clusters]
        if diagnostics is None:
            # of what was shown: right on average where the policy itself showed it
            rows["entropy"] = -np.log(np.maximum(answers.propensities, 1e-300)).mean()
            rows["kl"] = rows["clipped"] = np.nan
        else:
            for name in ("entropy", "kl", "clipped"):
                rows[name] = getattr(diagnostics, name)
        return rows

    def _keep(self, rows: NDArray[np.void]) -> None:
        while self._n_rows + rows.size > CAPACITY and self._n_rows > 0:
            self._every *= 2
            old = self._rows[: self._n_rows]
            kept = old[old["batch"] % self._every == 0]
            if kept.size == old.size:  # the first batch alone is left
                kept = old[:0]
            self._rows[: kept.size] = kept
            self._n_rows = kept.size
        if self._n_batches % self._every == 0 and rows.size <= CAPACITY:
            self._rows[self._n_rows : self._n_rows + rows.size] = rows
            self._n_rows += rows.size


def _whole_visits(silent: NDArray[np.bool_], group_size: int, slate_size: int) -> NDArray[np.bool_]:
    """Return for each row whether its whole visit is silent."""
    size = group_size * slate_size
    return np.repeat(silent.reshape(-1, size).all(axis=1), size)


def _averages(inverse: NDArray[np.int64], n: int) -> Callable[[Floats], Floats]:
    counts = np.bincount(inverse, minlength=n)
    return lambda values: np.bincount(inverse, weights=values, minlength=n) / counts
