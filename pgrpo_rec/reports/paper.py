"""The page's figures for papers, as PNG and SVG, with Matplotlib (extra ``plot``).

The same numbers give the same files, byte for byte; text in an SVG stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pgrpo_rec.benchmark.plan import slug
from pgrpo_rec.reports.figures import COLOURS
from pgrpo_rec.reports.numbers import Numbers, highlights, rivals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "P", "v", ">")
DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (8, 3)), (0, (4, 2)), (0, (3, 1, 1, 1)))
GREY = "#9aa0a6"
SIZE = (5.6, 3.8)  # inches
RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pgrpo-rec",
    "font.size": 9,
    "savefig.dpi": 200,
}
# What would make two files of the same numbers differ.
METADATA: dict[str, dict[str, None]] = {"svg": {"Date": None}, "png": {"Software": None}}


def check_plot() -> None:
    """Raise a ValueError that names the extra if Matplotlib is missing."""
    try:
        import_module("matplotlib")
    except ModuleNotFoundError as error:
        raise ValueError(
            "the figures need the package matplotlib, which is not installed: "
            "pip install 'pgrpo-rec[plot]'"
        ) from error


def write_figures(numbers: Numbers, folder: Path | str) -> list[Path]:
    """Draw every figure of every scenario.

    Parameters
    ----------
    numbers : Numbers
        As `pgrpo_rec.reports.numbers.compute_numbers` returns them.
    folder : pathlib.Path or str
        Made if need be. Files are named by scenario and figure: ``clicks-pareto.svg``.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    ValueError
        Without Matplotlib, or if two scenarios would have the same file name.
    """
    check_plot()
    import matplotlib as mpl

    folder = Path(folder)
    scenarios = list(dict.fromkeys(numbers.board["scenario"]))
    if len({slug(scenario) for scenario in scenarios}) < len(scenarios):
        raise ValueError("scenarios must differ in name, beyond case and signs")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context(RC):
        for scenario in scenarios:
            for name, figure in _figures(numbers, scenario):
                for kind, metadata in METADATA.items():
                    path = folder / f"{slug(scenario)}-{name}.{kind}"
                    figure.savefig(path, metadata=metadata)
                    written.append(path)
    return written


def _figures(numbers: Numbers, scenario: str) -> Iterator[tuple[str, Figure]]:
    lit = highlights(numbers.board)
    board = rivals(numbers.board)
    board = board[board["scenario"] == scenario]
    for view, curves in _of(numbers.curves, scenario, board).groupby("view", sort=False):
        name = {"all": "everyone", "worst": "worst-group"}.get(str(view), f"group-{view}")
        yield f"curves-{name}", _draw(_curves, curves, lit)
    yield "groups", _draw(_groups, _of(numbers.groups, scenario, board), board)
    yield "pareto", _draw(_pareto, board, lit)
    for cost in ("seconds", "mib"):
        if (board[cost] > 0).any():
            yield f"cost-{cost}", _draw(_cost, board[board[cost] > 0], lit, cost)
    yield "profile", _draw(_profile, _of(numbers.profiles, scenario, board), lit)


def _of(table: pd.DataFrame, scenario: str, board: pd.DataFrame) -> pd.DataFrame:
    """Return a scenario's rows of those who compete."""
    competes = table["recommender"].isin(board["recommender"])
    return table[(table["scenario"] == scenario) & competes]


def _draw(draw: Callable[..., None], *arguments: Any) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    ax = figure.subplots()
    draw(ax, *arguments)
    ax.spines[["top", "right"]].set_visible(False)
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _text(name: object) -> str:
    """Return a name as it is: a dollar sign in it is no mathematics."""
    return str(name).replace("$", r"\$")


def _lines(ax: Axes, table: pd.DataFrame, lit: Sequence[str], x: str, y: str) -> None:
    slots = {name: slot for slot, name in enumerate(lit)}
    for name, line in table.groupby("recommender", sort=False):
        slot = slots.get(str(name))
        if slot is None:
            ax.plot(line[x], line[y], color=GREY, lw=0.7, zorder=1)
            continue
        style: Mapping[str, Any] = {"color": COLOURS[slot], "ls": DASHES[slot]}
        ax.plot(line[x], line[y], lw=1.8, label=_text(name), **style)
        ax.fill_between(line[x], line["low"], line["high"], color=COLOURS[slot], alpha=0.15, lw=0)


