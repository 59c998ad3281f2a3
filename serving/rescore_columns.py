"""Scores as Arrow columns and as CSV."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.errors import InputError
from data.files import safe_cell
from data.records import NULL_TIME, Coded
from serving.reply import KEYS, Kind
from serving.scorer import Scores

_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """A damaged file of a published set is told as that; one that is gone is a FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as bad:
        raise InputError.of(
            where=str(file), expected="a file of a published set", got=" ".join(str(bad).split()),
            remedy="Put it back from a backup; else remove it: the next rescore then publishes as if it were the first.",
        ) from None  # fmt: skip


def arrow_type(kind: Kind) -> pa.DataType:
    """The Arrow type of a kind of column."""
    return _TYPES[kind]


SCHEMA = pa.schema([*((key, _TYPES[kind]) for key, kind in KEYS.items()), ("rank_score", pa.float64())])


def to_arrow(scores: Scores) -> pa.Table:
    """The reply's keys in its order and `rank_score`."""
    arrays = [_array(kind, scores.columns[key]) for key, kind in KEYS.items()]
    return pa.Table.from_arrays([*arrays, _array("number", scores.rank_score)], schema=SCHEMA)


def _array(kind: Kind, column: Any) -> pa.Array:
    if isinstance(column, Coded):
        codes = pa.array(column.codes, mask=column.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(column.values, pa.string())).cast(pa.string())
    if kind == "number":
        return pa.array(column, pa.float64(), mask=np.isnan(column))
    if kind == "time":
        return pa.array(column, pa.int64(), mask=column == NULL_TIME).cast(_TYPES["time"])
    return pa.array(column, _TYPES[kind])


def csv_of(table: pa.Table, header: bool = False, safe: bool = False) -> bytes:
    """Rows as CSV, UTF-8; a null is an empty cell, an empty text a pair of quotes.

    safe: a text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    columns = [written(c, safe) for c in table.itercolumns()]
    out = io.BytesIO()
    rows = pa.Table.from_arrays(columns, names=table.column_names)
    pa.csv.write_csv(rows, out, pa.csv.WriteOptions(include_header=header))
    return out.getvalue()


def written(column: pa.ChunkedArray, safe: bool = False) -> pa.ChunkedArray:
    """A column as CSV has it: times as in replies, texts harmless where asked."""
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    if safe and pa.types.is_string(column.type):
        encoded = pc.dictionary_encode(column.combine_chunks())
        texts = [None if v is None else safe_cell(v) for v in encoded.dictionary.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])
    return column
