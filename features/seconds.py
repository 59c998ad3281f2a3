"""Known time on pages, summed by journey: the reduction behind all families over dwell."""

from __future__ import annotations

import numpy as np

from data.light import light
from features.arrays import F64, I32, I64, Mask, rows_where
from features.lazy import cached_property


@light
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
    never
        bool (n,): was the lead never on the site?
    """

    rows: I64
    segment: I64
    known: F64
    unknown_rows: I64
    unknown_segment: I64
    never: Mask

    def total(self, mask: Mask | None = None, weights: F64 | None = None) -> F64:
        """Sum of the events where `mask`, (n,); `weights` (one for each event of the journeys) multiply the seconds."""
        segment, seconds = self.segment, self._weighted(weights)
        if mask is not None:
            kept = rows_where(mask[self.rows])
            segment, seconds = segment[kept], seconds[kept]
        sums = self._sums(segment, seconds, 1)
        if np.count_nonzero(sums) == len(sums):
            return sums
        missing = self.unknown_segment
        if mask is not None:
            missing = missing[rows_where(mask[self.unknown_rows])]
        return self._with_nulls(sums, segment, seconds, missing, 1)

    def by(self, codes: I32 | I64, k: int, weights: F64 | None = None) -> F64:
        """Sum by code, (n, k); `codes` as `weights`, an event with code -1 counts nowhere."""
        width, known = k + 1, len(self.rows)
        cells = self._segments * width
        cells += codes.take(self._places)
        cells += 1  # the first column is that of code -1
        cell, missing = cells[:known], cells[known:]
        seconds = self._weighted(weights)
        sums = self._with_nulls(self._sums(cell, seconds, width), cell, seconds, missing, width)
        return sums.reshape(-1, width)[:, 1:]

    @cached_property
    def _places(self) -> I64:
        """Positions of all timed events, those of known seconds first."""
        return np.concatenate([self.rows, self.unknown_rows])

    @cached_property
    def _segments(self) -> I64:
        """Their journeys."""
        return np.concatenate([self.segment, self.unknown_segment])

    def _weighted(self, weights: F64 | None) -> F64:
        return self.known if weights is None else self.known * weights[self.rows]

    def _sums(self, cell: I64, seconds: F64, width: int) -> F64:
        """Sums by cell, (n * width,)."""
        return np.bincount(cell, weights=seconds, minlength=len(self.never) * width).astype(np.float64, copy=False)

    def _with_nulls(self, sums: F64, cell: I64, seconds: F64, missing: I64, width: int) -> F64:
        """The sums, null where nothing is known and something is missing or the lead was never on the site."""
        null = self.never.repeat(width)
        null[missing] = True
        null &= np.logical_not(sums)
        nothing = rows_where(seconds <= 0)  # only these can add up to nothing
        if len(nothing):
            null[cell[nothing]] = False
        sums[null] = np.nan
        return sums
