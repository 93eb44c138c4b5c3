"""How the pictures of the worlds look: a message above, a panel or two, a footnote."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pgrpo_rec.reports.figures import COLOURS

GREY = "#777777"
GROUPS = ("majority, 70 %", "minority, 20 %", "minority, 10 %")
GROUP_COLOURS = dict(enumerate(COLOURS))
HALF_WIDTH = 1.96  # standard errors in half a 95 % interval


def frame(message: str, footnote: str, n_panels: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Return a figure of 1200 x 675 dots and its panels: one, or an array of them."""
    figure = Figure(figsize=(8.0, 4.5), dpi=150, layout="constrained")
    figure.get_layout_engine().set(rect=(0.005, 0.085, 0.985, 0.795), wspace=0.06)
    figure.text(0.015, 0.975, message, fontsize=14, fontweight="bold", va="top")
    figure.text(0.015, 0.015, textwrap.fill(footnote, 136), fontsize=7.5, color=GREY)
    panels = figure.subplots(1, n_panels, **options)
    for ax in np.atleast_1d(panels):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    return figure, panels


def interval(values: NDArray[np.float64], axis: int = 0) -> tuple[Any, Any]:
    """Return the mean and half the width of its 95 % interval; NaN is left out."""
    size = np.isfinite(values).sum(axis=axis)
    spread = np.nanstd(values, axis=axis, ddof=1)
    return np.nanmean(values, axis=axis), HALF_WIDTH * spread / np.sqrt(size)


def draw_band(ax: Axes, x: Any, values: NDArray[np.float64], **style: Any) -> None:
    """Draw the mean over rows of (n, T) values as a line with its 95 % band."""
    mean, half = interval(values)
    ax.plot(x, mean, **style)
    ax.fill_between(x, mean - half, mean + half, color=style["color"], alpha=0.2, lw=0)


def draw_bars(
    ax: Axes,
    places: Sequence[float],
    heights: NDArray[np.float64],
    halves: NDArray[np.float64] | float,
    *,
    digits: int = 2,
    width: float = 0.25,
    **style: Any,
) -> None:
    """Draw bars with 95 % intervals and their values written over (or under) them."""
    heights, halves = np.asarray(heights), np.broadcast_to(halves, np.shape(heights))
    error = halves if (halves > 0).any() else None
    ax.bar(places, heights, width, yerr=error, error_kw={"lw": 1, "capsize": 2}, **style)
    for x, height, half in zip(places, heights, halves, strict=True):
        side = 1 if height >= 0 else -1
        ax.annotate(
            f"{height:.{digits}f}".replace("-", "\N{MINUS SIGN}"),
            (x, height + side * half),
            xytext=(0, 3 * side),
            textcoords="offset points",
            ha="center",
            va="bottom" if side > 0 else "top",
            fontsize=8.5,
        )


def legend(ax: Axes, **options: Any) -> None:
    """Draw the legend without a box."""
    ax.legend(**{"fontsize": 8.5, "frameon": False, **options})
