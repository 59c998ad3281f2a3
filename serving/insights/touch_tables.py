"""Everything that was imported, plainly counted."""

from __future__ import annotations

from serving.insights.band_tables import CONVERTED, RATE, RATES, VISITS_SENTENCE
from serving.insights.tables import Column, Table, Words
from training.number_figures import LEAST
from training.touches import WholeTally

PLAIN: Words = (
    "All leads and visits that were imported, without a landmark, and conversions whenever they were made: no forecast.",
    "Alle importierten Leads und Besuche, ohne Stichtag, und Abschlüsse, wann immer sie waren: keine Vorhersage.",
)


def whole_tables(tally: WholeTally) -> list[Table]:
    """The data as a whole: how much there is, by source, and by number of visits."""
    return [_total(tally), _touches(tally), _sources(tally)]


def _total(tally: WholeTally) -> Table:
    total = tally.total()
    rows = [total.document() | {"conversions": tally.conversions}] if total.people >= LEAST else []
    return Table(
        "whole", "overview", ("The data as a whole", "Die Daten als Ganzes"),
        (
            Column("people", ("Leads", "Leads"), "count"), Column("visits", ("Their visits", "Ihre Besuche"), "count"),
            Column("views", ("Page views", "Seitenaufrufe"), "count"),
            Column("conversions", ("Conversions", "Abschlüsse"), "count"),
            Column("converted", ("Leads that converted", "Leads, die konvertierten"), "count"),
            Column("rate", RATE, "share", "low", "high"),
        ),
        rows,
        ("{people} leads made {visits} visits with {views} page views; {converted} of them ({rate}) converted, {conversions} "
         "times in all.",
         "{people} Leads machten {visits} Besuche mit {views} Seitenaufrufen; {converted} von ihnen ({rate}) konvertierten, "
         "insgesamt {conversions} Mal."),
        PLAIN, whole=True,
    )  # fmt: skip


def _touches(tally: WholeTally) -> Table:
    columns = (Column("touches", ("All their visits", "Alle ihre Besuche"), "word"), *RATES)
    title = ("By all visits, those after the conversion too", "Nach allen Besuchen, auch denen nach dem Abschluss")
    note: Words = (f"{PLAIN[0]} Who buys comes back, so rates rise with visits by themselves.",
                   f"{PLAIN[1]} Wer kauft, kommt wieder; schon deshalb steigen die Quoten mit den Besuchen.")  # fmt: skip
    rows = [r.document() for r in tally.touches.rows()]
    return Table("whole_touches", "paths", title, columns, rows, VISITS_SENTENCE, note, whole=True)


def _sources(tally: WholeTally) -> Table:
    rows = [r.document() | {"channel": r.channel.replace("_", " ")} for r in tally.rows()]
    return Table(
        "whole_sources", "sources", ("All visits by source", "Alle Besuche nach Quelle"),
        (
            Column("channel", ("Channel", "Kanal"), "word"), Column("campaign", ("Campaign", "Kampagne")),
            Column("visits", ("Visits", "Besuche"), "count"), Column("views", ("Page views", "Seitenaufrufe"), "count"),
            Column("hits", ("Last before a conversion", "Letzter vor einem Abschluss"), "count"),
            Column("hit_rate", ("Of visits", "Der Besuche"), "share", "hit_low", "hit_high"),
            Column("people", ("Came by it first", "Kamen zuerst so"), "count"),
            Column("converted", CONVERTED, "count"), Column("rate", RATE, "share", "low", "high"),
        ),
        rows,
        ("{channel} ({campaign}): {visits} visits, {hits} of them the last before a conversion ({hit_rate}). {people} leads came "
         "by it first, {converted} of them converted ({rate}).",
         "{channel} ({campaign}): {visits} Besuche, {hits} davon der letzte vor einem Abschluss ({hit_rate}). {people} Leads kamen "
         "zuerst so, {converted} von ihnen konvertierten ({rate})."),
        (f"{PLAIN[0]} Sources by which fewer than {LEAST} leads came first are not shown.",
         f"{PLAIN[1]} Quellen, über die weniger als {LEAST} Leads zuerst kamen, sind nicht gezeigt."), whole=True,
    )  # fmt: skip
