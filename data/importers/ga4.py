"""Google Analytics 4: rows of the BigQuery export (`events_YYYYMMDD`) as JSON lines or Parquet, read by column.

The export has no event id: an event is named by a hash of what it says, with its place in its batch in front, so that
events of one microsecond keep their order. Engagement is credited to the page it was spent on. A table's day is when
its rows were there at the latest: it counts as arrival where it is later than the event's own day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.importers import ga4_rows
from data.importers.batch import Advance, Batch, Cells, by_text
from data.importers.tracker_mapping import TrackerSpec
from data.records import DAY
from data.times import EPOCH

TYPES = {
    "page_view": "page_view", "user_engagement": "engagement", "generate_lead": "goal", "form_submit": "form",
    "file_download": "download",
}  # fmt: skip
KEYS = ("page_location", "page_referrer", "ga_session_id", "engagement_time_msec", "entrances", "source", "medium",
        "campaign")  # fmt: skip
OWN = ("event_date", "event_timestamp", "event_name", "user_id", "user_pseudo_id", "stream_id", "batch_page_id",
       "batch_ordering_id", "batch_event_index")  # fmt: skip
CLICKS = ("gclid", "dclid", "srsltid")
_DAY = re.compile(r"events_(?:intraday_|fresh_)?(\d{8})")
_NONE = ("", "(not set)")
_WHOLE = r"^[0-9]{1,17}$"
_NOWHERE = np.zeros(0, dtype=np.int64)


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
    key: pa.DictionaryArray
    value: pa.Array
    n: int

    def of(self, key: str) -> pa.Array:
        """The value of a key for each event, null = none; the first where one event has it twice."""
        code = self.key.dictionary.index(key).as_py()
        rows = np.flatnonzero(np.asarray(pc.fill_null(self.key.indices, -1)) == code)[::-1] if code >= 0 else _NOWHERE
        found = np.full(self.n, -1)
        found[self.event[rows]] = rows
        return self.value.take(pa.array(found, mask=found < 0))

    def texts(self) -> pa.Array:
        """All parameters of each event as one text, in their order."""
        key = self.key.dictionary.take(self.key.indices)
        pairs = pc.binary_join_element_wise(key, pc.fill_null(self.value, ""), "=", null_handling="replace")
        ends = np.append(0, np.cumsum(np.bincount(self.event, minlength=self.n)))
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pairs), "\x1e")


def _params(table: pa.Table) -> _Params:
    column = table["event_params"].combine_chunks()
    event = np.asarray(pc.list_parent_indices(column)).astype(np.int64)
    flat = pc.list_flatten(column)
    value = pc.struct_field(flat, "value")
    kinds = [pc.struct_field(value, f"{k}_value").cast(pa.string()) for k in ("string", "int", "float", "double")]
    return _Params(event, pc.struct_field(flat, "key").dictionary_encode(), pc.coalesce(*kinds), len(table))


def _batch(table: pa.Table, lines: Sequence[int], spec: TrackerSpec, day: int | None) -> Batch:
    params = _params(table)
    p = {key: params.of(key) for key in KEYS}
    own = {name: table[name].combine_chunks() for name in OWN}
    names = pc.fill_null(_filled(own["event_name"]), "event")
    types = by_text(names, _type)
    occurred, known = _times(own["event_timestamp"])
    columns: dict[str, Cells] = {
        "event_id": _ids(own, params.texts(), p["ga_session_id"]), "lead_id": _filled(own["user_id"]),
        # a client id is random and names one browser in all streams of a site
        "visitor_id": _filled(own["user_pseudo_id"]),
        "session_id": _sessions(p["ga_session_id"], own["user_pseudo_id"]), "occurred_at": occurred,
        "received_at": _arrivals(known, own["event_date"], day), "name": names, "type": types,
        "source_day": _table_days(own["event_date"], known, day), "app": own["stream_id"],
        "url": p["page_location"], "referrer": p["page_referrer"], **_touches(table, p, names), **_dwell(p, types),
    }  # fmt: skip
    if (rule := spec.converted) is not None:
        columns |= {name: params.of(key) for name, key in (("value", rule.value), ("currency", rule.currency)) if key}
    return Batch(lines, columns)


def _type(name: str) -> str:
    return TYPES.get(name) or ("video" if name.startswith("video_") else "custom")


def _filled(texts: pa.Array) -> pa.Array:
    """An empty text is none."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _times(texts: pa.Array) -> tuple[Cells, pa.Array]:
    """Microseconds, and those that are known; a text that is no whole number stays and is rejected as a time."""
    whole = pc.match_substring_regex(texts, _WHOLE)
    if pc.all(whole).as_py() is not False:
        found = texts.cast(pa.int64())
        return found, found
    cells = [int(t) if is_whole else t for t, is_whole in zip(texts.to_pylist(), whole.to_pylist(), strict=True)]
    return cells, pa.array([c if isinstance(c, int) else None for c in cells], pa.int64())


def _arrivals(occurred: pa.Array, dates: pa.Array, day: int | None) -> pa.Array:
    """The end of the table's day for rows of an earlier day; the others were there when they happened."""
    nothing = pa.nulls(len(occurred), pa.int64())
    if day is None:
        return nothing
    name = (EPOCH + timedelta(microseconds=day)).strftime("%Y%m%d")
    earlier = pc.and_(pc.less(occurred, day), pc.less(pc.fill_null(_filled(dates), name), name))
    return pc.if_else(pc.fill_null(earlier, False), pa.scalar(day + DAY - 1, pa.int64()), nothing)


