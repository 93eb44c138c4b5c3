"""Figures of how people are dealt with: fronts between groups, and what each of them sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pgrpo_rec.reports.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_pareto_front(table: pd.DataFrame, *, title: str = "", path: Path | None = None) -> Figure:
    """Draw what the worst group gets against what people get on average.

    Parameters
    ----------
    table : pandas.DataFrame
        As `pgrpo_rec.benchmark.pareto_front` returns it.
    title : str, default=""
    path : pathlib.Path, optional
        Where to save the picture; its ending says the format.

    Returns
    -------
    matplotlib.figure.Figure
        Points with 95 % intervals; hollow ones are beaten by another for every group.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.8), dpi=130, layout="constrained")
    ax = figure.subplots()
    for beaten, points in table.groupby("dominated"):
        errors = {
            f"{axis}err": np.abs(
                points[[f"{measure}_low", f"{measure}_high"]].to_numpy().T
                - points[measure].to_numpy()
            )
            for axis, measure in (("x", "people"), ("y", "worst"))
        }
        colour = "#999999" if beaten else COLOURS[1]
        face = "white" if beaten else colour
        label = "beaten for every group" if beaten else "not beaten"
        style: dict[str, Any] = {"fmt": "o", "ms": 6, "lw": 0.8, "label": label}
        ax.errorbar(points["people"], points["worst"], **errors, color=colour, mfc=face, **style)
    for _, point in table.iterrows():
        ax.annotate(
            point["objective"],
            (point["people"], point["worst"]),
            xytext=(6, -12) if point["dominated"] else (6, 5),
            textcoords="offset points",
            fontsize=7.5,
        )
    ax.set_xlabel("satisfaction of people on average (0 random item, 1 best item)")
    ax.set_ylabel("satisfaction of the worst group")
    ax.margins(0.08)
    _finish(ax)
    figure.suptitle(title, fontsize=11)
    if path is not None:
        figure.savefig(path)
    return figure


def draw_bubbles(
    tables: Mapping[str, pd.DataFrame],
    outcomes: Mapping[str, tuple[str, float, float, float]],
    *,
    title: str = "",
    path: Path | None = None,
) -> Figure:
    """Draw how much of the catalogue each person sees over time, beside what comes of it.

    Parameters
    ----------
    tables : mapping from name to pandas.DataFrame
        Columns ``stretch``, ``mean``, ``low``, ``high`` of a coverage.
    outcomes : mapping from name to (label, mean, low, high)
        One bar for each name; the label stands on the axis.
    title : str, default=""
    path : pathlib.Path, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), dpi=130, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(tables)}
    for name, table in tables.items():
        x = table["stretch"]
        left.plot(x, table["mean"], color=colours[name], label=name, marker="o", ms=3)
        left.fill_between(x, table["low"], table["high"], color=colours[name], alpha=0.2, lw=0)
    left.set_xlabel("stretch of a person's own visits")
    left.set_ylabel("share of the catalogue seen in it")
    left.set_ylim(0)
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0.0, 0.14))
    for place, (name, (label, mean, low, high)) in enumerate(outcomes.items()):
        right.barh(place, mean, xerr=[[mean - low], [high - mean]], color=colours[name])
        right.set_xlabel(label)
    right.set_yticks(range(len(outcomes)), list(outcomes))
    right.invert_yaxis()
    for ax in (left, right):
        _finish(ax)
    figure.suptitle(title, fontsize=11)
    if path is not None:
        figure.savefig(path)
    return figure


def _finish(ax: Axes) -> None:
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0] and ax.get_legend() is None and len(ax.containers) > 1:
        ax.legend(fontsize=8, frameon=False)
