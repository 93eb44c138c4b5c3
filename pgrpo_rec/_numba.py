"""Compiler options, in this one place: no other file calls Numba's ``njit``.

Kernels are strict (no ``fastmath``), so that a result does not depend on the number
of rows beside it, on threads or on the processor. They never receive a random
generator: random numbers, or counters to make them from, come in as arrays.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile at the first call, keep the machine code on disk for the next process."""
    compiled = numba.njit(error_model="numpy", fastmath=False)(function)
    if isinstance(compiled, Dispatcher):  # it is the function itself under NUMBA_DISABLE_JIT
        cast(Any, compiled)._cache = KernelCache(function)
    return cast(F, compiled)


class KernelCache(FunctionCache):
    """Numba's cache on disk, of no use as soon as any kernel's source has changed.

    Machine code has the kernels that it calls built in, but Numba looks at a kernel's own
    file only: after an update of the package, old code of other files would run on, and
    crash where what is handed over has changed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        index = self._cache_file
        folders = {Path(__file__).parent, Path(function.__code__.co_filename).parent}
        index._source_stamp = (index._source_stamp, *map(digest_of_sources, sorted(folders)))


@functools.cache
def digest_of_sources(folder: Path) -> str:
    """Return a digest of all Python files in and under a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
