"""What a recommender costs: seconds in each verb, and memory. Results are not touched by it."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

_MIB = 2**20


class Meter:
    """A recommender with a clock on ``recommend`` and ``partial_fit``; else as it is.

    Parameters
    ----------
    learner : recommender

    Attributes
    ----------
    seconds_recommend, seconds_learn : float
        Spent in the two verbs so far.
    """

    def __init__(self, learner: Any) -> None:
        self._learner = learner
        self.seconds_recommend = 0.0
        self.seconds_learn = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def recommend(self, *args: Any, **kwargs: Any) -> Any:
        """Recommend, and count the seconds."""
        start = perf_counter()
        shown = self._learner.recommend(*args, **kwargs)
        self.seconds_recommend += perf_counter() - start
        return shown

    def partial_fit(self, *args: Any, **kwargs: Any) -> Any:
        """Learn, and count the seconds."""
        start = perf_counter()
        self._learner.partial_fit(*args, **kwargs)
        self.seconds_learn += perf_counter() - start
        return self


class PeakMemory:
    """How far this process's memory rose above where it was when the block began.

    Linux lets a process give back what it does not use and forget its highest mark; elsewhere
    only a rise above all that went before in this process is seen. The table of what happened
    counts too (some 80 bytes an answer), and so do threads that run beside this one.

    Examples
    --------
    >>> from pgrpo_rec.benchmark.costs import PeakMemory
    >>> with PeakMemory() as memory:
    ...     large = bytearray(64 * 2**20)
    >>> memory.mib > 60
    True
    """

    mib = float("nan")

    def __enter__(self) -> PeakMemory:
        gc.collect()
        _give_back()
        _forget_peak()
        self._start = _resident()
        return self

    def __exit__(self, *exception: object) -> None:
        self.mib = max(0.0, (_peak() - self._start) / _MIB)


def _give_back() -> None:
    """Return freed memory to the system, lest the next run gets it without a rise."""
    with suppress(OSError, AttributeError):  # glibc alone knows how
        ctypes.CDLL(None).malloc_trim(0)


def _forget_peak() -> None:
    with suppress(OSError):  # not Linux, or not allowed here: the mark stays
        Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> int | None:
    """Return a field of Linux's status of this process, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return 1024 * int(found[0]) if found else None


def _resident() -> int:
    now = _status("VmRSS")
    return _peak() if now is None else now


def _peak() -> int:
    highest = _status("VmHWM")
    if highest is not None:
        return highest
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
