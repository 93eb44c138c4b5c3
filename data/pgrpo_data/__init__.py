"""Small tables that come with the library; all are generated, see ``make_sample``."""

from importlib.resources import files
from pathlib import Path

__all__ = ["load_sample"]


def load_sample() -> Path:
    """Return the path of the shipped ratings table: columns user, item, rating.

    Examples
    --------
    >>> from pgrpo_data import load_sample
    >>> load_sample().name
    'sample_ratings.csv.gz'
    """
    return Path(str(files("pgrpo_data") / "sample_ratings.csv.gz"))
