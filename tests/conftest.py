"""Fixtures and the machine-code cache of the tests.

Numba's cache notices changes in a kernel's own file, not in the files of the kernels it calls:
a stale cache would test old code. So the tests keep a cache of their own for every state of
the sources, in a folder that is named by them. It must be set before Numba is imported.

On continuous integration (``CI`` is set) hypothesis tries the same examples at every run, so
that a failure there is of the change that is tried; elsewhere it keeps looking for new ones.
"""

import hashlib
import os
import tempfile
from pathlib import Path

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
