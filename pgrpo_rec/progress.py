"""Progress bars for long work: with time left, and switched off by one argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar(Protocol):
    """Something that can be moved on."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Move on by some steps, and say what is being done."""


@contextmanager
def progress_bar(title: str, total: int, *, show: bool) -> Iterator[Bar]:
    """Show a bar on standard error while the block runs; nothing if ``show`` is False."""
    if not show:
        yield lambda steps=1, note="": None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total, note="")

        def move(steps: int = 1, note: str = "") -> None:
            progress.update(task, advance=steps, note=note)

        yield move
