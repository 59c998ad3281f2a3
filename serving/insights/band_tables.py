"""Tables of people in bands: by time on each topic, by number of visits. Of everybody, or of one month, channel or segment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.insights.choice import Choice
from serving.insights.edition import Part
from serving.insights.tables import Column, Row, Table, Words, sign
from training.cells import may_tell
from training.groups import compared, plain
from training.prepared_names import LEAST

PEOPLE, CONVERTED, RATE = ("People", "Menschen"), ("Converted", "Konvertiert"), ("Rate", "Quote")
STANDS: Words = ("Beyond chance", "Jenseits des Zufalls")
NO_CAUSE: Words = ("Associated with, not caused by.", "Ein Zusammenhang, keine Ursache.")
RATES = (
    Column("people", PEOPLE, "count"), Column("conversions", CONVERTED, "count"),
    Column("rate", RATE, "share", "low", "high"),
)  # fmt: skip
VISITS_SENTENCE: Words = (
    "Visits: {touches}. Of {people} people {conversions} converted: {rate} ({rate_range}).",
    "Besuche: {touches}. Von {people} Menschen konvertierten {conversions}: {rate} ({rate_range}).",
)
FEW: Words = (
    " Not told where so few people are in a band that they would follow from other figures.",
    " Nicht gesagt, wo so wenige Menschen in einer Gruppe sind, dass sie aus anderen Zahlen folgten.",
)
_FIELDS = ("people", "conversions", "rate", "low", "high", "lift", "lift_low", "lift_high", "p", "q", "claimed")


def topics_table(rows: Sequence[Row], target: str, note: Words = ("", ""), whole: bool = False) -> Table:
    """Time on topics against conversion."""
    return Table(
        "topics", "content", ("Time on topics", "Zeit mit Themen"),
        (
            Column("topic", ("Topic", "Thema")), Column("band", ("Time on it", "Zeit damit"), "word"), Column("people", PEOPLE, "count"),
            Column("rate", RATE, "share", "low", "high"), Column("lift", ("Lift", "Lift"), "ratio", "lift_low", "lift_high"),
            Column("stands", STANDS, "sign"),
        ),
        [{**r, "stands": sign(r["claimed"], r["lift_low"], r["lift_high"])} for r in rows],
        ("{people} people spent {band} with {topic}: {rate} converted ({rate_range}), {lift} times the average.",
         "{people} Menschen verbrachten {band} mit {topic}: {rate} konvertierten ({rate_range}), das {lift}-Fache des "
         "Durchschnitts."),
        (NO_CAUSE[0] + note[0], NO_CAUSE[1] + note[1]), target, whole=whole,
    )  # fmt: skip


def touches_table(rows: Sequence[Row], target: str, note: Words = ("", ""), whole: bool = False) -> Table:
    """Visits by the landmark against conversions in the horizon after it."""
    columns = (Column("touches", ("Visits by then", "Besuche bis dahin"), "word"), *RATES)
    title = ("How often they came before", "Wie oft sie vorher kamen")
    note = (NO_CAUSE[0] + note[0], NO_CAUSE[1] + note[1])
    return Table("touches", "paths", title, columns, rows, VISITS_SENTENCE, note, target, whole=whole)


# -- of a choice -------------------------------------------------------------------------------------------------------
def followed_bands(part: Part, view: str, choice: Choice) -> list[Table]:
    """The tables of a view that follow this choice: none where months, channel and segment are chosen together."""
    chosen = _chosen(part, choice)
    if chosen is None:
        return []
    if view == "content":
        rows, note = _rows(part, "topics", part.about["topics"], chosen)
        told = [{**r, "topic": kind, "band": band} for kind, band, r in rows]
        return [topics_table(sorted(told, key=lambda r: r["topic"]), choice.target, note)]
    if view == "paths":
        rows, note = _rows(part, "touches", [""], chosen)
        return [touches_table([{**r, "touches": band} for _, band, r in rows], choice.target, note)]
    return []


def _chosen(part: Part, choice: Choice) -> tuple[str, list[int]] | None:
    """The one dimension that is chosen, and which of its values; None where it is not one."""
    attribute, _, value = choice.segment.partition(":")
    first, last = part.window(choice)
    found = [
        *([("month", list(range(first, last + 1)))] if choice.start or choice.end else []),
        *([("channel", part.places("channel", choice.channel))] if choice.channel else []),
        *([(attribute, part.places(attribute, value))] if choice.segment else []),
    ]
    return found[0] if len(found) == 1 else None


def _rows(
    part: Part, table: str, kinds: Sequence[str], chosen: tuple[str, list[int]]
) -> tuple[list[tuple[str, str, Row]], Words]:  # fmt: skip
    """Kind, band and figures of what may be told, and what is to be said of the rest."""
    dimension, values = chosen
    cells = np.asarray(part.cells[f"{table}-{dimension}"])
    told = [i for i in range(len(kinds)) if may_tell(cells[0, i])[values].all()]
    names = [(kinds[i], band) for i in told for band in part.about["bands"][table]]
    people, hits = cells[:, told][..., values].sum(axis=3).reshape(2, -1)
    everybody, conversions = cells[:, 0][..., values].sum(axis=(1, 2)).tolist() if len(kinds) else (0, 0)
    kept = np.flatnonzero(people >= LEAST)
    columns = compared(hits[kept], people[kept], conversions, everybody)
    rows = zip(*(c.tolist() for c in columns), strict=True)
    found = [plain(dict(zip(_FIELDS, row, strict=True))) for row in rows]
    note = FEW if len(told) < len(kinds) else ("", "")
    return [(*names[i], row) for i, row in zip(kept.tolist(), found, strict=True)], note
