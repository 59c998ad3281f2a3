"""How long somebody stayed, where the tracker tells it by heartbeats, by the next page, or beforehand.

All functions take the events of whole segments, sorted by (segment, time), and give (dwell, basis) anew: seconds, NaN =
not known, and code of DWELL_BASES. They look at what was known at a moment, so they belong to the cut, not to the
import: a visit told in two files is one visit.
"""

from __future__ import annotations

import numpy as np

from data.records import DWELL_BASES, EVENT_TYPES, MICROS
from features.arrays import F64, I8, I32, I64, differs, rows_where

HEARTBEAT = 10  # seconds between page pings, the tracker's default
MIN_VISIT = 5  # seconds until the first one
_ENGAGEMENT, _PAGE_VIEW = EVENT_TYPES.index("engagement"), EVENT_TYPES.index("page_view")
_NONE, _MEASURED, _GAP = (DWELL_BASES.index(b) for b in ("none", "measured", "gap"))


def heartbeats(segment: I64, time: I64, page_view: I32, dwell: F64, basis: I8) -> tuple[F64, I8]:
    """Seconds each heartbeat stands for; over a page view they add up to its engaged time.

    Engaged time = HEARTBEAT * (distinct floor(time / HEARTBEAT) - 1) + MIN_VISIT: the first heartbeat of a page view
    stands for MIN_VISIT, one in a further interval for HEARTBEAT, one more in the same interval for nothing.
    Source of the formula: the engaged time of Snowplow's web model. page_view: number, -1 = no heartbeat; a dwell that
    is there already stays.
    """
    rows = rows_where((page_view >= 0) & np.isnan(dwell))
    rows = rows[np.lexsort((time[rows], page_view[rows], segment[rows]))]
    beat = time[rows] // (HEARTBEAT * MICROS)
    first = differs(segment[rows]) | differs(page_view[rows])
    further = differs(beat) & ~first
    dwell, basis = dwell.copy(), basis.copy()
    dwell[rows[first]], dwell[rows[further]] = MIN_VISIT, HEARTBEAT
    basis[rows[first | further]] = _MEASURED
    return dwell, basis


def gaps(session: I64, ends: I64, time: I64, type_: I8, dwell: F64, basis: I8) -> tuple[F64, I8]:
    """Fill the dwell of page views nobody measured: time to the next page view of the session.

    The last page of a session ends with the last thing done on it (`ends`, by session); where nothing follows it stays
    null. A session in which engagement was measured gets no gaps, or its time would count twice. All of it is known at
    as_of, because the events that end a gap are.
    """
    view = rows_where(type_ == _PAGE_VIEW)
    if not len(view):
        return dwell, basis
    engaged = rows_where(type_ == _ENGAGEMENT)
    measured = np.zeros(len(ends), dtype=np.bool_)
    measured[session[engaged[rows_where(~np.isnan(dwell[engaged]))]]] = True
    s, t = session[view], time[view]
    until, followed = ends[s], np.zeros(len(view), dtype=np.bool_)
    np.equal(s[1:], s[:-1], out=followed[:-1])
    before = rows_where(followed)
    until[before] = t[before + 1]
    gap = (until - t) / MICROS
    known = rows_where((followed | (gap > 0)) & ~measured[s] & np.isnan(dwell[view]))
    filled, code = dwell.copy(), basis.copy()
    filled[view[known]], code[view[known]] = gap[known], _GAP
    return filled, code


def only_over(type_: I8, dwell: F64, basis: I8, age: I64) -> tuple[F64, I8]:
    """Without the dwell that is not over before as_of: it was written beside the page view later on.

    Engagement is told when it is over, and bears that moment; a time that began is over `dwell` after its event. age:
    microseconds between each event and its as_of.
    """
    running = rows_where(dwell * MICROS >= age)
    running = running[type_[running] != _ENGAGEMENT]
    if not len(running):
        return dwell, basis
    dwell, basis = dwell.copy(), basis.copy()
    dwell[running], basis[running] = np.nan, _NONE
    return dwell, basis
