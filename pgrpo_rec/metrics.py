r"""Measures of a recommender beyond its mean reward: who gains, and how much of the world is shown.

Tables in, tables out. A *log* is what `pgrpo_rec.simulate` returns, one answer a row; *parts*
are what `pgrpo_rec.benchmark.run` returns, sums over many answers. Both tell what the world's
best item and a random one would have earned, and so a group's

.. math:: \text{satisfaction} = \frac{\text{value} - \text{uniform}}{\text{best} - \text{uniform}},
          \qquad \text{normalised regret} = 1 - \text{satisfaction}:

1 is the best there is, 0 a random item, below 0 worse than that.

Shapes: P groups, K items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


# --- one number from the values of many: groups, or items ---------------------------------------


def jain_index(values: ArrayLike) -> float:
    """Return Jain's fairness index: 1 where all have the same, 1/n where one has everything.

    Parameters
    ----------
    values : array, shape (n,)
        What each has; anything below 0 counts as nothing.

    Returns
    -------
    float in [1/n, 1]
        1 where nobody has anything.

    References
    ----------
    Jain, Chiu and Hawe, A quantitative measure of fairness, DEC-TR-301, 1984.

    Examples
    --------
    >>> from pgrpo_rec.metrics import jain_index
    >>> jain_index([1.0, 1.0, 0.0, 0.0])
    0.5
    """
    amounts = _amounts(values)
    square = float((amounts**2).sum())
    return float(amounts.sum()) ** 2 / (amounts.size * square) if square > 0.0 else 1.0


def gini_index(values: ArrayLike) -> float:
    """Return Gini's index: 0 where all have the same, (n - 1)/n where one has everything.

    Parameters
    ----------
    values : array, shape (n,)
        What each has; anything below 0 counts as nothing.

    Returns
    -------
    float in [0, (n - 1)/n]
        Half the mean absolute difference of all pairs, over the mean; 0 where nobody has
        anything.

    References
    ----------
    Gini, Variabilità e mutabilità, 1912.

    Examples
    --------
    >>> from pgrpo_rec.metrics import gini_index
    >>> gini_index([0.0, 0.0, 0.0, 4.0])
    0.75
    """
    amounts = np.sort(_amounts(values))
    total = float(amounts.sum())
    if total == 0.0:
        return 0.0
    ranks = 2.0 * np.arange(1, amounts.size + 1) - amounts.size - 1.0
    return max(float(ranks @ amounts) / (amounts.size * total), 0.0)


def nash_welfare(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the geometric mean: 0 as soon as one has nothing.

    Parameters
    ----------
    values : array, shape (n,)
        What each has; anything below 0 counts as nothing.
    weights : array, shape (n,), optional
        How much each counts, at least 0 and not all 0; alike by default.

    References
    ----------
    Nash, The bargaining problem, Econometrica, 1950.

    Examples
    --------
    >>> from pgrpo_rec.metrics import nash_welfare
    >>> round(nash_welfare([0.25, 1.0]), 12)
    0.5
    """
    amounts = _amounts(values)
    share = np.ones(amounts.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != amounts.shape or (share < 0.0).any() or share.sum() <= 0.0:
        raise ValueError(f"weights must be {amounts.size} numbers of at least 0, not all 0")
    counted = share > 0.0
    with np.errstate(divide="ignore"):
        return float(np.exp(share[counted] @ np.log(amounts[counted]) / share.sum()))


def herfindahl_index(counts: ArrayLike) -> float:
    """Return the sum of squared shares: 1/n where all are shown alike, 1 where one is.

    Parameters
    ----------
    counts : array, shape (n,)
        How often each was shown, not all 0; those never shown may be left out.

    References
    ----------
    Herfindahl, Concentration in the U.S. steel industry, 1950.

    Examples
    --------
    >>> from pgrpo_rec.metrics import herfindahl_index
    >>> herfindahl_index([2, 2])
    0.5
    """
    return float((_shares(counts) ** 2).sum())


def entropy(counts: ArrayLike) -> float:
    """Return the entropy in nats of what was shown: 0 for one item only, log n for all alike.

    Parameters
    ----------
    counts : array, shape (n,)
        How often each was shown, not all 0; those never shown may be left out.

    References
    ----------
    Shannon, A mathematical theory of communication, 1948.

    Examples
    --------
    >>> from pgrpo_rec.metrics import entropy
    >>> round(entropy([1, 1, 1, 1]), 4)
    1.3863
    """
    shares = _shares(counts)
    shares = shares[shares > 0.0]
    return max(float(shares @ -np.log(shares)), 0.0)


def _amounts(values: ArrayLike) -> Floats:
    amounts = np.asarray(values, dtype=np.float64)
    if amounts.ndim != 1 or amounts.size == 0 or not np.isfinite(amounts).all():
        raise ValueError("values must be one or more finite numbers")
    return np.maximum(amounts, 0.0)


def _shares(counts: ArrayLike) -> Floats:
    shown = np.asarray(counts, dtype=np.float64)
    if shown.ndim != 1 or not (shown >= 0.0).all() or not 0.0 < shown.sum() < np.inf:
        raise ValueError("counts must be finite numbers of at least 0, not all 0")
    return shown / shown.sum()


# --- groups --------------------------------------------------------------------------------------


def group_satisfaction(
    table: pd.DataFrame, *, group: str = "user_type", by: Sequence[str] = ()
) -> pd.DataFrame:
    """Return how well each group is served.

    Parameters
    ----------
    table : pandas.DataFrame
        A log (`pgrpo_rec.simulate`) or parts (`pgrpo_rec.benchmark.run`).
    group : str, default="user_type"
        Column that says who belongs together.
    by : sequence of str, default=()
        Columns that tell runs, or times, apart; each is measured by itself.

    Returns
    -------
    pandas.DataFrame
        One row a group (and value of ``by``): ``share`` of the answers, ``satisfaction`` and
        ``regret`` (1 less it). Satisfaction is NaN where all items are as good as each other,
        or where the world does not tell.

    Examples
    --------
    >>> import pandas as pd
    >>> from pgrpo_rec.metrics import group_satisfaction
    >>> log = pd.DataFrame({"user_type": [0, 0, 0, 1], "expected_reward": [5.0, 5.0, 2.0, 1.0]})
    >>> log = log.assign(best_reward=5.0, uniform_reward=1.0)
    >>> log = log.assign(regret=log["best_reward"] - log["expected_reward"])
    >>> group_satisfaction(log)
       user_type  share  satisfaction  regret
    0          0   0.75          0.75    0.25
    1          1   0.25          0.00    1.00
    """
    sums = _sums(table, [*by, group])
    regret = sums["regret"] / sums["span"].where(sums["span"] > 0.0)
    whole = sums.groupby(level=list(by))["n"].transform("sum") if by else sums["n"].sum()
    result = pd.DataFrame(
        {"share": sums["n"] / whole, "satisfaction": 1.0 - regret, "regret": regret}
    )
    return result.reset_index()


def fairness(
    table: pd.DataFrame, *, group: str = "user_type", by: Sequence[str] = ()
) -> pd.DataFrame:
    """Return what a run is worth to the whole, and how it is spread over groups.

    Parameters
    ----------
    table, group, by
        As in `group_satisfaction`.

    Returns
    -------
    pandas.DataFrame
        One row (a value of ``by``): ``satisfaction`` of the whole, that is of all answers
        together, in which groups on a larger scale weigh more; ``group_mean``, ``people``
        (mean over groups by their shares), ``worst``, ``gap`` (best less worst), ``jain``,
        ``gini`` and ``nash`` (geometric mean by shares) of the groups' satisfactions. Groups of
        which nothing is known are left out.

    Examples
    --------
    >>> import pandas as pd
    >>> from pgrpo_rec.metrics import fairness
    >>> parts = pd.DataFrame({"user_type": [0, 1], "n": [3, 1], "regret": [1.0, 1.0]})
    >>> fairness(parts.assign(span=[4.0, 2.0]))[["satisfaction", "worst", "gap"]].round(4)
       satisfaction  worst   gap
    0        0.6667    0.5  0.25
    """
    by = list(by)
    if not by:
        return fairness(table.assign(_all=0), group=group, by=["_all"]).drop(columns="_all")
    groups = group_satisfaction(table, group=group, by=by).dropna(subset=["satisfaction"])
    if groups.empty:
        raise ValueError("the table tells nothing of what the best and a random item would earn")
    sums = _sums(table, by)
    whole = (1.0 - sums["regret"] / sums["span"]).rename("satisfaction").reset_index()
    runs = groups.groupby(by)
    spread = [dict(zip(by, key, strict=True)) | _spread(rows) for key, rows in runs]
    return whole.merge(pd.DataFrame(spread), on=by)


def _spread(groups: pd.DataFrame) -> dict[str, float]:
    values, shares = groups["satisfaction"].to_numpy(), groups["share"].to_numpy()
    return {
        "group_mean": float(values.mean()),
        "people": float(shares @ values / shares.sum()),
        "worst": float(values.min()),
        "gap": float(values.max() - values.min()),
        "jain": jain_index(values),
        "gini": gini_index(values),
        "nash": nash_welfare(values, shares),
    }


def _sums(table: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return n, regret and span, summed over the rows of each key."""
    if "span" not in table:
        missing = {"best_reward", "uniform_reward", "regret"} - set(table)
        if missing:
            raise ValueError(f"the table lacks {sorted(missing)}: is it a log, or parts?")
        table = table.assign(span=table["best_reward"] - table["uniform_reward"], n=1)
    absent = set(key) - set(table)
    if absent:
        raise ValueError(f"the table has no columns {sorted(absent)}; it has {list(table)}")
    return table.groupby(key)[["n", "regret", "span"]].sum(min_count=1)


# --- what is shown -------------------------------------------------------------------------------


def list_diversity(slates: ArrayLike, similarity: ArrayLike) -> Floats:
    """Return how much the items inside each list differ.

    Parameters
    ----------
    slates : array of int, shape (n, S), values in [0, K), S at least 2
        Item numbers.
    similarity : array, shape (K, K)
        How alike two items are, at most 1; symmetric.

    Returns
    -------
    ndarray of float64, shape (n,)
        1 less the mean similarity of all pairs of places.

    References
    ----------
    Ziegler et al., Improving recommendation lists through topic diversification, WWW 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from pgrpo_rec.metrics import list_diversity
    >>> same_topic = np.equal.outer([0, 0, 1], [0, 0, 1])
    >>> list_diversity([[0, 1], [0, 2]], same_topic)
    array([0., 1.])
    """
    places, alike = np.asarray(slates), np.asarray(similarity, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] < 2:
        raise ValueError(f"slates has shape {places.shape}; lists of at least 2 items are needed")
    first, second = np.triu_indices(places.shape[1], k=1)
    return 1.0 - alike[places[:, first], places[:, second]].mean(axis=1)


def exposure(
    log: pd.DataFrame,
    n_items: int,
    *,
    by: Sequence[str] = (),
    item: str = "action",
) -> pd.DataFrame:
    """Return how widely, or narrowly, items are shown.

    Parameters
    ----------
    log : pandas.DataFrame
        One shown item a row.
    n_items : int
        K; items never shown count too.
    by : sequence of str, default=()
        Columns within which exposure is measured: ``["user"]`` for what each person sees.
    item : str, default="action"
        Column of items, or of their topics (then K is the number of topics).

    Returns
    -------
    pandas.DataFrame
        One row (a value of ``by``): ``shown`` (rows), ``coverage`` (share of the items shown
        at least once), ``entropy`` (over log K, 1 = all alike), ``gini``, ``herfindahl``, and
        ``top`` (share of the item shown most).

    Raises
    ------
    ValueError
        If more than ``n_items`` different items were shown.

    Examples
    --------
    >>> import pandas as pd
    >>> from pgrpo_rec.metrics import exposure
    >>> log = pd.DataFrame({"user": [0, 0, 1, 1], "action": [3, 3, 1, 2]})
    >>> exposure(log, 4, by=["user"])[["user", "coverage", "entropy", "herfindahl"]]
       user  coverage  entropy  herfindahl
    0     0      0.25      0.0         1.0
    1     1      0.50      0.5         0.5
    """
    if n_items < 2:
        raise ValueError(f"n_items={n_items!r} is not possible: at least 2")
    if log[item].nunique() > n_items:
        raise ValueError(f"{log[item].nunique()} different items were shown, not {n_items}")
    by = list(by)
    if not by:
        whole = exposure(log.assign(_all=0), n_items, by=["_all"], item=item)
        return whole.drop(columns="_all")
    counts = log.groupby([*by, item], as_index=False).size()
    rows = [
        dict(zip(by, key, strict=True)) | _breadth(part["size"].to_numpy(np.float64), n_items)
        for key, part in counts.groupby(by)
    ]
    return pd.DataFrame(rows)


def _breadth(counts: Floats, n_items: int) -> dict[str, float]:
    everything = np.append(counts, np.zeros(n_items - counts.size))
    return {
        "shown": counts.sum(),
        "coverage": counts.size / n_items,
        "entropy": entropy(counts) / float(np.log(n_items)),
        "gini": gini_index(everything),
        "herfindahl": herfindahl_index(counts),
        "top": counts.max() / counts.sum(),
    }


def exposure_over_time(
    log: pd.DataFrame, n_items: int, *, window: int = 20, item: str = "action"
) -> pd.DataFrame:
    """Return how exposure narrows: over all people, and inside each one's own bubble.

    Parameters
    ----------
    log : pandas.DataFrame
        With ``user`` and a row a shown item, in the order of time.
    n_items : int
        K.
    window : int, default=20
        Shown items of one person a stretch of time. The last stretch, if not whole, is left out.
    item : str, default="action"

    Returns
    -------
    pandas.DataFrame
        ``stretch`` (0, 1, ... of each person's own visits), ``scope`` ("user": the mean over
        people; "all": everything shown to anyone in it) and the measures of `exposure`.

    Examples
    --------
    >>> import pandas as pd
    >>> from pgrpo_rec.metrics import exposure_over_time
    >>> log = pd.DataFrame({"user": [0, 1] * 4, "action": [0, 1, 1, 0, 0, 1, 0, 1]})
    >>> exposure_over_time(log, 2, window=2)[["stretch", "scope", "coverage"]]
       stretch scope  coverage
    0        0  user       1.0
    1        1  user       0.5
    2        0   all       1.0
    3        1   all       1.0
    """
    if window < 1:
        raise ValueError(f"window={window!r} is not possible: at least 1")
    visit = log.groupby("user").cumcount()
    whole = visit // window < log.groupby("user")["user"].transform("size") // window
    timed = log[whole].assign(stretch=(visit // window)[whole])
    each = exposure(timed, n_items, by=["stretch", "user"], item=item)
    people = each.drop(columns="user").groupby("stretch", as_index=False).mean()
    everyone = exposure(timed, n_items, by=["stretch"], item=item)
    both = pd.concat([people.assign(scope="user"), everyone.assign(scope="all")])
    return both[["stretch", "scope", *people.columns.drop("stretch")]].reset_index(drop=True)


# --- fronts --------------------------------------------------------------------------------------


def dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Return which points another one beats: nowhere worse, somewhere better.

    Parameters
    ----------
    points : array, shape (n, m)
        n outcomes measured in m ways, more being better in each.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> from pgrpo_rec.metrics import dominated
    >>> dominated([[0.0, 1.0], [1.0, 0.0], [0.0, 0.5], [1.0, 0.0]])
    array([False, False,  True, False])
    """
    at = np.asarray(points, dtype=np.float64)
    if at.ndim != 2 or np.isnan(at).any():
        raise ValueError("points must be a table of numbers, none missing")
    no_worse = (at[:, None] >= at[None]).all(axis=2)
    better = (at[:, None] > at[None]).any(axis=2)
    return np.asarray((no_worse & better).any(axis=0), dtype=np.bool_)
