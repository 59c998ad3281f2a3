"""Google Analytics 4: rows of the BigQuery export (`events_YYYYMMDD`) as JSON lines or Parquet, read by column.

The export has no event id: an event is named by a hash of what it says, with its place in its batch in front, so that
events of one microsecond keep their order. Engagement is credited to the page it was spent on. A table's day is when
its rows were there at the latest: it counts as arrival where it is later than the event's own day.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.importers import ga4_rows
from data.importers.batch import Advance, Batch
from data.importers.tracker_mapping import TrackerSpec
from data.records import DAY, MICROS
from data.times import EPOCH

TYPES = {
    "page_view": "page_view", "user_engagement": "engagement", "generate_lead": "goal", "form_submit": "form",
    "file_download": "download",
}  # fmt: skip
KEYS = ("page_location", "page_referrer", "ga_session_id", "engagement_time_msec", "entrances", "source", "medium",
        "campaign")  # fmt: skip
CLICKS = ("gclid", "dclid", "srsltid")
_DAY = re.compile(r"events_(?:intraday_|fresh_)?(\d{8})")
_NONE = ("", "(not set)")
_Texts = list[str | None]


def read(path: Path, spec: TrackerSpec, advance: Advance) -> Iterator[Batch]:
    """All events of a file."""
    day = _day_of(path)
    for piece in ga4_rows.tables(path, advance):
        batch = _batch(piece.table, piece.lines, spec, day)
        batch.broken = piece.broken
        yield batch


def _day_of(path: Path) -> int | None:
    """Start of the day in the file's name, in microseconds; null where it names none."""
    found = _DAY.search(path.name)
    try:
        return found and (datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC) - EPOCH).days * DAY
    except ValueError:
        return None


@dataclass(frozen=True)
class _Params:
    """`event_params` flat: the event, key and value (as text) of each."""

    event: NDArray[np.int64]
    key: pa.Array
    value: pa.Array
    n: int

    def of(self, key: str) -> _Texts:
        """The value of a key for each event, null = none; the first where one event has it twice."""
        rows = np.flatnonzero(np.asarray(pc.fill_null(pc.equal(self.key, key), False)))[::-1]
        found = np.full(self.n, None, dtype=object)
        found[self.event[rows]] = self.value.take(pa.array(rows)).to_pylist()
        return found.tolist()

    def texts(self) -> _Texts:
        """All parameters of each event as one text, in their order."""
        pairs = pc.binary_join_element_wise(self.key, pc.fill_null(self.value, ""), "=", null_handling="replace")
        ends = np.append(0, np.cumsum(np.bincount(self.event, minlength=self.n)))
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pairs), "\x1e").to_pylist()


def _params(table: pa.Table) -> _Params:
    column = table["event_params"].combine_chunks()
    event = np.asarray(pc.list_parent_indices(column)).astype(np.int64)
    flat = pc.list_flatten(column)
    value = pc.struct_field(flat, "value")
    kinds = [pc.struct_field(value, f"{k}_value").cast(pa.string()) for k in ("string", "int", "float", "double")]
    return _Params(event, pc.struct_field(flat, "key"), pc.coalesce(*kinds), len(table))


def _batch(table: pa.Table, lines: list[int], spec: TrackerSpec, day: int | None) -> Batch:
    params = _params(table)
    p = {key: params.of(key) for key in KEYS}
    names = [n or "event" for n in table["event_name"].to_pylist()]
    types = [TYPES.get(n) or ("video" if n.startswith("video_") else "custom") for n in names]
    occurred = _times(table)
    streams, visitors = table["stream_id"].to_pylist(), table["user_pseudo_id"].to_pylist()
    columns: dict[str, list[Any]] = {
        "event_id": _ids(table, params, p["ga_session_id"]), "lead_id": table["user_id"].to_pylist(),
        "visitor_id": visitors,
        "session_id": _sessions(p["ga_session_id"], visitors), "occurred_at": occurred,
        "received_at": _arrivals(occurred, table["event_date"].to_pylist(), day), "name": names, "type": types,
        "source_day": _table_days(table["event_date"].to_pylist(), occurred, day), "app": streams, "url": p["page_location"], "referrer": p["page_referrer"], **_touches(table, p, names),
        **_dwell(p, types),
    }  # fmt: skip
    for text in ("lead_id", "visitor_id"):  # a client id is random and names one browser in all streams of a site
        columns[text] = [t or None for t in columns[text]]
    if (rule := spec.converted) is not None:
        columns["value"] = params.of(rule.value) if rule.value else [None] * len(lines)
        columns["currency"] = params.of(rule.currency) if rule.currency else [None] * len(lines)
    return Batch(lines, columns)


def _times(table: pa.Table) -> list[Any]:
    """Microseconds; a text that is no whole number stays as it is and is rejected as a time."""
    return [
        int(t) if t is not None and t.isdecimal() and len(t) < 18 else t for t in table["event_timestamp"].to_pylist()
    ]


def _arrivals(occurred: list[Any], dates: _Texts, day: int | None) -> list[int | None]:
    """The end of the table's day for rows of an earlier day; the others were there when they happened."""
    if day is None:
        return [None] * len(occurred)
    name = (EPOCH + (datetime.fromtimestamp(day / MICROS, UTC) - EPOCH)).strftime("%Y%m%d")
    return [day + DAY - 1 if isinstance(at, int) and at < day and (date or name) < name else None
            for at, date in zip(occurred, dates, strict=True)]  # fmt: skip


