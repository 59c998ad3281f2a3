"""A dataset whose records are Arrow tables in memory, for whoever holds some people's records and no folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pyarrow as pa

from data import arrow
from data.dataset import DatasetInfo
from data.lake import Lake
from data.lake_manifest import Manifest
from data.records import Column


class Tables(Lake):
    """All in one bucket. tables: by the record's name, typed as `data.arrow` says; records left out have no rows.

    Of two profile rows of one lead and moment the one with the larger `source_row` holds.
    """

    def __init__(self, info: DatasetInfo, tables: Mapping[str, pa.Table], place: str) -> None:
        self.info, self.manifest, self._files = replace(info, buckets=1), Manifest(), {}
        self._tables, self._place = dict(tables), place
        if "leads" in self._tables:
            self._tables["leads"] = self._tables["leads"].sort_by("source_row")

    @property
    def place(self) -> str:
        return self._place

    def _read(self, name: str, buckets: Iterable[int]) -> pa.Table:
        columns = self._columns(name)
        table = self._tables.get(name)
        if table is None or not list(buckets):
            return arrow.empty(columns)
        shared = arrow.shared_texts(columns)
        arrays = [_as_read(table.column(c.name), c, c.name in shared) for c in columns]
        return pa.Table.from_arrays(arrays, schema=arrow.empty(columns).schema)


def _as_read(values: pa.ChunkedArray, column: Column, shared: bool) -> pa.ChunkedArray:
    typed = values.cast(arrow.TYPES[column.kind])
    return typed.dictionary_encode() if shared else typed
