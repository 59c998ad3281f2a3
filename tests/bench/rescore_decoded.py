"""A lake as decoded tables in memory, all of it: what features are computed from where nothing has to be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa

from data import arrow
from data.lake import Lake
from data.lake_arrange import PLAIN, Arranged, chunks, pieces

FOR_FEATURES = ("events", "leads", "links")


class Decoded(Lake):
    """Its events, leads and links are read at once and kept as the job reads them; other records have no rows."""

    def __init__(self, lake: Lake) -> None:
        self.__dict__.update(vars(lake))
        buckets = range(lake.info.buckets)
        self._kept = {("links", *buckets): lake.links}
        for bucket in buckets:
            self._kept["leads", bucket] = lake.bucket("leads", bucket)
        for chunk in chunks(lake):
            self._kept["events", *chunk] = lake.events_with_shared_ids(chunk, PLAIN)

    def _read(
        self, name: str, buckets: Iterable[int], only: Collection[str] | None = None,
        plain: Collection[str] = arrow.MANY_VALUED,
    ) -> pa.Table:  # fmt: skip
        return self._kept[name, *buckets] if name in FOR_FEATURES else arrow.empty(self._columns(name))

    def texts(self, name: str, column: str, buckets: Iterable[int]) -> pa.ChunkedArray:
        return pa.concat_tables([self._read(name, [bucket]) for bucket in buckets]).column(column)


class ArrangedInMemory(Arranged):
    """Events found for each group of people as the job finds them, but in memory: no file is written or read."""

    def __init__(self, lake: Lake, groups: Sequence[Sequence[int]]) -> None:
        self.__dict__.update(vars(lake))
        self._groups = {tuple(g): i for i, g in enumerate(groups)}
        self._found = defaultdict[int, list[pa.Table]](list)
        for _, group, rows in pieces(lake, groups, range(len(chunks(lake)))):
            self._found[group].append(rows)

    def _pieces(self, group: int) -> list[pa.Table]:
        return self._found[group]
