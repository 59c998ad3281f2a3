"""What the shared numbers are counted from, as plain arrays: the service asks for it too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.arrays import rows_where

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LeadFacts:
    """n leads there were before `now`: number of the source, and when each was created, first reached MQL, was accepted,
    won for good, won and cancelled within the window, us, FOREVER = not, (n,). mql is known since `NumbersAsked.first` only.

    Of leads created since then, else FOREVER, False or NaN: look, us; ready: sales-ready at the first
    look; open at `look`; probability at it; label 1 or 0, NaN = not final; first_look: was it reached?
    """

    source: I64
    created: I64
    mql: I64
    accepted: I64
    won: I64
    cancelled: I64
    look: I64
    first_look: Mask
    ready: Mask
    open: Mask
    probability: F64
    label: F64

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: I64) -> LeadFacts:
        """Some of the leads."""
        return LeadFacts(**{name: column[rows] for name, column in vars(self).items()})


class Sums:
    """Sums by name and number, of numbers that are not all known yet."""

    def __init__(self) -> None:
        self._sums: dict[str, F64] = {}

    def add(self, name: str, numbers: NDArray[np.integer], weights: F64 | None = None) -> None:
        """Once for each of these numbers, or its weight."""
        found = np.bincount(numbers, weights).astype(np.float64)
        have = self._sums.get(name, np.zeros(0))
        total = np.zeros(max(len(found), len(have)))
        total[: len(have)] += have
        total[: len(found)] += found
        self._sums[name] = total

    def of(self, name: str, n: int) -> F64:
        """The sums of the first n numbers, (n,)."""
        have = self._sums.get(name, np.zeros(0))
        return np.concatenate([have, np.zeros(n - len(have))])


@dataclass(frozen=True)
class VisitMonths:
    """Visits of k kinds: number of their source, month (since 1970), and the last month before it in which their visitor
    came, -1 = none; how many visits and bounces these are, and of how many visitors the first in that month, (k,)."""

    source: I64
    month: I64
    before: I64
    visits: F64
    bounces: F64
    visitors: F64

    def sums(self, first: int, last: int) -> Sums:
        """Visits, bounces and visitors of the months from first to last, by source. A visitor counts once: in the first of
        these months in which it came."""
        here = rows_where((self.month >= first) & (self.month <= last))
        fresh = here[self.before[here] < first]
        sums = Sums()
        sums.add("visits", self.source[here], self.visits[here])
        sums.add("bounces", self.source[here], self.bounces[here])
        sums.add("visitors", self.source[fresh], self.visitors[fresh])
        return sums
