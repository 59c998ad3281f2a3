"""Cutting encoded events into journeys: what had happened, and was known, before each moment of asking."""

from __future__ import annotations

import numpy as np

from data.bots import EVENTS_PER_MINUTE, MINUTE, too_fast
from data.records import EVENT_TYPES, NULL_TIME, WEB_TYPES
from features.arrays import I8, I32, I64, differs, every, filled, rows_where
from features.dwell_times import gaps, heartbeats, only_over
from features.encode import TYPE, Encoded
from features.journeys import NO_SESSION, SESSION_GAP, Journeys

_WEB = np.array([t in WEB_TYPES for t in EVENT_TYPES])


def cut(encoded: Encoded, lead: I64, as_of: I64, handed_over: I64 | None = None) -> Journeys:
    """One segment per (lead[i], as_of[i]): the events of that lead that had happened and were known before as_of.

    Parameters
    ----------
    lead, as_of
        int64 (n,): lead numbers as in `encoded.lead` and moments in microseconds; any order, repeats allowed.
    handed_over
        int64 (n,): when sales took the lead over (NULL_TIME = never). Calls from then on are sales at work, not the
        lead, and are left out.
    """
    if not len(encoded.lead):
        return _without_events(as_of, encoded)
    start, length = _events_of(encoded, lead)
    segment = np.arange(len(lead)).repeat(length)
    rows = _from_to(start, length, segment)
    seen = encoded.known[rows] < as_of[segment]
    if handed_over is not None and len(calls := rows_where(encoded.type[rows] == TYPE["call"])):
        until = handed_over[segment[calls]]
        seen[calls] &= (until == NULL_TIME) | (encoded.time[rows[calls]] < until)
    kept = rows_where(seen)
    rows, segment = rows[kept], segment[kept]
    time, type_ = encoded.time[rows], encoded.type[rows]
    if len(fast := _too_fast(segment, time, type_)):
        slow = np.delete(np.arange(len(rows)), fast)
        rows, segment, time, type_ = rows[slow], segment[slow], time[slow], type_[slow]
    offsets = np.zeros(len(lead) + 1, dtype=np.int64)
    np.bincount(segment, minlength=len(lead)).cumsum(out=offsets[1:])
    session, starts, ends = _sessions(segment, time, type_, encoded.session_key[rows])
    dwell, basis = encoded.dwell[rows], encoded.basis[rows]
    if len(encoded.page_view):
        dwell, basis = heartbeats(segment, time, encoded.page_view[rows], dwell, basis)
    dwell, basis = gaps(session, ends, time, type_, dwell, basis)
    age = as_of[segment] - time
    dwell, basis = only_over(type_, dwell, basis, age)
    journeys = Journeys(
        as_of=as_of, offsets=offsets, time=time, type=type_, content=encoded.content[rows],
        channel=encoded.channel[rows], campaign=encoded.campaign[rows], session=session, dwell=dwell, basis=basis,
        vocabulary=encoded.vocabulary,
    )  # fmt: skip
    # Their cached values: cutting knows them already.
    journeys.__dict__.update(segment=segment, age=age, session_starts=starts)
    return journeys


def _without_events(as_of: I64, encoded: Encoded) -> Journeys:
    """Segments in which nothing has happened; `encoded` holds no events."""
    e = encoded
    return Journeys(
        as_of=as_of, offsets=np.zeros(len(as_of) + 1, dtype=np.int64), time=e.time, type=e.type, content=e.content,
        channel=e.channel, campaign=e.campaign, session=e.time, dwell=e.dwell, basis=e.basis, vocabulary=e.vocabulary,
    )  # fmt: skip


def _events_of(encoded: Encoded, lead: I64) -> tuple[I64, I64]:
    """(position of the first event, number of events) of each lead, looked for only where these leads' events are."""
    if not len(lead):
        return lead, lead
    low = encoded.lead.searchsorted(lead.min(), side="left")
    owner = encoded.lead[low : encoded.lead.searchsorted(lead.max(), side="right")]
    start = owner.searchsorted(lead, side="left")
    return low + start, owner.searchsorted(lead, side="right") - start


def _from_to(start: I64, length: I64, owner: I64) -> I64:
    """start[i], start[i] + 1 ... of each run; owner: number of the run at each place."""
    if len(start) and every(start[1:] == (start + length)[:-1]):
        return np.arange(start[0], start[0] + len(owner))
    shift = start - (np.cumsum(length) - length)
    return np.arange(len(owner)) + shift[owner]


def _too_fast(segment: I64, time: I64, type_: I8) -> I64:
    """Positions of web events that nobody makes so fast; looked for only in segments with that many in a minute."""
    n = EVENTS_PER_MINUTE
    if len(time) <= n:
        return segment[:0]
    close = rows_where((time[n:] - time[:-n] < MINUTE) & (segment[n:] == segment[:-n]))
    if not len(close):
        return close
    rows = rows_where(np.isin(segment, segment[close]) & _WEB.take(type_))
    return rows[rows_where(too_fast(segment[rows], time[rows]))]


def _sessions(segment: I64, time: I64, type_: I8, key: I32) -> tuple[I64, I64, I64]:
    """Session number of each web event: a new one after a gap above 30 minutes or under another session id.

    And of each session the position of its first event and the time of its last one.
    """
    web = rows_where(_WEB.take(type_))
    session = filled(len(time), NO_SESSION, np.int64)
    if not len(web):
        return session, web, time[:0]
    s, t, k = segment[web], time[web], key[web]
    opens = differs(s)
    other_id = (k[1:] != k[:-1]) & (np.minimum(k[1:], k[:-1]) >= 0)
    opens[1:] |= (t[1:] - t[:-1] > SESSION_GAP) | other_id
    session[web] = opens.cumsum() - 1
    first = rows_where(opens)
    last = np.empty_like(first)
    last[:-1], last[-1] = first[1:] - 1, len(web) - 1
    return session, web[first], t[last]
