"""Fewer rows that stand for all: what converts is kept longest, and every row weighs the inverse of its rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def thinned(label: F64, hashes: F64, as_of: I64, limit: int, turn: int = 0) -> tuple[I64, F64]:
    """About `limit` of n rows by hash, ascending, and how much more each of them weighs, the inverse of its rate.

    All positives, or half of the limit where they are more, and a sample of the others; all rows where they are not
    more than the limit. Samples of different `turn` have nothing to do with each other, nor with folds and judging leads.
    """
    if len(label) <= limit:
        return np.arange(len(label)), np.ones(len(label))
    positive = label == 1
    positives = int(positive.sum())
    room = min(positives, limit // 2)
    rate = np.where(positive, room / max(positives, 1), min((limit - room) / (len(label) - positives), 1.0))
    # Multiplied by a large odd number so that the draw has nothing to do with the hash's first digits.
    draw = (hashes * (1_000_003.0 + 2 * turn) + as_of % 9_973 / 9_973.0) % 1.0
    keep = np.flatnonzero(draw < rate)
    return keep, 1.0 / rate[keep]
