"""The rhythm families: how often, how recently, at which hours."""

from __future__ import annotations

import math

import pytest

from data.records import DAY, NULL_TIME
from tests.cases import MINUTE, NOW, event, values_of


def test_sessions_and_views_by_window() -> None:
    visits = [event(29), event(28), event(8), event(7), event(7 - 1 / 1440)]
    values = values_of(visits)
    assert [values[f"sessions{w}"] for w in ("", "_28d", "_7d")] == [4, 3, 1]
    assert [values[f"page_views{w}"] for w in ("", "_28d", "_7d")] == [5, 4, 2]
    assert values["views_per_session"] == 1.25


def test_recency_and_age() -> None:
    values = values_of([event(12), event(3, type="fair")])
    assert (values["days_since_last"], values["days_since_first"]) == (3.0, 12.0)


def test_the_anonymous_phase_ends_with_the_creation() -> None:
    values = values_of([event(10), event(2)], created_at=NOW - 4 * DAY)
    assert (values["days_anonymous"], values["views_since_created"]) == (6.0, 1)
    assert values_of([event(2)], created_at=NOW - 4 * DAY)["days_anonymous"] == 0.0
    unborn = values_of([event(2)], created_at=NULL_TIME)
    assert math.isnan(unborn["days_anonymous"])
    assert unborn["views_since_created"] == 0


def test_active_days_are_calendar_days_in_utc() -> None:
    midnight = NOW // DAY * DAY
    times = [midnight - 1, midnight, midnight + 60 * MINUTE, NOW - 30 * DAY]
    assert values_of([event(0, occurred_at=t) for t in times])["active_days_28d"] == 2


def test_gaps_lie_between_the_starts_of_sessions() -> None:
    values = values_of([event(10), event(10 - 1 / 1440), event(8), event(2)])
    assert (values["session_gap_days"], values["longest_pause_days"]) == (4.0, 6.0)
    one = values_of([event(10)])
    assert math.isnan(one["session_gap_days"])
    assert math.isnan(one["longest_pause_days"])


@pytest.mark.parametrize(
    ("days_ago", "trend"), [([1, 2, 20], 1 / 3), ([20], -1.0), ([1], 1.0), ([14, 14.5], 0.0), ([40], math.nan)]
)
def test_trend_compares_two_fortnights(days_ago: list[float], trend: float) -> None:
    assert values_of([event(d) for d in days_ago])["trend_14d"] == pytest.approx(trend, nan_ok=True)


def test_decayed_activity_halves_in_a_fortnight() -> None:
    assert values_of([event(14), event(28)])["activity_decayed"] == 0.75
    assert values_of([])["activity_decayed"] == 0.0


def test_events_are_counted_by_type() -> None:
    kinds = ["form", "form", "download", "video", "email", "webinar", "fair", "meeting", "call"]
    values = values_of([event(40 if i == 0 else i, type=kind) for i, kind in enumerate(kinds)])
    counted = ("forms", "forms_28d", "downloads", "videos", "emails", "emails_28d", "offline_contacts")
    assert [values[name] for name in counted] == [2, 1, 1, 1, 1, 1, 4]
    assert values["days_since_form"] == 1.0
    assert math.isnan(values_of([event(1)])["days_since_form"])


@pytest.mark.parametrize(
    ("weekday", "hour", "office", "weekend"),
    [(0, 8, 1, 0), (4, 17, 1, 0), (4, 18, 0, 0), (2, 7, 0, 0), (5, 12, 0, 1), (6, 0, 0, 1)],
)
def test_office_hours_and_weekends_in_utc(weekday: int, hour: int, office: int, weekend: int) -> None:
    monday = (NOW // DAY + 3) // 7 * 7 - 3 - 7
    values = values_of([event(0, occurred_at=(monday + weekday) * DAY + hour * 60 * MINUTE)])
    assert (values["office_hours_share"], values["weekend_share"]) == (office, weekend)


def test_what_we_did_and_what_robots_did_does_not_count() -> None:
    values = values_of([event(1, direction="outbound", type="email"), event(1, is_bot=True), event(2)])
    assert (values["emails"], values["page_views"], values["days_since_last"]) == (0, 1, 2.0)
