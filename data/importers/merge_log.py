"""Which leads were merged, and which look like one person: proposals for people, never carried out by an import."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from data.dataset_file import time_text
from data.importers.values import Value
from data.lake_parts import read_parts
from data.lake_write import LakeWriter

Row = dict[str, Value]
FILE = "merge_log.csv"
HEAD = ("state", "lead_id", "other_lead_id", "at", "reason")
MERGED, PROPOSED = "merged", "proposed"
TEXT, TIME = pa.string(), pa.timestamp("us", tz="UTC")


@dataclass
class MergeLog:
    """`merged`: a merge the CRM made, at its date. `proposed`: an older lead with the same hashed address, from the
    moment the younger one was created."""

    _leads: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    _merges: dict[tuple[str, str], int] = field(default_factory=dict)

    def note_lead(self, row: Row) -> None:
        """A profile row; without a hash nothing can be compared."""
        digest, created = row.get("email_hash"), row.get("created_at")
        if isinstance(digest, str) and isinstance(created, int):
            self._leads[digest].setdefault(str(row["lead_id"]), created)

    def remember(self, writer: LakeWriter) -> None:
        """The leads and merges of the dataset that is appended to."""
        for row in _held(writer, "leads", {"lead_id": TEXT, "email_hash": TEXT, "created_at": TIME}):
            self.note_lead(row)
        for row in _held(writer, "links", {"visitor_id": TEXT, "lead_id": TEXT, "kind": TEXT, "known_from": TIME}):
            if row["kind"] == "merge":
                self.note_merge(row)

    def note_merge(self, row: Row) -> None:
        at = row["known_from"]
        assert isinstance(at, int)
        self._merges.setdefault((str(row["lead_id"]), str(row["visitor_id"])), at)

    def proposals(self) -> list[tuple[str, str, int]]:
        """(older lead, younger lead, when the younger was created), by time."""
        pairs: dict[tuple[str, str], int] = {}
        for leads in self._leads.values():
            first, *others = sorted(leads, key=lambda lead: (leads[lead], lead))
            pairs |= {(first, other): leads[other] for other in others}
        known = {frozenset(pair) for pair in self._merges}
        return sorted(((a, b, at) for (a, b), at in pairs.items() if {a, b} not in known), key=lambda p: (p[2], p))

    def text(self) -> str | None:
        """The log as CSV; None where there is nothing to tell."""
        merged = sorted(((a, b, at) for (a, b), at in self._merges.items()), key=lambda p: (p[2], p))
        rows = [(MERGED, a, b, time_text(at), "merged in the CRM") for a, b, at in merged]
        rows += [(PROPOSED, a, b, time_text(at), "same hashed e-mail address") for a, b, at in self.proposals()]
        if not rows:
            return None
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([HEAD, *rows])
        return out.getvalue()


def _held(writer: LakeWriter, record: str, kinds: Mapping[str, pa.DataType]) -> Iterator[Row]:
    """Rows of a record of the dataset that is appended to; times in microseconds."""
    if not writer.appends:
        return
    table = read_parts([writer.path / f for f in writer.manifest.of(record)], pa.schema(list(kinds.items())))
    columns = [
        c.cast(pa.int64()) if kinds[n] == TIME else c for n, c in zip(table.column_names, table.columns, strict=True)
    ]
    for cells in zip(*(c.to_pylist() for c in columns), strict=True):
        yield dict(zip(kinds, cells, strict=True))
