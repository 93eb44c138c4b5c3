"""Ratings tables: read any of the usual files, or the small one that is shipped.

The package downloads nothing. :func:`read_ratings` reads a file or a folder you have,
:func:`load_sample_ratings` the generated table that comes with the library.
"""

from pgrpo_rec.datasets._errors import RatingsError
from pgrpo_rec.datasets._table import RatingsTable
from pgrpo_rec.datasets.ratings import load_sample_ratings, read_ratings

__all__ = ["RatingsError", "RatingsTable", "load_sample_ratings", "read_ratings"]
