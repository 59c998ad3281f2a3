"""Which contents conversions are written to, by five rules that people use. For comparison: none of them is right.

    first      all to the first step          last      all to the last step         linear   alike to all steps
    position   0.4 to the first and the last, the rest alike to those between; two steps: halves
    decay      to each step its weight, which halves with every HALF_LIFE_DAYS before the landmark

Each conversion of people who saw something is given away whole, so every column adds up to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import rows_where
from training.trails import Trails

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
HALF_LIFE_DAYS = 7.0
ENDS = 0.4
RULES = ("first", "last", "linear", "position", "decay")


@dataclass(frozen=True)
class AttributionRow:
    """Conversions written to one content by each rule."""

    content: str
    first: float
    last: float
    linear: float
    position: float
    decay: float

    def document(self) -> dict[str, Any]:
        return dict(vars(self))


def attribution_rows(trails: Trails) -> tuple[AttributionRow, ...]:
    """A row for each content that a conversion was written to, by linear attribution. They add up to the conversions of
    people with a path."""
    won = rows_where(trails.label[trails.person] == 1)
    weights = attribution(trails.person[won], trails.age[won])
    table = np.column_stack([np.bincount(trails.step[won], w, len(trails.names)) for w in weights])
    rows = [
        AttributionRow(trails.names[i], *table[i].tolist())
        for i in rows_where(table.max(axis=1, initial=0.0) > 0).tolist()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.linear, r.content)))


def attribution(person: I64, age: F64) -> tuple[F64, ...]:
    """The weight of each step by each of RULES, (m,) each; of one person they add up to 1.

    person (m,): ascending; age (m,): days before the landmark.
    """
    _, start, which, size = np.unique(person, return_index=True, return_inverse=True, return_counts=True)
    length = size[which].astype(np.float64)
    place = np.arange(len(person)) - start[which]
    first, last = (place == 0).astype(np.float64), (place == length - 1).astype(np.float64)
    between = (1 - 2 * ENDS) / np.maximum(length - 2, 1)
    position = np.where(length <= 2, 1 / length, np.where((first + last) > 0, ENDS, between))
    # Ages count from each person's youngest step: only their differences matter, and no weight fades to nothing.
    youngest = np.full(len(start), np.inf)
    np.minimum.at(youngest, which, age)
    fading = np.exp2(-(age - youngest[which]) / HALF_LIFE_DAYS)
    total = np.bincount(which, fading, len(start))
    return first, last, 1 / length, position, fading / total[which]
