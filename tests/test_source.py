"""The source families: which channels and campaigns brought the lead."""

from __future__ import annotations

import math
from typing import Any

from tests.cases import event, values_of

ADS: dict[str, Any] = {"source": "google", "medium": "cpc"}
MAIL: dict[str, Any] = {"source": "news", "medium": "email"}
CHANNELS = ["paid_search", "email", "direct"]


def test_a_session_has_the_channel_of_its_first_event() -> None:
    values = values_of([event(1), event(0.999, **ADS)])
    assert values["channel_sessions[direct]"] == 1
    assert values["channel_sessions[paid]"] == 0


def test_first_and_last_channel_are_those_of_the_first_and_last_session() -> None:
    visits = [event(9, **ADS), event(5, **MAIL), event(1)]
    values = values_of(visits, first_channel=CHANNELS, last_channel=CHANNELS, last_source_channel=CHANNELS)
    assert values["first_channel[paid_search]"] == values["last_channel[direct]"] == 1
    assert values["last_source_channel[email]"] == 1


def test_a_channel_outside_the_vocabulary_is_other_and_no_session_is_missing() -> None:
    assert values_of([event(1, **MAIL)], first_channel=["direct"])["first_channel[other]"] == 1
    assert values_of([event(1, type="webinar")], first_channel=["direct"])["first_channel[missing]"] == 1


def test_shares_and_counts_are_of_sessions_not_events() -> None:
    values = values_of([event(9, **ADS), event(8.999), event(5, **MAIL), event(3), event(1)])
    assert (values["paid_share"], values["direct_share"], values["channels_distinct"]) == (0.25, 0.5, 3)
    assert values["channel_sessions[email]"] == 1


def test_without_a_session_counts_are_zero_and_shares_unknown() -> None:
    values = values_of([])
    assert values["channels_distinct"] == values["channel_sessions[direct]"] == 0
    assert math.isnan(values["paid_share"])
    assert math.isnan(values["direct_share"])


def test_campaigns_are_remembered_from_any_event_and_without_capitals() -> None:
    visits = [event(9), event(8.999, campaign="Spring"), event(2, campaign=" spring "), event(1, campaign="Autumn")]
    values = values_of(visits, first_campaign=["spring"], last_campaign=["autumn"])
    assert values["first_campaign[spring]"] == values["last_campaign[autumn]"] == 1
    assert values["campaigns_distinct"] == 2
