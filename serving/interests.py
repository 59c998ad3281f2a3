"""What a lead is interested in: the topics it spent most time on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from features.journeys import Journeys

I64 = NDArray[np.int64]


def interests(journeys: Journeys) -> tuple[Coded, Coded]:
    """The first and second topic of each segment: by known dwell seconds, then by page views, then by name."""
    topics = journeys.vocabulary.topics
    topic = journeys.vocabulary.topic_of[journeys.content]
    rows = np.flatnonzero(topic >= 0)
    cells, cell = np.unique(journeys.segment[rows] * max(len(topics), 1) + topic[rows], return_inverse=True)
    dwell = np.bincount(cell, weights=np.nan_to_num(journeys.dwell[rows]), minlength=len(cells))
    views = np.bincount(cell, weights=journeys.views[rows].astype(np.float64), minlength=len(cells))
    segment, name = np.divmod(cells, max(len(topics), 1))
    order = np.lexsort((name, -views, -dwell, segment))
    segment, name = segment[order], name[order]
    place = np.arange(len(segment)) - np.searchsorted(segment, segment, side="left")
    return tuple(_placed(segment, name, place == p, len(journeys), topics) for p in (0, 1))  # type: ignore[return-value]


def _placed(segment: I64, name: I64, here: NDArray[np.bool_], n: int, topics: tuple[str, ...]) -> Coded:
    codes = np.full(n, -1, dtype=np.int32)
    codes[segment[here]] = name[here]
    return Coded(codes, topics)
