"""Figures, drawn with Matplotlib (extra ``plot``); computing them is done elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette without its yellow: readable with colour-blind eyes. An eighth
# recommender gets the first colour again, and another line.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
REFERENCES = {"oracle": "#777777", "uniform": "#BBBBBB"}  # not rivals: drawn in grey


def draw_learning_curves(
    curves: pd.DataFrame,
    *,
    group_names: Mapping[str, Sequence[str]] | None = None,
    highlight: Sequence[str] = (),
    path: Path | None = None,
) -> Figure:
    """Draw learning curves, a row of panels a scenario: everyone, then each true group.

    Parameters
    ----------
    curves : pandas.DataFrame
        As `pgrpo_rec.benchmark.curves_by_group` returns it.
    group_names : mapping from scenario to names of its user types, optional
    highlight : sequence of str, optional
        Recommenders in strong lines with their 95 % bands; the others are thin.
    path : pathlib.Path, optional
        Where to save the picture; its ending says the format.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    scenarios = list(dict.fromkeys(curves["scenario"]))
    widest = max(curves[curves["scenario"] == t]["user_type"].nunique() for t in scenarios)
    figure = Figure(
        figsize=(3.4 * widest + 2.2, 3.2 * len(scenarios)), dpi=120, layout="constrained"
    )
    axes = figure.subplots(len(scenarios), widest, squeeze=False, sharey="row")
    names = list(dict.fromkeys(curves["recommender"]))
    rivals = [name for name in names if name not in REFERENCES]
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(rivals)} | REFERENCES
    dotted = set(rivals[len(COLOURS) :])
    for row, scenario in zip(axes, scenarios, strict=True):
        of_scenario = curves[curves["scenario"] == scenario]
        types = ["all", *sorted(set(of_scenario["user_type"]) - {"all"})]
        for ax, user_type in zip(row, types, strict=False):
            _draw_panel(
                ax, of_scenario[of_scenario["user_type"] == user_type], colours, highlight, dotted
            )
            ax.set_title(
                _title(scenario, user_type, (group_names or {}).get(scenario, ())), fontsize=10
            )
        for ax in row[len(types) :]:
            ax.set_visible(False)
        row[0].set_ylabel("value of what is shown\n0 = random item, 1 = best item")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    if path is not None:
        figure.savefig(path)
    return figure


def _draw_panel(
    ax: Axes,
    curves: pd.DataFrame,
    colours: Mapping[str, str],
    highlight: Sequence[str],
    dotted: Collection[str],
) -> None:
    for name, curve in curves.groupby("recommender", sort=False):
        strong = name in highlight
        time = (curve["bin"] + 0.5) / (curves["bin"].max() + 1)
        line = ":" if name in dotted else "-" if strong else "--"
        style: dict[str, Any] = {"lw": 2.2 if strong else 1.1, "ls": line}
        ax.plot(time, curve["mean"], color=colours[str(name)], label=str(name), **style)
        if strong:
            ax.fill_between(time, curve["low"], curve["high"], color=colours[str(name)], alpha=0.15)
    ax.axhline(0.0, color="#999999", lw=0.6)
    ax.set_xlabel("share of the visits so far", fontsize=8)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def _title(scenario: str, user_type: str, names: Sequence[str]) -> str:
    if user_type == "all":
        return f"{scenario}: everyone"
    number = int(user_type)
    name = names[number] if number < len(names) else f"group {number}"
    return name.replace("\n", ", ")