def _table_days(dates: _Texts, occurred: list[Any], day: int | None) -> list[int]:
    """Day of the table each row is from: by the file's name, else the row's own date."""
    if day is not None:
        return [day // DAY] * len(dates)
    days = {date: _day_of(Path(f"events_{date}")) for date in set(dates)}
    found = [days[date] for date in dates]
    return [(f if f is not None else at if isinstance(at, int) else 0) // DAY
            for f, at in zip(found, occurred, strict=True)]  # fmt: skip


def _sessions(ids: _Texts, visitors: _Texts) -> _Texts:
    """`ga_session_id` is a start time and unique only for its visitor."""
    return [s and f"{v}.{s}" for s, v in zip(ids, visitors, strict=True)]


def _ids(table: pa.Table, params: _Params, sessions: _Texts) -> list[str]:
    batch = ("batch_page_id", "batch_ordering_id", "batch_event_index")
    own = [table[n].to_pylist() for n in ("stream_id", "user_pseudo_id", "event_name", "event_timestamp")]
    cells = zip(*own, sessions, params.texts(), *(table[n].to_pylist() for n in batch), strict=True)
    return [_id(stream, who, session, name, at, text, *places)
            for stream, who, name, at, session, text, *places in cells]  # fmt: skip


def _id(stream: str | None, who: str | None, session: str | None, name: str | None, at: str | None,
        text: str | None, page: str | None, ordering: str | None, index: str | None) -> str:  # fmt: skip
    told = f"{stream}\x1f{who}\x1f{session}\x1f{name}\x1f{at}\x1f{text}\x1f{page}\x1f{ordering}\x1f{index}"
    digest = hashlib.blake2b(told.encode(), digest_size=12).hexdigest()
    if index is None or page is None or ordering is None:
        return digest
    return f"{page:0>13}-{ordering:0>4}-{index:0>4}-{digest}"


def _touches(table: pa.Table, p: dict[str, _Texts], names: list[str]) -> dict[str, _Texts]:
    """Source, medium and campaign from one place: the session's for its first event, the event's own, its parameters.

    `traffic_source`, the visitor's first touch ever, says nothing about this visit and is not read.
    """
    of_session = ("manual_campaign",), ("source", "medium", "campaign_name")
    session = _fields(table, "session_traffic_source_last_click", *of_session)
    event = _fields(table, "collected_traffic_source", (), ("manual_source", "manual_medium", "manual_campaign_name"))
    own = [pa.array(p[n], pa.string()) for n in ("source", "medium", "campaign")]
    first = pa.array([bool(e) or n == "session_start" for e, n in zip(p["entrances"], names, strict=True)], pa.bool_())
    by_session, by_event = pc.and_(first, _any(session)), _any(event)
    found = [pc.if_else(by_session, a, pc.if_else(by_event, b, c)).to_pylist()
             for a, b, c in zip(session, event, own, strict=True)]  # fmt: skip
    kind: pa.Array = pa.nulls(len(names), pa.string())
    for name, clicks in zip(CLICKS[::-1], _fields(table, "collected_traffic_source", (), CLICKS[::-1]), strict=True):
        kind = pc.if_else(pc.is_valid(clicks), name, kind)
    return {"source": found[0], "medium": found[1], "campaign": found[2], "click_id_kind": kind.to_pylist()}


def _any(columns: list[pa.Array]) -> pa.Array:
    return pc.or_(pc.or_(pc.is_valid(columns[0]), pc.is_valid(columns[1])), pc.is_valid(columns[2]))


def _fields(table: pa.Table, outer: str, path: tuple[str, ...], names: tuple[str, ...]) -> list[pa.Array]:
    column, nothing = table[outer].combine_chunks(), pa.scalar(None, pa.string())
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    cells = [pc.struct_field(column, [*path, n]) for n in names]
    return [pc.if_else(pc.is_in(c, pa.array(_NONE)), nothing, c) for c in cells]


def _dwell(p: dict[str, _Texts], types: list[str]) -> dict[str, list[Any]]:
    """A page view's slice was spent on the page before, if that is on the same site; any other on its own page."""
    n = len(types)
    columns: dict[str, list[Any]] = {name: [None] * n for name in
                                     ("dwell_seconds", "dwell_basis", "credit_seconds", "credit_url")}  # fmt: skip
    for i, (text, kind) in enumerate(zip(p["engagement_time_msec"], types, strict=True)):
        if not text or not text.isdecimal() or text == "0":
            continue
        seconds, here, before = int(text) / 1000, p["page_location"][i], p["page_referrer"][i]
        if kind == "engagement":
            columns["dwell_seconds"][i], columns["dwell_basis"][i] = seconds, "measured"
        elif kind != "page_view" or _same_site(here, before):
            columns["credit_seconds"][i], columns["credit_url"][i] = seconds, before if kind == "page_view" else here
    return columns


def _same_site(here: str | None, before: str | None) -> bool:
    if not here or not before:
        return False
    return _host(here.partition("?")[0]) == _host(before.partition("?")[0]) is not None


@lru_cache(maxsize=65_536)
def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
