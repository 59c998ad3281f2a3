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
    found = _distinct(cells, len(journeys) * width)
    cell, seconds = found.searchsorted(cells), journeys.dwell[rows]
    dwell = np.bincount(cell, np.where(seconds > 0, seconds, 0.0), len(found))
    views = np.bincount(cell, journeys.views[rows], len(found))
    # Those that are equal stay in the order of their names.
    found = found[np.lexsort((-views, -dwell, found // width))]
    segment = found // width
    name = found - segment * width
    first = differs(segment)
    second = ~first
    second[1:] &= first[:-1]
    return tuple(_placed(segment, name, rows_where(p), len(journeys), topics) for p in (first, second))  # type: ignore[return-value]


def _distinct(cells: I64, n: int) -> I64:
    """The distinct cells, of those from 0 to n, ascending."""
    return np.unique(cells) if n > 4 * len(cells) + 1024 else np.bincount(cells).nonzero()[0]


def _placed(segment: I64, name: I64, rows: I64, n: int, topics: tuple[str, ...]) -> Coded:
    codes = filled(n, -1, np.int32)
    codes[segment[rows]] = name[rows]
    return Coded(codes, topics)
