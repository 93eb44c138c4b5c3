"""From written cells to ratings and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

MISSING = ("", "?", "na", "n/a", "nan", "null", "none")
VOTES = {"y": 1.0, "yes": 1.0, "true": 1.0, "n": 0.0, "no": 0.0, "false": 0.0}
_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d{0,17}")


def is_missing(tokens: pd.Series) -> pd.Series:
    """Tell which written cells mean "not rated"."""
    return tokens.str.strip().str.lower().isin(MISSING)


def parse_ratings(tokens: pd.Series) -> pd.Series:
    """Return the numbers that ``tokens`` spell, NaN where they spell none.

    Votes (y/n) are read only if there is nothing else, so that a ``y`` among the numbers
    of a 1-5 scale stays an error. A decimal comma is read as a point.

    Examples
    --------
    >>> parse_ratings(pd.Series(["y", "n", "?"])).tolist()
    [1.0, 0.0, nan]
    >>> parse_ratings(pd.Series(["3,5", "y", "4"])).tolist()
    [3.5, nan, 4.0]
    """
    numbers = pd.to_numeric(tokens, errors="coerce").astype(float)
    if is_missing(tokens[numbers.isna()]).all():
        return numbers
    if is_vote_column(tokens):
        return tokens.str.strip().str.lower().map(VOTES).astype(float)
    return pd.to_numeric(tokens.str.replace(",", ".", regex=False), errors="coerce").astype(float)


def is_vote_column(tokens: pd.Series) -> bool:
    """Tell whether a column of text holds y/n votes, and at least one."""
    written = tokens[~is_missing(tokens)].str.strip().str.lower()
    return bool(len(written)) and bool(written.isin(list(VOTES)).all())


def as_labels(tokens: Sequence[str]) -> np.ndarray:
    """Return labels as int64 where every one is a plainly written whole number, else as text.

    Examples
    --------
    >>> as_labels(["10", "9"]).tolist(), as_labels(["07", "7"]).tolist()
    ([10, 9], ['07', '7'])
    """
    if all(_WHOLE_NUMBER.fullmatch(token) for token in tokens):
        return np.array([int(token) for token in tokens], dtype=np.int64)
    return np.array(list(tokens), dtype=np.str_)
