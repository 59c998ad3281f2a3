"""A dataset as a folder of Parquet: `<record>/bucket=07/part-000.parquet`, `dataset.toml` and its texts.

Events lie in their visitor's bucket (without visitor: in their lead's), so a new link rewrites nothing; reading a
group of leads filters all event buckets once and joins what is left through the links.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data import arrow, lake_manifest
from data.accounts import Accounts
from data.dataset import DatasetInfo, People, bucket_groups
from data.errors import InputError
from data.identity import Links
from data.lake_parts import read_parts
from data.lake_write import LakeWriter, write_lake
from data.merges import handed_on, merges_into, with_merged
from data.read_accounts import GROUP_COLUMNS, Source, read_accounts
from data.records import LEAD, NULL_TIME, RECORDS, Coded, Column, Columns, bucket_of, concat, take

__all__ = ["Lake", "LakeWriter", "write_lake"]

I64 = NDArray[np.int64]
PART_ROWS = 1_000_000
ACCOUNT_EVENTS = 5_000_000


class Lake:
    """A dataset folder. `info` and the list of files are read at once, records when asked for.

    A Lake stays with the generation it was opened on: an import that publishes meanwhile changes nothing for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info: DatasetInfo
        self.info, self.manifest = lake_manifest.read(path)
        self._files = self.manifest.folders()

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def lake(self) -> Lake:
        return self

    def people(self, max_events: int = 5_000_000) -> Iterator[People]:
        """All leads in groups of whole buckets, in bucket order, leads sorted by id within a bucket.

        Groups without leads are left out.
        """
        for buckets in bucket_groups(self.info, range(self.info.buckets), max_events):
            group = self.people_in(buckets, accounts=False)
            if len(group):
                yield replace(group, accounts=self._accounts)

    def people_in(self, buckets: Sequence[int], accounts: bool = True, outcomes: bool = True) -> People:
        """All leads of these buckets, in bucket order, leads sorted by id within a bucket."""
        group = self._people_in(buckets, outcomes)
        return replace(group, accounts=self._accounts) if accounts else group

    def people_of(self, lead_id: str) -> People:
        """All leads of the bucket that holds this lead; it may hold none. Accounts are those of this lead alone."""
        people = self._people_in([bucket_of(lead_id, self.info.buckets)])
        return replace(people, accounts=read_accounts(self._source(), ACCOUNT_EVENTS, [lead_id]))

    def rules_text(self) -> str | None:
        return self._text("rules.yaml")

    def content_text(self) -> str | None:
        return self._text("content.yaml")

    def urls(self) -> Mapping[str, int]:
        """Page views of people by URL, visitors nobody knows included."""
        views: Counter[str] = Counter()
        for part in self._event_parts():
            human = pc.invert(pc.fill_null(part.column("is_bot"), False))
            seen = part.filter(pc.and_(pc.equal(part.column("type"), "page_view"), human)).column("url")
            for item in pc.value_counts(seen.combine_chunks().drop_null().cast(pa.string())).to_pylist():
                views[item["values"]] += item["counts"]
        return views

    def table(self, name: str) -> pa.Table:
        """All rows of a record, or of an extra table such as `truth` or `rejects`; an absent one is an InputError."""
        files = [self.path / f for f in self.manifest.of(name)]
        if not files:
            raise InputError.of(
                where=str(self.path), expected=f"a folder {name}/", got="none", remedy="Check the dataset's name."
            )
        if name in RECORDS:
            return read_parts(files, arrow.schema_of(self._columns(name)))
        return pa.concat_tables([pq.ParquetFile(f).read() for f in files])

    def bucket(self, name: str, number: int, only: Collection[str] | None = None) -> pa.Table:
        """The rows of one bucket of a record; with `only` the columns of these names."""
        return self._read(name, [number], only)

    def _text(self, name: str) -> str | None:
        file = self.manifest.texts.get(name)
        return (self.path / file).read_text(encoding="utf-8") if file is not None else None

    @cached_property
    def _accounts(self) -> Accounts | None:
        """Who shares an account, over all buckets; people in pieces that have about five million events."""
        counts = self.info.counts
        per_lead = counts.get("events", 0) / max(counts.get("leads", 0), 1)
        return read_accounts(self._source(), int(ACCOUNT_EVENTS / max(per_lead, 1.0)) + 1)

    def _source(self) -> Source:
        everywhere = range(self.info.buckets)
        return Source(
            self._group_columns,
            lambda ids: self._events(_texts(ids), self._events_of),
            lambda ids: self._outcomes(everywhere, _texts(ids)),
            lambda ids: self._of_leads("consents", everywhere, _texts(ids)),
        )

    def _group_columns(self) -> tuple[list[str], Columns]:
        """Everybody, and the part of their profile rows that says who belongs together."""
        parts = [self._read("leads", [b]).select(list(GROUP_COLUMNS)) for b in range(self.info.buckets)]
        table = pa.concat_tables(parts)
        lead_ids = pc.unique(table.column("lead_id").combine_chunks())
        columns = arrow.from_arrow(table, tuple(c for c in LEAD.columns if c.name in GROUP_COLUMNS[1:]))
        return lead_ids.to_pylist(), {**columns, "lead": _numbers_of(table.column("lead_id"), lead_ids)}

    def _people_in(self, buckets: Sequence[int], outcomes: bool = True) -> People:
        leads = _sorted_leads([self._read("leads", [b]) for b in buckets])
        lead_ids = pc.unique(leads.column("lead_id").combine_chunks())
        columns = arrow.from_arrow(leads, self._columns("leads"))
        columns["lead"] = _numbers_of(leads.column("lead_id"), lead_ids)
        owner = columns["lead"]
        assert isinstance(owner, np.ndarray)
        return People(
            lead_ids=tuple(lead_ids.to_pylist()),
            created_at=_least(columns["created_at"], owner, len(lead_ids), NULL_TIME),
            source_row=_least(columns["source_row"], owner, len(lead_ids), 0),
            labels=self._labels(buckets, lead_ids),
            leads=columns,
            events=self._events_in(buckets, lead_ids),
            outcomes=self._outcomes(buckets, lead_ids) if outcomes else {},
            consents=self._of_leads("consents", buckets, lead_ids),
        )

    def _labels(self, buckets: Sequence[int], lead_ids: pa.Array) -> NDArray[np.float64]:
        labels = np.full(len(lead_ids), np.nan)
        table = self._read("labels", buckets)
        lead = _numbers_of(table.column("lead_id"), lead_ids)
        values = table.column("label").to_numpy().astype(np.float64)
        labels[lead[lead >= 0]] = values[lead >= 0]
        return labels

    def _of_leads(self, name: str, buckets: Iterable[int], lead_ids: pa.Array) -> Columns:
        table = self._read(name, buckets)
        lead = _numbers_of(table.column("lead_id"), lead_ids)
        columns = arrow.from_arrow(table.filter(pa.array(lead >= 0)), self._columns(name))
        return {**columns, "lead": lead[lead >= 0]}

    def _outcomes(self, buckets: Iterable[int], lead_ids: pa.Array) -> Columns:
        """The outcomes of these leads, and those of visitors who are linked to them; a tracker tells of visitors."""
        own, told = self._of_leads("outcomes", buckets, lead_ids), self._of_visitors
        if not len(told):
            return own
        by_visitor = own["visitor_id"]
        assert isinstance(by_visitor, Coded)
        own = take(own, np.flatnonzero(~by_visitor.known()))
        links = _Links.of(self.links, lead_ids)
        visitor = _numbers_of(told.column("visitor_id"), links.visitors)
        linked, _ = links.assign(visitor, arrow.micros(told.column("occurred_at")))
        lead = np.where(
            told.column("lead_id").is_valid().to_numpy(), _numbers_of(told.column("lead_id"), lead_ids), linked
        )
        rows = np.flatnonzero(lead >= 0)
        return concat([own, {**take(arrow.from_arrow(told, self._columns("outcomes")), rows), "lead": lead[rows]}])

    @cached_property
    def _of_visitors(self) -> pa.Table:
        """Outcomes of visitors, wherever they lie: whose they are a link may say that came later."""
        told = [self._read("outcomes", [b]) for b in range(self.info.buckets)]
        return pa.concat_tables([t.filter(t.column("visitor_id").is_valid()) for t in told])

    @cached_property
    def links(self) -> pa.Table:
        """All links: whatever leads are asked for, theirs may lie in any bucket."""
        return self._read("links", range(self.info.buckets))

    @cached_property
    def merges(self) -> list[tuple[str, str, int]]:
        """(lead that went, lead that stayed, moment) of each merge."""
        return _merges(self.links)

    def _events_in(self, buckets: Sequence[int], lead_ids: pa.Array) -> Columns:
        """The events of the leads of these buckets, merged ones included."""
        return self._events(lead_ids, self._events_of)

    def _events(self, lead_ids: pa.Array, events_of: Callable[[pa.Array], Columns]) -> Columns:
        """The events of these leads, and from each merge on those of the leads that were merged into them.

        events_of: gives the events of some leads, with `lead` and `known_from`.
        """
        told = self.merges
        own = lead_ids.to_pylist() if told else []
        merges = merges_into(told, own)
        if not merges:
            return events_of(lead_ids)
        ids = with_merged(own, merges)
        return handed_on(events_of(_texts(ids)), ids, merges, len(own))

    def _events_of(self, lead_ids: pa.Array) -> Columns:
        links = _Links.of(self.links, lead_ids)
        table = pa.concat_tables([_of_people(part, lead_ids, links.visitors) for part in self._event_parts()])
        columns = arrow.from_arrow(table, self._columns("events"))
        own, known_from = _numbers_of(table.column("lead_id"), lead_ids), np.full(len(table), NULL_TIME)
        visitor = np.where(own < 0, _numbers_of(table.column("visitor_id"), links.visitors), -1)
        linked, since = links.assign(visitor, arrow.micros(table.column("occurred_at")))
        lead = np.where(own >= 0, own, linked)
        rows = np.flatnonzero(lead >= 0)
        known_from = np.where(own >= 0, known_from, since)
        return {**take(columns, rows), "lead": lead[rows], "known_from": known_from[rows]}

    def _event_parts(self) -> Iterator[pa.Table]:
        """All events, chunk by chunk."""
        return map(self.events_in, self.event_chunks)

    @cached_property
    def event_chunks(self) -> list[list[int]]:
        """The buckets of events, some at a time: filtering costs as much per chunk as per row."""
        chunks: list[list[int]] = [[]]
        rows = 0
        for bucket in range(self.info.buckets):
            chunks[-1].append(bucket)
            rows += sum(self.manifest.parts[f].rows for f in self._files.get(f"events/bucket={bucket:02d}", ()))
            if rows >= PART_ROWS:
                chunks.append([])
                rows = 0
        return chunks

    def events_in(self, buckets: Sequence[int]) -> pa.Table:
        """The events that lie in these buckets."""
        return self._read("events", buckets)

    def events_with_shared_ids(self, buckets: Sequence[int], plain: Collection[str]) -> pa.Table:
        """The same; all texts are dictionaries but for the plain ones."""
        return self._read("events", buckets, plain=plain)

    def texts(self, name: str, column: str, buckets: Iterable[int]) -> pa.ChunkedArray:
        """One column of texts of a record."""
        columns = tuple(c for c in self._columns(name) if c.name == column)
        return read_parts(self._part_files(name, buckets), arrow.schema_of(columns)).column(column)

    def _columns(self, name: str) -> tuple[Column, ...]:
        return arrow.columns_of(RECORDS[name], self.info.extra)

    def _read(
        self, name: str, buckets: Iterable[int], only: Collection[str] | None = None,
        plain: Collection[str] = arrow.MANY_VALUED,
    ) -> pa.Table:  # fmt: skip
        columns = tuple(c for c in self._columns(name) if only is None or c.name in only)
        schema, shared = arrow.empty(columns, plain).schema, arrow.shared_texts(columns, plain)
        return read_parts(self._part_files(name, buckets), schema, shared)

    def _part_files(self, name: str, buckets: Iterable[int]) -> list[Path]:
        return [self.path / f for bucket in buckets for f in self._files.get(f"{name}/bucket={bucket:02d}", ())]


