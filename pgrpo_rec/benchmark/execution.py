"""Where work is done: in this process, in several, or on a Dask cluster.

All three take a function and its calls, and give back what became of each call as it comes, in
any order. A call that fails says so, and sinks no other.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from joblib import Parallel, delayed

BACKENDS = ("local", "dask")
CONNECT = 20.0  # seconds to wait for a scheduler


class Failed(NamedTuple):
    """What is left of a call that failed."""

    error: str
    traceback: str


Work: TypeAlias = "Callable[..., Any]"
Outcome: TypeAlias = "tuple[int, Any]"  # number of the call; what it returned, or Failed
Execute: TypeAlias = "Callable[[Work, Sequence[tuple[Any, ...]]], Iterator[Outcome]]"


@contextmanager
def executor(
    backend: str = "local", *, n_jobs: int = 1, scheduler: str | None = None
) -> Iterator[Execute]:
    """Give the function that does the work, while the block runs.

    Parameters
    ----------
    backend : {"local", "dask"}, default="local"
        Processes of this machine through joblib, or the workers of a Dask cluster.
    n_jobs : int, default=1
        Processes of this machine; -1 for as many as it has cores.
    scheduler : str, optional
        Address of Dask's scheduler, such as ``"tcp://10.0.0.5:8786"``.

    Raises
    ------
    ValueError
        If the backend is unknown, or the scheduler's address is missing or one too many.
    OSError
        If the scheduler does not answer.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend={backend!r} is unknown; it must be one of {BACKENDS}")
    if (backend == "dask") != (scheduler is not None):
        raise ValueError("backend='dask' needs scheduler=, the scheduler's address; no other may")
    if scheduler is None:
        yield lambda work, calls: _in_processes(work, calls, n_jobs)
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ValueError("backend='dask' needs pip install 'pgrpo-rec[distributed]'") from error
    with Client(scheduler, timeout=CONNECT, set_as_default=False) as client:
        yield lambda work, calls: _on_cluster(work, calls, client)


def _in_processes(work: Work, calls: Sequence[tuple[Any, ...]], n_jobs: int) -> Iterator[Outcome]:
    jobs = (delayed(_attempt)(number, work, call) for number, call in enumerate(calls))
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)(jobs)


def _on_cluster(work: Work, calls: Sequence[tuple[Any, ...]], client: Any) -> Iterator[Outcome]:
    """Give every call to the cluster; it does again what a lost worker had begun.

    Not through joblib's backend for Dask: there a call whose workers die again and again
    raises, and takes the results that are still to come with it.
    """
    from dask.distributed import as_completed

    futures = {
        client.submit(_attempt, number, work, call, pure=False): number
        for number, call in enumerate(calls)
    }
    try:
        for future in as_completed(list(futures), loop=client.loop):
            number = futures.pop(future)
            lost = future.exception() if future.status == "error" else None
            yield future.result() if lost is None else (number, _failed(lost))
    finally:
        client.cancel(list(futures))


def _attempt(number: int, work: Work, call: tuple[Any, ...]) -> Outcome:
    try:
        return number, work(*call)
    except Exception as error:  # whatever a user's own code raises
        return number, _failed(error)


def _failed(error: BaseException) -> Failed:
    line = " ".join(str(error).split())
    kind = type(error).__name__
    return Failed(f"{kind}: {line}" if line else kind, "".join(traceback.format_exception(error)))
