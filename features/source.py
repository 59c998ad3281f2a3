"""Where the lead came from: families over the channels and campaigns of its sessions.

A session's channel is what its first event says. Sessions without any sign of a source are `direct`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data.records import Coded
from features.arrays import F64, I64, highest_of_each, pick, ratio, rows_where
from features.channels import CHANNELS, GROUPS
from features.family import Family, Fitted, Moment
from features.journeys import Journeys
from features.onehot import fit_texts, one_hot_texts, text_parts

DIRECT = CHANNELS.index("direct")


def first_channel(m: Moment) -> Coded:
    """Channel of the first session."""
    return _channel_of(m.journeys, m.journeys.first_session)


def last_channel(m: Moment) -> Coded:
    """Channel of the last session."""
    return _channel_of(m.journeys, m.journeys.last_session)


def last_source_channel(m: Moment) -> Coded:
    """Channel of the last session that says where it came from: direct ones are passed over."""
    j = m.journeys
    sourced = rows_where(j.session_channel != DIRECT)
    return _channel_of(j, highest_of_each(j.session_segment[sourced], sourced, len(j)))


def first_campaign(m: Moment) -> Coded:
    """The first campaign seen."""
    j = m.journeys
    return Coded(pick(j.campaign, j.first(j.campaign >= 0)), j.vocabulary.campaigns)


def last_campaign(m: Moment) -> Coded:
    """The last campaign seen."""
    j = m.journeys
    return Coded(pick(j.campaign, j.last(j.campaign >= 0)), j.vocabulary.campaigns)


def channels_distinct(m: Moment, _: Fitted) -> F64:
    """Different channels over all sessions."""
    j = m.journeys
    came = np.zeros((len(j), len(CHANNELS)), dtype=np.bool_)
    came[j.session_segment, j.session_channel] = True
    counts: F64 = np.add.reduce(came, axis=1, dtype=np.float64)
    return counts


def campaigns_distinct(m: Moment, _: Fitted) -> F64:
    """Different campaigns over all events."""
    return m.journeys.distinct(m.journeys.campaign)


def channel_sessions(m: Moment, _: Fitted) -> F64:
    """Sessions by group of channels, (n, 8)."""
    return m.journeys.sessions_by_group


def paid_share(m: Moment, _: Fitted) -> F64:
    """Share of the sessions that came from paid channels."""
    return ratio(m.journeys.sessions_by_group[:, GROUPS.index("paid")], m.journeys.sessions)


def direct_share(m: Moment, _: Fitted) -> F64:
    """Share of the sessions that came from nowhere we know."""
    return ratio(m.journeys.sessions_by_group[:, GROUPS.index("direct")], m.journeys.sessions)


def _channel_of(j: Journeys, session: I64) -> Coded:
    return Coded(pick(j.session_channel, session), CHANNELS)


def _texts(
    name: str, texts: Callable[[Moment], Coded], words_en: str, words_de: str, missing_en: str, missing_de: str
) -> Family:
    """A family over one channel or campaign of the journey."""
    return Family(
        name, "source", "category", "", "part `missing`",
        f"{words_en}: {{part}}", f"{words_de}: {{part}}", missing_en, missing_de,
        lambda m, fitted: one_hot_texts(texts(m), fitted), lambda m: fit_texts(texts(m)), text_parts,
    )  # fmt: skip


NO_VISIT = ("No visit on record", "Kein Besuch bekannt")
NO_CAMPAIGN = ("No campaign on record", "Keine Kampagne bekannt")

FAMILIES: tuple[Family, ...] = (
    _texts("first_channel", first_channel, "First came by", "Kam zuerst über", *NO_VISIT),
    _texts("last_channel", last_channel, "Last came by", "Kam zuletzt über", *NO_VISIT),
    _texts("last_source_channel", last_source_channel, "Last known source", "Letzte bekannte Quelle", *NO_VISIT),
    _texts("first_campaign", first_campaign, "First campaign", "Erste Kampagne", *NO_CAMPAIGN),
    _texts("last_campaign", last_campaign, "Last campaign", "Letzte Kampagne", *NO_CAMPAIGN),
    Family("channels_distinct", "source", "channels", "", "never null; 0 without a visit",
           "Came by {value} different channels", "Kam über {value} verschiedene Kanäle", *NO_VISIT,
           channels_distinct),
    Family("campaigns_distinct", "source", "campaigns", "", "never null; 0 without a campaign",
           "Reached by {value} campaigns", "Von {value} Kampagnen erreicht", *NO_CAMPAIGN,
           campaigns_distinct),
    Family("channel_sessions", "source", "visits", "", "never null; 0 without a visit",
           "{value} visits by {part}", "{value} Besuche über {part}", *NO_VISIT,
           channel_sessions, None, lambda _: GROUPS),
    Family("paid_share", "source", "share", "", "no visit",
           "{value} of the visits were paid for", "{value} der Besuche waren bezahlt", *NO_VISIT, paid_share),
    Family("direct_share", "source", "share", "", "no visit",
           "{value} of the visits were direct", "{value} der Besuche waren direkt", *NO_VISIT, direct_share),
)  # fmt: skip
