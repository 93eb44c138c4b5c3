"""What the script of a benchmark's page draws from: numbers, in small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pgrpo_rec.benchmark.results import BenchmarkRun
from pgrpo_rec.reports.figures import COLOURS
from pgrpo_rec.reports.numbers import (
    ALL_SCENARIOS,
    MEASURES,
    THRESHOLDS,
    TRAITS,
    Numbers,
    group_name,
    highlights,
)
from pgrpo_rec.reports.page_parts import manifest_of, places, records


def island(run: BenchmarkRun, numbers: Numbers) -> dict[str, Any]:
    """Return the numbers that the page's script draws, in small: indices for names."""
    scenarios = places(numbers.board["scenario"])
    names = places(numbers.board["recommender"])
    groups = {s: _group_names(run, numbers, s) for s in scenarios}
    traits = numbers.board.drop_duplicates("recommender")
    picks = [names[name] for name in highlights(numbers.board)]
    return {
        "scenarios": [{"name": s, "groups": groups[s]} for s in scenarios],
        "recommenders": records(
            traits[["recommender", *TRAITS]].rename(columns={"recommender": "name"})
        ),
        "picks": picks + [None] * (len(COLOURS) - len(picks)),
        "reference": picks[0],
        "board": _board_rows(numbers.board, scenarios, names),
        "groups": _group_rows(numbers.groups, scenarios, names, groups),
        "pairs": _pair_rows(numbers.pairs, scenarios, names),
        "bins": int(numbers.curves["bin"].max()) + 1,
        "curves": _curve_rows(numbers.curves, scenarios, names),
        "thresholds": THRESHOLDS.tolist(),
        "profiles": _profile_rows(numbers.profiles, scenarios, names),
    }


def _group_names(run: BenchmarkRun, numbers: Numbers, scenario: str) -> list[str]:
    """Return the names of user types 0, 1, ..., as many as answered."""
    types = run.results.loc[run.results["scenario"] == scenario, "user_type"]
    return [group_name(manifest_of(run, scenario), g) for g in range(int(types.max()) + 1)]


def _rounded(table: pd.DataFrame, digits: int = 4) -> list[dict[str, Any]]:
    numeric = table.select_dtypes("number").columns
    return records(table.assign(**{c: table[c].round(digits) for c in numeric}))


def _board_rows(
    board: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> list[dict[str, Any]]:
    columns = ["regret", "regret_low", "regret_high", "worst", "worst_low", "worst_high"]
    table = board[[*columns, "seconds", "mib", "undominated"]]
    return _rounded(_indexed(table, board, scenarios, names), 6)


def _indexed(
    table: pd.DataFrame, source: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> pd.DataFrame:
    place = source["scenario"].map(scenarios)
    return table.assign(s=place, r=source["recommender"].map(names))


def _group_rows(
    groups: pd.DataFrame,
    scenarios: dict[str, int],
    names: dict[str, int],
    labels: dict[str, list[str]],
) -> list[dict[str, Any]]:
    place = [labels[s].index(g) for s, g in groups[["scenario", "group"]].itertuples(index=False)]
    table = groups[["regret", "low", "high"]].assign(g=place)
    return _rounded(_indexed(table, groups, scenarios, names))


def _pair_rows(
    pairs: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> list[dict[str, Any]]:
    measures = {measure: place for place, measure in enumerate(MEASURES)}
    table = pd.DataFrame(
        {
            "s": pairs["scenario"].map(scenarios),
            "m": pairs["measure"].map(measures).astype(str),
            "a": pairs["recommender"].map(names),
            "b": pairs["reference"].map(names),
            "d": pairs["difference"],
            **{c: pairs[c] for c in ("low", "high", "chance", "chance_low", "chance_high")},
        }
    )
    return _rounded(table)


def _thousandths(values: Any) -> list[int | None]:
    return [None if pd.isna(v) else round(1000 * float(v)) for v in np.asarray(values)]


def _curve_rows(
    curves: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> dict[str, Any]:
    n_bins = int(curves["bin"].max()) + 1
    rows: dict[str, Any] = {}
    for (scenario, view, name), curve in curves.groupby(
        ["scenario", "view", "recommender"], sort=False
    ):
        whole = curve.set_index("bin").reindex(range(n_bins))
        of_view = rows.setdefault(str(scenarios[str(scenario)]), {}).setdefault(str(view), {})
        of_view[str(names[str(name)])] = [_thousandths(whole[c]) for c in ("mean", "low", "high")]
    return rows


def _profile_rows(
    profiles: pd.DataFrame, scenarios: dict[str, int], names: dict[str, int]
) -> dict[str, Any]:
    keys = {**{name: str(place) for name, place in scenarios.items()}, ALL_SCENARIOS: "all"}
    rows: dict[str, Any] = {}
    for (scenario, name), profile in profiles.groupby(["scenario", "recommender"], sort=False):
        lines = rows.setdefault(keys[str(scenario)], {})
        lines[str(names[str(name)])] = [_thousandths(profile[c]) for c in ("share", "low", "high")]
    return rows
