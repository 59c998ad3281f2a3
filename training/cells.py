"""People and conversions in bands, by one dimension of what can be chosen: a month, a channel, or a value of an attribute.

Everybody is in exactly one band, and totals of bands and of values are told. So a value of which a band has too few people
is not told at all, and neither are as many others as hide it. Arrays alone: the service asks it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.prepared_names import ATTRIBUTES, LEAST

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
DIMENSIONS = ("month", "channel", *ATTRIBUTES)


def cells_of(
    bands: NDArray[np.integer], n: int, columns: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]
) -> dict[str, I64]:  # fmt: skip
    """Of each dimension people and conversions, (2, kinds, n, values). bands (people, kinds): 0 to n - 1, people as in
    the columns, of which `label` says who converted; sizes: how many values each dimension has."""
    return {
        name: _cells(bands, n, columns[name].astype(np.int64), sizes[name], columns["label"]) for name in DIMENSIONS
    }


def _cells(bands: NDArray[np.integer], n: int, value: I64, size: int, label: Mask) -> I64:
    kinds = bands.shape[1]
    found = np.zeros((2, kinds, n * size), dtype=np.int64)
    for kind in range(kinds):
        cell = bands[:, kind] * np.int64(size) + value
        found[0, kind] = np.bincount(cell, minlength=n * size)
        found[1, kind] = np.bincount(cell[label], minlength=n * size)
    return found.reshape(2, kinds, n, size)


def may_tell(people: I64) -> Mask:
    """Which values may be told of, (values,); people (n, values) of one kind.

    Those that may not are together nobody or LEAST people and more in each band, and never one alone.
    """
    hidden: Mask = np.asarray(((people > 0) & (people < LEAST)).any(axis=0))
    for value in np.argsort(people.sum(axis=0), kind="stable").tolist():
        together = people[:, hidden].sum(axis=1)
        if not hidden.any() or (hidden.sum() > 1 and not ((together > 0) & (together < LEAST)).any()):
            break
        hidden[value] |= people[:, value].any()
    return ~hidden
