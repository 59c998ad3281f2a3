"""Import what a tracker recorded: files -> events, links, profile rows and conversions, in two passes.

First the files are read, cleaned and put down in parts by person; then each part, with all events of its persons, is
completed (credited times, links) and written. Memory holds a batch, a part and 16 bytes an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.dataset import DatasetInfo
from data.errors import InputError
from data.importers import ga4, matomo, posthog, segment, snowplow
from data.importers.batch import Advance, Reader
from data.importers.cells import Broken
from data.importers.clean import Conversion, clean, seen_from
from data.importers.files import given_files
from data.importers.finish import Link, finish
from data.importers.identified import People
from data.importers.intake import note_file, split_known
from data.importers.rejects import Tally
from data.importers.report import ImportReport, TrackerFacts, check_limit
from data.importers.sink import Sink
from data.importers.spill import Spill
from data.importers.tracker_mapping import TrackerMapping
from data.lake_write import LakeWriter
from data.records import DAY
from data.settings import Settings

READERS: dict[str, Reader] = {
    "segment": segment.read, "snowplow": snowplow.read, "ga4": ga4.read, "matomo": matomo.read, "posthog": posthog.read,
}  # fmt: skip
RESTATES = ("ga4",)  # its daily tables change for 72 hours


def total_bytes(given: Sequence[str]) -> int:
    """Size of all files that will be read, for the progress."""
    return sum(f.stat().st_size for f in given_files(given))


def import_tracker(
    given: Sequence[str], kind: str, mapping: TrackerMapping, target: Path, settings: Settings,
    advance: Advance = lambda by: None,
) -> ImportReport:  # fmt: skip
    """Read files of one tracker (a name of READERS) into a new dataset, or append them to one of the same market.

    Parameters
    ----------
    given
        files, folders or globs; plain or gzip.
    advance
        told the number of bytes read since the last call.

    Raises
    ------
    InputError
        for files that are not of this tracker, a backfilled arrival, another market at the target (and, as
        RejectLimitError, too many bad rows). Nothing is changed then.
    """
    files, dataset = given_files(given), mapping.file.dataset
    info = DatasetInfo(
        name=dataset.name, buckets=settings.data.buckets, timezone=dataset.timezone or "UTC", currency=dataset.currency
    )
    with LakeWriter(target, info, append=True, max_parts=settings.data.max_parts) as writer:
        new, known = split_known(writer, files)
        report = ImportReport(target, info.name, appended=writer.appends, skipped=[f.name for f in known])
        if new:
            with Spill(writer.path.parent) as spill:
                _Run(kind, mapping, settings, writer, report, advance, spill).import_all(new)
            texts = {"mapping.toml": mapping.text, "rules.yaml": mapping.rules, "content.yaml": mapping.content}
            report.written = writer.commit({name: text for name, text in texts.items() if text is not None})
            report.note_outcome(writer)
    return report


@dataclass
class _File:
    """One file's share: what was counted, and the first of its rows."""

    tally: Tally
    first_row: int


