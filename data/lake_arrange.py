"""The events of a lake once more, beside the people they count for.

In a lake they lie in their visitors' buckets, so that whoever reads some people has to look at all of them. Arranged for
some groups of people they are looked at once, whatever the number of groups:

    <folder>/0003-0007.arrow    of chunk 7 of the events those that group 3 may want; nobody's events are left out
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
from numpy.typing import NDArray

from data.lake import Lake
from data.merges import merges_into

I64 = NDArray[np.int64]


class Arranged(Lake):
    """A lake whose events of some groups of buckets come from a folder, where `arrange` has put them."""

    def __init__(self, lake: Lake, groups: Sequence[Sequence[int]], folder: Path) -> None:
        self.__dict__.update(vars(lake))
        self._groups, self._folder = {tuple(g): i for i, g in enumerate(groups)}, folder

    def _parts_of(self, buckets: Sequence[int]) -> Iterator[pa.Table]:
        group = self._groups[tuple(buckets)]
        yield self.events_in([])
        for file in sorted(self._folder.glob(f"{group:04d}-*.arrow")):
            yield pyarrow.feather.read_table(file, memory_map=False)


def arrange(lake: Lake, groups: Sequence[Sequence[int]], folder: Path, steps: Iterable[int]) -> Arranged:
    """Put the events of some chunks where `Arranged` reads them, which it returns; to be read when all steps are done.

    groups: buckets (ascending) of people who are read together. steps: numbers of chunks, below `lake.event_chunks`.
    """
    routes = _Routes.of(lake, groups)
    for number in steps:
        table = lake.events_in(lake.event_chunks[number]).unify_dictionaries()
        for group, rows in routes.of_rows(table):
            file = folder / f"{group:04d}-{number:04d}.arrow"
            pyarrow.feather.write_feather(table.take(pa.array(rows)), str(file), compression="lz4")
    return Arranged(lake, groups, folder)


@dataclass(frozen=True)
class _Wanted:
    """Which groups want what is of an id: table k has the k-th group of each id, -1 = no more."""

    ids: pa.Array
    tables: list[I64]

    @staticmethod
    def of(ids: pa.Array, code: I64, group: I64) -> _Wanted:
        """From pairs of an id, by its place, and a group."""
        pairs = np.unique(np.stack([code, group]), axis=1)
        first = np.searchsorted(pairs[0], pairs[0], side="left")
        rank = np.arange(pairs.shape[1]) - first
        tables = []
        for k in range(int(rank.max(initial=0)) + 1):
            table = np.full(len(ids) + 1, -1, dtype=np.int64)  # the last one is for who is not there
            table[pairs[0][rank == k]] = pairs[1][rank == k]
            tables.append(table)
        return _Wanted(ids, tables)

    def groups(self, texts: pa.ChunkedArray, k: int) -> I64:
        """The k-th group of each text, -1 = none."""
        if k >= len(self.tables):
            return np.full(len(texts), -1, dtype=np.int64)
        return self.tables[k][_places(texts, self.ids)]


@dataclass(frozen=True)
class _Routes:
    """Where events go: those that name a lead by it, others by their visitor."""

    by_lead: _Wanted
    by_visitor: _Wanted

    @staticmethod
    def of(lake: Lake, groups: Sequence[Sequence[int]]) -> _Routes:
        own, group = _leads(lake, groups)
        gone, into = _merged(lake, own, group)
        ids = pc.unique(pa.concat_arrays([own, gone]))
        code = np.concatenate([np.arange(len(own)), _places(gone, ids)])
        by_lead = _Wanted.of(ids, code, np.concatenate([group, into]))
        links = lake.links
        visitors = pc.unique(links.column("visitor_id").combine_chunks().cast(pa.string()))
        visitor = _places(links.column("visitor_id"), visitors)
        wanted = np.concatenate([by_lead.groups(links.column("lead_id"), k) for k in range(len(by_lead.tables))])
        linked = np.tile(visitor, len(by_lead.tables))[wanted >= 0]
        return _Routes(by_lead, _Wanted.of(visitors, linked, wanted[wanted >= 0]))

    def of_rows(self, events: pa.Table) -> Iterator[tuple[int, I64]]:
        """The rows of a table that each group wants, in their order."""
        lead, visitor = events.column("lead_id"), events.column("visitor_id")
        named = lead.is_valid().to_numpy()
        found = [
            np.where(named, self.by_lead.groups(lead, k), self.by_visitor.groups(visitor, k))
            for k in range(max(len(self.by_lead.tables), len(self.by_visitor.tables)))
        ]
        group, row = np.concatenate(found), np.tile(np.arange(len(events)), len(found))
        order = np.lexsort((row, group))
        group, row = group[order], row[order]
        starts = np.flatnonzero(np.diff(group, prepend=-1))  # of each group; nobody's, -1, come first and are left out
        for start, rows in zip(starts.tolist(), np.split(row, starts)[1:], strict=True):
            yield int(group[start]), rows


def _leads(lake: Lake, groups: Sequence[Sequence[int]]) -> tuple[pa.Array, I64]:
    """All leads of the groups, each once, and the group of each."""
    found = [pc.unique(lake.texts("leads", "lead_id", buckets)) for buckets in groups]
    group = np.repeat(np.arange(len(groups), dtype=np.int64), [len(f) for f in found])
    return pa.concat_arrays(found), group


def _merged(lake: Lake, own: pa.Array, group: I64) -> tuple[pa.Array, I64]:
    """Leads that went into one of ours, once for each, and the group of the one that stayed."""
    told = lake.merges
    merges = merges_into(told, own.to_pylist()) if told else []
    stayed = pa.array([m.stayed for m in merges], pa.string())
    return pa.array([m.gone for m in merges], pa.string()), group[_places(stayed, own)]


def _places(texts: pa.Array | pa.ChunkedArray, values: pa.Array) -> I64:
    """Place of each text in `values`; -1 = not there, or null."""
    found = pc.fill_null(pc.index_in(texts, value_set=values, skip_nulls=True), -1)
    return np.asarray(found, dtype=np.int64)
