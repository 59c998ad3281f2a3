"""Time on each topic against conversion: of people at their landmark, by how long they had been on it by then.

Everybody is in exactly one band of each topic, so the bands of a topic add up to all. Associated with, not caused by:
who is about to buy reads longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import rows_where
from training.content_paths import ASSOCIATED
from training.groups import compared, plain
from training.number_facts import Sums
from training.number_figures import LEAST
from training.trails import Stand

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
EDGES = (30.0, 120.0, 600.0)  # seconds
NOT_SEEN, NOT_KNOWN = "not seen", "time not known"
BANDS = (NOT_SEEN, NOT_KNOWN, "under 30 s", "30 s to 2 min", "2 to 10 min", "10 min or more")


@dataclass(frozen=True)
class DwellRow:
    """One topic and band of BANDS. rate with its Wilson 95 % interval; lift over all with its interval, NaN where nobody
    converts; p: exact, for a lift of 1; claimed: q at most LEVEL over all rows."""

    topic: str
    band: str
    people: int
    conversions: int
    rate: float
    low: float
    high: float
    lift: float
    lift_low: float
    lift_high: float
    p: float
    q: float
    claimed: bool
    note: str = ASSOCIATED

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


class DwellTally:
    """Bands of all topics, of groups told one by one."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._sums, self._people, self._conversions = Sums(), 0, 0
        self._bands: list[NDArray[np.int8]] = []

    def __call__(self, stand: Stand) -> None:
        topics = stand.journeys.vocabulary.topics
        number = np.array([self._number.setdefault(t, len(self._number)) for t in topics], dtype=np.int64)
        self._people += len(stand.label)
        self._conversions += int(stand.label.sum())
        band = _bands(stand, len(topics))
        person, topic = (band > 0).nonzero()  # who has not seen a topic follows from who has
        own = np.zeros((len(band), len(self._number)), dtype=np.int8)
        own[:, number] = band
        self._bands.append(own)
        cell = number[topic] * len(BANDS) + band[person, topic] if len(person) else person
        self._sums.add("people", cell)
        self._sums.add("conversions", cell, stand.label[person])

    def bands(self) -> tuple[tuple[str, ...], NDArray[np.int8]]:
        """The topics, and the number of the band of each person, in the order they were told of, and topic."""
        found = np.zeros((self._people, len(self._number)), dtype=np.int8)
        begins = 0
        for part in self._bands:
            found[begins : begins + len(part), : part.shape[1]] = part
            begins += len(part)
        return tuple(self._number), found

    def rows(self, least: int = LEAST) -> tuple[DwellRow, ...]:
        """Rows of at least `least` people, by topic and band; the longer one stays, the later."""
        n = len(self._number)
        people, hits = (self._table(name, n, all_) for name, all_ in (
            ("people", self._people), ("conversions", self._conversions),
        ))  # fmt: skip
        kept = rows_where(people >= least)
        columns = compared(hits[kept], people[kept], self._conversions, self._people)
        names = [(t, b) for t in self._number for b in BANDS]
        table = zip(kept.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True)
        rows = [DwellRow(*names[i], *row) for i, row in table]
        return tuple(sorted(rows, key=lambda r: (r.topic, BANDS.index(r.band))))

    def _table(self, name: str, topics: int, everybody: int) -> I64:
        """A count by topic and band, flat."""
        table = self._sums.of(name, topics * len(BANDS)).astype(np.int64).reshape(topics, len(BANDS))
        table[:, 0] = everybody - table.sum(axis=1)
        return table.ravel()


def _bands(stand: Stand, topics: int) -> I64:
    """Number of the band of each person and topic, (n, topics)."""
    j = stand.journeys
    seconds = j.seconds.by(j.topic, topics)
    band = np.searchsorted(EDGES, np.nan_to_num(seconds), side="right") + 2
    band[np.isnan(seconds)] = BANDS.index(NOT_KNOWN)
    seen = (j.table(j.topic, topics, j.views) > 0) | (seconds > 0)
    return np.where(seen, band, 0).astype(np.int64)
