"""Distinct pairs are counted alike by the table, by the sort in 32 bits and by the sort in 64."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from features.arrays import count_pairs, distinct_pairs


@pytest.mark.parametrize("largest", [5, 5000, 2**30], ids=["table", "32 bits", "64 bits"])
def test_pairs_are_counted_alike_on_every_way(largest: int) -> None:
    rng = np.random.default_rng(0)
    segment = np.sort(rng.integers(0, 100, 3000))
    codes = rng.choice([0, 1, 2, largest // 2, largest], 3000).astype(np.int32)
    expected = Counter(zip(segment.tolist(), codes.tolist(), strict=True))
    owner, counts = count_pairs(segment, codes, 100, largest + 1)
    in_order = sorted(expected)
    assert owner.tolist() == [who for who, _ in in_order]
    assert counts.tolist() == [expected[pair] for pair in in_order]
    assert distinct_pairs(segment, codes, 100, largest + 1).sum() == len(expected)


def test_no_pairs_are_none() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert distinct_pairs(nothing, nothing.astype(np.int32), 3, 0).tolist() == [0, 0, 0]