@dataclass
class _Run:
    kind: str
    mapping: TrackerMapping
    settings: Settings
    writer: LakeWriter
    report: ImportReport
    advance: Advance
    spill: Spill
    files: list[_File] = field(default_factory=list)
    people: People = field(default_factory=People)
    conversions: list[Conversion] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("late", "very_late", "arrived", "links"), 0))
    bots: tuple[int, int] = (0, 0)

    def import_all(self, files: Sequence[Path]) -> None:
        sink = Sink(self.writer, ())
        sink.begin(self.kind, "event", self.kind in RESTATES)
        for path in files:
            self._read(path, sink)
            note_file(self.writer, path, self.kind, restates=self.kind in RESTATES)
        again = self.spill.duplicates()
        self._count_duplicates(again)
        tallies = [f.tally for f in self.files]
        self.report.tallies = [*tallies, *self.people.tallies]
        check_limit(self.report.tallies, self.settings.data.reject_limit)
        links = self._write_events(again)
        self._check_late(files[0])
        self._write_others(sink, links, again)
        sink.close()

    def _read(self, path: Path, sink: Sink) -> None:
        file = _File(Tally(path.name, "event"), self.spill.rows)
        self.files.append(file)
        self.people.begin(path.name, "lead" if self.kind == "segment" else "link")
        for batch in READERS[self.kind](path, self.mapping.file.tracker, self.advance):
            cleaned = clean(batch, self.mapping.file, self.spill.rows)
            refused = self.people.add(batch.people)
            for bad in cleaned.rejects:
                file.tally.reject(bad.reason, bad.column, bad.line)
            for bad in (*cleaned.rejects, *refused):
                sink.reject(path.name, bad.line, bad.reason, bad.column, _payload(self.kind, bad))
            file.tally.passed_over += cleaned.skipped
            file.tally.accepted += len(cleaned.table)
            self.conversions += cleaned.conversions
            self.spill.add(cleaned.table)
        if not file.tally.read + file.tally.passed_over + self.people.read:
            raise InputError.of(
                where=str(path), expected=f"events of {self.kind}", got="none", remedy="Check the export."
            )

    def _count_duplicates(self, again: NDArray[np.int64]) -> None:
        starts = np.array([f.first_row for f in self.files], dtype=np.int64)
        of = np.bincount(np.searchsorted(starts, again, side="right") - 1, minlength=len(starts))
        # a file without rows shares its first row with the next one, which then has them
        for file, n in zip(self.files, of.tolist(), strict=True):
            file.tally.duplicate += n
            file.tally.accepted -= n

    def _write_events(self, again: NDArray[np.int64]) -> list[Link]:
        """Complete and write each part; the links it yields."""
        links: list[Link] = []
        identified, fast, bots = self.people.links_by_part(), 0, 0
        for part, rows in self.spill.parts():
            table = rows.filter(pa.array(~np.isin(rows["row"].to_numpy(), again)))
            self._note_arrivals(table)
            done = finish(table, identified.pop(part, []))
            self.writer.add("events", done.columns)
            links += done.links
            fast, bots = fast + done.too_fast, bots + done.bots
        links += [link for rest in identified.values() for link in sorted(set(rest))]
        self.report.tracker = TrackerFacts(
            sum(f.tally.accepted for f in self.files), bots - fast, fast, bots, self.counts["late"], len(links)
        )
        return links

    def _note_arrivals(self, table: pa.Table) -> None:
        behind = seen_from(table) - table["occurred_at"].to_numpy()
        self.counts["late"] += int((behind > DAY).sum())
        self.counts["very_late"] += int((behind > self.settings.data.late_days * DAY).sum())
        self.counts["arrived"] += len(table) - table["received_at"].null_count

    def _check_late(self, path: Path) -> None:
        data, counts = self.settings.data, self.counts
        if counts["arrived"] and counts["very_late"] / counts["arrived"] > data.late_share_limit:
            raise InputError.of(
                where=f"{path}, received_at", expected=f"at most {data.late_share_limit:.0%} of the events to arrive "
                f"more than {data.late_days} days late", got=f"{counts['very_late']} of {counts['arrived']}",
                remedy='A load time is no arrival: say received_at = "ignore" in the mapping\'s [tracker].',
            )  # fmt: skip

    def _write_others(self, sink: Sink, links: list[Link], again: NDArray[np.int64]) -> None:
        for visitor_id, lead_id, known_from in links:
            sink.add("links", {"visitor_id": visitor_id, "lead_id": lead_id, "known_from": known_from,
                               "kind": "identify"})  # fmt: skip
        for row in self.people.profiles():
            sink.add("leads", row)
        out, linked = set(again.tolist()), {visitor_id for visitor_id, _, _ in links}
        for c in self.conversions:
            if c.row not in out:
                self.report.orphans += c.lead_id is None and c.visitor_id not in linked
                sink.add("outcomes", {"lead_id": c.lead_id, "visitor_id": c.visitor_id,
                                      "occurred_at": c.occurred_at, "kind": "converted", "value": c.value})  # fmt: skip


def _payload(kind: str, bad: Broken) -> str:
    """Where to find a rejected row; what it says stays in the file, for it may be personal."""
    return f'{{"format": "{kind}", "line": {bad.line}}}'
