"""What a lead is interested in: the topics it spent most time on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from features.arrays import differs, filled, rows_where
from features.journeys import Journeys

I64 = NDArray[np.int64]


def interests(journeys: Journeys) -> tuple[Coded, Coded]:
    """The first and second topic of each segment: by known dwell seconds, then by page views, then by name."""
    topics, width = journeys.vocabulary.topics, max(len(journeys.vocabulary.topics), 1)
    rows = rows_where(journeys.topic >= 0)
    cells = journeys.segment[rows] * width + journeys.topic[rows]
    found, cell = _numbered(cells, len(journeys) * width)
    seconds = journeys.dwell[rows]
    dwell = np.bincount(cell, np.where(seconds > 0, seconds, 0.0), len(found))
    views = np.bincount(cell, journeys.views[rows], len(found))
    segment = found // width
    found = found[np.lexsort((-views, -dwell, segment))]  # those that are equal stay in the order of their names
    segment = found // width
    first = differs(segment)
    second = differs(first)
    second &= ~first
    return tuple(_placed(segment, found, width, rows_where(p), len(journeys), topics) for p in (first, second))  # type: ignore[return-value]


def _numbered(cells: I64, n: int) -> tuple[I64, I64]:
    """The distinct cells, of those from 0 to n, ascending, and for each cell its place among them."""
    if n > 4 * len(cells) + 1024:
        return np.unique(cells, return_inverse=True)
    found = rows_where(np.bincount(cells, minlength=n) > 0)
    place = np.empty(n, dtype=np.int64)
    place[found] = np.arange(len(found))
    return found, place[cells]


def _placed(segment: I64, found: I64, width: int, rows: I64, n: int, topics: tuple[str, ...]) -> Coded:
    codes = filled(n, -1, np.int32)
    codes[segment[rows]] = found[rows] - segment[rows] * width
    return Coded(codes, topics)
