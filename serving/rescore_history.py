"""What changed since earlier sets: the rows that history keeps, and how many leads moved.

History gets a row for a lead only when its grade, its readiness or a version is another one, or when its probability is
further than a step from that of its *last row there*: small moves that go on in one direction are not lost, and at any
time history says what a lead's probability was, within a step.

    recorded-00007.parquet   beside part 7: the last row that history has of each of its leads
    history.parquet          the rows that came with this set
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.rescore_columns import SCHEMA, reading
from serving.rescore_parts import Part, write_table
from training.rules_file import GRADES

HISTORY = "history.parquet"
COLUMNS = ("lead_id", "as_of", "probability", "points", "grade", "sales_ready", "model_version", "rules_version")
_SAME = ("grade", "sales_ready", "model_version", "rules_version")  # where one differs there is a row
HISTORY_SCHEMA = pa.schema([SCHEMA.field(name) for name in COLUMNS])


@dataclass(frozen=True)
class Moves:
    """Leads against the set published before.

    better, worse: by grade. newly_ready, no_longer_ready: sales-ready. moved: probability by more than the step. new, gone:
    only in one of the two sets. recorded: rows that history got.
    """

    better: int = 0
    worse: int = 0
    newly_ready: int = 0
    no_longer_ready: int = 0
    moved: int = 0
    new: int = 0
    gone: int = 0
    recorded: int = 0

    def __add__(self, other: Moves) -> Moves:
        return Moves(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def compare(folder: Path, parts: Sequence[Part], before: Before, step: float) -> Moves:
    """Write `history.parquet` and the `recorded` files beside the parts, bucket by bucket; what moved."""
    moves = Moves()
    with (folder / HISTORY).open("wb") as out, pq.ParquetWriter(out, HISTORY_SCHEMA, compression="zstd") as history:
        for part in parts:
            now = _read(folder / part.file)
            last, rows = _recorded(now, before.recorded(part.bucket), [r.lead_id for r in part.refused], step)
            write_table(last, folder / f"recorded-{part.bucket:05d}.parquet")
            history.write_table(rows)
            moves += _moves(now, before.scores(part.bucket), step) + Moves(recorded=len(rows))
    return moves


@dataclass(frozen=True)
class Before:
    """The set published before; `folder` None where there is none to compare with."""

    folder: Path | None

    def scores(self, bucket: int) -> pa.Table:
        """Its leads of a bucket."""
        return self._of("part", bucket)

    def recorded(self, bucket: int) -> pa.Table:
        """The last rows that history has of the leads of a bucket."""
        return self._of("recorded", bucket)

    def _of(self, kind: str, bucket: int) -> pa.Table:
        file = None if self.folder is None else self.folder / f"{kind}-{bucket:05d}.parquet"
        if file is None or not file.exists():
            return HISTORY_SCHEMA.empty_table()
        with reading(file):
            return _read(file)


def _read(file: Path) -> pa.Table:
    return pq.ParquetFile(file).read(columns=list(COLUMNS)).combine_chunks()


def _recorded(now: pa.Table, last: pa.Table, refused: Sequence[str | None], step: float) -> tuple[pa.Table, pa.Table]:
    """The last rows of these leads from now on, and those of them that are new. Who is in quarantine keeps its own."""
    row = _rows_in(now, last)
    differs = (row < 0) | _moved(now, last, row, step)
    for new, old in (_codes(now, last, name) for name in _SAME):
        differs |= new != _at(old, row)
    both = pa.concat_tables([now, last])
    kept = both.take(np.where(differs, np.arange(len(now)), len(now) + row))
    absent = last.filter(pc.is_in(last.column("lead_id"), value_set=pa.array(refused, pa.string())))
    return pa.concat_tables([kept, absent]).combine_chunks(), now.filter(pa.array(differs)).combine_chunks()


def _moves(now: pa.Table, then: pa.Table, step: float) -> Moves:
    row = _rows_in(now, then)
    known = row >= 0
    old_ready, new_ready = (t.column("sales_ready").to_numpy() for t in (then, now))
    old_rank, new_rank = (_numbers(pc.index_in(t.column("grade"), value_set=pa.array(GRADES))) for t in (then, now))
    was, rank = _at(old_ready.astype(np.int64), row), _at(old_rank.astype(np.int64), row)
    return Moves(
        better=_count(known & (new_rank < rank)), worse=_count(known & (new_rank > rank)),
        newly_ready=_count(known & new_ready & (was == 0)), no_longer_ready=_count(known & ~new_ready & (was == 1)),
        moved=_count(known & _moved(now, then, row, step)), new=_count(~known),
        gone=len(then) - _count(known),
    )  # fmt: skip


def _rows_in(now: pa.Table, other: pa.Table) -> Any:
    """The row of each lead in another table, -1 = not there."""
    ids = other.column("lead_id").combine_chunks()
    return _numbers(pc.fill_null(pc.index_in(now.column("lead_id"), value_set=ids), -1)).astype(np.int64)


def _moved(now: pa.Table, then: pa.Table, row: Any, step: float) -> Any:
    """Whose probability is more than a step away; also who has one in one table only."""
    new, old = (_numbers(pc.fill_null(t.column("probability"), float("nan"))) for t in (now, then))
    old = np.append(old, np.nan)[row]
    return (np.abs(new - old) > step) | (np.isnan(new) != np.isnan(old))


def _codes(now: pa.Table, then: pa.Table, name: str) -> tuple[Any, Any]:
    """A column of both tables as numbers that are equal where the values are; null is a value."""
    both = pa.concat_arrays([c for t in (now, then) for c in t.column(name).chunks])
    codes = _numbers(pc.dictionary_encode(both, null_encoding="encode").indices).astype(np.int64)
    return codes[: len(now)], codes[len(now) :]


def _at(values: Any, row: Any) -> Any:
    """The value of each row, -1 for row -1."""
    return np.append(values, -1)[row]


def _numbers(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy()


def _count(mask: Any) -> int:
    return int(np.count_nonzero(mask))
