"""A period of whole days (UTC), and the one of equal length just before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.records import DAY

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Period:
    """From the start of a day to the end of one, us: `start` is in it, `end` is not."""

    start: int
    end: int

    @property
    def before(self) -> Period:
        """The period of equal length just before."""
        return Period(2 * self.start - self.end, self.start)

    @property
    def days(self) -> int:
        return (self.end - self.start) // DAY

    @property
    def text(self) -> str:
        return f"{day(self.start)} to {day(self.end - 1)}"

    def holds(self, at: I64) -> Mask:
        """Which of these moments are in it."""
        held: Mask = (at >= self.start) & (at < self.end)
        return held

    def document(self) -> dict[str, Any]:
        """Both days are in it."""
        return {"from": day(self.start), "to": day(self.end - 1), "days": self.days}


def day(micros: int) -> str:
    """The UTC day of a moment."""
    return (_EPOCH + timedelta(microseconds=micros)).date().isoformat()


def month_of(at: I64) -> I64:
    """The month of each moment (us), since 1970."""
    return at.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def month_period(first: int, last: int, end: int) -> Period:
    """Whole months (since 1970), up to `end` (us) at most."""
    start, after = (int(np.datetime64(m, "M").astype("datetime64[us]").astype(np.int64)) for m in (first, last + 1))
    return Period(start, min(after, end))
