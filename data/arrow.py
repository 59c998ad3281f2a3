"""Records as Arrow tables and back: the only place that turns `data.records` into an Arrow schema.

    text, code -> string            time  -> timestamp[us, UTC]      money   -> int64 (whole minor units)
    number     -> float64           flag  -> bool                    integer -> int64

Null is null on disk; in memory it is -1, NULL_TIME or NaN as `data.records` says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.dataset import ExtraColumn, stored
from data.errors import InputError
from data.records import NULL_TIME, Array, Coded, Column, Columns, Record

TYPES = {
    "text": pa.string(), "code": pa.string(), "time": pa.timestamp("us", tz="UTC"), "number": pa.float64(),
    "money": pa.int64(), "flag": pa.bool_(), "integer": pa.int64(),
}  # fmt: skip
# Read as plain strings: nearly every row has its own, and a dictionary of a whole file would be kept for a few rows.
MANY_VALUED = frozenset({"event_id", "visitor_id", "lead_id", "session_id"})


def columns_of(record: Record, extra: Iterable[ExtraColumn] = ()) -> tuple[Column, ...]:
    """The columns of a record on disk: its own, and for leads the declared extra ones."""
    declared = tuple(Column(e.name, e.kind, unit=e.unit) for e in stored(extra)) if record.name == "leads" else ()
    return record.columns + declared


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of these columns; required ones are not nullable."""
    return pa.schema([pa.field(c.name, TYPES[c.kind], nullable=not c.required) for c in columns])


def shared_texts(columns: Sequence[Column], plain: Collection[str] = MANY_VALUED) -> list[str]:
    """The text columns read as dictionaries: all but the plain ones."""
    return [c.name for c in columns if c.kind in ("text", "code") and c.name not in plain]


def empty(columns: Sequence[Column], plain: Collection[str] = MANY_VALUED) -> pa.Table:
    """No rows, typed as records are read."""
    shared = shared_texts(columns, plain)
    kinds = {c.name: pa.dictionary(pa.int32(), pa.string()) if c.name in shared else TYPES[c.kind] for c in columns}
    return pa.schema([pa.field(c.name, kinds[c.name], nullable=not c.required) for c in columns]).empty_table()


def to_arrow(values: Columns, columns: Sequence[Column], where: str) -> pa.Table:
    """NumPy columns as a table of exactly `columns`; missing ones are null (flags false, integers 0).

    Raises
    ------
    InputError
        for columns nobody declared, columns of different length, or a null in a required column.
    """
    unknown = sorted(set(values) - {c.name for c in columns})
    lengths = {len(v) for v in values.values()}
    if unknown or len(lengths) > 1:
        got = f"undeclared columns {', '.join(unknown)}" if unknown else f"columns of lengths {sorted(lengths)}"
        remedy = "Declare extra columns, or leave them out."
        raise InputError.of(where=where, expected="the record's columns, equally long", got=got, remedy=remedy)
    n = lengths.pop() if lengths else 0
    arrays = [_to_array(values.get(c.name), c, n, where) for c in columns]
    return pa.Table.from_arrays(arrays, schema=schema_of(columns))


def _to_array(value: Coded | Array | None, column: Column, n: int, where: str) -> pa.Array:
    if value is None:
        never_null = column.kind in ("flag", "integer")
        array = pa.array(np.zeros(n)).cast(TYPES[column.kind]) if never_null else pa.nulls(n, TYPES[column.kind])
    elif isinstance(value, Coded):
        array = _texts(value)
    else:
        array = _numbers(value, column, where)
    if column.required and array.null_count:
        raise InputError.of(
            where=f"{where}, column {column.name}", expected="a value in every row",
            got=f"{array.null_count} nulls", remedy="Reject those rows.",
        )  # fmt: skip
    return array


def _texts(value: Coded) -> pa.Array:
    codes = pa.array(value.codes, pa.int32(), mask=value.codes < 0)
    if not value.values:
        return pa.nulls(len(value), pa.string())
    return pa.DictionaryArray.from_arrays(codes, pa.array(value.values, pa.string())).cast(pa.string())


def _numbers(value: Array, column: Column, where: str) -> pa.Array:
    if column.kind == "time":
        return pa.array(value.astype(np.int64), pa.int64(), mask=value == NULL_TIME).cast(TYPES["time"])
    if column.kind in ("flag", "integer"):
        return pa.array(value).cast(TYPES[column.kind])
    null = np.isnan(value.astype(np.float64))
    if column.kind == "number":
        return pa.array(value.astype(np.float64), mask=null)
    whole = np.where(null, 0.0, value)
    if not np.array_equal(whole, np.rint(whole)):
        raise InputError.of(
            where=f"{where}, column {column.name}", expected="whole minor units", got="fractions", remedy="Round them."
        )
    return pa.array(whole.astype(np.int64), mask=null)


def from_arrow(table: pa.Table, columns: Sequence[Column]) -> Columns:
    """A table's columns in memory, in the order of `columns`; dictionaries are shortened to the values in use."""
    return {c.name: _from_array(table.column(c.name), c) for c in columns}


def _from_array(array: pa.ChunkedArray, column: Column) -> Coded | Array:
    if column.kind in ("text", "code"):
        return coded(array)
    if column.kind == "time":
        return micros(array)
    if column.kind == "flag":
        return _numpy(pc.fill_null(array, False)).astype(np.bool_)
    if column.kind == "integer":
        return _numpy(pc.fill_null(array, 0)).astype(np.int64)
    return _numpy(pc.fill_null(array.cast(pa.float64()), float("nan"))).astype(np.float64)


def micros(array: pa.ChunkedArray) -> NDArray[np.int64]:
    """Times as int64 microseconds, NULL_TIME = null."""
    return _numpy(pc.fill_null(array.cast(pa.int64()), NULL_TIME)).astype(np.int64)


class Texts(Sequence[str]):
    """Texts as Arrow keeps them: of nearly as many values as rows, few are ever asked for."""

    def __init__(self, array: pa.StringArray) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return Texts(self._array[at]) if isinstance(at, slice) else str(self._array[at])

    def __iter__(self) -> Iterator[str]:
        return iter(self._array.to_pylist())


def coded(array: pa.ChunkedArray) -> Coded:
    """Strings or dictionaries as codes; no loop over rows."""
    plain = not pa.types.is_dictionary(array.type)
    if plain:
        # Chunk by chunk every chunk would carry the dictionary so far, and unifying them would cost their product.
        whole = array.combine_chunks()
        array = pc.dictionary_encode(whole if isinstance(whole, pa.ChunkedArray) else pa.chunked_array([whole]))
    if not len(array):
        return Coded.nulls(0)
    chunks = array.unify_dictionaries().chunks
    codes = np.concatenate([np.asarray(pc.fill_null(c.indices, -1).cast(pa.int32())) for c in chunks])
    dictionary = chunks[0].dictionary
    if plain:  # encoded just now: all its values are in use
        return Coded(codes, Texts(dictionary))
    used = np.zeros(len(dictionary) + 1, dtype=np.bool_)
    used[codes] = True
    kept = np.flatnonzero(used[:-1])
    lookup = np.full(len(used), -1, dtype=np.int32)
    lookup[kept] = np.arange(len(kept), dtype=np.int32)
    return Coded(lookup[codes], tuple(dictionary.take(pa.array(kept)).to_pylist()))


def _numpy(array: pa.ChunkedArray) -> NDArray[np.generic]:
    return array.to_numpy()
