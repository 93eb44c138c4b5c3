"""How much of the world is shown: to each person, and to all of them together.

Shapes: K items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pgrpo_rec.metrics.inequality import entropy, gini_index, herfindahl_index

Floats = NDArray[np.float64]


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