class _Links:
    """The links of the visitors of some leads, all their other leads included: these decide with them."""

    def __init__(self, visitors: pa.Array, links: Links, lead_of_rank: I64) -> None:
        self.visitors, self._links, self._lead_of_rank = visitors, links, lead_of_rank

    @staticmethod
    def of(table: pa.Table, lead_ids: pa.Array) -> _Links:
        ours = table.filter(pc.is_in(table.column("lead_id"), value_set=lead_ids))
        visitors = pc.unique(ours.column("visitor_id").combine_chunks())
        table = table.filter(pc.is_in(table.column("visitor_id"), value_set=visitors))
        # Leads are numbered in the order of their ids, so that a tie in time is decided alike in every group.
        ids = pc.unique(table.column("lead_id").combine_chunks())
        ids = ids.take(pc.sort_indices(ids))
        visitor, rank = _numbers_of(table.column("visitor_id"), visitors), _numbers_of(table.column("lead_id"), ids)
        links = Links.of(visitor, rank, arrow.micros(table.column("known_from")))
        return _Links(visitors, links, _numbers_of(pa.chunked_array([ids]), lead_ids))

    def assign(self, visitor: I64, occurred_at: I64) -> tuple[I64, I64]:
        """Lead number (-1 = none of ours) and since when that is known, for each event."""
        rank, since = self._links.assign(visitor, occurred_at)
        return np.append(self._lead_of_rank, -1)[rank], since


