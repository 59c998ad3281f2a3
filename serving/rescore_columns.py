"""Scores as Arrow columns and as CSV lines."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data.files import safe_cell
from data.records import NULL_TIME, Coded
from serving.reply import KEYS, Kind, time_text
from serving.scorer import Scores

_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}


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


def write_csv(path: Path, groups: Iterable[Scores]) -> None:
    """All rows as one CSV, UTF-8, null = empty; readers see the old file or the new one.

    A text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with staging.open("w", encoding="utf-8", newline="") as out:
            lines = csv.writer(out, lineterminator="\n")
            lines.writerow(SCHEMA.names)
            for scores in groups:
                lines.writerows(zip(*_cells(scores), strict=True))
            out.flush()
            os.fsync(out.fileno())
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def _cells(scores: Scores) -> list[list[Any]]:
    """Column by column, as text."""
    columns = [_cell_texts(kind, scores.columns[key]) for key, kind in KEYS.items()]
    return [*columns, _cell_texts("number", scores.rank_score)]


def _cell_texts(kind: Kind, column: Any) -> list[Any]:
    if isinstance(column, Coded):
        safe = [*(safe_cell(v) for v in column.values), ""]
        return [safe[c] for c in column.codes.tolist()]
    if kind == "time":
        return [time_text(v) for v in column.tolist()]
    if kind == "flag":
        return ["true" if v else "false" for v in column.tolist()]
    return ["" if v != v else v for v in column.tolist()]
