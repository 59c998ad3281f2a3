"""Visits and conversions: each conversion belongs to the last visit begun before it, and people to the band of their visits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from training.intervals import wilson
from training.snapshots import Conversions
from training.touches import BANDS, MOST, Touches, _visits_before


def _journeys(rng: np.random.Generator) -> Any:
    """Visits of six people, some of none, in the order of people and time; events between them that open no visit."""
    visits = sorted((p, t) for p in range(6) for t in rng.integers(0, 30, rng.integers(0, 5)).tolist())
    time = np.array([t for _, t in visits for _ in range(2)], dtype=np.int64)
    starts = np.arange(len(visits), dtype=np.int64) * 2
    return SimpleNamespace(
        time=time, session_starts=starts, session_segment=np.array([p for p, _ in visits], dtype=np.int64)
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_conversion_belongs_to_the_last_visit_of_its_person_begun_by_then(seed: int) -> None:
    rng = np.random.default_rng(seed)
    j, n = _journeys(rng), 12
    person, at = rng.integers(0, 6, n), rng.integers(-3, 33, n)
    nothing = np.zeros(n, dtype=np.int64)
    found = _visits_before(j, person, Conversions(person, at, nothing, nothing.astype(np.float64)))
    begun = list(zip(j.session_segment.tolist(), j.time[j.session_starts].tolist(), strict=True))
    expected = set()
    for p, t in zip(person.tolist(), at.tolist(), strict=True):
        own = [i for i, (q, b) in enumerate(begun) if q == p and b <= t]
        expected |= set(own[-1:])
    assert found.tolist() == sorted(expected)


def test_everybody_is_in_one_band_and_too_few_are_in_no_row() -> None:
    tally = Touches()
    for visits, hits in ((0, 0), (1, 3), (2, 1), (MOST, 2), (MOST + 40, 4)):
        tally.add(np.full(5, visits), (np.arange(5) < hits).astype(np.float64))
    tally.add(np.full(4, 3), np.ones(4))
    rows = {r.touches: (r.people, r.conversions) for r in tally.rows()}
    assert rows == {"none": (5, 0), "1": (5, 3), "2": (5, 1), BANDS[-1]: (10, 6)}
    last = tally.rows()[-1]
    assert (last.low, last.high) == tuple(float(end) for end in wilson(6, 10))
