"""How often and when the lead was there: families over sessions, events and the time between them, in UTC."""

from __future__ import annotations

import numpy as np

from data.records import DAY, NULL_TIME
from features.arrays import F64, differs, highest_of_each, per_segment, ratio, rows_where
from features.encode import TYPE
from features.family import Family, Fitted, Moment

OFFLINE = ("call", "meeting", "webinar", "fair")
_OFFLINE = np.array([TYPE[t] for t in OFFLINE])
_OFFICE = np.array([day < 5 and 8 <= hour < 18 for day in range(7) for hour in range(24)])


def sessions(m: Moment, _: Fitted) -> F64:
    """Sessions."""
    return m.journeys.sessions


def sessions_28d(m: Moment, _: Fitted) -> F64:
    """Sessions that began in the last 28 days."""
    return m.journeys.count_sessions(m.journeys.in_28d[m.journeys.session_starts])


def sessions_7d(m: Moment, _: Fitted) -> F64:
    """Sessions that began in the last 7 days."""
    return m.journeys.count_sessions(m.journeys.in_7d[m.journeys.session_starts])


def page_views(m: Moment, _: Fitted) -> F64:
    """Page views."""
    return m.journeys.by_type[:, TYPE["page_view"]]


def page_views_28d(m: Moment, _: Fitted) -> F64:
    """Page views of the last 28 days."""
    return m.journeys.by_type_28d[:, TYPE["page_view"]]


def page_views_7d(m: Moment, _: Fitted) -> F64:
    """Page views of the last 7 days."""
    return m.journeys.count(m.journeys.views & m.journeys.in_7d)


def views_per_session(m: Moment, _: Fitted) -> F64:
    """Page views for each session."""
    return ratio(page_views(m, _), m.journeys.sessions)


def views_since_created(m: Moment, _: Fitted) -> F64:
    """Page views since the lead was created; 0 for a visitor who is none yet."""
    j, created = m.journeys, m.leads.created_at
    born = np.where(created == NULL_TIME, j.as_of, created)
    return j.count(j.views & (j.time >= born[j.segment]))


def days_since_last(m: Moment, _: Fitted) -> F64:
    """Days since the last event."""
    return m.journeys.at(m.journeys.age_days, m.journeys.last())


def days_since_first(m: Moment, _: Fitted) -> F64:
    """Days since the first event."""
    return m.journeys.days_since_first


def days_anonymous(m: Moment, _: Fitted) -> F64:
    """Days between the first event and the creation of the lead; 0 where creation came first."""
    return np.maximum(m.journeys.days_since_first - m.leads.age_days, 0.0)


def active_days_28d(m: Moment, _: Fitted) -> F64:
    """Different days (UTC) with an event in the last 28 days."""
    j = m.journeys
    moves = differs(j.day + j.in_28d)  # both only grow, so a new day or the first event of the 28 days
    return j.count((moves | differs(j.segment)) & j.in_28d)


def session_gap_days(m: Moment, _: Fitted) -> F64:
    """Mean days between the starts of sessions."""
    j = m.journeys
    start = j.age_days[j.session_starts]
    return ratio(j.at(start, j.first_session) - j.at(start, j.last_session), j.sessions - 1.0)


def longest_pause_days(m: Moment, _: Fitted) -> F64:
    """The most days between the starts of two sessions in a row."""
    j = m.journeys
    start, segment = j.time[j.session_starts], j.session_segment
    inside = rows_where(segment[1:] == segment[:-1])
    longest = highest_of_each(segment[inside], (start[1:] - start[:-1])[inside], len(j))
    return np.where(longest >= 0, longest / DAY, np.nan)


def trend_14d(m: Moment, _: Fitted) -> F64:
    """Events of the last 14 days against the 14 days before: (new - old) / (new + old), from -1 to 1."""
    new, both = m.journeys.count(m.journeys.within(14)), m.journeys.count(m.journeys.in_28d)
    return ratio(2.0 * new - both, both)