def _curves(ax: Axes, curves: pd.DataFrame, lit: Sequence[str]) -> None:
    time = (curves["bin"] + 0.5) / (curves["bin"].max() + 1)
    _lines(ax, curves.assign(time=time), lit, "time", "mean")
    for level, meaning in ((0.0, "oracle"), (1.0, "a random item")):
        ax.axhline(level, color=GREY, lw=0.8, ls=":")
        ax.annotate(meaning, (1.0, level), ha="right", va="bottom", fontsize=7, color="#555555")
    ax.set(xlabel="share of the visits so far", ylabel="normalised regret")


def _profile(ax: Axes, profiles: pd.DataFrame, lit: Sequence[str]) -> None:
    _lines(ax, profiles, lit, "threshold", "share")
    ax.set(xlabel="regret below", ylabel="share of runs", ylim=(0, 1.02))


def _groups(ax: Axes, groups: pd.DataFrame, board: pd.DataFrame) -> None:
    ranked = board.sort_values("worst", ascending=False)
    rows = {name: row for row, name in enumerate(ranked["recommender"])}
    ax.hlines(list(rows.values()), ranked["worst_low"], ranked["worst_high"], color="black")
    ax.plot(ranked["worst"], list(rows.values()), "|k", ms=11, mew=2, label="worst group")
    for number, (name, dots) in enumerate(groups.groupby("group", sort=False)):
        place = number % len(MARKERS)
        style: Mapping[str, Any] = {"color": COLOURS[place], "marker": MARKERS[place], "ls": ""}
        ax.plot(dots["regret"], dots["recommender"].map(rows), ms=5, label=_text(name), **style)
    ax.axvline(1.0, color=GREY, lw=0.8, ls=":")
    ax.set_yticks(list(rows.values()), [_text(name) for name in rows], fontsize=7)
    ax.set_xlabel("normalised regret (1: a random item)")


def _pareto(ax: Axes, board: pd.DataFrame, lit: Sequence[str]) -> None:
    _points(ax, board, lit, "regret", "worst")
    front = board[board["undominated"]].sort_values("regret")
    ax.step(front["regret"], front["worst"], where="post", color=GREY, lw=0.8, zorder=1)
    ring: Mapping[str, Any] = {"ms": 12, "mfc": "none", "mec": "black", "label": "undominated"}
    ax.plot(front["regret"], front["worst"], "o", **ring)
    ax.set(xlabel="regret, everyone", ylabel="regret, worst group")


def _cost(ax: Axes, board: pd.DataFrame, lit: Sequence[str], cost: str) -> None:
    _points(ax, board, lit, cost, "regret")
    unit = {"seconds": "seconds per 1,000 interactions", "mib": "peak memory, MiB"}[cost]
    ax.set(xscale="log", xlabel=unit, ylabel="regret, everyone")


def _points(ax: Axes, board: pd.DataFrame, lit: Sequence[str], x: str, y: str) -> None:
    slots = {name: slot for slot, name in enumerate(lit)}
    for row in board.to_dict("records"):
        slot = slots.get(row["recommender"])
        if slot is None:
            ax.plot(row[x], row[y], "o", color=GREY, ms=4, zorder=1)
            continue
        style: Mapping[str, Any] = {"color": COLOURS[slot], "marker": MARKERS[slot], "ls": ""}
        ax.plot(row[x], row[y], ms=6, label=_text(row["recommender"]), **style)
        bar: Mapping[str, Any] = {"color": COLOURS[slot], "lw": 0.9, "alpha": 0.6}
        ax.plot([row[x]] * 2, [row[f"{y}_low"], row[f"{y}_high"]], **bar)
        if f"{x}_low" in row:
            ax.plot([row[f"{x}_low"], row[f"{x}_high"]], [row[y]] * 2, **bar)
