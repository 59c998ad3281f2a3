"""Encoding and cutting: which events a segment holds, in which order, in which sessions, for how long."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import DAY, MICROS, Coded
from features.channels import CHANNELS, Touch, channel, channel_finder
from features.content import ContentMap
from features.cutting import cut
from features.encode import Encoded, encode
from features.journeys import NO_SESSION, Journeys
from tests.cases import CATEGORIES, CONTENT, MINUTE, NOW, Row, event, event_columns

MAP = ContentMap.of(CONTENT)
CHANNEL_OF = channel_finder(CATEGORIES, MAP.own_hosts)


def _encode(events: list[Row], links: list[Row] | None = None) -> Encoded:
    rows = [e | {"event_id": e["event_id"] or f"e{i}"} for i, e in enumerate(events)]
    return encode(event_columns(rows, links or []), MAP, CHANNEL_OF)


def _journey(events: list[Row], links: list[Row] | None = None, as_of: int = NOW) -> Journeys:
    return cut(_encode(events, links), np.array([0]), np.array([as_of]))


def _at(minutes: float, path: str | None = "/", **more: Any) -> Row:
    return event(0, path, **{"occurred_at": NOW - DAY + round(minutes * MINUTE)} | more)


# -- which events ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("moment", ["occurred_at", "received_at"])
def test_an_event_counts_strictly_before_as_of(moment: str) -> None:
    seen = _at(0, **{moment: NOW})
    assert len(_journey([seen], as_of=NOW).time) == 0
    assert len(_journey([seen], as_of=NOW + 1).time) == 1


def test_a_link_brings_all_earlier_events_once_it_is_known() -> None:
    events = [_at(0, lead=None, visitor=7), _at(5, lead=None, visitor=7)]
    links = [{"visitor": 7, "lead": 0, "known_from": NOW - 60 * MINUTE}]
    assert len(_journey(events, links, as_of=NOW - 60 * MINUTE).time) == 0
    assert len(_journey(events, links, as_of=NOW - 60 * MINUTE + 1).time) == 2


def test_events_between_two_links_belong_to_the_one_before() -> None:
    events = [_at(m, lead=None, visitor=7) for m in (0, 20, 40)]
    links = [{"visitor": 7, "lead": lead, "known_from": NOW - DAY + m * MINUTE} for lead, m in ((0, 10), (1, 30))]
    encoded = _encode(events, links)
    journeys = cut(encoded, np.array([0, 1]), np.array([NOW, NOW]))
    assert np.diff(journeys.offsets).tolist() == [2, 1]


def test_an_event_id_counts_once_and_as_it_was_first_seen() -> None:
    late = _at(0, "/demo", event_id="a", received_at=NOW - MINUTE)
    soon = _at(9, "/pricing", event_id="a")
    for events in ([late, soon], [soon, late]):
        journey = _journey(events)
        assert [journey.vocabulary.contents[c].content_id for c in journey.content] == ["pricing"]


def test_one_event_id_of_two_leads_counts_for_both() -> None:
    encoded = _encode([_at(0, event_id="a"), _at(0, event_id="a", lead=1)])
    assert encoded.lead.tolist() == [0, 1]


def test_ties_are_ordered_by_what_events_say() -> None:
    tied = [_at(0, "/pricing", type="form"), _at(0, "/pricing"), _at(0, "/demo")]
    for events in (tied, tied[::-1]):
        journey = _journey([e | {"event_id": f"{e['type']}{e['url']}"} for e in events])
        assert journey.type.tolist() == [0, 0, 2]
        assert [journey.vocabulary.contents[c].content_id for c in journey.content] == ["demo", "pricing", "pricing"]


def test_segments_follow_the_questions_in_any_order_and_may_be_empty() -> None:
    encoded = _encode([_at(0), _at(10), _at(0, lead=2)])
    moments = np.array([NOW, NOW - DAY + MINUTE, NOW, NOW])
    journeys = cut(encoded, np.array([2, 0, 1, 0]), moments)
    assert np.diff(journeys.offsets).tolist() == [1, 1, 0, 2]
    assert journeys.segment.tolist() == [0, 1, 3, 3]
    assert (journeys.age > 0).all()


# -- sessions --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("gap", "sessions"), [(30, 1), (30 + 1 / 60, 2)])
def test_a_session_ends_after_more_than_thirty_minutes(gap: float, sessions: int) -> None:
    assert _journey([_at(0), _at(gap)]).sessions.tolist() == [sessions]


def test_another_session_id_opens_a_session_and_a_missing_one_does_not() -> None:
    ids = ["s1", "s1", None, "s2", "s3"]
    assert _journey([_at(i, session_id=s) for i, s in enumerate(ids)]).session.tolist() == [0, 0, 0, 0, 1]


def test_offline_events_are_in_no_session_and_do_not_prolong_one() -> None:
    journey = _journey([_at(0), _at(20, type="call"), _at(40)])
    assert journey.session.tolist() == [0, NO_SESSION, 1]
    assert journey.in_last_session.tolist() == [False, False, True]


# -- dwell -----------------------------------------------------------------------------------------------------
def _dwell(*events: Row) -> list[float | None]:
    return [None if np.isnan(d) else d for d in _journey(list(events)).dwell]


def test_an_unmeasured_page_lasts_until_the_next_page_and_the_last_is_null() -> None:
    assert _dwell(_at(0), _at(2, "/demo"), _at(50)) == [120.0, None, None]


def test_a_measured_page_keeps_its_time() -> None:
    assert _dwell(_at(0, dwell_seconds=7.0), _at(2)) == [7.0, None]


def test_a_form_on_the_last_page_tells_how_long_it_was_open_at_least() -> None:
    assert _dwell(_at(0), _at(1, type="form"), _at(3), _at(4, type="form")) == [180.0, None, 60.0, None]


def test_pages_of_one_instant_have_no_time_but_the_last_stays_unknown() -> None:
    assert _dwell(_at(0, "/"), _at(0, "/demo"), _at(0, type="form")) == [0.0, None, None]


def test_a_session_with_measured_engagement_gets_no_gaps() -> None:
    pings = [_at(0), _at(1, type="engagement", dwell_seconds=10.0), _at(2), _at(60), _at(61)]
    assert _dwell(*pings) == [None, 10.0, None, 60.0, None]


# -- codes -----------------------------------------------------------------------------------------------------
def test_channels_are_the_same_for_many_combinations_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    choices = {"source": ["google", "x", None], "medium": ["cpc", "email", None], "referrer_host": ["a.org", None]}
    events = [
        _at(0, event_id=f"{i:04d}", campaign=f"c{i}", session_id=f"s{i:04d}")
        | {name: texts[rng.integers(len(texts))] for name, texts in choices.items()}
        for i in range(600)
    ]
    encoded = _encode(events)
    by_campaign = dict(zip(encoded.campaign.tolist(), encoded.channel.tolist(), strict=True))
    for e in events:
        touch = Touch(e["source"], e["medium"], e["campaign"], e["referrer_host"], None)
        code = encoded.vocabulary.campaigns.index(e["campaign"])
        assert CHANNELS[by_campaign[code]] == channel(touch, CATEGORIES, MAP.own_hosts)


def test_no_events_at_all_are_fine() -> None:
    journeys = cut(_encode([]), np.array([0, 1]), np.array([NOW, NOW]))
    assert journeys.offsets.tolist() == [0, 0, 0]
    assert journeys.sessions.tolist() == [0.0, 0.0]


def test_unused_texts_are_not_looked_at() -> None:
    columns = event_columns([_at(0, event_id="a")], [])
    urls = columns["url"]
    assert isinstance(urls, Coded)
    columns["url"] = Coded(urls.codes, (*urls.values, "/pricing"))
    assert [c.content_id for c in encode(columns, MAP, CHANNEL_OF).vocabulary.contents] == ["home"]


# -- reductions ------------------------------------------------------------------------------------------------
def _reduced() -> Journeys:
    """Segments of 2, 0 and 1 events."""
    encoded = _encode([_at(0, dwell_seconds=2.0), _at(1, dwell_seconds=3.0), _at(0, lead=2)])
    return cut(encoded, np.array([0, 1, 2]), np.array([NOW] * 3))


def test_reductions_keep_empty_and_unknown_apart() -> None:
    j = _reduced()
    np.testing.assert_array_equal(j.count(), [2, 0, 1])
    np.testing.assert_array_equal(j.seconds.total(), [5, np.nan, np.nan])
    np.testing.assert_array_equal(j.first(), [0, -1, 2])
    np.testing.assert_array_equal(j.last(), [1, -1, 2])
    np.testing.assert_array_equal(j.distinct(j.content), [1, 0, 1])
    np.testing.assert_array_equal(j.at(j.time, j.first()), [NOW - DAY, np.nan, NOW - DAY])


def test_reductions_look_only_where_the_mask_is() -> None:
    j = _reduced()
    second = j.time == NOW - DAY + 60 * MICROS
    np.testing.assert_array_equal(j.count(second), [1, 0, 0])
    np.testing.assert_array_equal(j.seconds.total(second), [3, np.nan, 0])
    np.testing.assert_array_equal(j.first(second), [1, -1, -1])
    np.testing.assert_array_equal(j.last(~second), [0, -1, 2])


# -- dwell that others tell --------------------------------------------------------------------------------------
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100)), max_size=40))
def test_heartbeats_add_up_to_the_formula(pings: list[tuple[str, int]]) -> None:
    rows = [_at(s / 60, type="engagement", page_view_id=view, session_id="s") for view, s in pings]
    journey = _journey(rows)
    intervals = [len({(NOW - DAY + s * MICROS) // (10 * MICROS) for v, s in pings if v == view}) for view in "ab"]
    assert np.nansum(journey.dwell) == sum(10 * (n - 1) + 5 for n in intervals if n)


def test_a_dwell_told_beside_its_page_view_is_unknown_until_it_is_over() -> None:
    visit = [_at(0, dwell_seconds=120.0, dwell_basis="timespent")]
    end = NOW - DAY + 2 * MINUTE
    assert np.isnan(_journey(visit, as_of=end).dwell).all()
    assert _journey(visit, as_of=end + 1).dwell.tolist() == [120.0]
    told = [_at(2, type="engagement", dwell_seconds=120.0, dwell_basis="measured")]
    assert _journey(told, as_of=end + 1).dwell.tolist() == [120.0]


def test_a_minute_with_more_web_events_than_a_person_makes_is_left_out() -> None:
    start = 10 + 20 / 60  # at a full minute of the clock
    burst = [_at(start + i / 100, session_id="s") for i in range(61)]
    before = [_at(0, "/pricing"), _at(start + 0.9, type="call")]
    assert len(_journey([*before, *burst[:-1]]).time) == 62
    assert len(_journey([*before, *burst]).time) == 2
    moment = NOW - DAY + round(start * MINUTE) + 30 * MICROS
    assert len(_journey([*before, *burst], as_of=moment).time) == 51  # what was known of it by then