def activity_decayed(m: Moment, _: Fitted) -> F64:
    """Events, those 14 days old counting half; 0 for none."""
    return per_segment(m.journeys.segment, len(m), m.journeys.decay)


def forms(m: Moment, _: Fitted) -> F64:
    """Forms filled in."""
    return m.journeys.by_type[:, TYPE["form"]]


def forms_28d(m: Moment, _: Fitted) -> F64:
    """Forms filled in during the last 28 days."""
    return m.journeys.by_type_28d[:, TYPE["form"]]


def days_since_form(m: Moment, _: Fitted) -> F64:
    """Days since the last form."""
    return m.journeys.at(m.journeys.age_days, m.journeys.last(m.journeys.of_type("form")))


def downloads(m: Moment, _: Fitted) -> F64:
    """Downloads."""
    return m.journeys.by_type[:, TYPE["download"]]


def videos(m: Moment, _: Fitted) -> F64:
    """Videos played."""
    return m.journeys.by_type[:, TYPE["video"]]


def emails(m: Moment, _: Fitted) -> F64:
    """E-mails of ours opened, clicked or answered."""
    return m.journeys.by_type[:, TYPE["email"]]


def emails_28d(m: Moment, _: Fitted) -> F64:
    """E-mails of ours opened, clicked or answered in the last 28 days."""
    return m.journeys.by_type_28d[:, TYPE["email"]]


def offline_contacts(m: Moment, _: Fitted) -> F64:
    """Calls, meetings, webinars and fairs the lead came to."""
    contacts: F64 = np.add.reduce(m.journeys.by_type.take(_OFFLINE, axis=1), axis=1)
    return contacts


def weekend_share(m: Moment, _: Fitted) -> F64:
    """Share of the events on a Saturday or Sunday."""
    return ratio(m.journeys.count(m.journeys.hour_of_week >= 5 * 24), m.journeys.events)


def office_hours_share(m: Moment, _: Fitted) -> F64:
    """Share of the events from Monday to Friday between 8:00 and 18:00."""
    return ratio(m.journeys.count(_OFFICE.take(m.journeys.hour_of_week)), m.journeys.events)


NO_VISIT = ("No visit on record", "Kein Besuch bekannt")
NO_EVENT = ("No activity on record", "Keine Aktivität bekannt")
_ZERO = "never null; 0 for none"

