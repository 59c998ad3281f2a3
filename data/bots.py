"""Who is no human: by what the user agent says of itself, and by a rate no human has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from data.records import MICROS

MINUTE = 60 * MICROS
EVENTS_PER_MINUTE = 60
_MINUTES = 2**28  # more than there are since 1970 until the year 2480


@cache
def _crawlers() -> Callable[[str], bool]:
    from crawlerdetect import CrawlerDetect

    detect = CrawlerDetect(user_agent="-")
    return lambda agent: bool(detect.is_crawler(agent))


@lru_cache(maxsize=65_536)
def is_crawler(agent: str | None) -> bool:
    """Does this user agent name a crawler, a monitor, a link checker and the like? No agent says nothing."""
    return bool(agent) and _crawlers()(str(agent))


def too_fast(person: NDArray[np.int64], time: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Events in a minute of the clock (UTC) in which their person had more than EVENTS_PER_MINUTE of them.

    person: numbers from 0; time: microseconds. The order of the events does not matter.
    """
    fast = np.zeros(len(person), dtype=np.bool_)
    if not len(person):
        return fast
    rows = np.flatnonzero((np.bincount(person) > EVENTS_PER_MINUTE)[person])
    key = person[rows] * _MINUTES + time[rows] // MINUTE
    order = slice(None) if (key[1:] >= key[:-1]).all() else np.argsort(key)
    opens = np.flatnonzero(np.diff(key[order], prepend=-1))
    runs = np.diff(opens, append=len(rows))
    fast[rows[order]] = np.repeat(runs > EVENTS_PER_MINUTE, runs)
    return fast
