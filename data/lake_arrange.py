"""The events of a lake once more, beside the people they count for, and joined to them.

In a lake they lie in their visitors' buckets, so that whoever reads some people has to look at all of them. Arranged for
some groups of people they are looked at once, whatever the number of groups:

    <folder>/0003-0007.arrow    of chunk 7 of the events those that group 3 wants; `lead_id` says whose each is, and
                                `known_from` since when that is known; nobody's events are left out

Files are as large as in memory, and mapped when they are read: to pack and unpack them would cost more than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data import arrow
from data.identity import Links
from data.lake import Lake
from data.merges import merges_into
from data.records import NULL_TIME, Columns

I64 = NDArray[np.int64]
SAID = ("visitor_id", "lead_id")  # what says whose an event is: columns that people read from here do not have
CHUNK_ROWS = 1_200_000  # arranged at once: each chunk leaves a file to each group, to be put together again
PLAIN = arrow.MANY_VALUED.difference(SAID)


class Arranged(Lake):
    """A lake whose events of some groups of buckets come from a folder, where `arrange` has put them."""

    def __init__(self, lake: Lake, groups: Sequence[Sequence[int]], folder: Path) -> None:
        self.__dict__.update(vars(lake))
        self._groups, self._folder = {tuple(g): i for i, g in enumerate(groups)}, folder

    def _events_in(self, buckets: Sequence[int], lead_ids: pa.Array) -> Columns:
        return self._events(lead_ids, partial(self._events_of_group, self._groups[tuple(buckets)]))

    def _events_of_group(self, group: int, ids: pa.Array) -> Columns:
        columns = tuple(c for c in self._columns("events") if c.name not in SAID)
        table = pa.concat_tables(self._pieces(group) or [_empty(self)])
        lead = _numbers(table.column("lead_id"), ids)
        return {**arrow.from_arrow(table, columns), "lead": lead, "known_from": table.column("known_from").to_numpy()}

    def _pieces(self, group: int) -> list[pa.Table]:
        return [_mapped(f) for f in sorted(self._folder.glob(f"{group:04d}-*.arrow"))]


def chunks(lake: Lake) -> list[list[int]]:
    """The buckets of events that are arranged at once: about equally many, so that workers have equally much to do, and no
    more events than CHUNK_ROWS where a bucket has fewer."""
    buckets, rows = np.arange(lake.info.buckets), lake.info.counts.get("events", 0)
    at_once = max(CHUNK_ROWS * len(buckets) // max(rows, 1), 1)
    return [chunk.tolist() for chunk in np.array_split(buckets, -(-len(buckets) // at_once))]


def arrange(lake: Lake, groups: Sequence[Sequence[int]], folder: Path, steps: Iterable[int]) -> Arranged:
    """Put the events of some chunks where `Arranged` reads them, which it returns; to be read when all steps are done.

    groups: buckets (ascending) of people who are read together. steps: numbers of `chunks`.
    """
    for number, group, rows in pieces(lake, groups, steps):
        _write(folder / f"{group:04d}-{number:04d}.arrow", rows)
    return Arranged(lake, groups, folder)


def pieces(lake: Lake, groups: Sequence[Sequence[int]], steps: Iterable[int]) -> Iterator[tuple[int, int, pa.Table]]:
    """The number of a chunk and of a group, and the events that are arranged for them: what a file holds."""
    # The process's own pool: the default one returns pages after 10 ms, to fetch and clear the same ones again.
    pa.set_memory_pool(pa.system_memory_pool())
    owners = Owners.of(lake, groups)
    _give_back()
    links = AllLinks.of(lake, owners.ids)
    _give_back()
    for number in steps:
        table, lead = links.join(lake.events_with_shared_ids(chunks(lake)[number], PLAIN))
        order, starts = owners.in_groups(lead)
        table, lead = table.take(pa.array(order)), lead[order]
        for group in np.flatnonzero(np.diff(starts)).tolist():
            first, last = starts[group], starts[group + 1]
            rows = _short(table.slice(first, last - first))
            yield number, group, rows.append_column("lead_id", owners.texts(lead[first:last]))
            del rows
        del table, lead, order  # two chunks at once would be twice the memory
        _give_back()


def _give_back() -> None:
    """Memory that is kept for later goes back: what it takes to number texts is several times as large as they are, and
    what chunks leave behind adds up."""
    pa.default_memory_pool().release_unused()


def _write(file: Path, rows: pa.Table) -> None:
    rows = rows.combine_chunks()
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, rows.schema) as writer:
        writer.write_table(rows)


def _mapped(file: Path) -> pa.Table:
    with pa.memory_map(str(file)) as there:
        return pa.ipc.open_file(there).read_all()


def _short(table: pa.Table) -> pa.Table:
    """The same rows without dictionaries that are longer than they: each file has its own."""
    for at, field in enumerate(table.schema):
        column = table.column(at)
        if pa.types.is_dictionary(field.type) and any(len(c.dictionary) > len(table) for c in column.chunks):
            table = table.set_column(at, field, column.cast(pa.string()).dictionary_encode())
    return table


def _empty(lake: Lake) -> pa.Table:
    """No rows, typed as arranged events are."""
    table = lake.events_with_shared_ids([], PLAIN).drop_columns(["visitor_id"])
    return table.append_column("known_from", pa.nulls(0, pa.int64()))


@dataclass(frozen=True)
class Owners:
    """Whose events are wanted, and by which group.

    ids: leads of the groups, group by group, then others that were merged into one of them. starts: where the leads of
    each group begin, and the end. gone: per group the numbers of leads that were merged into one of it.
    """

    ids: pa.Array
    starts: I64
    gone: list[I64]

    @staticmethod
    def of(lake: Lake, groups: Sequence[Sequence[int]]) -> Owners:
        own = [pc.unique(lake.texts("leads", "lead_id", buckets)).drop_null() for buckets in groups]
        starts = np.cumsum([0, *map(len, own)])
        leads = pa.concat_arrays(own)
        del own
        told = lake.merges
        if not told:
            return Owners(leads, starts, [np.zeros(0, dtype=np.int64)] * len(groups))
        merges = merges_into(told, leads.to_pylist())
        gone, stayed = (pa.array(t, pa.string()) for t in ([m.gone for m in merges], [m.stayed for m in merges]))
        ids = pc.unique(pa.concat_arrays([leads, gone]))
        into = np.searchsorted(starts, _places(stayed, leads), side="right") - 1
        number = _places(gone, ids)
        return Owners(ids, starts, [np.unique(number[into == group]) for group in range(len(groups))])

    def texts(self, lead: I64) -> pa.DictionaryArray:
        """The ids of some leads, by their numbers; these lie close together where they are of one group."""
        least = int(lead.min())
        lead = lead - least
        used = np.bincount(lead) > 0
        codes = np.cumsum(used, dtype=np.int32) - np.int32(1)
        return pa.DictionaryArray.from_arrays(codes[lead], self.ids.take(pa.array(np.flatnonzero(used) + least)))

    def in_groups(self, lead: I64) -> tuple[I64, list[int]]:
        """The rows that each group wants, in their order, group by group; where those of each group begin, and the end.

        lead: number of each row, -1 = nobody's.
        """
        count = len(self.gone)
        of_lead = np.repeat(np.arange(count), np.diff(self.starts))
        group = np.append(of_lead, np.full(len(self.ids) - len(of_lead) + 1, count)).astype(np.int16)[lead]
        row = np.arange(len(lead))
        again = list(self._handed_on(lead, group))
        if again:
            group = np.concatenate([group, *(np.full(len(r), g, dtype=np.int16) for g, r in again)])
            row = np.concatenate([row, *(r for _, r in again)])
            order = np.lexsort((row, group))
        else:
            order = np.argsort(group, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=count + 1)[:count])])
        return row[order[: starts[-1]]], starts.tolist()

    def _handed_on(self, lead: I64, group: NDArray[np.int16]) -> Iterator[tuple[int, I64]]:
        """Rows of merged leads that a group wants which is not their own."""
        merged = np.zeros(len(self.ids) + 1, dtype=np.bool_)
        merged[np.concatenate(self.gone)] = True
        rows = np.flatnonzero(merged[lead])
        for number, gone in enumerate(self.gone):
            if len(gone) and len(rows):
                yield number, rows[np.isin(lead[rows], gone) & (group[rows] != number)]


@dataclass(frozen=True)
class AllLinks:
    """All links; leads that nobody wants have the number -1."""

    ids: pa.Array
    visitors: pa.Array
    links: Links

    @staticmethod
    def of(lake: Lake, ids: pa.Array) -> AllLinks:
        table = lake.links
        vars(lake).pop("links")  # hardly anybody asks for the table again
        known_from = arrow.micros(table.column("known_from"))
        visitors, leads = (table.column(name) for name in SAID)
        del table
        code, leads = _encoded(leads)
        _give_back()
        order = np.asarray(pc.sort_indices(leads), dtype=np.int64)  # a tie in time is decided by the ids
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        lead = np.append(_places(leads, ids)[order], -1)
        del leads
        _give_back()
        visitor, visitors = _encoded(visitors)
        _give_back()
        links = Links.of(visitor, rank[code], known_from)
        return AllLinks(ids, visitors, replace(links, lead=lead[links.lead], first_lead=lead[links.first_lead]))

    def join(self, events: pa.Table) -> tuple[pa.Table, I64]:
        """Events with since when their lead is known instead of the texts that say it; and its number, -1 = nobody."""
        said, named = _numbers(events.column("lead_id"), self.ids), events.column("lead_id").is_valid().to_numpy()
        visitor = _numbers(events.column("visitor_id"), self.visitors)
        lead, known_from = self.links.assign(visitor, arrow.micros(events.column("occurred_at")))
        lead = np.where(named, said, lead)
        known_from = np.where(named, NULL_TIME, known_from)
        return events.drop_columns(list(SAID)).append_column("known_from", pa.array(known_from)), lead


def _numbers(texts: pa.ChunkedArray, values: pa.Array) -> I64:
    """Place of each text of a column of dictionaries in `values`; -1 = not there, or null."""
    if not texts.num_chunks:
        return np.zeros(0, dtype=np.int64)
    places = _places(pa.concat_arrays([c.dictionary for c in texts.chunks]), values)
    starts = np.cumsum([0, *(len(c.dictionary) for c in texts.chunks)])
    codes = [np.asarray(pc.fill_null(c.indices, -1)) for c in texts.chunks]
    chunks = zip(starts[:-1].tolist(), starts[1:].tolist(), codes, strict=True)
    return np.concatenate([np.append(places[a:b], -1)[code] for a, b, code in chunks])


def _places(texts: pa.Array, values: pa.Array) -> I64:
    """Place of each text in `values`, which are distinct; -1 = not there, or null."""
    code, distinct = _encoded(texts)
    # The table of what is looked for is the one of fewer texts: one of all values would be made anew for each call.
    found = np.asarray(pc.fill_null(pc.index_in(values, value_set=distinct, skip_nulls=True), -1))
    place, there = np.full(len(distinct) + 1, -1, dtype=np.int64), np.flatnonzero(found >= 0)
    place[found[there]] = there
    return place[code]


def _encoded(texts: pa.Array | pa.ChunkedArray) -> tuple[I64, pa.Array]:
    """Texts as codes, -1 = null, and the distinct ones."""
    encoded = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    encoded = encoded.dictionary_encode()
    return np.asarray(pc.fill_null(encoded.indices, -1), dtype=np.int64), encoded.dictionary
