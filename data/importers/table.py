"""Import delimited tables through a mapping into a dataset folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data import emails
from data.dataset import DatasetInfo, ExtraColumn
from data.errors import InputError
from data.importers import values as cells
from data.importers.files import assign_files
from data.importers.handlers import ACCEPTED, DUPLICATE, HANDLERS, OUTSIDE, Context, Place
from data.importers.plan import Plan, plan
from data.importers.rejects import RowError, Tally
from data.importers.report import ImportReport, check_limit
from data.importers.rows import Row, TableFile
from data.importers.sessions import Sessions
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
PROGRESS_ROWS = 5_000


def total_bytes(given: Sequence[str], mapping: Mapping) -> int:
    """Size of all files that will be read, for the progress."""
    return sum(f.stat().st_size for files in assign_files(given, mapping) for f in files)


def import_tables(
    given: Sequence[str], mapping: Mapping, target: Path, settings: Settings, advance: Advance = lambda by: None
) -> ImportReport:
    """Read files through a mapping and publish the dataset in one step.

    Parameters
    ----------
    given
        files, folders or globs.
    advance
        told the number of bytes read since the last call.

    Raises
    ------
    InputError
        for empty files, a label with one class, a backfilled arrival, another dataset at the target (and, as
        MappingError, missing columns; as RejectLimitError, too many bad rows). Nothing is changed then.
    """
    files = assign_files(given, mapping)
    info = _info(mapping, settings)
    with LakeWriter(target, info) as writer:
        run = _Run(mapping, settings, Sink(writer, info.extra), ImportReport(target, info.name), advance)
        run.read_all(files)
        run.report.leads = writer.counts["leads"]
        texts = {"mapping.toml": mapping.text, "rules.yaml": mapping.rules, "content.yaml": mapping.content}
        run.report.written = writer.commit({name: text for name, text in texts.items() if text is not None})
    return run.report


def _info(mapping: Mapping, settings: Settings) -> DatasetInfo:
    file, extra = mapping.file, {}
    for table in file.table:
        for name, e in table.extra.items():
            unit = "s" if e.unit in SECONDS else e.unit or ""
            extra[name] = ExtraColumn(name, e.kind, e.role, unit, e.label_en, e.label_de)
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
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        file, late_after = self.mapping.file, self.settings.data.late_days * DAY
        self.context = Context(self.sink, Sessions(closed_at(file)), file.label, emails.hash_key(), late_after)

    def read_all(self, files: Sequence[Sequence[Path]]) -> None:
        """Leads first, then sessions, then what refers to them; the report keeps the mapping's order."""
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
        self.report.orphans = self.context.orphans()
        self.sink.close()

    def _read_table(self, index: int, spec: TableSpec, files: Sequence[Path]) -> list[Tally]:
        context, tallies, before = self.context, [], 0
        context.late = context.arrived = 0
        context.cut_over = self._cut_over(spec)
        for number, path in enumerate(files):
            tally = Tally(path.name, spec.record)
            before += self._read_file(path, spec, tally, before, (index, number))
            tallies.append(tally)
        check_limit(tallies, self.settings.data.reject_limit)
        self._check_late(files[0])
        self._check_classes(spec, files[0])
        return tallies

    def _read_file(self, path: Path, spec: TableSpec, tally: Tally, before: int, order: tuple[int, int]) -> int:
        handle, rows, at = HANDLERS[spec.record], 0, 0
        with TableFile(path, spec) as table:
            bound = plan(path, table.header, spec, self.mapping.file)
            self._describe(path, bound)
            for raw in table.rows():
                rows = raw.number
                place = Place(path.stem, rows, before + rows, (order[0] * 1_000_000 + order[1], rows))
                try:
                    verdict = handle(_values(bound, raw), place, self.context)
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
        return rows

    def _describe(self, path: Path, bound: Plan) -> None:
        self.report.left_out += [(path.name, column, reason) for column, reason in bound.left_out]
        if bound.unused:
            self.report.unused.append((path.name, bound.unused))

    def _note_first_events(self, files: Sequence[Sequence[Path]]) -> None:
        """One more pass over the events: a session hands its touch to its first event only."""
        for index, (spec, paths) in enumerate(zip(self.mapping.file.table, files, strict=True)):
            for number, path in enumerate(paths if spec.record == "event" else ()):
                with TableFile(path, spec) as table:
                    bound = plan(path, table.header, spec, self.mapping.file)
                    for raw in table.rows():
                        try:
                            row = _values(bound, raw)
                        except RowError:
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


def _turn(spec: TableSpec) -> int:
    return 0 if spec.record in FIRST else 1 if spec.record in SECOND else 2


def _values(bound: Plan, raw: Row) -> dict[str, Value]:
    if raw.problem is not None:
        raise RowError(raw.problem)
    values = bound.read(raw.fields)
    if bound.label >= 0:
        values["label"] = raw.fields[bound.label].strip()
    return values


def _count(tally: Tally, verdict: str) -> None:
    tally.accepted += verdict == ACCEPTED
    tally.duplicate += verdict == DUPLICATE
    tally.outside += verdict == OUTSIDE
