r"""Who gains: what each group gets of what the world could have given it.

Tables in, tables out. A *log* is what `pgrpo_rec.simulate` returns, one answer a row; *parts*
are what `pgrpo_rec.benchmark.run` returns, sums over many answers. Both tell what the world's
best item and a random one would have earned, and so a group's

.. math:: \text{satisfaction} = \frac{\text{value} - \text{uniform}}{\text{best} - \text{uniform}},
          \qquad \text{normalised regret} = 1 - \text{satisfaction}:

1 is the best there is, 0 a random item, below 0 worse than that.

Shapes: P groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pgrpo_rec.metrics.inequality import gini_index, jain_index, nash_welfare


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
