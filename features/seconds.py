"""Known time on pages, summed by journey: the reduction behind all families over dwell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.arrays import F64, I32, I64, Mask, rows_where


@dataclass(frozen=True)
class Seconds:
    """The timed events of n journeys: page views, and engagement that was measured.

    Where a journey has none of a kind the time is 0; where it has some but no time is known, and where the lead was
    never on the site, the time is null.

    Attributes
    ----------
    rows, segment, known
        position, journey and seconds of the events whose dwell is known, in order.
    unknown_rows, unknown_segment
        position and journey of those whose dwell is not.
    visited
        bool (n,): was the lead on the site?
    """

    rows: I64
    segment: I64
    known: F64
    unknown_rows: I64
    unknown_segment: I64
    visited: Mask

    def total(self, mask: Mask | None = None, weights: F64 | None = None) -> F64:
        """Sum of the events where `mask`, (n,); `weights` (one for each event of the journeys) multiply the seconds."""
        segment, seconds, missing = self.segment, self._weighted(weights), self.unknown_segment
        if mask is not None:
            kept = rows_where(mask[self.rows])
            segment, seconds = segment[kept], seconds[kept]
            missing = missing[rows_where(mask[self.unknown_rows])]
        return self._sums(segment, seconds, missing, 1)[:, 0]

    def by(self, codes: I32 | I64, k: int, weights: F64 | None = None) -> F64:
        """Sum by code, (n, k); `codes` as `weights`, an event with code -1 counts nowhere."""
        width = k + 1
        cell = self.segment * width + (codes[self.rows] + 1)
        missing = self.unknown_segment * width + (codes[self.unknown_rows] + 1)
        return self._sums(cell, self._weighted(weights), missing, width)[:, 1:]

    def _weighted(self, weights: F64 | None) -> F64:
        return self.known if weights is None else self.known * weights[self.rows]

    def _sums(self, cell: I64, seconds: F64, missing: I64, width: int) -> F64:
        """Sums by cell, (n, width)."""
        size = len(self.visited) * width
        sums = np.bincount(cell, weights=seconds, minlength=size).astype(np.float64, copy=False).reshape(-1, width)
        told = sums != 0
        told.reshape(-1)[cell[rows_where(seconds <= 0)]] = True  # only these can add up to nothing
        seen = np.bincount(missing, minlength=size).reshape(-1, width) > 0
        sums[~told & (seen | ~self.visited[:, np.newaxis])] = np.nan
        return sums
