"""Parquet parts: read as a record's columns whatever generation wrote them, written so that they survive a power cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.files import sync


def read_parts(files: Iterable[Path], schema: pa.Schema, shared: Sequence[str] = ()) -> pa.Table:
    """All rows of some parts in these columns; a column that a part lacks is null there, further ones are left out."""
    tables = [schema.empty_table()]
    for file in files:
        with pq.ParquetFile(file, read_dictionary=list(shared)) as parquet:
            there = set(parquet.schema_arrow.names)
            table = parquet.read(columns=[n for n in schema.names if n in there], use_threads=False)
        for field in schema:
            if field.name not in there:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        tables.append(pa.Table.from_arrays([table.column(n) for n in schema.names], schema=schema))
    return pa.concat_tables(tables)


def write_part(file: Path, table: pa.Table) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, **kept_as(table.schema))


def kept_as(schema: pa.Schema) -> dict[str, Any]:
    """How columns are kept in Parquet: quick to read, in about the room that Zstandard with dictionaries for all of them takes.

    A dictionary is for texts alone, and not for those that no two rows share; whole numbers and times are kept as what
    lies between one and the next.
    """
    texts = [f.name for f in schema if pa.types.is_string(f.type) and f.name != "event_id"]
    whole = [f.name for f in schema if pa.types.is_integer(f.type) or pa.types.is_timestamp(f.type)]
    steps = dict.fromkeys(whole, "DELTA_BINARY_PACKED")
    return {"compression": "lz4", "use_dictionary": texts, "column_encoding": steps}


def sync_tree(folder: Path) -> None:
    """Force all files and folders below, and the folder itself."""
    for entry in (
        *(f for f in folder.rglob("*") if f.is_file()),
        *(d for d in folder.rglob("*") if d.is_dir()),
        folder,
    ):
        sync(entry)
