"""The page's charts as Vega-Lite specifications, without their data: the page's script feeds it.

Vega-Altair (BSD-3-Clause) is the plotting library of the page, chosen by what reaches the reader:

=============  ==========================  =============================  ==========
library        script inlined in the page  drawn as                       licence
=============  ==========================  =============================  ==========
Vega-Altair    0.9 MB                      SVG: scales, prints, takes     BSD-3
                                           the page's colours and fonts
Plotly         4.8 MB                      SVG, its own fonts and colours MIT
Bokeh          3.9 MB                      canvas: opaque to style sheets BSD-3
                                           and screen readers
=============  ==========================  =============================  ==========

(Altair 6.3 with vl-convert 1.9, Plotly 7.1, Bokeh 3.9: the lengths of
``vl_convert.javascript_bundle()``, ``plotly.offline.get_plotlyjs()`` and
``bokeh.resources.INLINE.js_raw``.) The bundle comes out of a wheel and needs no network, and Vega's
interpreter runs without ``eval``, so the page can forbid itself both by a content security policy.
The price is vl-convert's size on the disk of whoever makes a page, 84 MB; readers pay nothing.

Colours are the page's CSS variables, so that light and dark are one drawing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

SLOTS = 7  # colours of the palette
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 2], [3, 3, 1, 3]]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]
GREY = "var(--faint)"
INK = "var(--ink)"
HEIGHT = 340  # pixels; of charts in rows the page's script sets it


def chart_specs() -> dict[str, dict[str, Any]]:
    """Return the Vega-Lite specification of every chart, by name.

    Raises
    ------
    ModuleNotFoundError
        Without Altair (extra ``report``).
    """
    charts = {
        "curves": _lines("time", "regret", "share of the visits so far", "normalised regret"),
        "groups": _group_dots(),
        "pareto": _front("regret", "worst", "regret, everyone", "regret, worst group"),
        "cost": _front("cost", "regret", "cost", "regret, everyone", log=True),
        "pairs": _forest(),
        "profile": _lines("threshold", "share", "regret below", "share of runs"),
    }
    return {name: _finish(chart) for name, chart in charts.items()}


def _finish(chart: Any) -> dict[str, Any]:
    spec = chart.configure(**_style()).to_dict()
    spec.pop("$schema")
    return spec


def _style() -> dict[str, Any]:
    axis = {
        "labelColor": "var(--quiet)",
        "titleColor": "var(--quiet)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "gridColor": "var(--line)",
        "gridOpacity": 0.6,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelLimit": 230,
    }
    legend = {
        "labelColor": INK,
        "titleColor": "var(--quiet)",
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "columns": 3,
        "labelLimit": 160,
    }
    return {
        "font": "system-ui, sans-serif",
        "background": "transparent",
        "axis": axis,
        "legend": legend,
        "axisX": {"tickCount": 6, "format": "~g"},
        "view": {"stroke": None},
        "aria": False,  # the page's caption and table say in words what is drawn
    }


def _rows(name: str) -> alt.NamedData:
    import altair as alt

    return alt.NamedData(name=name)


def _colour(field: str = "slot") -> Any:
    import altair as alt

    slots = [str(slot) for slot in range(SLOTS)]
    colours = [f"var(--series-{slot})" for slot in slots]
    scale = alt.Scale(domain=slots, range=colours)
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def _sized(chart: Any) -> Any:
    return chart.properties(width="container", height=HEIGHT)


def _quantity(field: str, title: str, **scale: Any) -> dict[str, Any]:
    return {"shorthand": f"{field}:Q", "title": title, "scale": {"zero": False, **scale}}


def _tooltips(*fields: str) -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{field}:N") for field in fields]


def _lines(x: str, y: str, x_title: str, y_title: str) -> Any:
    """Lines with bands for the highlighted, thin grey lines for the others."""
    import altair as alt

    nice = {"nice": False}
    across = alt.X(**_quantity(x, x_title, **nice), axis=alt.Axis(grid=False))
    up = alt.Y(**_quantity(y, y_title, zero=True))
    slots = [str(slot) for slot in range(SLOTS)]
    dashes = alt.Scale(domain=slots, range=DASHES)
    base = alt.Chart(_rows("curves" if y == "regret" else "profile")).encode(x=across)
    lit, dim = alt.datum.slot != "", alt.datum.slot == ""
    grey = base.transform_filter(dim).mark_line(color=GREY, strokeWidth=1, opacity=0.7)
    band = base.transform_filter(lit).mark_area(opacity=0.16)
    line = base.transform_filter(lit).mark_line(strokeWidth=2.4)
    spot = base.mark_point(opacity=0, size=90)
    layers = [
        grey.encode(y=up, detail="name:N"),
        band.encode(y=alt.Y("low:Q"), y2="high:Q", color=_colour()),
        line.encode(
            y=up, color=_colour(), strokeDash=alt.StrokeDash("slot:N", scale=dashes, legend=None)
        ),
        spot.encode(y=up, detail="name:N", tooltip=_tooltips("name", "what")),
    ]
    if y == "regret":
        layers = [*_landmarks(), *layers]
    return _sized(alt.layer(*layers))


def _landmarks() -> list[Any]:
    """Rules at the oracle's 0 and the random item's 1."""
    import altair as alt

    base = alt.Chart(_rows("landmarks"))
    rule = base.mark_rule(color=GREY, strokeDash=[1, 3]).encode(y="at:Q")
    side = {"align": "right", "baseline": "bottom", "dx": -4, "dy": -3, "fontSize": 11}
    text = base.mark_text(color="var(--quiet)", **side).encode(
        y="at:Q", x=alt.value(alt.ExprRef("width")), text="label:N"
    )
    return [rule, text]


def _names(title: str | None = None) -> Any:
    import altair as alt

    axis = alt.Axis(title=title, ticks=False, domain=False, labelPadding=8)
    return alt.Y("name:N", sort=alt.EncodingSortField("order", op="min"), axis=axis)


def _group_dots() -> Any:
    """Draw a dot a group, and the worst group's tick with its interval, a row a recommender."""
    import altair as alt

    base = alt.Chart(_rows("groups")).encode(y=_names())
    across = alt.X(**_quantity("regret", "normalised regret (dotted: a random item)", zero=True))
    worst = base.transform_filter(alt.datum.worst)
    groups = base.transform_filter(~alt.datum.worst)
    shapes = [str(number) for number in range(SLOTS)]
    random_item = alt.Chart(_rows("landmarks")).mark_rule(color=GREY, strokeDash=[2, 2])
    symbol = alt.Shape("number:N", scale=alt.Scale(domain=shapes, range=SHAPES), legend=None)
    return _sized(
        alt.layer(
            random_item.encode(x="at:Q"),
            worst.mark_rule(color=INK, strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q"),
            worst.mark_tick(color=INK, thickness=3, size=13).encode(
                x=across, tooltip=_tooltips("name", "what")
            ),
            groups.mark_point(filled=True, size=62, opacity=0.95).encode(
                x=across,
                color=_colour("number"),
                shape=symbol,
                tooltip=_tooltips("name", "what"),
            ),
        )
    )


def _front(x: str, y: str, x_title: str, y_title: str, log: bool = False) -> Any:
    """Points in two measures, both better when lower; the undominated joined and named."""
    import altair as alt

    across = alt.X(f"{x}:Q", title=x_title, scale=alt.Scale(zero=False, padding=14))
    if log:
        scale = alt.Scale(type="log", nice=False, padding=14)
        axis = alt.Axis(format="~g", grid=False, tickCount=5)
        across = alt.X(f"{x}:Q", title=None, scale=scale, axis=axis)
    up = alt.Y(f"{y}:Q", title=y_title, scale=alt.Scale(zero=False, padding=14))
    base = alt.Chart(_rows("cost" if log else "pareto")).encode(x=across, y=up)
    best = base.transform_filter(alt.datum.best)
    lit, dim = base.transform_filter(alt.datum.slot != ""), alt.datum.slot == ""
    layers = [
        best.mark_line(color=GREY, strokeWidth=1.2, interpolate="step-after").encode(
            order=f"{x}:Q"
        ),
        base.transform_filter(dim).mark_point(color=GREY, size=55, filled=True, opacity=0.8),
        lit.mark_point(size=110, filled=True, opacity=1).encode(color=_colour(), shape=_shape()),
        best.mark_point(color=INK, size=260, filled=False, strokeWidth=1.4, shape="circle"),
        best.mark_text(color=INK, dy=-15, fontSize=12, limit=180).encode(text="label:N"),
        base.mark_point(opacity=0, size=300).encode(tooltip=_tooltips("name", "what")),
    ]
    bars = [
        lit.mark_rule(opacity=0.55).encode(color=_colour(), y=alt.Y(f"{y}_low:Q"), y2=f"{y}_high")
    ]
    if not log:
        across_bar = lit.mark_rule(opacity=0.55).encode(
            color=_colour(), x=alt.X(f"{x}_low:Q"), x2=f"{x}_high"
        )
        bars.append(across_bar)
    return _sized(alt.layer(*bars, *layers))


def _shape() -> Any:
    import altair as alt

    slots = [str(slot) for slot in range(SLOTS)]
    return alt.Shape("slot:N", scale=alt.Scale(domain=slots, range=SHAPES), legend=None)


def _forest() -> Any:
    """Paired differences from the reference with their intervals, a row a recommender."""
    import altair as alt

    base = alt.Chart(_rows("pairs")).encode(y=_names())
    across = alt.X(**_quantity("difference", "regret less than the reference's ← 0 → more"))
    filled = alt.condition("datum.apart", alt.value(INK), alt.value("var(--paper)"))
    zero = alt.Chart(_rows("landmarks")).mark_rule(color=GREY).encode(x="at:Q")
    layers = [
        zero,
        base.mark_rule(color=INK, strokeWidth=1.6).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(size=70, filled=True, opacity=1, stroke=INK, strokeWidth=1.6).encode(
            x=across, fill=filled, tooltip=_tooltips("name", "what")
        ),
    ]
    return _sized(alt.layer(*layers))
