"""The tables that are prepared whole: what takes too long, or needs too many records, to be asked for each choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.insights.band_tables import NO_CAUSE
from serving.insights.tables import Column, Row, Table, Words, sign, told_of
from training.activation import ALL_CHANNELS, ActivationTally, rows_of
from training.content_attribution import attribution_rows
from training.content_effect import EffectRow
from training.prepared_names import LEAST, OTHER
from training.removal import removal_rows
from training.trails import Trails

CONTENT: Words = ("Content", "Inhalt")
RATIO_ABOUT: Words = (
    "How many times as often people with it convert, all other contents, steps, days, time and channel held equal.",
    "Wie viel Mal so oft Menschen mit dem Inhalt konvertieren, bei gleichen übrigen Inhalten, Schritten, Tagen, Zeiten "
    "und gleichem Kanal.",
)


def of_target(target: str, trails: Trails, effects: Sequence[EffectRow], points: ActivationTally | None) -> list[Table]:
    """The tables of one target. points: where visitors became leads; None for other targets."""
    tables = [_effects(target, trails, effects), _attribution(target, trails)]
    return tables + (_activation(target, points) if points else [])


def _effects(target: str, trails: Trails, effects: Sequence[EffectRow]) -> Table:
    removal = {r.content: r.effect for r in removal_rows(trails)}
    rows = [
        told_of(r.people_without, r.document(), "rate_without", "low_without", "high_without")
        | {"through": removal.get(r.content), "stands": sign(r.claimed, r.ratio_low, r.ratio_high)}
        for r in effects
    ]
    return Table(
        "effects", "content", ("What goes with each content", "Was mit jedem Inhalt einhergeht"),
        (
            Column("content", CONTENT),
            Column("people_with", ("People who saw it", "Menschen, die ihn sahen"), "count"),
            Column("rate_with", ("Rate with it", "Quote mit"), "share", "low_with", "high_with"),
            Column("rate_without", ("Rate without", "Quote ohne"), "share", "low_without", "high_without"),
            Column("ratio", ("All else equal", "Bei sonst Gleichem"), "ratio", "ratio_low", "ratio_high", RATIO_ABOUT),
            Column("stands", ("Beyond chance", "Jenseits des Zufalls"), "sign"),
            Column("through", ("Pass through", "Laufen hindurch"), "share", about=(
                "Share of conversions that lead through it in a chain of single steps, which forgets what was before: the "
                "removal effect; large for popular pages, whatever they do.",
                "Anteil der Abschlüsse, die hindurchführen, in einer Kette einzelner Schritte, die vergisst, was davor war "
                "(Removal Effect); groß bei beliebten Seiten, was auch immer sie bewirken.",
            )),
        ),
        rows,
        (
            "{people_with} people saw {content}: {rate_with} of them converted, {rate_without} of the others. All else equal "
            "that is {ratio} times as often ({ratio_range}).",
            "{people_with} Menschen sahen {content}: {rate_with} von ihnen konvertierten, von den übrigen {rate_without}. Bei "
            "sonst Gleichem ist das {ratio} Mal so oft ({ratio_range}).",
        ),
        NO_CAUSE, target, whole=True,
    )  # fmt: skip


def _attribution(target: str, trails: Trails) -> Table:
    titles: Sequence[tuple[str, Words]] = (
        ("first", ("First step", "Erster Schritt")), ("last", ("Last step", "Letzter Schritt")),
        ("linear", ("Linear", "Linear")), ("position", ("Position", "Position")), ("decay", ("Decay", "Abklingend")),
    )  # fmt: skip
    return Table(
        "attribution", "content", ("Conversions written to contents", "Abschlüsse, den Inhalten zugeschrieben"),
        (Column("content", CONTENT), *(Column(key, title, "number") for key, title in titles)),
        _attributed(trails), note=(
            "Five rules that people use, for comparison; none of them is right, and each adds up to all conversions.",
            "Fünf gebräuchliche Regeln zum Vergleich; keine ist richtig, und jede ergibt in Summe alle Abschlüsse.",
        ), target=target, whole=True,
    )  # fmt: skip


def _attributed(trails: Trails) -> list[Row]:
    """Conversions by content; contents of fewer than LEAST people are one row, and none where these are too few."""
    seen = np.unique(np.column_stack([trails.person, trails.step]), axis=0)
    people = np.bincount(seen[:, 1], minlength=len(trails.names))
    few = {trails.names[i] for i in np.flatnonzero(people < LEAST).tolist()}
    rows = [r.document() for r in attribution_rows(trails)]
    kept, rest = ([r for r in rows if (r["content"] in few) == rare] for rare in (False, True))
    if rest and len(np.unique(seen[people[seen[:, 1]] < LEAST, 0])) >= LEAST:
        kept.append({n: OTHER if n == "content" else sum(r[n] for r in rest) for n in rest[0]})
    return kept


def _activation(target: str, points: ActivationTally) -> list[Table]:
    """Of all channels, and by the first one."""
    later = [f"{name}_{end}" for name in ("won", "cancelled") for end in ("rate", "low", "high")]
    rows = [
        told_of(r.matured, r.document(), *later) | {"channel": r.channel.replace("_", " ")}
        for r in rows_of(points.found())
    ]
    whole, parts = ([r for r in rows if (r["channel"] == ALL_CHANNELS) == all_] for all_ in (True, False))
    by: Words = ("Where visitors become leads, by first channel", "Wo Besucher zu Leads werden, nach erstem Kanal")
    first = Column("channel", ("First channel", "Erster Kanal"), "word")
    return [
        _points("activation", target, ("Where visitors become leads", "Wo Besucher zu Leads werden"), (), whole),
        _points("activation_sources", target, by, (first,), parts),
    ]


def _points(number: str, target: str, title: Words, more: Sequence[Column], rows: Sequence[Row]) -> Table:
    return Table(
        number, "content", title,
        (
            Column("content", CONTENT), *more, Column("action", ("Action", "Handlung"), "word"),
            Column("visitors", ("Visitors", "Besucher"), "count"), Column("leads", ("Became leads", "Wurden Leads"), "count"),
            Column("rate", ("Rate", "Quote"), "share", "low", "high"),
            Column("won_rate", ("Of these won", "Davon gewonnen"), "share", "won_low", "won_high"),
            Column("cancelled_rate", ("Cancelled", "Storniert"), "share", "cancelled_low", "cancelled_high"),
        ),
        rows,
        (
            "{leads} of {visitors} visitors who came to {content} became leads there ({action}): {rate}. Of these {won_rate} "
            "were won ({won_rate_range}).",
            "{leads} von {visitors} Besuchern, die zu {content} kamen, wurden dort zu Leads ({action}): {rate}. Davon wurden "
            "{won_rate} gewonnen ({won_rate_range}).",
        ),
        NO_CAUSE, target, whole=True,
    )  # fmt: skip
