"""Trade-offs: outcomes measured in several ways of which none is the best in all."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
