"""Compiler options, in this one place: no other file calls Numba's ``njit``.

Kernels are strict (no ``fastmath``), so that a result does not depend on the number
of rows beside it, on threads or on the processor. They never receive a random
generator: random numbers, or counters to make them from, come in as arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile at the first call, keep the machine code on disk for the next process."""
    compiled = numba.njit(cache=True, error_model="numpy", fastmath=False)(function)
    return cast(F, compiled)
