"""How long the lead looked at what: families over dwell time in seconds.

What counts is page views and measured engagement. Where the lead saw nothing of a kind the time is 0; where it did
but no time is known, and where it was never on the site, the time is null.
"""

from __future__ import annotations

import numpy as np

from features.arrays import F64, I32, I64, Mask, ratio, rows_where
from features.content import STAGES
from features.family import Family, Fitted, Moment
from features.journeys import Journeys

HALF_LIFE_DAYS = 14.0
LONG_SECONDS = 60.0


def dwell_total(m: Moment, _: Fitted) -> F64:
    """Seconds on all pages."""
    return _seconds(m.journeys)


def dwell_28d(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of the last 28 days."""
    return _seconds(m.journeys, m.journeys.in_28d)


def dwell_7d(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of the last 7 days."""
    return _seconds(m.journeys, m.journeys.in_7d)


def dwell_per_view(m: Moment, _: Fitted) -> F64:
    """Seconds for each page view whose time is known."""
    j = m.journeys
    return ratio(j.total(j.dwell, j.timed), j.count(j.known_views))


def dwell_per_session(m: Moment, _: Fitted) -> F64:
    """Known seconds for each session."""
    return ratio(_seconds(m.journeys), m.journeys.sessions)


def dwell_longest(m: Moment, _: Fitted) -> F64:
    """The longest time on one page."""
    return m.journeys.maximum(m.journeys.dwell, m.journeys.timed)


def long_views(m: Moment, _: Fitted) -> F64:
    """Times the lead stayed a minute or more on one page."""
    j = m.journeys
    return j.count(j.timed & (j.dwell >= LONG_SECONDS))


def dwell_stage(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of each funnel stage, (n, 3)."""
    return seconds_by(m.journeys, m.journeys.stage, len(STAGES), m.journeys.dwell)


def dwell_decision_share(m: Moment, _: Fitted) -> F64:
    """Share of the known seconds spent on pages of the decision stage."""
    j = m.journeys
    return ratio(_seconds(j, j.stage == STAGES.index("decision")), _seconds(j))


def dwell_pricing(m: Moment, _: Fitted) -> F64:
    """Seconds on prices."""
    j = m.journeys
    return _seconds(j, j.on_type("pricing"))


def dwell_decayed(m: Moment, _: Fitted) -> F64:
    """Seconds on all pages, those 14 days old counting half."""
    j = m.journeys
    return _seconds(j, values=j.dwell * np.exp2(-j.age_days / HALF_LIFE_DAYS))


def dwell_known_share(m: Moment, _: Fitted) -> F64:
    """Share of the page views whose time is known."""
    j = m.journeys
    return ratio(j.count(j.known_views), j.count(j.views))


def dwell_last_session(m: Moment, _: Fitted) -> F64:
    """Seconds in the last session."""
    return _seconds(m.journeys, m.journeys.in_last_session)


def seconds_by(j: Journeys, codes: I32 | I64, k: int, values: F64) -> F64:
    """Sum of the known seconds by code, (n, k), null as in `_seconds`; a code of -1 counts nowhere."""
    there = codes >= 0
    rows, untold = rows_where(j.time_known & there), rows_where(j.time_unknown & there)
    cell = j.segment[rows] * k + codes[rows]
    total = np.bincount(cell, weights=values[rows], minlength=len(j) * k)
    told = np.bincount(cell, minlength=len(j) * k) > 0
    seen = told | (np.bincount(j.segment[untold] * k + codes[untold], minlength=len(j) * k) > 0)
    nothing = ~seen.reshape(len(j), k) & (j.sessions > 0)[:, np.newaxis]
    return np.where(nothing, 0.0, np.where(told, total, np.nan).reshape(len(j), k))


def _seconds(j: Journeys, mask: Mask | None = None, values: F64 | None = None) -> F64:
    """Sum of the known seconds where `mask`; 0 where there was nothing to look at, null where nothing is known."""
    known, unknown = j.time_known, j.time_unknown
    if mask is not None:
        known, unknown = known & mask, unknown & mask
    total = j.total(j.dwell if values is None else values, known)
    return np.where(np.isnan(total) & (j.count(unknown) == 0) & (j.sessions > 0), 0.0, total)


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
