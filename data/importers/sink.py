"""Where accepted and rejected rows go: buffered, then written to the lake batch by batch."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from data.arrow import columns_of
from data.dataset import ExtraColumn
from data.importers.values import Value
from data.lake_manifest import DAY_COLUMN, SourceState
from data.lake_merge import MARKS
from data.lake_write import LakeWriter
from data.records import RECORDS, Column, filled

BATCH = 50_000
# Columns that say how a row came in; see LakeWriter.add.
FURTHER = {"events": (Column(DAY_COLUMN, "integer"),), "leads": tuple(Column(m, "flag") for m in MARKS)}
REJECTS = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("column", pa.string()),
        pa.field("payload", pa.string()),
    ]
)


class Sink:
    """Rows by record, with memory of which were there already."""

    def __init__(self, writer: LakeWriter, extra: Sequence[ExtraColumn]) -> None:
        self._writer = writer
        self._columns = {name: columns_of(record, extra) for name, record in RECORDS.items()}
        self._held: dict[str, list[Mapping[str, Value]]] = defaultdict(list)
        self._rejects: list[tuple[str, int, str, str, str]] = []
        self._seen: dict[str, dict[int, int]] = defaultdict(dict)

    def begin(self, source: str, record: str = "", restates: bool = False) -> SourceState:
        """Rows added from here on are of this source; with `restates` a day it brings again replaces that day.

        Such events may carry `source_day`, the day of the source's own calendar in days since 1970; without it
        the day of `occurred_at` in the dataset's zone counts.
        """
        self._write_all()
        return self._writer.begin(source, record, restates)

    def remember(self, kind: str, keys: Iterable[tuple[Value, ...]]) -> None:
        """Keys that were there before this import."""
        for key in keys:
            self._seen[kind].setdefault(fingerprint(key), 0)

    def add(self, record: str, row: Mapping[str, Value]) -> None:
        """One row of a record, by column."""
        held = self._held[record]
        held.append(row)
        if len(held) >= BATCH:
            self._write(record)

    def reject(self, file: str, line: int, reason: str, column: str, payload: str) -> None:
        self._rejects.append((file, line, reason, column, payload))
        if len(self._rejects) >= BATCH:
            self._write_rejects()

    def seen(self, kind: str, key: tuple[Value, ...], content: tuple[Value, ...] = ()) -> str | None:
        """Remember a key: None if it is new, `same` or `other` if it came before with the same or other content."""
        digest, seen = fingerprint(key), self._seen[kind]
        known = seen.get(digest)
        if known is None:
            seen[digest] = fingerprint(content) if content else 0
            return None
        return "same" if known == (fingerprint(content) if content else 0) else "other"

    def has(self, kind: str, key: tuple[Value, ...]) -> bool:
        return fingerprint(key) in self._seen[kind]

    def close(self) -> None:
        """Write what is still held."""
        self._write_all()
        self._write_rejects()

    def _write_all(self) -> None:
        for record in RECORDS:
            self._write(record)

    def _write(self, record: str) -> None:
        rows = self._held.pop(record, [])
        if rows:
            further = [c for c in FURTHER.get(record, ()) if any(c.name in row for row in rows)]
            self._writer.add(
                record,
                {c.name: filled(c.kind, [row.get(c.name) for row in rows]) for c in (*self._columns[record], *further)},
            )

    def _write_rejects(self) -> None:
        if self._rejects:
            columns = [list(c) for c in zip(*self._rejects, strict=True)]
            self._writer.add_table("rejects", pa.Table.from_arrays([pa.array(c) for c in columns], schema=REJECTS))
            self._rejects = []


def fingerprint(key: tuple[Value, ...]) -> int:
    """64 bits of a key: among ten million keys two would fall together once in a few hundred thousand imports."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "big")
