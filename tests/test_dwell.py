"""The dwell families: seconds, and when they are unknown."""

from __future__ import annotations

import math

import pytest

from tests.cases import event, values_of

SECOND = 1 / 86_400


def test_windows_include_their_oldest_moment() -> None:
    pages = [event(29, dwell_seconds=1.0), event(28, dwell_seconds=2.0), event(7, dwell_seconds=4.0)]
    values = values_of(pages)
    assert (values["dwell_total"], values["dwell_28d"], values["dwell_7d"]) == (7.0, 6.0, 4.0)


def test_the_unknown_last_page_is_left_out_not_zero() -> None:
    values = values_of([event(1), event(1 - 40 * SECOND, "/pricing")])
    assert values["dwell_total"] == 40.0
    assert values["dwell_known_share"] == 0.5
    assert values["dwell_per_view"] == 40.0
    assert math.isnan(values["dwell_pricing"])


def test_no_page_of_a_kind_is_zero_seconds_but_no_visit_is_unknown() -> None:
    assert values_of([event(1, dwell_seconds=5.0)])["dwell_pricing"] == 0.0
    assert values_of([event(40, dwell_seconds=5.0)])["dwell_28d"] == 0.0
    assert math.isnan(values_of([event(1, type="fair")])["dwell_pricing"])
    assert math.isnan(values_of([])["dwell_total"])


def test_stages_are_kept_apart() -> None:
    pages = [event(3, "/blog/crm/a", dwell_seconds=1.0), event(2, "/case/x", dwell_seconds=2.0), event(1, "/demo")]
    values = values_of(pages)
    assert [values[f"dwell_stage[{s}]"] for s in ("awareness", "consideration")] == [1.0, 2.0]
    assert math.isnan(values["dwell_stage[decision]"])


def test_recent_time_counts_more() -> None:
    assert values_of([event(14, dwell_seconds=8.0), event(28, dwell_seconds=8.0)])["dwell_decayed"] == 6.0


def test_measured_engagement_is_time_on_its_page() -> None:
    visit = [
        event(1, "/pricing"),
        event(1 - 10 * SECOND, "/pricing", type="engagement", dwell_seconds=10.0),
        event(1 - 20 * SECOND, "/pricing", type="engagement", dwell_seconds=10.0),
        event(1 - 60 * SECOND, "/demo"),
    ]
    values = values_of(visit)
    assert values["dwell_total"] == values["dwell_pricing"] == 20.0
    assert values["dwell_known_share"] == 0.5


def test_other_events_are_no_time_on_a_page() -> None:
    values = values_of([event(1, dwell_seconds=5.0), event(0.9, type="meeting", dwell_seconds=1800.0)])
    assert values["dwell_total"] == values["dwell_longest"] == 5.0


def test_per_session_longest_and_last_session() -> None:
    pages = [event(5, dwell_seconds=90.0), event(5 - SECOND, dwell_seconds=10.0), event(1, dwell_seconds=20.0)]
    values = values_of(pages)
    assert (values["dwell_per_session"], values["dwell_longest"], values["dwell_last_session"]) == (60.0, 90.0, 20.0)
    assert values["long_views"] == 1


@pytest.mark.parametrize(("path", "share"), [("/pricing", 0.75), ("/case/x", 0.0)])
def test_decision_share_is_of_the_known_time(path: str, share: float) -> None:
    values = values_of([event(2, path, dwell_seconds=30.0), event(1, "/jobs", dwell_seconds=10.0)])
    assert values["dwell_decision_share"] == share