FAMILIES: tuple[Family, ...] = (
    Family("sessions", "rhythm", "visits", "", _ZERO, "{value} visits", "{value} Besuche", *NO_VISIT, sessions),
    Family("sessions_28d", "rhythm", "visits", "28 days", _ZERO,
           "{value} visits in 28 days", "{value} Besuche in 28 Tagen", *NO_VISIT, sessions_28d),
    Family("sessions_7d", "rhythm", "visits", "7 days", _ZERO,
           "{value} visits in 7 days", "{value} Besuche in 7 Tagen", *NO_VISIT, sessions_7d),
    Family("page_views", "rhythm", "views", "", _ZERO,
           "{value} page views", "{value} Seitenaufrufe", *NO_VISIT, page_views),
    Family("page_views_28d", "rhythm", "views", "28 days", _ZERO,
           "{value} page views in 28 days", "{value} Seitenaufrufe in 28 Tagen", *NO_VISIT, page_views_28d),
    Family("page_views_7d", "rhythm", "views", "7 days", _ZERO,
           "{value} page views in 7 days", "{value} Seitenaufrufe in 7 Tagen", *NO_VISIT, page_views_7d),
    Family("views_per_session", "rhythm", "views", "", "no visit",
           "{value} pages per visit", "{value} Seiten je Besuch", *NO_VISIT, views_per_session),
    Family("views_since_created", "rhythm", "views", "since creation", _ZERO,
           "{value} page views since becoming a lead", "{value} Seitenaufrufe, seit es ein Lead ist", *NO_VISIT,
           views_since_created),
    Family("days_since_last", "rhythm", "days", "", "no event",
           "Last seen {value} days ago", "Zuletzt vor {value} Tagen aktiv", *NO_EVENT, days_since_last),
    Family("days_since_first", "rhythm", "days", "", "no event",
           "First seen {value} days ago", "Zuerst vor {value} Tagen aktiv", *NO_EVENT, days_since_first),
    Family("days_anonymous", "rhythm", "days", "", "no event, or not created yet",
           "{value} days on the site before becoming a lead", "{value} Tage auf der Website, bevor es ein Lead war",
           *NO_EVENT, days_anonymous),
    Family("active_days_28d", "rhythm", "days", "28 days", _ZERO,
           "Active on {value} of 28 days", "An {value} von 28 Tagen aktiv", *NO_EVENT, active_days_28d),
    Family("session_gap_days", "rhythm", "days", "", "fewer than two visits",
           "{value} days between visits on average", "{value} Tage zwischen den Besuchen im Mittel",
           "Fewer than two visits", "Weniger als zwei Besuche", session_gap_days),
    Family("longest_pause_days", "rhythm", "days", "", "fewer than two visits",
           "Longest pause between visits: {value} days", "Längste Pause zwischen Besuchen: {value} Tage",
           "Fewer than two visits", "Weniger als zwei Besuche", longest_pause_days),
    Family("trend_14d", "rhythm", "ratio", "28 days", "no event in 28 days",
           "Trend of the last 14 days: {value}", "Trend der letzten 14 Tage: {value}",
           "No activity in 28 days", "Keine Aktivität in 28 Tagen", trend_14d),
    Family("activity_decayed", "rhythm", "events", "half-life 14 days", _ZERO,
           "Recent activity: {value}", "Jüngste Aktivität: {value}", *NO_EVENT, activity_decayed),
    Family("forms", "rhythm", "forms", "", _ZERO,
           "{value} forms filled in", "{value} Formulare ausgefüllt", *NO_EVENT, forms),
    Family("forms_28d", "rhythm", "forms", "28 days", _ZERO,
           "{value} forms filled in during 28 days", "{value} Formulare in 28 Tagen ausgefüllt", *NO_EVENT, forms_28d),
    Family("days_since_form", "rhythm", "days", "", "no form",
           "Last form {value} days ago", "Letztes Formular vor {value} Tagen",
           "No form filled in", "Kein Formular ausgefüllt", days_since_form),
    Family("downloads", "rhythm", "downloads", "", _ZERO,
           "{value} downloads", "{value} Downloads", *NO_EVENT, downloads),
    Family("videos", "rhythm", "videos", "", _ZERO, "{value} videos", "{value} Videos", *NO_EVENT, videos),
    Family("emails", "rhythm", "events", "", _ZERO,
           "Reacted to {value} e-mails", "Auf {value} E-Mails reagiert", *NO_EVENT, emails),
    Family("emails_28d", "rhythm", "events", "28 days", _ZERO,
           "Reacted to {value} e-mails in 28 days", "In 28 Tagen auf {value} E-Mails reagiert", *NO_EVENT, emails_28d),
    Family("offline_contacts", "rhythm", "contacts", "", _ZERO,
           "{value} calls, meetings, webinars or fairs", "{value} Anrufe, Treffen, Webinare oder Messen", *NO_EVENT,
           offline_contacts),
    Family("weekend_share", "rhythm", "share", "", "no event",
           "{value} of the activity at weekends", "{value} der Aktivität am Wochenende", *NO_EVENT, weekend_share),
    Family("office_hours_share", "rhythm", "share", "", "no event",
           "{value} of the activity in office hours", "{value} der Aktivität zu Bürozeiten", *NO_EVENT,
           office_hours_share),
)  # fmt: skip
