"""Small steps from tables to the page, which its text and its charts both need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from pgrpo_rec.benchmark.results import BenchmarkRun


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dictionaries, with None for what is missing."""
    rows = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def places(values: Iterable[Any]) -> dict[str, int]:
    """Return a number for each distinct value, in the order in which they come."""
    return {str(value): place for place, value in enumerate(dict.fromkeys(values))}


def manifest_of(run: BenchmarkRun, scenario: str) -> dict[str, Any]:
    """Return what the manifest says of a scenario."""
    return next((s for s in run.manifest["scenarios"] if s["name"] == scenario), {})
