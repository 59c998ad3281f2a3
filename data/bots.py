"""Who is no human: by what the user agent says of itself, and by a rate no human has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from data.records import MICROS

MINUTE = 60 * MICROS


@cache
def _crawlers() -> Callable[[str], bool]:
    from crawlerdetect import CrawlerDetect

    detect = CrawlerDetect(user_agent="-")
    return lambda agent: bool(detect.is_crawler(agent))


@lru_cache(maxsize=65_536)
def is_crawler(agent: str | None) -> bool:
    """Does this user agent name a crawler, a monitor, a link checker and the like? No agent says nothing."""
    return bool(agent) and _crawlers()(str(agent))


def too_fast(person: NDArray[np.int64], time: NDArray[np.int64], per_minute: int) -> NDArray[np.bool_]:
    """Events in a minute of the clock (UTC) in which their person had more than `per_minute` of them.

    person: numbers from 0; time: microseconds. The order of the events does not matter.
    """
    if not len(person):
        return np.zeros(0, dtype=np.bool_)
    pairs = np.stack([person, time // MINUTE], axis=1)
    _, minute, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    fast: NDArray[np.bool_] = counts[minute.reshape(-1)] > per_minute
    return fast
