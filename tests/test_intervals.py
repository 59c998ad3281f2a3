"""Intervals hold what they say they hold, also where few convert."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.intervals import difference, discoveries, exact_p, lift, medians, ratio, wilson

DRAWS = 4000


@given(st.integers(1, 5000), st.data())
def test_the_wilson_interval_holds_the_rate_and_stays_between_0_and_1(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson(hits, n)
    assert (hits == 0) == (float(low) == 0)
    assert (hits == n) == (float(high) == 1)
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1


def test_the_wilson_interval_covers_at_its_level() -> None:
    low, high = wilson(np.random.default_rng(0).binomial(80, 0.07, DRAWS), 80)
    assert np.mean((low <= 0.07) & (high >= 0.07)) > 0.93


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 600))
def test_lift_and_ratio_lie_in_their_intervals(hits: int, n: int, other_hits: int, other_n: int) -> None:
    hits, other_hits = min(hits, n), min(other_hits, other_n)
    for found, low, high in (
        ratio(hits, n, other_hits, other_n),
        lift(hits, n, hits + other_hits, n + other_n),
        difference(hits, n, other_hits, other_n),
    ):
        if hits + other_hits:
            assert low <= found + 1e-9
            assert found <= high + 1e-9


@pytest.mark.parametrize(("n", "rate"), [(30, 0.1), (300, 0.02), (2000, 0.1)])
def test_the_interval_of_a_lift_covers_1_at_its_level_for_small_and_large_parts(n: int, rate: float) -> None:
    """The large part is 2000 of 3000 people: an interval of its rate alone over that of all would be too wide."""
    rng, others = np.random.default_rng(1), 1000
    hits, other_hits = rng.binomial(n, rate, DRAWS), rng.binomial(others, rate, DRAWS)
    bounds = np.array([lift(h, n, h + o, n + others)[1:] for h, o in zip(hits, other_hits, strict=True)])
    covered = np.mean((bounds[:, 0] <= 1) & (bounds[:, 1] >= 1))
    assert 0.935 < covered < 0.985


def test_the_part_that_is_all_has_a_lift_of_1() -> None:
    assert [v.item() for v in lift(7, 50, 7, 50)] == [1, 1, 1]


def test_a_part_drawn_by_lot_is_seldom_unlike_the_rest() -> None:
    hits = np.random.default_rng(2).hypergeometric(100, 1900, 30, DRAWS)
    for level in (0.05, 0.001):
        assert np.mean(exact_p(hits, np.full(DRAWS, 30), 100, 2000) <= level) <= level


def test_discoveries_leave_out_what_is_not_known() -> None:
    found = discoveries(np.array([0.001, np.nan, 0.5]))
    assert found[0] == pytest.approx(0.002)
    assert np.isnan(found[1])


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))), max_size=40))
def test_medians_are_those_of_each_group(pairs: list[tuple[int, float]]) -> None:
    found = medians(np.array([g for g, _ in pairs], dtype=np.int64), np.array([v for _, v in pairs]), 4)
    for group in range(4):
        own = [v for g, v in pairs if g == group and v == v]
        assert found[group] == pytest.approx(np.median(own)) if own else np.isnan(found[group])
