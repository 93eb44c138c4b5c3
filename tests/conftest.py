"""Fixtures and the machine-code cache of the tests.

The package makes its cache notice changes of any kernel (`pgrpo_rec._numba`); so that work on
several states of the sources does not compile everything anew at each turn, the tests keep a
cache for every state, in a folder that is named by it. It must be set before Numba is imported.

On continuous integration (``CI`` is set) hypothesis tries the same examples at every run, so
that a failure there is of the change that is tried; elsewhere it keeps looking for new ones.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent


def _state_of_sources() -> str:
    digest = hashlib.sha256()
    for folder in ("pgrpo_rec", "envs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"pgrpo-numba-{_state_of_sources()}")
)

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def run():
    """Return a run of the benchmark that was made up; nobody changes it."""
    from synthetic_run import make_run

    return make_run()


@pytest.fixture(scope="session")
def numbers(run):
    """Return what a report says of it."""
    from pgrpo_rec.reports.numbers import compute_numbers

    return compute_numbers(run)
