"""Import delimited tables through a mapping into a dataset folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data import emails
from data.dataset import DatasetInfo, ExtraColumn
from data.errors import InputError
from data.importers import values as cells
from data.importers.files import assign_files, lookup_files
from data.importers.handlers import ACCEPTED, DUPLICATE, HANDLERS, OUTSIDE, Context, Place, reduce_email
from data.importers.intake import export_moment, note_export, note_file, refuse_known_names, split_known
from data.importers.lookups import Lookups
from data.importers.merge_log import FILE as MERGE_LOG
from data.importers.notes import history_columns, notes_of
from data.importers.plan import Plan, plan
from data.importers.rejects import RowError, RowPassedOver, Tally
from data.importers.report import ImportReport, check_limit
from data.importers.rows import Row, TableFile
from data.importers.sessions import KEPT, Sessions
from data.importers.sink import Sink
from data.importers.values import Value
from data.lake_write import LakeWriter
from data.mapping import Mapping, TableSpec
from data.mapping_check import SECONDS, closed_at
from data.records import DAY
from data.settings import Settings
from data.times import zone_named

Advance = Callable[[int], None]
FIRST, SECOND = ("lead", "labelled_lead"), ("session",)
SESSIONS = "sessions"
PROGRESS_ROWS = 5_000


def total_bytes(given: Sequence[str], mapping: Mapping) -> int:
    """Size of all files that will be read, for the progress."""
    return sum(f.stat().st_size for files in assign_files(given, mapping) for f in files)


def import_tables(
    given: Sequence[str],
    mapping: Mapping,
    target: Path,
    settings: Settings,
    advance: Advance = lambda by: None,
    as_of: int | None = None,
) -> ImportReport:
    """Read files through a mapping and publish the dataset in one step, new or with these rows appended.

    Parameters
    ----------
    given
        files, folders or globs.
    advance
        told the number of bytes read since the last call.
    as_of
        when the profile tables were exported, in microseconds: from then on rows without valid_from hold.

    Raises
    ------
    InputError
        for empty files, a label with one class, a backfilled arrival, another market at the target (and, as
        MappingError, missing columns; as RejectLimitError, too many bad rows). Nothing is changed then.
    """
    appends = mapping.file.label is None
    files = assign_files(given, mapping, partial=appends and (target / "dataset.toml").exists())
    info, lookups = _info(mapping, settings), Lookups(mapping.file, lookup_files(given, mapping))
    with LakeWriter(target, info, append=appends, max_parts=settings.data.max_parts) as writer:
        report = ImportReport(target, info.name, appended=writer.appends)
        run = _Run(mapping, settings, Sink(writer, info.extra), report, advance, writer, as_of, lookups)
        if not run.read_all(files):
            return report
        texts = {"mapping.toml": mapping.text, "rules.yaml": mapping.rules, "content.yaml": mapping.content}
        texts[MERGE_LOG] = run.context.merges.text()
        report.written = writer.commit({name: text for name, text in texts.items() if text is not None})
        report.note_outcome(writer)
    return report


def _info(mapping: Mapping, settings: Settings) -> DatasetInfo:
    file, extra = mapping.file, {}
    for table in file.table:
        for name, e in table.extra.items():
            unit = "s" if e.unit in SECONDS else e.unit or ""
            extra[name] = ExtraColumn(name, e.kind, e.role, unit, e.label_en, e.label_de)
    for name, d in file.derived.items():
        parts = {"sum": tuple(d.sum), "product": tuple(d.product)}
        extra[name] = ExtraColumn(name, "number", "derived", d.unit, d.label_en, d.label_de, **parts)
    return DatasetInfo(
        name=file.dataset.name, buckets=settings.data.buckets, timezone=file.dataset.timezone or "UTC",
        currency=file.dataset.currency, has_times=file.label is None, closed_at=closed_at(file),
        extra=tuple(extra.values()), split=mapping.split_spec(), snapshots=mapping.snapshot_spec(),
    )  # fmt: skip


@dataclass
class _Run:
    mapping: Mapping
    settings: Settings
    sink: Sink
    report: ImportReport
    advance: Advance
    writer: LakeWriter
    as_of: int | None
    lookups: Lookups
    context: Context = field(init=False)
    parsed: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        file, late_after = self.mapping.file, self.settings.data.late_days * DAY
        self.context = Context(self.sink, Sessions(closed_at(file)), file.label, emails.hash_key(), late_after)
        self.context.changes.columns = frozenset(history_columns(file))
        self.context.changes.told_old = any("old" in t.columns for t in file.table if t.record == "change")

    def read_all(self, given: Sequence[Sequence[Path]]) -> bool:
        """Leads first, then sessions, then what refers to them; the report keeps the mapping's order.

        False if every file was imported before.
        """
        files = self._new_files(given)
        if not any(files):
            return False
        if self.writer.appends:
            self.sink.remember("lead", known_leads(self.writer))
            self.context.merges.remember(self.writer)
            self.context.sessions.recall(self.writer.held(SESSIONS, KEPT), self.sink)
        order = sorted(range(len(files)), key=lambda i: _turn(self.mapping.file.table[i]))
        tallies: dict[int, list[Tally]] = {}
        for i in order:
            spec = self.mapping.file.table[i]
            if _turn(spec) == 2 and self.context.sessions.rows and not self.context.sessions.first:
                self._note_first_events(files)
            tallies[i] = self._read_table(i, spec, files[i])
        self.report.tallies = [t for i in sorted(tallies) for t in tallies[i]]
        extra = tuple(name for t in self.mapping.file.table for name in t.extra)
        self.context.sessions.yield_people(self.sink, extra)
        if len(kept := self.context.sessions.to_keep()):
            self.writer.add_table(SESSIONS, kept)
        self.report.orphans = self.context.orphans()
        self.report.unused = [(name, columns) for name, columns in self.report.unused if columns]
        self.report.notes += notes_of(self.mapping.file, self.context, self.lookups)
        self.sink.close()
        return True

    def _new_files(self, given: Sequence[Sequence[Path]]) -> list[list[Path]]:
        """Files of each table to read, in the order of the moments they were exported at."""
        found = []
        for spec, files in zip(self.mapping.file.table, given, strict=True):
            new, known = split_known(self.writer, files, lambda f, spec=spec: self._moment(f, spec))  # type: ignore[misc]
            self.report.skipped += [f.name for f in known]
            if {"lead": "lead_id", "event": "event_id"}.get(spec.record, "match") not in (*spec.columns, "match"):
                refuse_known_names(self.writer, new, source_of(spec))
            if spec.record == "lead":
                new.sort(key=lambda f: (self._moment(f, spec) or 0, f.name))
            found.append(new)
        return found

    def _moment(self, path: Path, spec: TableSpec) -> int | None:
        if spec.record != "lead":
            return None
        name = self.mapping.file.dataset.timezone
        return export_moment(path, spec.exported, self.as_of, zone_named(name) if name else None)

    def _read_table(self, index: int, spec: TableSpec, files: Sequence[Path]) -> list[Tally]:
        context, tallies, before = self.context, [], 0
        if not files:
            return tallies
        restates = spec.record == "spend" or spec.restates == "day"
        state = self.sink.begin(source_of(spec), spec.record, restates)
        context.late = context.arrived = 0
        context.cut_over = self._cut_over(spec)
        for number, path in enumerate(files):
            tally = Tally(path.name, spec.record)
            context.exported_at = self._moment(path, spec)
            note_export(path, state, context.exported_at)
            before += self._read_file(path, spec, tally, before, (index, number))
            tallies.append(tally)
            note_file(self.writer, path, source_of(spec), context.exported_at, restates)
        check_limit(tallies, self.settings.data.reject_limit)
        self._check_late(files[0])
        self._check_classes(spec, files[0])
        return tallies

    def _read_file(self, path: Path, spec: TableSpec, tally: Tally, before: int, order: tuple[int, int]) -> int:
        rows = at = 0
        with TableFile(path, spec) as table:
            bound = plan(path, table.header, spec, self.mapping.file, self.lookups)
            self._describe(path, bound)
            for raw in table.rows():
                rows = raw.number
                if raw.problem is not None and path in self.parsed:
                    tally.passed_over += 1  # rejected already, by the first table that reads this file
                    continue
                place = Place(path.stem, rows, before + rows, (order[0] * 1_000_000 + order[1], rows))
                try:
                    verdict = self._take(spec, bound, raw, place)
                except RowPassedOver:
                    tally.passed_over += 1
                except RowError as bad:
                    column = bound.column_of(bad.column)
                    tally.reject(bad.reason, column, raw.line)
                    self.sink.reject(path.name, raw.line, bad.reason, column, bound.payload(raw.fields))
                else:
                    _count(tally, verdict)
                if rows % PROGRESS_ROWS == 0:
                    self.advance(table.position() - at)
                    at = table.position()
            self.advance(table.position() - at)
        self.parsed.add(path)
        return rows

    def _take(self, spec: TableSpec, bound: Plan, raw: Row, place: Place) -> str:
        """One row of a table; a lead with a history becomes several profile rows, all or none of them."""
        handle, row = HANDLERS[spec.record], _values(bound, raw)
        if spec.record != "lead":
            return handle(row, place, self.context)
        versions = list(
            self.context.changes.versions(row.get("lead_id"), row["created_at"], bound.header, raw.fields)
        )  # fmt: skip
        if len(versions) == 1 and versions[0][1] == raw.fields:
            return handle(row, place, self.context)
        rows = [{**bound.read(c), "valid_from": row["created_at"] if at is None else at} for at, c in versions]
        for one in rows:
            reduce_email(one, self.context)
        verdicts = [handle(one, place, self.context) for one in rows]
        return verdicts[0]

    def _describe(self, path: Path, bound: Plan) -> None:
        """What is left alone of a file's columns; several tables of one file leave alone what none of them uses."""
        known = set(self.report.left_out)
        self.report.left_out += [u for c, reason in bound.left_out if (u := (path.name, c, reason)) not in known]
        unused = dict(self.report.unused)
        unused[path.name] = tuple(c for c in unused.get(path.name, bound.unused) if c in bound.unused)
        self.report.unused = list(unused.items())

    def _note_first_events(self, files: Sequence[Sequence[Path]]) -> None:
        """One more pass over the events: a session hands its touch to its first event only."""
        for index, (spec, paths) in enumerate(zip(self.mapping.file.table, files, strict=True)):
            for number, path in enumerate(paths if spec.record == "event" else ()):
                with TableFile(path, spec) as table:
                    bound = plan(path, table.header, spec, self.mapping.file, self.lookups)
                    for raw in table.rows():
                        try:
                            row = _values(bound, raw)
                        except (RowError, RowPassedOver):
                            continue
                        self.context.sessions.note_event(row, (index * 1_000_000 + number, raw.number))

    def _cut_over(self, spec: TableSpec) -> int | None:
        source = spec.columns.get("received_at")
        if source is None or source.cut_over is None:
            return None
        name = self.mapping.file.dataset.timezone
        moment = cells.time(source.model_copy(update={"unit": None}), "cut_over", zone_named(name) if name else None)
        value = moment(source.cut_over)
        assert isinstance(value, int)
        return value

    def _check_late(self, path: Path) -> None:
        context, data = self.context, self.settings.data
        if context.arrived and context.late / context.arrived > data.late_share_limit:
            raise InputError.of(
                where=f"{path}, received_at", expected=f"at most {data.late_share_limit:.0%} of the events to arrive "
                f"more than {data.late_days} days late", got=f"{context.late} of {context.arrived}",
                remedy='A load time is no arrival: map received_at = "ignore", or give it a cut_over date.',
            )  # fmt: skip

    def _check_classes(self, spec: TableSpec, path: Path) -> None:
        label, classes = self.mapping.file.label, self.context.classes
        if spec.record == "labelled_lead" and label is not None and classes is not None and len(classes) < 2:
            only = "true" if 1 in classes else "false"
            raise InputError(
                f"{path}, column {label.column}: label has one class, expected true and false, got only {only}. "
                "Check the true values in [label], or bring leads of both kinds."
            )


def source_of(spec: TableSpec) -> str:
    """The name a table's files are kept under."""
    return f"table:{spec.match}:{spec.record}"


def known_leads(writer: LakeWriter) -> Iterator[tuple[Value, ...]]:
    """The leads a dataset holds."""
    for lead_id in writer.lead_ids():
        yield (lead_id,)


def _turn(spec: TableSpec) -> int:
    return -1 if spec.record == "change" else 0 if spec.record in FIRST else 1 if spec.record in SECOND else 2


def _values(bound: Plan, raw: Row) -> dict[str, Value]:
    if raw.problem is not None:
        raise RowError(raw.problem)
    if not bound.takes(raw.fields):
        raise RowPassedOver
    values = bound.read(raw.fields)
    if bound.label >= 0:
        values["label"] = raw.fields[bound.label].strip()
    return values


def _count(tally: Tally, verdict: str) -> None:
    tally.accepted += verdict == ACCEPTED
    tally.duplicate += verdict == DUPLICATE
    tally.outside += verdict == OUTSIDE
