"""When events arrive: those from before a conversion that came after it, against the delays of other leads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.identity import by_the_lead
from data.records import EVENT_TYPES, MICROS, NULL_TIME, Coded
from training.snapshots import FOREVER

I64 = NDArray[np.int64]
MINUTE = 60 * MICROS
LONGEST = 60 * 24 * 90  # minutes; longer waits count as this long
LEAST = 10  # converted leads with such events, below which nothing is said


@dataclass
class Arrivals:
    """Counts by event type and whole minutes, (types, LONGEST + 1): delays of the events of leads that never converted,
    and, of events before a conversion, the time that was left to arrive before it. late, leads: events of each type
    that arrived after the conversion, and the leads they are of."""

    delays: I64
    left: I64
    late: I64
    leads: I64

    @staticmethod
    def none() -> Arrivals:
        n = len(EVENT_TYPES)
        return Arrivals(*(np.zeros((n, LONGEST + 1), dtype=np.int64) for _ in range(2)),
                        *(np.zeros(n, dtype=np.int64) for _ in range(2)))  # fmt: skip

    @property
    def kinds(self) -> int:
        """Types of events that were seen."""
        return int(((self.delays.sum(axis=1) + self.left.sum(axis=1)) > 0).sum())

    def count(self, people: People, first: I64, now: int) -> None:
        """first: when each lead first converted, FOREVER = never. Only what leads did themselves counts."""
        events = people.events
        lead, at, received = (np.asarray(events[n], dtype=np.int64) for n in ("lead", "occurred_at", "received_at"))
        received = np.where(received == NULL_TIME, at, received)
        kind = events["type"]
        assert isinstance(kind, Coded)
        number = kind.recode({t: i for i, t in enumerate(EVENT_TYPES)})
        seen = by_the_lead(events) & (lead >= 0) & (received < now) & (at < first[np.maximum(lead, 0)])
        lead, at, received, number = lead[seen], at[seen], received[seen], number[seen]
        outcome = first[lead]
        won = outcome < FOREVER
        self.delays += _table(number[~won], (received - at)[~won])
        self.left += _table(number[won], (outcome - at)[won])
        late = won & (received >= outcome)
        self.late += np.bincount(number[late], minlength=len(EVENT_TYPES))
        pairs = np.unique(lead[late] * len(EVENT_TYPES) + number[late])
        self.leads += np.bincount(pairs % len(EVENT_TYPES), minlength=len(EVENT_TYPES))

    def found(self, limit: float) -> Iterator[tuple[str, float, float]]:
        """(type, share that arrived after the conversion, share to be expected) beyond the limit."""
        for number, name in enumerate(EVENT_TYPES):
            before = self.left[number].sum()
            if self.leads[number] < LEAST:
                continue
            share = float(self.late[number] / before)
            expected = float(self.left[number] @ self._later(number) / before)
            if share - expected > limit:
                yield name, share, expected

    def _later(self, number: int) -> NDArray[np.float64]:
        """Share of other leads' events with a delay of at least so many minutes; of this type where they have such."""
        delays = self.delays[number]
        if delays.sum() < LEAST:
            delays = self.delays.sum(axis=0)
        return np.asarray(np.cumsum(delays[::-1])[::-1] / max(int(delays.sum()), 1), dtype=np.float64)


def _table(number: NDArray[np.int32], wait: I64) -> I64:
    minutes = np.clip(wait // MINUTE, 0, LONGEST)
    cells = np.bincount(number * (LONGEST + 1) + minutes, minlength=len(EVENT_TYPES) * (LONGEST + 1))
    return cells.astype(np.int64).reshape(len(EVENT_TYPES), LONGEST + 1)
