"""The shared numbers of a period and of the one before, and by channel and campaign, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.insights.number_words import period_words
from serving.insights.tables import Column, Row, Table, Words, told_of
from training.number_figures import Figures
from training.numbers import Numbers
from training.periods import Period
from training.prepared_names import LEAST

_FIGURES = (
    Column("visitors", ("Visitors", "Besucher"), "count"),
    Column("bounce_rate", ("Bounces", "Absprünge"), "share", "bounce_low", "bounce_high"),
    Column("leads", ("Leads", "Leads"), "count"),
    Column("ready_share", ("Ready at once", "Sofort reif"), "share", "ready_low", "ready_high"),
    Column("mql", ("MQL", "MQL"), "count"),
    Column("accepted", ("Accepted", "Angenommen"), "count"),
    Column("won", ("Won", "Gewonnen"), "count"),
    Column("conversion", ("Conversion", "Konversion"), "share", "conversion_low", "conversion_high"),
    Column("expected", ("Expected customers", "Erwartete Kunden"), "number"),
    Column("spend", ("Spend", "Ausgaben"), "money"),
    Column("cost_per_lead", ("Per lead", "Je Lead"), "money"),
    Column("cost_per_expected", ("Per expected", "Je erwartetem"), "money"),
)


def total_table(
    periods: Sequence[tuple[Period, Figures]], currency: str, note: Words = ("", ""), whole: bool = False
) -> Table:  # fmt: skip
    """A row for each period of at least LEAST people. note: what else is to be said of it."""
    rows = [{"period": period_words(p), **_row(f)} for p, f in periods if f.people >= LEAST]
    return Table(
        "numbers", "overview", ("The numbers both teams share", "Die Zahlen, die beide Teams teilen"),
        (Column("period", ("Period", "Zeitraum"), "pair"), *_FIGURES), rows,
        ("{period}: {leads} leads came, {accepted} were accepted, {won} won; {expected} customers are expected of these leads.",
         "{period}: {leads} Leads kamen, {accepted} wurden angenommen, {won} gewonnen; {expected} Kunden sind von diesen Leads "
         "zu erwarten."),
        (f"Money in {currency}. Whole days, UTC; definitions below.{note[0]}",
         f"Geld in {currency}. Ganze Tage, UTC; Definitionen unten.{note[1]}"), whole=whole,
    )  # fmt: skip


def sources_table(
    name: str, numbers: Numbers, before: Numbers | None, currency: str, channel: str = "", whole: bool = False
) -> Table:  # fmt: skip
    """name: channels or campaigns; channel: rows of this one alone."""
    earlier = {(r.channel, r.campaign): r.figures.leads for r in getattr(before, name)} if before else {}
    rows: list[Row] = [
        {"channel": r.channel.replace("_", " "), "campaign": r.campaign, **_row(r.figures),
         "leads_before": earlier.get((r.channel, r.campaign))}
        for r in getattr(numbers, name)
        if channel in ("", r.channel) and (r.figures.leads >= LEAST or (r.figures.visitors or 0) >= LEAST)
    ]  # fmt: skip
    campaign = (Column("campaign", ("Campaign", "Kampagne")),) if name == "campaigns" else ()
    title: Words = (
        ("Cost by campaign", "Kosten nach Kampagne") if campaign else ("Cost by channel", "Kosten nach Kanal")
    )
    shown = [c for c in _FIGURES if c.key not in ("mql", "bounce_rate", "ready_share")]
    shown += [Column("leads_before", ("Leads before", "Leads davor"), "count")] if before else []
    now, then = period_words(numbers.period), period_words(before.period) if before else ("", "")
    return Table(
        name, "sources", title, (Column("channel", ("Channel", "Kanal"), "word"), *campaign, *shown), rows,
        ("{channel}: {leads} leads, {expected} expected customers, {cost_per_expected} per expected customer.",
         "{channel}: {leads} Leads, {expected} erwartete Kunden, {cost_per_expected} je erwartetem Kunden."),
        (f"{now[0]}{'; before: ' if before else ''}{then[0]}. Money in {currency}.",
         f"{now[1]}{'; davor: ' if before else ''}{then[1]}. Geld in {currency}."), whole=whole,
    )  # fmt: skip


def _row(figures: Figures) -> dict[str, Any]:
    """The figures as they may be shown: no rate of fewer than LEAST people or visits."""
    row = told_of(figures.matured, figures.document(), "conversion", "conversion_low", "conversion_high")
    row = told_of(figures.looked_at, row, "ready_share", "ready_low", "ready_high")
    return told_of(figures.visits, row, "bounce_rate", "bounce_low", "bounce_high")