def _table_days(dates: pa.Array, occurred: pa.Array, day: int | None) -> pa.Array:
    """Day of the table each row is from: by the file's name, else the row's own date."""
    if day is not None:
        return pa.array(np.full(len(dates), day // DAY))
    coded = dates.dictionary_encode()
    days = pa.array([_day_of(Path(f"events_{date}")) for date in coded.dictionary.to_pylist()], pa.int64())
    found = pc.fill_null(pc.coalesce(days.take(coded.indices), occurred), 0)
    return pa.array(np.floor_divide(np.asarray(found), DAY))


def _sessions(ids: pa.Array, visitors: pa.Array) -> pa.Array:
    """`ga_session_id` is a start time and unique only for its visitor."""
    return pc.if_else(pc.equal(ids, ""), ids, pc.binary_join_element_wise(pc.fill_null(visitors, "None"), ids, "."))


def _ids(own: Mapping[str, pa.Array], params: pa.Array, sessions: pa.Array) -> pa.Array:
    """A hash of what an event says, with its place in its batch in front where it has one."""
    stream, who, name, at = (own[n] for n in ("stream_id", "user_pseudo_id", "event_name", "event_timestamp"))
    page, ordering, index = places = [own[n] for n in ("batch_page_id", "batch_ordering_id", "batch_event_index")]
    told = pc.binary_join_element_wise(stream, who, sessions, name, at, params, *places, "\x1f",
                                       null_handling="replace", null_replacement="None")  # fmt: skip
    digests = _digests(told)
    front = (pc.utf8_lpad(page, 13, "0"), pc.utf8_lpad(ordering, 4, "0"), pc.utf8_lpad(index, 4, "0"))
    return pc.coalesce(pc.binary_join_element_wise(*front, digests, "-"), digests)


def _digests(texts: pa.Array) -> pa.Array:
    """12 bytes of blake2b of each text as 24 hexadecimal digits."""
    found = b"".join([blake2b(t, digest_size=12).digest() for t in texts.cast(pa.binary()).to_pylist()]).hex().encode()
    ends = np.arange(0, len(found) + 1, 24, dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(found))


def _touches(table: pa.Table, p: Mapping[str, pa.Array], names: pa.Array) -> dict[str, pa.Array]:
    """Source, medium and campaign from one place: the session's for its first event, the event's own, its parameters.

    `traffic_source`, the visitor's first touch ever, says nothing about this visit and is not read.
    """
    of_session = ("manual_campaign",), ("source", "medium", "campaign_name")
    session = _fields(table, "session_traffic_source_last_click", *of_session)
    event = _fields(table, "collected_traffic_source", (), ("manual_source", "manual_medium", "manual_campaign_name"))
    own = [p[n] for n in ("source", "medium", "campaign")]
    first = pc.or_(pc.is_valid(_filled(p["entrances"])), pc.equal(names, "session_start"))
    by_session, by_event = pc.and_(first, _any(session)), _any(event)
    found = [pc.if_else(by_session, a, pc.if_else(by_event, b, c)) for a, b, c in zip(session, event, own, strict=True)]
    kind: pa.Array = pa.nulls(len(names), pa.string())
    for name, clicks in zip(CLICKS[::-1], _fields(table, "collected_traffic_source", (), CLICKS[::-1]), strict=True):
        kind = pc.if_else(pc.is_valid(clicks), name, kind)
    return {"source": found[0], "medium": found[1], "campaign": found[2], "click_id_kind": kind}


def _any(columns: list[pa.Array]) -> pa.Array:
    return pc.or_(pc.or_(pc.is_valid(columns[0]), pc.is_valid(columns[1])), pc.is_valid(columns[2]))


def _fields(table: pa.Table, outer: str, path: tuple[str, ...], names: tuple[str, ...]) -> list[pa.Array]:
    column, nothing = table[outer].combine_chunks(), pa.scalar(None, pa.string())
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    cells = [pc.struct_field(column, [*path, n]) for n in names]
    return [pc.if_else(pc.is_in(c, pa.array(_NONE)), nothing, c) for c in cells]


def _dwell(p: Mapping[str, pa.Array], types: pa.Array) -> dict[str, pa.Array]:
    """A page view's slice was spent on the page before, if that is on the same site; any other on its own page."""
    text, here, before = p["engagement_time_msec"], p["page_location"], p["page_referrer"]
    timed = pc.and_(pc.match_substring_regex(text, r"^[0-9]+$"), pc.not_equal(text, "0"))
    seconds = pc.divide(pc.if_else(timed, text, pa.scalar(None, pa.string())).cast(pa.float64()), 1000.0)
    view, measured = pc.equal(types, "page_view"), pc.equal(types, "engagement")
    told = pc.and_(pc.and_not(pc.is_valid(seconds), measured), pc.or_(pc.invert(view), _same_site(here, before)))
    nothing, no_text = pa.scalar(None, pa.float64()), pa.scalar(None, pa.string())
    return {
        "dwell_seconds": pc.if_else(measured, seconds, nothing),
        "dwell_basis": pc.if_else(pc.and_(measured, pc.is_valid(seconds)), "measured", no_text),
        "credit_seconds": pc.if_else(told, seconds, nothing),
        "credit_url": pc.if_else(told, pc.if_else(view, before, here), no_text),
    }


def _same_site(here: pa.Array, before: pa.Array) -> pa.Array:
    one, other = (by_text(urls, lambda url: _host(url.partition("?")[0])) for urls in (here, before))
    return pc.fill_null(pc.equal(one, other), False)


@lru_cache(maxsize=65_536)
def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
