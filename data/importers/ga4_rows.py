"""Files of the GA4 export -> Arrow tables of the columns that matter, all scalars as text.

JSON lines are parsed by column, a block at a time; BigQuery writes whole numbers as text, other tools as numbers, so
both spellings are tried. A block that fits neither is read line by line, and its bad lines are rejected.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pjson
import pyarrow.parquet as pq

from data.errors import InputError
from data.importers.batch import Advance
from data.importers.cells import Broken
from data.importers.json_lines import is_parquet, parse
from data.importers.streams import ByteFile, broken_archive, line_blocks

PARQUET_ROWS = 16_384


def _struct(names: tuple[str, ...], kind: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(n, kind) for n in names])


def _schema(whole: pa.DataType, real: pa.DataType) -> pa.Schema:
    text = pa.string()
    value = pa.struct([("string_value", text), ("int_value", whole), ("float_value", real), ("double_value", real)])
    manual = ("manual_source", "manual_medium", "manual_campaign_name", "gclid", "dclid", "srsltid")
    campaign = pa.struct([("manual_campaign", _struct(("source", "medium", "campaign_name"), text))])
    return pa.schema(
        [
            ("event_date", text), ("event_timestamp", whole), ("event_name", text),
            ("event_params", pa.list_(pa.struct([("key", text), ("value", value)]))),
            ("user_id", text), ("user_pseudo_id", text), ("stream_id", text),
            ("batch_page_id", whole), ("batch_ordering_id", whole), ("batch_event_index", whole),
            ("collected_traffic_source", _struct(manual, text)), ("session_traffic_source_last_click", campaign),
        ]
    )  # fmt: skip


TEXTS = _schema(pa.string(), pa.string())
SPELLINGS = (_schema(pa.string(), pa.float64()), _schema(pa.int64(), pa.float64()), TEXTS)
REQUIRED = ("event_name", "event_timestamp")


@dataclass(frozen=True)
class Piece:
    """Some rows of TEXTS with their lines, and the lines that are none."""

    table: pa.Table
    lines: Sequence[int]
    broken: list[Broken] = field(default_factory=list)


def tables(path: Path, advance: Advance) -> Iterator[Piece]:
    """All rows of a file, piece by piece.

    Raises
    ------
    InputError
        for a Parquet file without the export's columns, or a damaged archive.
    """
    if is_parquet(path):
        yield from _parquet(path, advance)
        return
    try:
        yield from _json(path, advance)
    except (EOFError, zlib.error, OSError):
        raise broken_archive(path) from None


def _json(path: Path, advance: Advance) -> Iterator[Piece]:
    number, at, best = 1, 0, 0
    with ByteFile(path) as file:
        for block, count in line_blocks(file):
            piece, best = _block(block, number, count, best)
            yield piece
            number += count
            advance(file.position() - at)
            at = file.position()


def _block(text: bytes, first: int, count: int, best: int) -> tuple[Piece, int]:
    """One block of whole lines, and the spelling that fitted."""
    for spelling in (best, *(i for i in range(len(SPELLINGS)) if i != best)):
        try:
            table = pjson.read_json(
                pa.BufferReader(text),
                read_options=pjson.ReadOptions(use_threads=False, block_size=len(text) + 1),
                parse_options=pjson.ParseOptions(
                    explicit_schema=SPELLINGS[spelling], unexpected_field_behavior="ignore"),
            )  # fmt: skip
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        if len(table) == count:
            return Piece(as_texts(table.select(TEXTS.names)), range(first, first + count)), spelling
        break
    return _by_line(text, first), best


def _by_line(text: bytes, first: int) -> Piece:
    rows, lines, broken = [], [], []
    for number, line in enumerate(text.split(b"\n"), first):
        if not line.strip():
            continue
        try:
            rows.append(_row(parse(line)))
            lines.append(number)
        except (ValueError, TypeError, AttributeError, UnicodeEncodeError):
            broken.append(Broken(number, "malformed_json"))
    return Piece(pa.Table.from_pylist(rows, schema=TEXTS), lines, broken)


def _row(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row with all scalars as text; an error for one of another shape."""
    if row is None:
        raise ValueError("no object")
    params = [{"key": _text(p["key"]) if "key" in p else None, "value": _texts_of(p.get("value"))}
              for p in row.get("event_params") or []]  # fmt: skip
    found: dict[str, Any] = {"event_params": params}
    for item in TEXTS:
        if item.name != "event_params":
            cell = row.get(item.name)
            found[item.name] = _texts_of(cell) if pa.types.is_struct(item.type) else _text(cell)
    return found


def _texts_of(cell: Any) -> dict[str, Any] | None:
    if cell is None:
        return None
    return {k: _texts_of(v) if isinstance(v, dict) else _text(v) for k, v in cell.items() if not isinstance(v, list)}


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        if cell is not None:
            cell.encode()
        return cell
    if isinstance(cell, (dict, list)):
        raise ValueError("expected a scalar")
    return json.dumps(cell)


def as_texts(table: pa.Table) -> pa.Table:
    """The same rows with all scalars as text."""
    columns = [_cast(table[f.name].combine_chunks(), f.type) for f in TEXTS]
    return pa.table(columns, schema=TEXTS)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, kind)
    if column.type == kind:
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), kind)
    if pa.types.is_list(kind):
        offsets = pc.fill_null(pc.cumulative_sum(pc.fill_null(pc.list_value_length(column), 0).cast(pa.int32())), 0)
        starts = pa.concat_arrays([pa.array([0], pa.int32()), offsets])
        return pa.ListArray.from_arrays(starts, _cast(pc.list_flatten(column), kind.value_type))
    if pa.types.is_struct(kind):
        there = (
            {column.type.field(i).name for i in range(column.type.num_fields)}
            if pa.types.is_struct(column.type)
            else set()
        )
        parts = [_cast(pc.struct_field(column, f.name), f.type) if f.name in there else pa.nulls(len(column), f.type)
                 for f in kind]  # fmt: skip
        return pa.StructArray.from_arrays(parts, fields=list(kind))
    return column.cast(kind)


def _parquet(path: Path, advance: Advance) -> Iterator[Piece]:
    number, size = 1, path.stat().st_size
    with pq.ParquetFile(path) as file:
        there = file.schema_arrow.names
        missing = [n for n in REQUIRED if n not in there]
        if missing:
            raise InputError.of(
                where=str(path), expected=f"the GA4 export with a column {missing[0]}", got="a table without it",
                remedy="Export events_* with its own column names.",
            )  # fmt: skip
        for batch in file.iter_batches(
            PARQUET_ROWS, columns=[f.name for f in TEXTS if f.name in there], use_threads=False
        ):
            table = pa.Table.from_batches([batch])
            for item in TEXTS:
                if item.name not in there:
                    table = table.append_column(item, pa.nulls(len(table), item.type))
            yield Piece(as_texts(table), range(number, number + len(table)))
            number += len(table)
            advance(size * len(table) // max(file.metadata.num_rows, 1))
