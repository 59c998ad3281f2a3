"""Time on pages where the tracker says it by heartbeats, or not at all.

Every function takes events sorted by (person, time) and gives seconds by event, NaN = not known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import MICROS

HEARTBEAT = 10  # seconds between page pings, the tracker's default
MIN_VISIT = 5  # seconds until the first one
GAP_CAP = 30 * 60.0

Seconds = NDArray[np.float64]


def heartbeats(view: NDArray[np.int64], time: NDArray[np.int64], ping: NDArray[np.bool_]) -> Seconds:
    """Seconds each page ping stands for; over a page view they add up to its engaged time.

    Engaged time = HEARTBEAT * (distinct floor(time / HEARTBEAT) - 1) + MIN_VISIT: the first ping of a page view
    stands for MIN_VISIT, one in a further interval for HEARTBEAT, one more in the same interval for nothing.
    Source of the formula: the engaged time of Snowplow's web model. view: number of the page view, -1 = none.
    """
    seconds = np.full(len(view), np.nan)
    rows = np.flatnonzero(ping & (view >= 0))
    rows = rows[np.lexsort((time[rows], view[rows]))]
    of, beat = view[rows], time[rows] // (HEARTBEAT * MICROS)
    first = np.append(True, of[1:] != of[:-1])[: len(rows)]
    further = np.append(True, beat[1:] != beat[:-1])[: len(rows)] & ~first
    seconds[rows[first]] = MIN_VISIT
    seconds[rows[further]] = HEARTBEAT
    return seconds


def gaps(person: NDArray[np.int64], session: NDArray[np.int64], time: NDArray[np.int64]) -> Seconds:
    """Seconds to the next later event of the same person and session; null where there is none.

    Without a session number (-1) a pause above GAP_CAP ends the session; with one a gap counts up to GAP_CAP.
    """
    seconds = np.full(len(person), np.nan)
    if len(person) < 2:
        return seconds
    pause = (time[1:] - time[:-1]) / MICROS
    together = (person[1:] == person[:-1]) & (session[1:] == session[:-1])
    together &= (session[1:] >= 0) | (pause <= GAP_CAP)
    seconds[:-1] = np.where(together, np.minimum(pause, GAP_CAP), np.nan)
    return seconds
