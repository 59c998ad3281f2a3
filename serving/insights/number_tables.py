"""The numbers both teams share, and experiments, as tables of the page. See `shared_tables` for those that follow a choice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.dataset import Dataset
from data.records import DAY
from data.settings import Settings
from serving.insights.band_tables import PEOPLE
from serving.insights.kept_numbers import Segments, keep_numbers
from serving.insights.number_words import alarm_words, definitions, reading_words
from serving.insights.shared_tables import sources_table, total_table
from serving.insights.tables import Column, Table, Words, told_of
from serving.insights.touch_tables import whole_tables
from serving.path_scores import said_by
from training.experiments import Experiment, experiments_of
from training.lead_facts import NumbersAsked
from training.numbers_report import NumbersReport, counted, report_of
from training.path_targets import WON
from training.periods import Period
from training.prepared_names import LEAST
from training.rising import RisingRow
from training.rules_rows import rules_in_force
from training.snapshots import policy_of
from training.sources import Sources
from training.touches import WholeTally
from training.visit_counts import MonthTally

DAYS, QUIET_DAYS = 28, 14


def number_tables(folder: Path, dataset: Dataset, settings: Settings, now: int) -> tuple[list[Table], dict[str, Any]]:
    """The shared numbers of the last four whole weeks beside the four before, by channel and campaign; everything that was
    imported, plainly counted; and experiments. What they are counted from is put into the folder, and told of last."""
    end = now // DAY * DAY
    asked = NumbersAsked(
        policy_of(settings.snapshots), now, Period(end - DAYS * DAY, end),
        rules_in_force(None, dataset, settings.home, dataset.info.name)[0],
        said_by(settings, dataset.info.name, WON, None), threads=settings.training.threads, since=0,
    )  # fmt: skip
    whole, segments, sources = WholeTally(asked.policy, now), Segments(now), Sources()
    months = MonthTally(asked.period.end, sources)
    found = counted(dataset, asked, QUIET_DAYS, also=[whole, segments], sources=sources, seen=[months])
    report = report_of(found)
    numbers, before = report.numbers, report.before
    periods = ((numbers.period, numbers.total), (before.period, before.total))
    tables = [
        total_table(periods, report.currency, whole=True), *_alarms(report), _rising(report), _quiet(report),
        *whole_tables(whole), _definitions(),
        *(sources_table(name, numbers, before, report.currency, whole=True) for name in ("channels", "campaigns")),
        _launches(report), _experiments(experiments_of(settings.home, dataset.info.name)),
    ]  # fmt: skip
    return tables, keep_numbers(folder, found, months.found(), segments)


def _alarms(report: NumbersReport) -> list[Table]:
    if not report.alarms:
        return []
    title = ("Alarm: volume up, quality down", "Alarm: mehr Menge, weniger Güte")
    rows = [{"alarm": alarm_words(a, report.numbers.period)} for a in report.alarms]
    return [Table("alarms", "overview", title, (Column("alarm", ("What", "Was"), "pair"),), rows, whole=True)]


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
