"""How long the lead looked at what: families over dwell time in seconds.

What counts is page views and measured engagement. Where the lead saw nothing of a kind the time is 0; where it did
but no time is known, and where it was never on the site, the time is null.
"""

from __future__ import annotations

import numpy as np

from features.arrays import F64, nans, per_segment, ratio, rows_where
from features.content import STAGES
from features.family import Family, Fitted, Moment

LONG_SECONDS = 60.0


def dwell_total(m: Moment, _: Fitted) -> F64:
    """Seconds on all pages."""
    return m.journeys.seconds_total


def dwell_28d(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of the last 28 days."""
    return m.journeys.seconds.total(m.journeys.in_28d)


def dwell_7d(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of the last 7 days."""
    return m.journeys.seconds.total(m.journeys.in_7d)


def dwell_per_view(m: Moment, _: Fitted) -> F64:
    """Seconds for each page view whose time is known."""
    j = m.journeys
    return ratio(j.seconds_total, j.known_views)


def dwell_per_session(m: Moment, _: Fitted) -> F64:
    """Known seconds for each session."""
    return ratio(m.journeys.seconds_total, m.journeys.sessions)


def dwell_longest(m: Moment, _: Fitted) -> F64:
    """The longest time on one page."""
    seconds = m.journeys.seconds
    longest = nans(len(m))
    np.fmax.at(longest, seconds.segment, seconds.known)
    return longest


def long_views(m: Moment, _: Fitted) -> F64:
    """Times the lead stayed a minute or more on one page."""
    seconds = m.journeys.seconds
    return per_segment(seconds.segment[rows_where(seconds.known >= LONG_SECONDS)], len(m))


def dwell_stage(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of each funnel stage, (n, 3)."""
    return m.journeys.seconds_by_stage


def dwell_decision_share(m: Moment, _: Fitted) -> F64:
    """Share of the known seconds spent on pages of the decision stage."""
    j = m.journeys
    return ratio(j.seconds_by_stage[:, STAGES.index("decision")], j.seconds_total)


def dwell_pricing(m: Moment, _: Fitted) -> F64:
    """Seconds on prices."""
    return m.journeys.seconds.total(m.journeys.on_type("pricing"))


def dwell_decayed(m: Moment, _: Fitted) -> F64:
    """Seconds on all pages, those 14 days old counting half."""
    return m.journeys.seconds.total(weights=m.journeys.decay)


def dwell_known_share(m: Moment, _: Fitted) -> F64:
    """Share of the page views whose time is known."""
    j = m.journeys
    return ratio(j.known_views, j.count(j.views))


def dwell_last_session(m: Moment, _: Fitted) -> F64:
    """Seconds in the last session."""
    return m.journeys.seconds.total(m.journeys.in_last_session)


NO_TIME = ("No time on the site known", "Keine Zeit auf der Website bekannt")
_NULL = "never on the site, or no time known"

FAMILIES: tuple[Family, ...] = (
    Family("dwell_total", "dwell", "s", "", _NULL,
           "{value} on the site", "{value} auf der Website", *NO_TIME, dwell_total),
    Family("dwell_28d", "dwell", "s", "28 days", _NULL,
           "{value} on the site in 28 days", "{value} auf der Website in 28 Tagen", *NO_TIME, dwell_28d),
    Family("dwell_7d", "dwell", "s", "7 days", _NULL,
           "{value} on the site in 7 days", "{value} auf der Website in 7 Tagen", *NO_TIME, dwell_7d),
    Family("dwell_per_view", "dwell", "s", "", "no page view with known time",
           "{value} per page on average", "{value} je Seite im Mittel", *NO_TIME, dwell_per_view),
    Family("dwell_per_session", "dwell", "s", "", _NULL,
           "{value} per visit on average", "{value} je Besuch im Mittel", *NO_TIME, dwell_per_session),
    Family("dwell_longest", "dwell", "s", "", "no time known",
           "Up to {value} on one page", "Bis zu {value} auf einer Seite", *NO_TIME, dwell_longest),
    Family("long_views", "dwell", "views", "", "never null; 0 without a visit",
           "{value} pages read for a minute or more", "{value} Seiten mindestens eine Minute gelesen", *NO_TIME,
           long_views),
    Family("dwell_stage", "dwell", "s", "", _NULL,
           "{value} on {part} pages", "{value} auf Seiten der Phase {part}", *NO_TIME,
           dwell_stage, None, lambda _: STAGES),
    Family("dwell_decision_share", "dwell", "share", "", "no time known",
           "{value} of the time on decision pages", "{value} der Zeit auf Entscheidungsseiten", *NO_TIME,
           dwell_decision_share),
    Family("dwell_pricing", "dwell", "s", "", _NULL,
           "{value} on prices", "{value} bei den Preisen", *NO_TIME, dwell_pricing),
    Family("dwell_decayed", "dwell", "s", "half-life 14 days", _NULL,
           "{value} on the site, recent time counting more", "{value} auf der Website, Jüngeres zählt mehr", *NO_TIME,
           dwell_decayed),
    Family("dwell_known_share", "dwell", "share", "", "no page view",
           "Time known for {value} of the pages", "Zeit bekannt für {value} der Seiten", *NO_TIME,
           dwell_known_share),
    Family("dwell_last_session", "dwell", "s", "last visit", _NULL,
           "{value} on the last visit", "{value} beim letzten Besuch", *NO_TIME, dwell_last_session),
)  # fmt: skip
