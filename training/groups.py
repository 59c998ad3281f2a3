"""Groups of people: how many converted, how sure the rate is, and how it compares with that of all. Arrays alone: the
service asks it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.arrays import rows_where
from training.intervals import LEVEL, discoveries, exact_p, lift, means, medians, rate, wilson

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Told(Protocol):
    """n people: whether they converted (n,) 1 or 0, took it back, seconds on pages, days to convert, probability and
    points, NaN = not known. See `trails.Trails`."""

    @property
    def label(self) -> F64: ...
    @property
    def cancelled(self) -> Mask: ...
    @property
    def dwell(self) -> F64: ...
    @property
    def days(self) -> F64: ...
    @property
    def probability(self) -> F64: ...
    @property
    def points(self) -> F64: ...
    @property
    def conversions(self) -> int: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Group:
    """Some people and what became of them; intervals are 95 %.

    rate: conversions over people, Wilson. lift: rate over that of all, NaN where nobody converts; p: exact, for a lift of
    1; q: p with all groups in mind; claimed: q at most LEVEL. cancelled: people who converted and took it back within the
    window, not among the conversions; cancelled_share: of all who converted, NaN where nobody did. dwell_seconds and
    days_to_convert: medians, NaN = not known; probability (mean) and points (mean): NaN where nobody scored them.
    """

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
    cancelled: int
    cancelled_share: float
    cancelled_low: float
    cancelled_high: float
    dwell_seconds: float
    days_to_convert: float
    probability: float
    points: float


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON: what is not known, and what has no end, is null."""
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in document.items()}


def compared(hits: I64, size: I64, conversions: int, people: int) -> tuple[NDArray[Any], ...]:
    """Of groups of `people`, who converted `conversions` times in all: the fields of `Group` from people to claimed."""
    p = exact_p(hits, size, conversions, people)
    q = discoveries(p)
    lifts = lift(hits, size, conversions, max(people, 1))
    return size, hits, rate(hits, size), *wilson(hits, size), *lifts, p, q, q <= LEVEL


def groups_of(trails: Told, group: I64, n: int, support: int) -> tuple[list[dict[str, Any]], I64]:
    """The fields of `Group` of each group of at least `support` people, and which groups these are.

    group (people,): number of each person's group, 0 to n - 1, -1 = in none. Lift is over the rate of all people told.
    """
    group, n = group + 1, n + 1  # those in no group come first
    size = np.bincount(group, minlength=n)
    size[0] = 0
    kept = rows_where(size >= max(support, 1))
    hits, gone = (np.bincount(group[w > 0], minlength=n)[kept] for w in (trails.label, trails.cancelled))
    size = size[kept]
    averages = [f(group, v, n)[kept] for f, v in (
        (medians, trails.dwell), (medians, trails.days), (means, trails.probability), (means, trails.points),
    )]  # fmt: skip
    told = compared(hits, size, trails.conversions, len(trails))
    columns = (*told, gone, *_share(gone, hits + gone), *averages)
    names = [f.name for f in fields(Group)]
    rows = zip(*(c.tolist() for c in columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows], kept - 1


def _share(part: I64, whole: I64) -> tuple[F64, F64, F64]:
    """A share and its interval; NaN where there is no whole."""
    low, high = (np.where(whole > 0, bound, np.nan) for bound in wilson(part, whole))
    return rate(part, whole), low, high
