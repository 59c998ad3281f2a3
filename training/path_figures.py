"""Figures of paths as Plotly's own documents, without Plotly: for the page, the report and notebooks alike.

Every text in them is escaped, for Plotly reads some HTML. Colours: what is above 1 beyond chance, below 1, and the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Figure = dict[str, Any]
Row = Mapping[str, Any]
INK, QUIET, LINE, GOOD, BAD, SOFT = "#1c2b39", "#6b7a88", "#dde4ea", "#0f766e", "#b4532a", "#9db2bf"
SCALE = [[0.0, "#f3f7f7"], [0.5, "#7fc0b8"], [1.0, "#0b5d57"]]
LONGEST = 46


def plain(text: str) -> str:
    """A text that Plotly shows as it is; long ones lose their middle."""
    text = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    return escape(text, quote=False)


def intervals_figure(
    rows: Sequence[Row], label: str, value: str, low: str, high: str, title: str, unit: str = ""
) -> Figure:
    """Values with their intervals, the first row on top. unit: `%` for shares; else values are around 1, a dotted line."""
    around = None if unit else 1.0
    known = [r for r in rows if r[value] is not None and r[low] is not None and r[high] is not None]
    trace = {
        "type": "scatter", "mode": "markers", "x": [r[value] for r in known], "y": list(range(len(known))),
        "marker": {"size": 10, "color": [_colour(r, low, high, around) for r in known]},
        "error_x": {
            "type": "data", "symmetric": False, "array": [r[high] - r[value] for r in known],
            "arrayminus": [r[value] - r[low] for r in known], "color": SOFT, "thickness": 2, "width": 0,
        },
        "customdata": [[plain(str(r[label])), r[low], r[high]] for r in known],
        "hovertemplate": f"%{{customdata[0]}}<br><b>%{{x:{_format(unit)}}}</b> (%{{customdata[1]:{_format(unit)}}} – "
        f"%{{customdata[2]:{_format(unit)}}})<extra></extra>",
    }  # fmt: skip
    figure = _figure([trace], height=90 + 30 * max(len(known), 2))
    layout = figure["layout"]
    layout["xaxis"] |= {"title": {"text": title}, "tickformat": _format(unit), "zeroline": False}
    layout["xaxis"] |= {"rangemode": "tozero"} if unit else {}
    layout["yaxis"] |= {
        "tickmode": "array", "tickvals": list(range(len(known))), "ticktext": [plain(str(r[label])) for r in known],
        "autorange": "reversed", "automargin": True, "showgrid": False, "zeroline": False,
    }  # fmt: skip
    if around is not None:
        layout["shapes"] = [_line(around)]
    return figure


def _format(unit: str) -> str:
    return ".1%" if unit else ".2f"


def _colour(row: Row, low: str, high: str, around: float | None) -> str:
    if around is None or row.get("claimed") is False:
        return GOOD if around is None else SOFT
    return GOOD if row[low] > around else BAD if row[high] < around else SOFT


def _line(x: float) -> Figure:
    return {
        "type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dot", "color": QUIET, "width": 1}
    }  # fmt: skip


def paths_figure(rows: Sequence[Row], title: str = "lift over all people") -> Figure:
    """Lift of content paths with 95 % intervals; rows as in `PathRow.document`."""
    named = [{**r, "text": r["path"] if isinstance(r["path"], str) else " > ".join(r["path"])} for r in rows]
    return intervals_figure(named, "text", "lift", "lift_low", "lift_high", title)


def months_figure(rows: Sequence[Row], people: str, rate: str) -> Figure:
    """People (bars) and their rate with its interval (line) by month."""
    x = [r["month"] for r in rows]
    bars = {
        "type": "bar", "x": x, "y": [r["people"] for r in rows], "name": plain(people), "marker": {"color": LINE},
        "hovertemplate": "%{x}: %{y:,}<extra></extra>",
    }  # fmt: skip
    band = {
        "type": "scatter", "x": x + x[::-1], "y": [r["high"] for r in rows] + [r["low"] for r in reversed(rows)],
        "fill": "toself", "fillcolor": "rgba(15,118,110,.14)", "line": {"width": 0}, "hoverinfo": "skip",
        "showlegend": False, "mode": "lines", "yaxis": "y2",
    }  # fmt: skip
    line = {
        "type": "scatter", "mode": "lines+markers", "x": x, "y": [r["rate"] for r in rows], "name": plain(rate), "yaxis": "y2",
        "line": {"color": GOOD, "width": 2.5}, "marker": {"size": 7}, "hovertemplate": "%{x}: %{y:.1%}<extra></extra>",
    }  # fmt: skip
    figure = _figure([bars, band, line], height=320)
    layout, most = figure["layout"], max((r["people"] for r in rows), default=1)
    layout["xaxis"] |= {"type": "category", "showgrid": False}
    layout["yaxis2"] = {
        **layout["yaxis"],
        "overlaying": "y",
        "side": "left",
        "tickformat": ".0%",
        "rangemode": "tozero",
    }
    layout["yaxis"] |= {
        "side": "right",
        "showgrid": False,
        "range": [0, 2.5 * most],
        "tickfont": {"color": QUIET},
        "nticks": 4,
    }
    layout["showlegend"] = True
    return figure


def flow_figure(nodes: Sequence[Row], links: Sequence[Row]) -> Figure:
    """A Sankey figure. nodes: label, layer, key; links: source and target (places of nodes), value."""
    layers = max((n["layer"] for n in nodes), default=1) or 1
    trace = {
        "type": "sankey", "arrangement": "snap",
        "node": {
            "label": [plain(n["label"]) for n in nodes], "customdata": [n["key"] for n in nodes], "pad": 18, "thickness": 16,
            "x": [min(max(n["layer"] / layers, 0.001), 0.999) for n in nodes], "y": _heights(nodes, links),
            "color": [SOFT if not n["key"] else GOOD for n in nodes], "line": {"width": 0},
            "hovertemplate": "%{label}: %{value:,}<extra></extra>",
        },
        "link": {
            "source": [e["source"] for e in links], "target": [e["target"] for e in links], "value": [e["value"] for e in links],
            "color": "rgba(15,118,110,.18)",
            "hovertemplate": "%{source.label} → %{target.label}: %{value:,}<extra></extra>",
        },
    }  # fmt: skip
    return _figure([trace], height=460)


def _heights(nodes: Sequence[Row], links: Sequence[Row]) -> list[float]:
    """The middle of each node, so that layers are filled from the top in the order of nodes."""
    size = [0.0] * len(nodes)
    for i in range(len(nodes)):
        size[i] = max(
            sum(e["value"] for e in links if e["source"] == i), sum(e["value"] for e in links if e["target"] == i)
        )
    most = max(
        (sum(s for s, n in zip(size, nodes, strict=True) if n["layer"] == k) for k in {n["layer"] for n in nodes}),
        default=1,
    )
    used: dict[int, float] = {}
    found = []
    for node, value in zip(nodes, size, strict=True):
        top = used.get(node["layer"], 0.0)
        found.append(min(max((top + value / 2) / (most * 1.25), 0.001), 0.999))
        used[node["layer"]] = top + value + 0.04 * most
    return found


def heat_figure(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> Figure:
    """Rates of two things at once; null = too few people."""
    trace = {
        "type": "heatmap", "x": [plain(c) for c in columns], "y": [plain(r) for r in rows], "z": values, "colorscale": SCALE,
        "xgap": 2, "ygap": 2, "zmin": 0, "showscale": False, "hoverongaps": False,
        "text": [["" if v is None else f"{v:.0%}" for v in row] for row in values], "texttemplate": "%{text}",
        "hovertemplate": "%{y}<br>%{x}: %{z:.1%}<extra></extra>",
    }  # fmt: skip
    figure = _figure([trace], height=120 + 34 * max(len(rows), 2))
    figure["layout"]["xaxis"] |= {
        "side": "top",
        "showgrid": False,
        "automargin": True,
        "tickangle": -35,
        "type": "category",
    }
    figure["layout"]["yaxis"] |= {"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"}
    return figure


def curves_figure(curves: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, chance: str) -> Figure:
    """Lines of shares against shares; the dotted one is chance."""
    colours = (GOOD, BAD, QUIET)
    traces: list[Figure] = [_dotted([0, 1], [0, 1], chance)]
    for colour, (name, points) in zip(colours, curves.items(), strict=False):
        traces.append({
            "type": "scatter", "mode": "lines", "x": [a for a, _ in points], "y": [b for _, b in points], "name": plain(name),
            "line": {"color": colour, "width": 2.5}, "hovertemplate": "%{x:.0%}: %{y:.0%}<extra></extra>",
        })  # fmt: skip
    return _titled(_figure(traces, height=400), x, y, ".0%")


def reliability_figure(curves: Mapping[str, Sequence[Row]], x: str, y: str, perfect: str) -> Figure:
    """Predicted against observed rate in bins, with 95 % intervals."""
    top = max((r["high"] for rows in curves.values() for r in rows), default=1.0)
    traces: list[Figure] = [_dotted([0, top], [0, top], perfect)]
    for colour, (name, rows) in zip((GOOD, BAD), curves.items(), strict=False):
        traces.append({
            "type": "scatter", "mode": "lines+markers", "x": [r["predicted"] for r in rows], "y": [r["observed"] for r in rows],
            "name": plain(name), "line": {"color": colour, "width": 2}, "marker": {"size": 8}, "error_y": {
                "type": "data", "symmetric": False, "array": [r["high"] - r["observed"] for r in rows],
                "arrayminus": [r["observed"] - r["low"] for r in rows], "color": SOFT, "thickness": 1.5, "width": 3,
            }, "hovertemplate": "%{x:.1%} → %{y:.1%}<extra></extra>",
        })  # fmt: skip
    return _titled(_figure(traces, height=400), x, y, ".0%")


def _dotted(x: Sequence[float], y: Sequence[float], name: str) -> Figure:
    return {
        "type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "name": plain(name), "hoverinfo": "skip",
        "line": {"dash": "dot", "color": QUIET, "width": 1.5},
    }  # fmt: skip


def _titled(figure: Figure, x: str, y: str, form: str) -> Figure:
    figure["layout"]["xaxis"] |= {"title": {"text": plain(x)}, "tickformat": form, "rangemode": "tozero"}
    figure["layout"]["yaxis"] |= {"title": {"text": plain(y)}, "tickformat": form, "rangemode": "tozero"}
    figure["layout"]["showlegend"] = True
    return figure


def _figure(traces: list[Figure], height: int) -> Figure:
    axis = {"gridcolor": LINE, "linecolor": LINE, "zerolinecolor": LINE, "automargin": True}
    return {
        "data": traces,
        "layout": {
            "height": height, "margin": {"l": 8, "r": 16, "t": 16, "b": 40}, "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)", "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
            "xaxis": dict(axis), "yaxis": dict(axis), "showlegend": False, "hoverlabel": {"align": "left"},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        },
    }  # fmt: skip
