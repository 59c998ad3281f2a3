"""Counts by day of many values, bounded in memory whatever strangers send."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from training.monitor.noise import DAYS

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
MOST_VALUES = 20_000
_DECADES, _PER_DECADE, _LOWEST = 18, 20, -6  # 1e-6 to 1e12 in steps of 12 %
BINS = _DECADES * _PER_DECADE


@dataclass
class Mark:
    """One value: counts by age in days, and when it was first and last seen in these days, us."""

    counts: I64 = field(default_factory=lambda: np.zeros(DAYS, dtype=np.int64))
    first: int = np.iinfo(np.int64).max
    last: int = 0

    def add(self, counts: I64, first: int, last: int) -> None:
        self.counts += counts
        self.first, self.last = min(self.first, first), max(self.last, last)


class Marks:
    """The values of one column; the rarest are forgotten where there are too many. "" stands for null where asked for."""

    def __init__(self) -> None:
        self.of: dict[str, Mark] = {}

    def add(self, column: Coded, age: I64, at: I64, nulls: bool = False) -> None:
        """Rows with their age in days and their time."""
        values = (*column.values, "") if nulls else column.values
        codes = np.where(column.codes < 0, len(column.values), column.codes) if nulls else column.codes
        rows = np.flatnonzero(codes >= 0)
        if not len(rows):
            return
        used, code = np.unique(codes[rows], return_inverse=True)
        table = np.bincount(code * DAYS + age[rows], minlength=len(used) * DAYS).reshape(-1, DAYS)
        first, last = np.full(len(used), np.iinfo(np.int64).max), np.zeros(len(used), dtype=np.int64)
        np.minimum.at(first, code, at[rows])
        np.maximum.at(last, code, at[rows])
        for i, number in enumerate(used.tolist()):
            self.of.setdefault(values[number], Mark()).add(table[i], int(first[i]), int(last[i]))
        if len(self.of) > MOST_VALUES:
            kept = sorted(self.of, key=lambda v: -int(self.of[v].counts.sum()))[: MOST_VALUES // 2]
            self.of = {v: self.of[v] for v in kept}

    def total(self) -> I64:
        return sum((m.counts for m in self.of.values()), np.zeros(DAYS, dtype=np.int64))


class Sizes:
    """Positive numbers of one column by day and size, in bins of 12 %."""

    def __init__(self) -> None:
        self.table = np.zeros((DAYS, BINS), dtype=np.int64)

    def add(self, values: F64, age: I64) -> None:
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(np.isfinite(values) & (values > 0))
        bins = np.floor((np.log10(values[rows]) - _LOWEST) * _PER_DECADE).astype(np.int64)
        flat = age[rows] * BINS + np.clip(bins, 0, BINS - 1)
        self.table += np.bincount(flat, minlength=DAYS * BINS).reshape(DAYS, BINS)


def size_at(counts: I64, share: float) -> float:
    """The bin's number, as a fraction, below which a share of the counts lies."""
    sums = np.cumsum(counts)
    return float(np.searchsorted(sums, share * sums[-1])) + 0.5


def size_of(number: float) -> float:
    """The size a bin stands for."""
    return float(10 ** (number / _PER_DECADE + _LOWEST))


def bins_of(factor: float) -> float:
    """How many bins a factor spans."""
    return float(np.log10(factor) * _PER_DECADE)
