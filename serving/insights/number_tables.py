"""The numbers both teams share, and experiments, as tables of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.dataset import Dataset
from data.records import DAY
from data.settings import Settings
from serving.insights.number_words import alarm_words, definitions, period_words, reading_words
from serving.insights.tables import Column, Row, Table, Words, told_of
from serving.insights.touch_tables import whole_tables
from serving.path_scores import said_by
from training.experiments import Experiment, experiments_of
from training.lead_facts import NumbersAsked
from training.number_figures import Figures
from training.numbers_report import NumbersReport, numbers_report
from training.path_targets import WON
from training.periods import Period
from training.prepared_names import LEAST
from training.rising import RisingRow
from training.rules_rows import rules_in_force
from training.snapshots import policy_of
from training.touches import WholeTally

DAYS, QUIET_DAYS = 28, 14
PEOPLE: Words = ("People", "Menschen")
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


def number_tables(dataset: Dataset, settings: Settings, now: int) -> list[Table]:
    """The shared numbers of the last four whole weeks beside the four before, by channel and campaign; everything that was
    imported, plainly counted; and experiments."""
    end = now // DAY * DAY
    asked = NumbersAsked(
        policy_of(settings.snapshots), now, Period(end - DAYS * DAY, end),
        rules_in_force(None, dataset, settings.home, dataset.info.name)[0],
        said_by(settings, dataset.info.name, WON, None), threads=settings.training.threads,
    )  # fmt: skip
    whole = WholeTally(asked.policy, now)
    report = numbers_report(dataset, asked, QUIET_DAYS, also=[whole])
    return [
        _total(report), *_alarms(report), _rising(report), _quiet(report), *whole_tables(whole), _definitions(),
        *(_sources(report, name) for name in ("channels", "campaigns")), _launches(report),
        _experiments(experiments_of(settings.home, dataset.info.name)),
    ]  # fmt: skip


def _row(figures: Figures) -> dict[str, Any]:
    """The figures as they may be shown: no rate of fewer than LEAST people or visits."""
    row = told_of(figures.matured, figures.document(), "conversion", "conversion_low", "conversion_high")
    row = told_of(figures.looked_at, row, "ready_share", "ready_low", "ready_high")
    return told_of(figures.visits, row, "bounce_rate", "bounce_low", "bounce_high")


def _total(report: NumbersReport) -> Table:
    rows = [
        {"period": period_words(n.period), **_row(n.total)}
        for n in (report.numbers, report.before)
        if n.total.people >= LEAST
    ]
    return Table(
        "numbers", "overview", ("The numbers both teams share", "Die Zahlen, die beide Teams teilen"),
        (Column("period", ("Period", "Zeitraum"), "pair"), *_FIGURES), rows,
        ("{period}: {leads} leads came, {accepted} were accepted, {won} won; {expected} customers are expected of these leads.",
         "{period}: {leads} Leads kamen, {accepted} wurden angenommen, {won} gewonnen; {expected} Kunden sind von diesen Leads "
         "zu erwarten."),
        (f"Money in {report.currency}. Whole days, UTC; definitions below.",
         f"Geld in {report.currency}. Ganze Tage, UTC; Definitionen unten."), whole=True,
    )  # fmt: skip


def _alarms(report: NumbersReport) -> list[Table]:
    if not report.alarms:
        return []
    title = ("Alarm: volume up, quality down", "Alarm: mehr Menge, weniger Güte")
    rows = [{"alarm": alarm_words(a, report.numbers.period)} for a in report.alarms]
    return [Table("alarms", "overview", title, (Column("alarm", ("What", "Was"), "pair"),), rows, whole=True)]


def _sources(report: NumbersReport, name: str) -> Table:
    earlier = {(r.channel, r.campaign): r.figures.leads for r in getattr(report.before, name)}
    rows: list[Row] = [
        {"channel": r.channel.replace("_", " "), "campaign": r.campaign, **_row(r.figures),
         "leads_before": earlier.get((r.channel, r.campaign))}
        for r in getattr(report.numbers, name) if r.figures.leads >= LEAST or (r.figures.visitors or 0) >= LEAST
    ]  # fmt: skip
    campaign = (Column("campaign", ("Campaign", "Kampagne")),) if name == "campaigns" else ()
    title: Words = (
        ("Cost by campaign", "Kosten nach Kampagne") if campaign else ("Cost by channel", "Kosten nach Kanal")
    )
    before = Column("leads_before", ("Leads before", "Leads davor"), "count")
    now, then = period_words(report.numbers.period), period_words(report.before.period)
    shown = [c for c in _FIGURES if c.key not in ("mql", "bounce_rate", "ready_share")]
    return Table(
        name, "sources", title, (Column("channel", ("Channel", "Kanal"), "word"), *campaign, *shown, before), rows,
        ("{channel}: {leads} leads, {expected} expected customers, {cost_per_expected} per expected customer.",
         "{channel}: {leads} Leads, {expected} erwartete Kunden, {cost_per_expected} je erwartetem Kunden."),
        (f"{now[0]}; before: {then[0]}. Money in {report.currency}.",
         f"{now[1]}; davor: {then[1]}. Geld in {report.currency}."), whole=True,
    )  # fmt: skip


def _launches(report: NumbersReport) -> Table:
    return Table(
        "launches", "sources", ("Campaigns after their first week", "Kampagnen nach ihrer ersten Woche"),
        (
            Column("channel", ("Channel", "Kanal"), "word"), Column("campaign", ("Campaign", "Kampagne")),
            Column("launched", ("Launched", "Gestartet")), Column("leads", ("Leads", "Leads"), "count"),
            Column("expected", ("Expected customers", "Erwartete Kunden"), "number"), Column("spend", ("Spend", "Ausgaben"), "money"),
            Column("cost_per_expected", ("Per expected customer", "Je erwartetem Kunden"), "money"),
            Column("won", ("Won", "Gewonnen"), "count"), Column("final_on", ("Final on", "Endgültig am")),
        ),
        [r.document() for r in report.launches if r.leads >= LEAST], whole=True,
    )  # fmt: skip


def _rising(report: NumbersReport) -> Table:
    return Table(
        "rising", "overview", ("What rises, what falls", "Was steigt, was fällt"),
        (
            Column("content", ("Content", "Inhalt")), Column("people", PEOPLE, "count"),
            Column("people_before", ("Before", "Davor"), "count"), Column("change", ("Times", "Mal"), "ratio", "low", "high"),
            Column("beyond", ("Beyond all", "Über alle hinaus"), "ratio"),
        ),
        [change_row(r) for r in report.rising if r.claimed],
        ("{people} people saw {content}, {people_before} in the period before: {change} times as many ({change_range}).",
         "{people} Menschen sahen {content}, im Zeitraum davor {people_before}: {change} Mal so viele ({change_range})."),
        ("What is beyond chance, of all contents.", "Was jenseits des Zufalls liegt, von allen Inhalten."), whole=True,
    )  # fmt: skip


def change_row(row: RisingRow) -> dict[str, Any]:
    """A row, and nothing of a period in which some saw the content, but fewer than LEAST."""
    fewest = min((n for n in (row.people, row.people_before) if n), default=0)
    change = ("change", "low", "high", "beyond")
    hidden = [n for n in ("people", "people_before") if 0 < getattr(row, n) < LEAST]
    return told_of(fewest, row.document(), *hidden, *change)


def _quiet(report: NumbersReport) -> Table:
    days = report.quiet_days
    return Table(
        "quiet", "overview", ("The middle of the funnel", "Die Mitte des Trichters"),
        (
            Column("stage", ("Stage", "Phase"), "word"), Column("leads", ("Open leads", "Offene Leads"), "count"),
            Column("never", ("Never touched", "Nie angesprochen"), "count"), Column("quiet", ("Quiet", "Still"), "count"),
            Column("share", ("Share", "Anteil"), "share", "low", "high"),
            Column("median_days", ("Since the last touch", "Seit der letzten Ansprache"), "days"),
        ),
        [r.document() | {"stage": r.stage.replace("_", " ")} for r in report.quiet if r.leads >= LEAST],
        ("{stage}: of {leads} open leads {quiet} had no touch of ours lately ({share}).",
         "{stage}: von {leads} offenen Leads hatten {quiet} zuletzt keine Ansprache von uns ({share})."),
        (f"Quiet: no outbound touch for {days} days or more.", f"Still: seit {days} Tagen oder länger keine Ansprache."),
        whole=True,
    )  # fmt: skip


def _definitions() -> Table:
    columns = (Column("name", ("Number", "Zahl"), "pair"), Column("means", ("What it is", "Was sie ist"), "pair"))
    return Table("definitions", "overview", ("Definitions", "Definitionen"), columns, definitions(), whole=True)


def _experiments(found: tuple[Experiment, ...]) -> Table:
    columns = (
        Column("name", ("Experiment", "Experiment")), Column("link", ("Link", "Verweis")), Column("verdict", ("Verdict", "Urteil"), "word"),
        Column("people", PEOPLE, "count"), Column("control", ("Control", "Kontrolle"), "share", "control_low", "control_high"),
        Column("treatment", ("With the link", "Mit dem Verweis"), "share", "treatment_low", "treatment_high"),
        Column("ratio", ("Effect", "Wirkung"), "ratio", "ratio_low", "ratio_high"), Column("why", ("Why", "Warum"), "pair"),
    )  # fmt: skip
    note: Words = ("Arms were drawn by lot: this is a cause.", "Die Arme wurden gelost: das ist eine Ursache.")
    if not found:
        note = ("The first one is planned with: leadlift experiment plan", "Das erste plant: leadlift experiment plan")
    title = ("Experiments", "Experimente")
    return Table("experiments", "experiments", title, columns, [_experiment(e) for e in found], note=note, whole=True)


def _experiment(found: Experiment) -> Mapping[str, Any]:
    plan, reading = found.plan, found.reading
    row: dict[str, Any] = {"name": plan.name, "link": f"{plan.first} > {plan.then}", "verdict": "planned"}
    if reading is None:
        return row
    row |= {"verdict": reading.verdict, "why": reading_words(reading), "people": sum(reading.people)}
    row = told_of(sum(reading.people), row, "people")
    row |= {name: getattr(reading, name) for name in ("ratio", "ratio_low", "ratio_high")}
    for name, arm in zip(("control", "treatment"), reading.arms, strict=False):
        row |= {name: arm.rate, f"{name}_low": arm.low, f"{name}_high": arm.high}
    return row
