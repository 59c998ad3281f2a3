"""Outcomes as they stand at a moment: deals won and not cancelled, losses, hand-overs to sales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import NULL_TIME, Coded, Columns
from data.spans import FOREVER, Spans

I64 = NDArray[np.int64]


def times_of(outcomes: Columns, kind: str) -> tuple[I64, I64]:
    """(lead, occurred_at) of the outcomes of one kind; `outcomes` has an int64 column `lead`."""
    kinds = outcomes.get("kind")
    if not isinstance(kinds, Coded) or not len(kinds):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    lead, at = outcomes["lead"], outcomes["occurred_at"]
    assert isinstance(lead, np.ndarray)
    assert isinstance(at, np.ndarray)
    rows = kinds.recode({kind: 1}, 0) == 1
    return lead[rows].astype(np.int64), at[rows].astype(np.int64)


def won_spans(outcomes: Columns) -> Spans:
    """Each conversion from when it happened until it was cancelled.

    A cancellation ends the latest conversion of its lead at or before it; what comes later changes nothing earlier.
    """
    lead, at = times_of(outcomes, "converted")
    order = np.lexsort((at, lead))
    lead, at = lead[order], at[order]
    until = np.full(len(lead), FOREVER, dtype=np.int64)
    who, when = times_of(outcomes, "cancelled")
    for i in np.lexsort((when, who)).tolist():
        first, last = np.searchsorted(lead, [who[i], who[i] + 1])
        row = int(first) + int(np.searchsorted(at[first:last], when[i], side="right")) - 1
        if row >= first and until[row] == FOREVER:
            until[row] = when[i]
    return Spans(lead, at, until)


def first_hand_over(outcomes: Columns, lead: I64) -> I64:
    """When sales first accepted each lead, NULL_TIME where it has not. Of all time: compare it with as_of."""
    who, when = times_of(outcomes, "accepted")
    if not len(who):
        return np.full(len(lead), NULL_TIME, dtype=np.int64)
    order = np.lexsort((when, who))
    who, when = who[order], when[order]
    first = np.minimum(np.searchsorted(who, lead, side="left"), len(who) - 1)
    return np.where(who[first] == lead, when[first], NULL_TIME).astype(np.int64)
