"""Times: zones, gaps, folds, days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset_file import duration, duration_text, time_text
from data.times import TimeError, TimeRule, parse, to_micros

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "rule", "meant"),
    [
        ("2024-01-01T00:00:00Z", TimeRule(), "2024-01-01T00:00:00.000000Z"),
        ("2024-01-01 01:00:00.123456789+01:00", TimeRule(), "2024-01-01T00:00:00.123456Z"),
        ("2024-01-01 10:00", TimeRule(BERLIN), "2024-01-01T09:00:00.000000Z"),
        ("2024-01-01 10:00:00 UTC", TimeRule(BERLIN), "2024-01-01T10:00:00.000000Z"),
        ("2024-10-27 02:30", TimeRule(BERLIN, fold=0), "2024-10-27T00:30:00.000000Z"),
        ("2024-10-27 02:30", TimeRule(BERLIN, fold=1), "2024-10-27T01:30:00.000000Z"),
        ("2024-10-27", TimeRule(BERLIN), "2024-10-26T22:00:00.000000Z"),
        ("2024-10-27", TimeRule(BERLIN, end_of_day=True), "2024-10-27T22:59:59.999999Z"),
        ("31.12.2023 23:00", TimeRule(BERLIN, format="%d.%m.%Y %H:%M"), "2023-12-31T22:00:00.000000Z"),
        ("1700000000.25", TimeRule(unit="s"), "2023-11-14T22:13:20.250000Z"),
        ("1700000000123", TimeRule(unit="ms"), "2023-11-14T22:13:20.123000Z"),
    ],
)
def test_times_are_read_exactly(text: str, rule: TimeRule, meant: str) -> None:
    assert time_text(parse(text, rule)) == meant


@pytest.mark.parametrize(
    ("text", "rule", "reason"),
    [
        ("2024-01-01 10:00", TimeRule(), "time_without_zone"),
        ("2024-01-01", TimeRule(), "time_without_zone"),
        ("2024-03-31 02:30", TimeRule(BERLIN), "time_does_not_exist"),
        ("2024-10-27 02:30", TimeRule(BERLIN), "time_occurs_twice"),
        ("2024-13-01", TimeRule(BERLIN), "bad_time"),
        ("yesterday", TimeRule(BERLIN), "bad_time"),
        ("0001-01-01", TimeRule(BERLIN), "bad_time"),
        ("9999-12-31", TimeRule(BERLIN, end_of_day=True), "bad_time"),
        ("12 s", TimeRule(unit="s"), "bad_time"),
        ("99999999999999999", TimeRule(unit="s"), "bad_time"),
    ],
)
def test_unusable_times_say_why(text: str, rule: TimeRule, reason: str) -> None:
    with pytest.raises(TimeError) as error:
        parse(text, rule)
    assert error.value.reason == reason


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_a_zoned_time_survives_writing_and_reading(moment: datetime) -> None:
    micros = to_micros(moment.replace(tzinfo=UTC))
    assert parse(time_text(micros), TimeRule()) == micros


@given(st.dates(datetime(1990, 1, 1).date(), datetime(2037, 1, 1).date()))
def test_a_day_ends_one_microsecond_before_the_next(day: object) -> None:
    after = day + timedelta(days=1)  # type: ignore[operator]
    end = parse(str(day), TimeRule(BERLIN, end_of_day=True))
    assert end + 1 == parse(str(after), TimeRule(BERLIN))


@given(st.integers(0, 10**15))
def test_durations_survive_writing_and_reading(micros: int) -> None:
    assert duration(duration_text(micros)) == micros
