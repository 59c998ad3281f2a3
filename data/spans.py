"""Spans of time with an owner: what holds at a moment, for whom. Plain arrays and sorted sweeps.

A span holds from just after `since` up to and including `until`: what begins at a moment is not known *before* it,
what ends at a moment still was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
FOREVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Spans:
    """Row i: something of `owner[i]` that holds at every moment in (since[i], until[i]]. All int64, in any order."""

    owner: I64
    since: I64
    until: I64

    @staticmethod
    def none() -> Spans:
        empty = np.zeros(0, dtype=np.int64)
        return Spans(empty, empty, empty)

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, rows: NDArray[np.integer] | Mask) -> Spans:
        return Spans(self.owner[rows], self.since[rows], self.until[rows])

    def at(self, owner: I64, moment: I64) -> I64:
        """How many spans of owner[i] hold at moment[i], (n,)."""
        there = self.take(self.since < self.until)
        begun = before(there.owner, there.since, owner, moment)
        return begun - before(there.owner, there.until, owner, moment)

    def meet(self, other: Spans) -> tuple[I64, Spans]:
        """Where a span of this meets one of `other` of the same owner: row numbers of this, and the common spans."""
        order = np.argsort(other.owner, kind="stable")
        owners = other.owner[order]
        first = np.searchsorted(owners, self.owner, side="left")
        count = np.searchsorted(owners, self.owner, side="right") - first
        row = np.repeat(np.arange(len(self)), count)
        theirs = order[np.arange(len(row)) - np.repeat(np.cumsum(count) - count - first, count)]
        since = np.maximum(self.since[row], other.since[theirs])
        until = np.minimum(self.until[row], other.until[theirs])
        keep = since < until
        return row[keep], Spans(self.owner[row][keep], since[keep], until[keep])


def among(owner: I64, wanted: I64) -> Mask:
    """Whether each owner (>= 0) is among the wanted ones; wanted numbers below 0 are nobody."""
    table = np.zeros(int(max(owner.max(initial=-1), wanted.max(initial=-1))) + 1, dtype=np.bool_)
    table[wanted[wanted >= 0]] = True
    found: Mask = table[owner]
    return found


def before(owner: I64, time: I64, ask_owner: I64, ask_time: I64) -> I64:
    """How many rows of ask_owner[i] have a time before ask_time[i]: one merge sort of rows and questions."""
    if not len(owner):
        return np.zeros(len(ask_owner), dtype=np.int64)
    who, when = np.concatenate([owner, ask_owner]), np.concatenate([time, ask_time])
    is_row = np.concatenate([np.ones(len(owner), dtype=np.int8), np.zeros(len(ask_owner), dtype=np.int8)])
    merged = np.lexsort((is_row, when, who))  # at equal times the question comes first: strictly before
    so_far = np.empty(len(merged), dtype=np.int64)
    so_far[merged] = np.cumsum(is_row[merged], dtype=np.int64)
    return so_far[len(owner) :] - np.searchsorted(np.sort(owner), ask_owner, side="left")


def merged(spans: Spans) -> Spans:
    """The same moments as spans that do not meet: overlapping and adjoining ones of an owner become one."""
    order = np.lexsort((spans.since, spans.owner))
    spans = spans.take(order).take(spans.since[order] < spans.until[order])
    if not len(spans):
        return spans
    reach = _running_end(spans)
    opens = np.ones(len(spans), dtype=np.bool_)
    opens[1:] = (spans.owner[1:] != spans.owner[:-1]) | (spans.since[1:] > reach[:-1])
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(spans)) - 1
    return Spans(spans.owner[first], spans.since[first], reach[last])


def _running_end(spans: Spans) -> I64:
    """The furthest `until` of each owner so far; owners ascending, so that ranks can be accumulated together."""
    place = np.empty(len(spans), dtype=np.int64)
    place[np.lexsort((spans.until, spans.owner))] = np.arange(len(spans))
    until = np.empty(len(spans), dtype=np.int64)
    until[place] = spans.until
    return until[np.maximum.accumulate(place)]
