"""Figures of a judgement as Plotly figures: for MLflow, notebooks and, later, the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

_INK, _LINE = "#1f2933", "#0b7285"


def reliability_figure(rows: Sequence[Mapping[str, float]], name: str) -> go.Figure:
    """Predicted against observed rate in equal-count bins, with 90 % intervals by lead."""
    x = [r["predicted"] for r in rows]
    top = max([*x, *(r["high"] for r in rows)], default=1.0)
    figure = go.Figure()
    figure.add_scatter(x=[0, top], y=[0, top], mode="lines", name="perfect", line={"dash": "dot", "color": _INK})
    figure.add_scatter(
        x=x, y=[r["observed"] for r in rows], mode="lines+markers", name=name, line={"color": _LINE},
        error_y={
            "type": "data", "symmetric": False, "array": [r["high"] - r["observed"] for r in rows],
            "arrayminus": [r["observed"] - r["low"] for r in rows],
        },
    )  # fmt: skip
    return _dressed(figure, "Reliability: does 10 % mean 10 %?", "predicted probability", "observed rate")


def metrics_figure(candidates: Sequence[Mapping[str, Any]], metric: str) -> go.Figure:
    """One measure of all candidates with its intervals."""
    cells = [c["metrics"][metric] for c in candidates]
    figure = go.Figure(
        go.Scatter(
            x=[c["name"] for c in candidates], y=[c["value"] for c in cells], mode="markers",
            marker={"size": 12, "color": _LINE}, name=metric,
            error_y={
                "type": "data", "symmetric": False, "array": [c["high"] - c["value"] for c in cells],
                "arrayminus": [c["value"] - c["low"] for c in cells],
            },
        )
    )  # fmt: skip
    return _dressed(figure, f"{metric} with 90 % intervals by lead", "", metric)


def evidence_figures(evidence: Mapping[str, Any]) -> dict[str, go.Figure]:
    """By name, what each group adds and the mix of the judged rows; `evidence` as in `train --json`."""
    found = {f"mix_{mix['slice']}": mix_figure(mix) for mix in evidence["mix"]}
    if evidence["ablation"]:
        found["ablation"] = ablation_figure(evidence["ablation"]["adds"])
    return found


def ablation_figure(adds: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Held-out log loss without each group of features minus with all."""
    cells = list(adds.values())
    figure = go.Figure(
        go.Bar(
            x=list(adds), y=[c["value"] for c in cells], marker={"color": _LINE}, name="adds",
            error_y={
                "type": "data", "symmetric": False, "array": [c["high"] - c["value"] for c in cells],
                "arrayminus": [c["value"] - c["low"] for c in cells],
            },
        )
    )  # fmt: skip
    return _dressed(figure, "What each group of features adds", "", "log loss without it minus with all")


def mix_figure(mix: Mapping[str, Any]) -> go.Figure:
    """Shares of the judged rows beside those of the leads scored now."""
    figure = go.Figure()
    for name, shares, colour in (("judged", mix["judged"], _INK), ("scored now", mix["now"], _LINE)):
        figure.add_bar(x=list(shares), y=list(shares.values()), name=name, marker={"color": colour})
    return _dressed(figure, f"Judged rows and the leads scored now, by {mix['slice']}", mix["slice"], "share")


def _dressed(figure: go.Figure, title: str, x: str, y: str) -> go.Figure:
    figure.update_layout(
        title=title, xaxis_title=x, yaxis_title=y, template="plotly_white", font={"color": _INK}, width=720, height=480
    )
    return figure


def capture_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> go.Figure:
    """Share of the conversions among the best share of the looks, one line a score; the dotted line is chance."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line={"dash": "dot", "color": _INK})
    for name, curve in curves.items():
        figure.add_scatter(x=[s for s, _ in curve], y=[c for _, c in curve], mode="lines", name=name)
    return _dressed(
        figure, "Capture: how many conversions are among the best?", "share of looks", "conversions among them"
    )


def lift_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> go.Figure:
    """Conversion rate of the best share of the looks over that of all, one line a score."""
    figure = go.Figure()
    for name, curve in curves.items():
        some = [(s, c / s) for s, c in curve if s > 0]
        figure.add_scatter(x=[s for s, _ in some], y=[v for _, v in some], mode="lines", name=name)
    return _dressed(figure, "Lift: how much better than all?", "share of looks, best first", "lift")


def paths_figure(reports: Mapping[str, Sequence[Mapping[str, Any]]]) -> go.Figure:
    """Lift of content paths with 95 % intervals, the first path on top; one colour a report, the dotted line is all."""
    figure = go.Figure()
    for name, rows in reports.items():
        figure.add_scatter(
            x=[r["lift"] for r in rows], y=[" > ".join(r["path"]) for r in rows], mode="markers", name=name,
            orientation="h",
            error_x={
                "type": "data", "symmetric": False, "array": [r["lift_high"] - r["lift"] for r in rows],
                "arrayminus": [r["lift"] - r["lift_low"] for r in rows],
            },
        )  # fmt: skip
    figure.add_vline(x=1, line={"dash": "dot", "color": _INK})
    figure.update_layout(scattermode="group")
    figure.update_yaxes(autorange="reversed", automargin=True)
    paths = {tuple(r["path"]) for rows in reports.values() for r in rows}
    dressed = _dressed(figure, "Which content paths convert? 95 % intervals", "lift over all leads", "")
    return dressed.update_layout(height=max(480, 160 + 26 * len(paths)))
