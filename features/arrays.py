"""Small tools on flat arrays that families share. None of them lets one segment look at another."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]
Mask = NDArray[np.bool_]
Codes = TypeVar("Codes", I32, I64)
Number = TypeVar("Number", np.float64, np.int64, np.int32)


def rows_where(mask: Mask) -> I64:
    """Positions at which `mask` holds. (`np.flatnonzero` without its detours, which one lead would feel.)

    `values[rows_where(mask)]` is several times faster than `values[mask]` on long arrays, and no slower on short ones.
    """
    return mask.nonzero()[0]


def every(mask: Mask) -> bool:
    """Does `mask` hold everywhere? (`mask.all()` without its detours.)"""
    return bool(np.count_nonzero(mask) == mask.size)


def differs(values: NDArray[np.integer] | Mask) -> Mask:
    """Is each value another than the one before it? True of the first, which has none before it."""
    fresh = np.empty(len(values), dtype=np.bool_)
    fresh[:1] = True
    np.not_equal(values[1:], values[:-1], out=fresh[1:])
    return fresh


def run_starts(values: NDArray[np.integer]) -> I64:
    """Positions at which a run of equal values begins."""
    return rows_where(differs(values))


def run_ends(values: NDArray[np.integer]) -> I64:
    """Positions at which a run of equal values ends."""
    closing = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=closing[:-1])
    return rows_where(closing)


def sorted_distinct(values: Codes) -> tuple[Codes, I64]:
    """(distinct values ascending, how often each occurs). Sorting integers is far faster than `np.unique`."""
    ordered = np.sort(values)
    first = run_starts(ordered)
    counts = np.empty(len(first), dtype=np.int64)
    np.subtract(first[1:], first[:-1], out=counts[:-1])
    counts[-1:] = len(ordered) - first[-1:]
    return ordered[first], counts


def count_pairs(segment: I64, codes: I32 | I64, n: int, width: int) -> tuple[I64 | I32, I64]:
    """(segment, how often) of each distinct pair of n segments and codes from 0 to width, ascending by both.

    A table where it fits, else a sort: in 32 bits where they suffice, which is three times as fast.
    """
    if _fits(n, width, codes):
        cells = np.bincount(segment * width + codes, minlength=n * width)
        pair = rows_where(cells > 0)
        return pair // width, cells[pair]
    if n * width <= np.iinfo(np.int32).max:
        short, counts = sorted_distinct(segment.astype(np.int32) * np.int32(width) + codes.astype(np.int32))
        return short // np.int32(width), counts
    pair, counts = sorted_distinct(segment * width + codes)
    return pair // width, counts


def _fits(n: int, width: int, codes: I32 | I64) -> bool:
    """Is a table of n * width not much larger than the codes?"""
    return n * width <= 4 * len(codes) + 1024


def distinct_pairs(segment: I64, codes: I32 | I64, n: int, width: int) -> F64:
    """Distinct codes, from 0 to width, of each of n segments."""
    if _fits(n, width, codes):
        seen = np.zeros(n * width, dtype=np.bool_)
        seen[segment * width + codes] = True
        return per_segment(rows_where(seen) // width, n)
    return per_segment(count_pairs(segment, codes, n, width)[0], n)


def per_segment(segment: I64 | I32, n: int, weights: Mask | F64 | None = None) -> F64:
    """How often each of n segments occurs; with `weights` their sums, added in order, such as how often a mask holds."""
    return np.bincount(segment, weights, n).astype(np.float64, copy=False)


def table(segment: I64, codes: I32 | I64, n: int, width: int) -> F64:
    """How often each code occurs in each of n segments, (n, width); a code of -1 counts nowhere."""
    cell = segment * (width + 1) + codes
    cell += 1  # the first column is that of code -1
    return per_segment(cell, n * (width + 1)).reshape(n, width + 1)[:, 1:]


def merge_repeats(segment: I64, codes: Codes) -> tuple[I64, Codes]:
    """(segment, code) pairs without those equal to the pair before."""
    rows = rows_where(differs(segment) | differs(codes))
    return segment[rows], codes[rows]


def highest_of_each(segment: I64, values: I64, n: int) -> I64:
    """The highest of the values >= 0 of each of n segments; -1 for none."""
    highest = filled(n, -1, np.int64)
    np.maximum.at(highest, segment, values)
    return highest


def pick(codes: NDArray[np.integer], position: I64) -> I32:
    """codes[position]; -1 where position is -1."""
    if not len(codes):
        return filled(len(position), -1, np.int32)
    return np.where(position >= 0, codes[position], -1).astype(np.int32)


def ratio(part: F64, whole: F64) -> F64:
    """part / whole; NaN where whole is 0 or unknown."""
    shares = nans(part.shape)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def nans(shape: int | tuple[int, ...]) -> F64:
    """An array of NaN."""
    return filled(shape, np.nan, np.float64)


def filled(shape: int | tuple[int, ...], value: float, kind: type[Number]) -> NDArray[Number]:
    """An array of one value. (`np.full` without its detours.)"""
    values = np.empty(shape, dtype=kind)
    values.fill(value)
    return values
