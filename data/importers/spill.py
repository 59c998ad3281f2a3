"""Events on their way into the lake: put down in parts by person, so that each part fits into memory at once.

Rates, heartbeats, gaps and links ask for all events of a visitor, in whatever order the files told them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.arrow import coded
from data.importers.clean import SCHEMA, seen_from
from data.records import bucket_of

PARTS = 64
HELD_ROWS = 65_536  # rows that are put down together, so that each part gets a piece worth writing


class Spill:
    """Parts of events on disk, and in memory what tells duplicates: 16 bytes an event. Use as a context manager."""

    def __init__(self, beside: Path) -> None:
        beside.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=".import.", suffix=".staging", dir=beside))
        self._open: dict[int, pa.RecordBatchFileWriter] = {}
        self._ids: list[NDArray[np.int64]] = []
        self._seen: list[NDArray[np.int64]] = []
        self._held: list[pa.Table] = []
        self._held_rows = self.rows = 0

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, table: pa.Table) -> None:
        """Some rows of SCHEMA."""
        self._ids.append(np.fromiter(map(hash, table["event_id"].to_pylist()), np.int64, len(table)))
        self._seen.append(seen_from(table))
        self._held.append(table)
        self.rows += len(table)
        self._held_rows += len(table)
        if self._held_rows >= HELD_ROWS:
            self._put_down()

    def _put_down(self) -> None:
        table = pa.concat_tables([SCHEMA.empty_table(), *self._held])
        self._held, self._held_rows = [], 0
        parts = _parts(table)
        order, ends = np.argsort(parts, kind="stable"), np.cumsum(np.bincount(parts, minlength=PARTS))
        table, start = table.combine_chunks().take(pa.array(order)), 0
        for part, end in enumerate(ends.tolist()):
            if end > start:
                self._writer(part).write_table(table.slice(start, end - start))
            start = end

    def _writer(self, part: int) -> pa.RecordBatchFileWriter:
        if part not in self._open:
            self._open[part] = pa.ipc.new_file(str(self._folder / f"{part}.arrow"), SCHEMA)
        return self._open[part]

    def duplicates(self) -> NDArray[np.int64]:
        """Numbers of the rows to leave out, sorted: of rows with one event_id the one that could be seen first stays."""
        if not self._ids:
            return np.zeros(0, dtype=np.int64)
        ids, seen = np.concatenate(self._ids), np.concatenate(self._seen)
        self._ids, self._seen = [], []
        order = np.argsort(ids, kind="stable")
        equal = ids[order[1:]] == ids[order[:-1]]
        rows = np.sort(order[np.append(equal, False) | np.append(False, equal)])
        rows = rows[np.lexsort((rows, seen[rows], ids[rows]))]
        again = np.append(False, ids[rows[1:]] == ids[rows[:-1]]) if len(rows) else np.zeros(0, dtype=np.bool_)
        return np.sort(rows[again]).astype(np.int64)

    def parts(self) -> Iterator[tuple[int, pa.Table]]:
        """Each part with its number, once; what was read is deleted."""
        self._put_down()
        numbers = sorted(self._open)
        while self._open:
            self._open.popitem()[1].close()
        for part in numbers:
            file = self._folder / f"{part}.arrow"
            with pa.OSFile(str(file)) as source:
                yield part, pa.ipc.open_file(source).read_all()
            file.unlink()


def _parts(table: pa.Table) -> NDArray[np.int64]:
    """Part of each row: of the visitor, else of the lead."""
    visitor, lead = (coded(table[name]) for name in ("visitor_id", "lead_id"))
    by_visitor = np.array([*map(part_of, visitor.values), -1], dtype=np.int64)[visitor.codes]
    by_lead = np.array([*(bucket_of(v, PARTS) for v in lead.values), -1], dtype=np.int64)[lead.codes]
    return np.where(by_visitor >= 0, by_visitor, by_lead)


@lru_cache(maxsize=65_536)
def part_of(visitor_id: str) -> int:
    """The part a visitor's events are in: where the lake has as many buckets, they are one of these."""
    return bucket_of(f"v:{visitor_id}", PARTS)