def _merges(links: pa.Table) -> list[tuple[str, str, int]]:
    """(lead that went, lead that stayed, moment) of the merges among all links."""
    table = links.filter(pc.equal(links.column("kind").cast(pa.string()), "merge"))
    moments = arrow.micros(table.column("known_from")).tolist()
    return list(zip(table.column("visitor_id").to_pylist(), table.column("lead_id").to_pylist(), moments, strict=True))


def _texts(ids: Sequence[str]) -> pa.Array:
    return pa.array(ids, pa.string())


def _of_people(events: pa.Table, lead_ids: pa.Array, visitors: pa.Array) -> pa.Table:
    """The events that name one of these leads, or name none and are of one of these visitors."""
    lead, visitor = events.column("lead_id"), events.column("visitor_id")
    linked = pc.and_(pc.is_null(lead), pc.is_in(visitor, value_set=visitors))
    return events.filter(pc.or_(pc.is_in(lead, value_set=lead_ids), linked))


def _sorted_leads(tables: Sequence[pa.Table]) -> pa.Table:
    """Lead rows bucket by bucket, each by lead_id and since when they hold; rows that tie stay in file order."""
    keys = [("lead_id", "ascending"), ("since", "ascending"), ("row", "ascending")]
    ordered = []
    for table in tables:
        since = pc.coalesce(table.column("valid_from"), table.column("created_at"))
        numbered = table.append_column("row", pa.array(np.arange(len(table)))).append_column("since", since)
        ordered.append(table.take(pc.sort_indices(numbered, sort_keys=keys)))
    return pa.concat_tables(ordered)


def _numbers_of(texts: pa.ChunkedArray, values: pa.Array) -> I64:
    """Position of each text in `values`, -1 = not there or null."""
    found = pc.index_in(texts, value_set=values.cast(pa.string()), skip_nulls=True)
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)


def _least(values: object, owner: I64, n: int, null: int) -> I64:
    """The least non-null value of each lead, `null` where all are."""
    assert isinstance(values, np.ndarray)
    known = values != null
    least = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(least, owner[known], values[known])
    return np.where(least == np.iinfo(np.int64).max, null, least)
