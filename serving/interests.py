"""What a lead is interested in: the topics it spent most time on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from features.arrays import differs, rows_where
from features.journeys import Journeys

I64 = NDArray[np.int64]


def interests(journeys: Journeys) -> tuple[Coded, Coded]:
    """The first and second topic of each segment: by known dwell seconds, then by page views, then by name."""
    topics = journeys.vocabulary.topics
    rows = rows_where(journeys.topic >= 0)
    cells = journeys.segment[rows] * max(len(topics), 1) + journeys.topic[rows]
    order = np.argsort(cells, kind="stable")
    rows, cells = rows[order], cells[order]
    opens = differs(cells)
    cell, seconds = np.cumsum(opens) - 1, journeys.dwell[rows]
    dwell = np.bincount(cell, weights=np.where(np.isnan(seconds), 0.0, seconds))
    views = np.bincount(cell, weights=journeys.views[rows])
    segment, name = np.divmod(cells[rows_where(opens)], max(len(topics), 1))
    order = np.lexsort((name, -views, -dwell, segment))
    segment, name = segment[order], name[order]
    place = np.arange(len(segment)) - np.searchsorted(segment, segment, side="left")
    return tuple(_placed(segment, name, place == p, len(journeys), topics) for p in (0, 1))  # type: ignore[return-value]


def _placed(segment: I64, name: I64, here: NDArray[np.bool_], n: int, topics: tuple[str, ...]) -> Coded:
    codes = np.full(n, -1, dtype=np.int32)
    codes[segment[here]] = name[here]
    return Coded(codes, topics)
