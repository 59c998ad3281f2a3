"""One walk over a dataset's records, bucket by bucket: counts by day of what arrived before a moment; no ids are kept.

Feeds are counted by arrival, so that a feed that is loaded once a day or a week is compared with its own loads.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data import arrow
from data.dataset import stored
from data.lake import Lake
from data.records import DAY, EVENT, LEAD, LINK, MICROS, NULL_TIME, OUTCOME, SPEND, Coded, Column, Columns, take
from training.monitor.marks import Marks, Sizes
from training.monitor.noise import DAYS

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]

TAGS = ("source", "medium", "campaign")
CELLS = 64  # pages are compared by the cells their addresses fall into
BUSY = 60  # more than this many events (heartbeats aside) in a day, of one person, are counted apart
_EVENT_COLUMNS = ("visitor_id", "lead_id", "occurred_at", "received_at", "type", "url", *TAGS, "dwell_seconds", "is_bot")  # fmt: skip
_SAME_LEAD = ("email_domain", "title", "company", "country", "industry")
_NO_FIELD = ("lead_id", "account_id", "email_hash")


@dataclass
class Busy:
    """Person-days with more than BUSY events: events, persons and flagged events by age in days."""

    events: I64 = field(default_factory=lambda: np.zeros(DAYS, dtype=np.int64))
    people: I64 = field(default_factory=lambda: np.zeros(DAYS, dtype=np.int64))
    flagged: I64 = field(default_factory=lambda: np.zeros(DAYS, dtype=np.int64))


@dataclass
class Tally:
    """What was counted.

    feeds: by record ("events", "leads", "links", "spend"), "outcomes:<kind>", and event types and hosts by their own
    name. repeats: events and leads that say what another one said, which the feeds leave out; by feed. fields: answers
    of new leads by column, "" = none. sizes: numbers by column. cells: (DAYS, CELLS) pages. reach: days back to the first
    arrival, by record. latest: the last arrival, us, by record.
    """

    as_of: int
    records: Marks = field(default_factory=Marks)
    types: Marks = field(default_factory=Marks)
    hosts: Marks = field(default_factory=Marks)
    outcomes: Marks = field(default_factory=Marks)
    repeats: Marks = field(default_factory=Marks)
    busy: Busy = field(default_factory=Busy)
    tags: dict[str, Marks] = field(default_factory=lambda: {t: Marks() for t in TAGS})
    fields: dict[str, Marks] = field(default_factory=dict)
    sizes: dict[str, Sizes] = field(default_factory=dict)
    cells: I64 = field(default_factory=lambda: np.zeros((DAYS, CELLS), dtype=np.int64))
    reach: dict[str, int] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)

    def known(self, at: I64, record: str) -> tuple[I64, I64]:
        """The rows that arrived in the days that are looked at, and their ages in days."""
        there = at[(at < self.as_of) & (at != NULL_TIME)]
        if len(there):
            self.reach[record] = max(self.reach.get(record, 0), int((self.as_of - 1 - there.min()) // DAY) + 1)
            self.latest[record] = max(self.latest.get(record, 0), int(there.max()))
        age = (self.as_of - 1 - at) // DAY
        rows = np.flatnonzero((at < self.as_of) & (at != NULL_TIME) & (age < DAYS))
        return rows, age[rows]

    def size(self, name: str) -> Sizes:
        return self.sizes.setdefault(name, Sizes())


def tally(lake: Lake, as_of: int, behaviour: bool = False) -> Tally:
    """Read everything once; with `behaviour` events and links alone."""
    found, said = Tally(as_of), _Said()
    for bucket in range(lake.info.buckets):
        _events(found, lake.bucket("events", bucket, _EVENT_COLUMNS))
        _links(found, lake.bucket("links", bucket))
        if behaviour:
            continue
        _leads(found, lake, lake.bucket("leads", bucket), said)
        _outcomes(found, lake.bucket("outcomes", bucket))
    _repeated_leads(found, said)
    if not behaviour and lake.info.counts.get("spend"):
        _spend(found, lake.table("spend"))
    return found


def _columns(table: pa.Table, columns: tuple[Column, ...], names: tuple[str, ...]) -> Columns:
    wanted = tuple(c for c in columns if c.name in names)
    return arrow.from_arrow(table.select([c.name for c in wanted]), wanted)


def _one(text: str, n: int) -> Coded:
    return Coded(np.zeros(n, dtype=np.int32), (text,))


def _text(columns: Columns, name: str) -> Coded:
    column = columns[name]
    assert isinstance(column, Coded)
    return column


def _times(columns: Columns, name: str) -> I64:
    return np.asarray(columns[name], dtype=np.int64)


# -- events ------------------------------------------------------------------------------------------------------
def _events(found: Tally, table: pa.Table) -> None:
    if not len(table):
        return
    columns = _columns(table, EVENT.columns, _EVENT_COLUMNS)
    occurred, received = _times(columns, "occurred_at"), _times(columns, "received_at")
    rows, age = found.known(np.maximum(occurred, received), "events")
    columns = take(columns, rows)
    person = _persons(columns)
    human = ~np.asarray(columns["is_bot"], dtype=np.bool_)
    often = _busy(found.busy, person, age, human, _text(columns, "type"))
    keep = human & ~often
    again = _repeated(columns, person, keep)
    _count(found.repeats, take(columns, np.flatnonzero(again)), age[again], "events")
    kept = np.flatnonzero(keep & ~again)
    _described(found, take(columns, kept), age[kept])


def _persons(columns: Columns) -> I64:
    """A number for the person of each event within its bucket, -1 = nobody."""
    visitor, lead = _text(columns, "visitor_id"), _text(columns, "lead_id")
    own = np.where(lead.codes >= 0, lead.codes + len(visitor.values), -1)
    return np.where(visitor.codes >= 0, visitor.codes, own).astype(np.int64)


def _busy(busy: Busy, person: I64, age: I64, human: Mask, kind: Coded) -> Mask:
    """The events of persons who have too many in a day, which are added to `busy`."""
    often = np.zeros(len(person), dtype=np.bool_)
    told = np.flatnonzero((person >= 0) & (kind.recode({"engagement": 1}, 0) == 0))
    if not len(told):
        return often
    days, day, count = np.unique(person[told] * DAYS + age[told], return_inverse=True, return_counts=True)
    many = count > BUSY
    often[told] = many[day]
    which = days[many] % DAYS
    busy.events += np.bincount(which, weights=count[many], minlength=DAYS).astype(np.int64)
    busy.people += np.bincount(which, minlength=DAYS)
    busy.flagged += np.bincount(age[often & ~human], minlength=DAYS)
    return often


def _repeated(columns: Columns, person: I64, keep: Mask) -> Mask:
    """Events that tell the same second of the same person on the same page once more."""
    second = _times(columns, "occurred_at") // MICROS
    parts = (person, _text(columns, "type").codes, _text(columns, "url").codes, second)
    key = np.zeros(len(person), dtype=np.uint64)
    for part in parts:
        key = _mixed(key, part.astype(np.int64).view(np.uint64))
    again = np.ones(len(person), dtype=np.bool_)
    known = np.flatnonzero(keep & (person >= 0))
    _, first = np.unique(key[known], return_index=True)
    again[known[first]] = False
    again[~keep | (person < 0)] = False
    return again


def _mixed(key: U64, part: U64) -> U64:
    """One more part in a key of 64 bits; a chance meeting of two keys in a dataset is one in billions."""
    mixed: U64 = (key ^ part) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


def _described(found: Tally, columns: Columns, age: I64) -> None:
    at, url = np.maximum(_times(columns, "occurred_at"), _times(columns, "received_at")), _text(columns, "url")
    _count(found.records, columns, age, "events")
    found.types.add(_text(columns, "type"), age, at)
    for tag in TAGS:
        found.tags[tag].add(_text(columns, tag), age, at)
    hosts = [v.split("/")[2] if "://" in v and len(v.split("/")) > 2 else None for v in url.values]
    found.hosts.add(_recoded(url, hosts), age, at)
    cells = url.recode({v: zlib.crc32(v.encode()) % CELLS for v in url.values})
    seen = np.flatnonzero(cells >= 0)
    flat = age[seen] * CELLS + cells[seen]
    found.cells += np.bincount(flat, minlength=DAYS * CELLS).reshape(DAYS, CELLS)
    found.size("dwell_seconds").add(np.asarray(columns["dwell_seconds"], dtype=np.float64), age)


def _recoded(column: Coded, names: list[str | None]) -> Coded:
    """The column with each of its values under another name."""
    other = Coded.of(names)
    return Coded(np.append(other.codes, -1).astype(np.int32)[column.codes], other.values)


def _count(marks: Marks, columns: Columns, age: I64, name: str) -> None:
    at = np.maximum(_times(columns, "occurred_at"), _times(columns, "received_at"))
    marks.add(_one(name, len(age)), age, at)


# -- leads -------------------------------------------------------------------------------------------------------
@dataclass
class _Said:
    """Keys of what new leads said of themselves, with age and time."""

    keys: list[U64] = field(default_factory=list)
    ages: list[I64] = field(default_factory=list)
    times: list[I64] = field(default_factory=list)


def _leads(found: Tally, lake: Lake, table: pa.Table, said: _Said) -> None:
    if not len(table):
        return
    columns = arrow.from_arrow(table, arrow.columns_of(LEAD, lake.info.extra))
    columns = take(columns, _first_rows(columns))
    rows, age = found.known(_times(columns, "created_at"), "leads")
    columns = take(columns, rows)
    at = _times(columns, "created_at")
    said.keys.append(_key_of(columns))
    said.ages.append(age)
    said.times.append(at)
    skipped = {*_NO_FIELD, *(e.name for e in stored(lake.info.extra) if e.role == "comparator")}
    for name, column in ((n, c) for n, c in columns.items() if n not in skipped):
        if isinstance(column, Coded):
            found.fields.setdefault(name, Marks()).add(column, age, at, nulls=True)
        elif column.dtype == np.float64:
            found.size(name).add(column.astype(np.float64), age)


def _first_rows(columns: Columns) -> I64:
    """What each lead said first: later rows are what people learned of it."""
    who, since = _text(columns, "lead_id").codes, _times(columns, "valid_from")
    since = np.where(since == NULL_TIME, _times(columns, "created_at"), since)
    order = np.lexsort((since, who))
    return np.asarray(order[np.diff(who[order], prepend=-2) != 0], dtype=np.int64)


def _key_of(columns: Columns) -> U64:
    key = (_times(columns, "created_at") // MICROS).view(np.uint64)
    for name in _SAME_LEAD:
        column = _text(columns, name)
        hashed = np.array([zlib.crc32(v.encode()) for v in column.values] + [0], dtype=np.uint64)
        key = _mixed(key, hashed[column.codes])
    return key


def _repeated_leads(found: Tally, said: _Said) -> None:
    if not said.keys:
        return
    age, at = np.concatenate(said.ages), np.concatenate(said.times)
    first = np.unique(np.concatenate(said.keys), return_index=True)[1]
    again = np.ones(len(age), dtype=np.bool_)
    again[first] = False
    for marks, rows in ((found.records, ~again), (found.repeats, again)):
        marks.add(_one("leads", int(rows.sum())), age[rows], at[rows])


# -- the others --------------------------------------------------------------------------------------------------
def _outcomes(found: Tally, table: pa.Table) -> None:
    if not len(table):
        return
    columns = _columns(table, OUTCOME.columns, ("occurred_at", "kind", "value"))
    rows, age = found.known(_times(columns, "occurred_at"), "outcomes")
    columns = take(columns, rows)
    found.outcomes.add(_text(columns, "kind"), age, _times(columns, "occurred_at"))
    found.size("value").add(np.asarray(columns["value"], dtype=np.float64), age)


def _links(found: Tally, table: pa.Table) -> None:
    if not len(table):
        return
    at = _times(_columns(table, LINK.columns, ("known_from",)), "known_from")
    rows, age = found.known(at, "links")
    found.records.add(_one("links", len(rows)), age, at[rows])


def _spend(found: Tally, table: pa.Table) -> None:
    columns = _columns(table, SPEND.columns, ("date", "amount"))
    at = _times(columns, "date")
    rows, age = found.known(at, "spend")
    found.records.add(_one("spend", len(rows)), age, at[rows])
    found.size("amount").add(np.asarray(columns["amount"], dtype=np.float64)[rows], age)
