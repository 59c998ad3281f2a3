"""The model beside the points, by what became of people: whether a probability means what it says, who finds more of the
conversions, and who was right where the two did not agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.insights.blocks import Block, FigureBlock, Note, TableBlock
from serving.insights.choice import Choice
from serving.insights.edition import Edition, People
from serving.insights.tables import Column, Row, Table, told
from serving.insights.words import word
from training import path_figures
from training.intervals import wilson
from training.prepared_names import LEAST

BINS, CURVE = 8, 50
F64 = NDArray[np.float64]
_CORNERS = {
    (True, True): ("Both say hot", "Beide sagen heiß"),
    (True, False): ("Only the model says hot", "Nur das Modell sagt heiß"),
    (False, True): ("Only the points say hot", "Nur die Punkte sagen heiß"),
    (False, False): ("Both say cold", "Beide sagen kalt"),
}


def score_blocks(edition: Edition, people: People, choice: Choice) -> list[Block]:
    """Reliability, capture and the four corners of agreement; of people the model never learned from, where there are."""
    lang = choice.lang
    people = people.where(~np.isnan(people.probability))
    apart = people.where(people.column("judged")) if len(people) else people
    note = word("in_sample", lang)
    if len(apart) >= 10 * LEAST:
        people, note = apart, word("held_out", lang, n=told(len(apart), "count", lang))
    if len(people) < 10 * LEAST:
        return [Note(word("no_model", lang))]
    label, model, points = people.label, people.probability, people.points
    bins = {word("model", lang): _bins(label, model)}
    curves = {word("model", lang): _capture(label, model), word("points", lang): _capture(label, points)}
    reliability = path_figures.reliability_figure(
        bins, word("predicted", lang), word("observed", lang), word("perfect", lang)
    )
    capture = path_figures.curves_figure(curves, word("best_share", lang), word("among", lang), word("chance", lang))
    return [
        Note(note),
        FigureBlock("reliability", word("reliability", lang), reliability, word("reliability_alt", lang)),
        FigureBlock("capture", word("capture", lang), capture, word("capture_alt", lang)),
        TableBlock(_corners(edition, people, lang)), TableBlock(_bins_table(bins[word("model", lang)]), folded=True),
    ]  # fmt: skip


def _bins(label: F64, score: F64) -> list[Row]:
    """Predicted and observed rates in bins of as many people each."""
    rows = []
    for part in np.array_split(np.argsort(score, kind="stable"), min(BINS, max(len(label) // 25, 2))):
        low, high = wilson(label[part].sum(), len(part))
        rows.append({
            "predicted": float(score[part].mean()), "observed": float(label[part].mean()), "low": float(low),
            "high": float(high), "people": len(part),
        })  # fmt: skip
    return rows


def _capture(label: F64, score: F64) -> list[tuple[float, float]]:
    """Shares of the conversions among the best; people of one score are drawn by lot, so their part is a straight line."""
    values, size = np.unique(-score, return_counts=True)
    hits = np.bincount(np.searchsorted(values, -score), label, len(values))
    x, y = np.cumsum(size) / len(label), np.cumsum(hits) / max(label.sum(), 1)
    at = np.linspace(0, 1, CURVE + 1)
    found = np.interp(at, np.concatenate([[0], x]), np.concatenate([[0], y]))
    return list(zip(at.tolist(), found.tolist(), strict=True))


def _corners(edition: Edition, people: People, lang: str) -> Table:
    hot = people.probability >= edition.about["hot_probability"]
    many = people.points >= edition.about["hot_points"]
    rows = [_corner(words[lang == "de"], people.label[(hot == model) & (many == points)])
            for (model, points), words in _CORNERS.items()]  # fmt: skip
    share, total = f"{edition.about['hot_probability']:.0%}", edition.about["hot_points"]
    return Table(
        "agreement", "model", ("Who was right?", "Wer hatte recht?"),
        (
            Column("corner", ("Model and points", "Modell und Punkte")),
            Column("people", ("People", "Menschen"), "count"), Column("conversions", ("Converted", "Konvertiert"), "count"),
            Column("rate", ("Rate", "Quote"), "share", "low", "high"),
        ),
        [r for r in rows if r is not None],
        ("{corner}: of {people} people {conversions} converted, {rate} ({rate_range}).",
         "{corner}: von {people} Menschen konvertierten {conversions}, {rate} ({rate_range})."),
        (f"The model is hot from {share} on, the points from {total} on.",
         f"Das Modell ist heiß ab {share}, die Punkte ab {total}."),
    )  # fmt: skip


def _corner(name: str, label: F64) -> dict[str, Any] | None:
    if len(label) < LEAST:
        return None
    low, high = wilson(label.sum(), len(label))
    return {"corner": name, "people": len(label), "conversions": int(label.sum()), "rate": float(label.mean()),
            "low": float(low), "high": float(high)}  # fmt: skip


def _bins_table(rows: list[Row]) -> Table:
    return Table(
        "reliability", "model", ("Predicted and observed", "Vorhergesagt und beobachtet"),
        (
            Column("predicted", ("Predicted", "Vorhergesagt"), "share"), Column("people", ("People", "Menschen"), "count"),
            Column("observed", ("Observed", "Beobachtet"), "share", "low", "high"),
        ),
        rows,
    )  # fmt: skip
