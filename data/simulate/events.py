"""Everything people did, and what was done to them, as event rows: pages, forms, downloads, videos, mails, bots."""

from __future__ import annotations

import numpy as np

from data.records import DAY, MICROS
from data.simulate.market import START, People
from data.simulate.rows import Batch, batch, lag, pick, url
from data.simulate.sessions import CONTACT, DEMO, GUIDE, PRICING, PRODUCT, THANKS, WEBINAR
from data.simulate.state import F64, I64, Mask
from data.simulate.touches import EMAIL
from data.simulate.trail import HOUR, Trail, page_rows

_VIDEO, _VIDEO_LATE, _LATE_DAYS = 0.10, 0.05, (0.5, 6.0)
_CONTACT_FORM, _WEBINAR_FORM, _ATTENDS = 0.25, 0.3, 0.6
_MAILS = (1, 7, 21, 45)  # days after the form on which a lead is written to
_SCANNED = 0.08  # of those mails a mail host opens the links of
_BOTS, _BOT_VIEWS = 0.01, 30  # bots per person, and the pages each opens
_THANKS = {GUIDE: 0, WEBINAR: 1, DEMO: 2, CONTACT: 3}


def web_events(t: Trail, people: People, rng: np.random.Generator) -> list[Batch]:
    """Page views and what happened on the pages."""
    form = np.where(t.birth, people.form_page[t.person], np.where(t.visits.requested, DEMO, -1))
    pages = _pages(t, rng)
    return [pages, *_forms(t, form, rng), *_on_pages(t, rng)]


def _base(t: Trail, visit: I64) -> dict[str, I64]:
    return {"visitor": t.visitor[visit], "session": visit}


def _page_url(t: Trail, visit: I64, position: I64) -> I64:
    page, topic = t.visits.page[visit, position].astype(np.int64), t.visits.topic[visit, position].astype(np.int64)
    return url(page, topic, (visit + position) % 3)


def _pages(t: Trail, rng: np.random.Generator) -> Batch:
    """Page views; one whose dwell was measured arrives when the page is left, the others at once."""
    visit, position = page_rows(t)
    at = t.at[visit, position]
    dwell = np.where(t.visits.measured[visit, position], t.visits.dwell[visit, position], np.nan)
    spent = np.round(np.nan_to_num(dwell) * MICROS).astype(np.int64)
    touch = np.where(position == 0, t.touch[visit], -1)
    received = at + spent + lag(rng, len(at))
    where = _page_url(t, visit, position)
    return batch(len(at), "page_view", at, received, dwell=dwell, url=where, touch=touch, **_base(t, visit))


def _forms(t: Trail, form: I64, rng: np.random.Generator) -> list[Batch]:
    """Forms that end a visit, the thank-you page after each, and the guide that the first form gave."""
    visit = np.flatnonzero(form >= 0)
    last = t.visits.length[visit] - 1
    at, which = t.end[visit], form[visit]
    variant = np.array([_THANKS[w] for w in which.tolist()], dtype=np.int64)
    thanks, where = url(np.full(len(visit), THANKS), np.full(len(visit), -1), variant), _page_url(t, visit, last)

    def after(seconds: int, type_: str, to: I64) -> Batch:
        then = at + seconds * MICROS
        return batch(
            len(visit), type_, then, then + lag(rng, len(visit)), url=to, lead=t.lead[visit], **_base(t, visit)
        )

    return [after(0, "form", where), after(3, "page_view", thanks), pick(after(20, "download", where), which == GUIDE)]


def _on_pages(t: Trail, rng: np.random.Generator) -> list[Batch]:
    """Downloads, videos, forms on the way and webinars attended days later."""
    visit, position = page_rows(t)
    page, known = t.visits.page[visit, position], t.known[visit]
    u = rng.random((2, len(visit)))

    def some(where: Mask, type_: str, share: float) -> Batch:
        v, p = visit[where], position[where]
        at = t.at[v, p] + np.round(share * t.visits.dwell[v, p] * MICROS).astype(np.int64)
        return batch(len(v), type_, at, at + lag(rng, len(v)), url=_page_url(t, v, p), **_base(t, v))

    downloads = some(t.visits.download[visit, position], "download", 0.6)
    contact = some(known & (page == CONTACT) & (u[0] < _CONTACT_FORM), "form", 0.9)
    signed_up = known & (page == WEBINAR) & (u[0] < _WEBINAR_FORM)
    videos = some(((page == PRODUCT) | (page == WEBINAR)) & (u[1] < _VIDEO), "video", 0.3)
    attended = _attended(t, visit[signed_up], some(signed_up, "webinar", 0.0), rng)
    return [downloads, contact, some(signed_up, "form", 0.5), _late(videos, rng), attended]


def _late(videos: Batch, rng: np.random.Generator) -> Batch:
    """Players sometimes report days later; nothing that decides the future does."""
    n = len(videos["at"])
    least, most = _LATE_DAYS
    delay = ((least + (most - least) * rng.random(n)) * DAY).astype(np.int64)
    late = rng.random(n) < _VIDEO_LATE
    return {**videos, "received": videos["received"] + np.where(late, delay, 0)}


def _attended(t: Trail, visit: I64, webinar: Batch, rng: np.random.Generator) -> Batch:
    """Some of those who signed up attend five days later in the afternoon; the list comes two hours after."""
    at = (webinar["at"].astype(np.int64) // DAY + 5) * DAY + 14 * HOUR
    none = np.full(len(visit), -1)
    rows: Batch = {
        **webinar,
        "at": at,
        "received": at + 2 * HOUR,
        "lead": t.lead[visit],
        "visitor": none,
        "session": none,
    }
    return pick(rows, rng.random(len(visit)) < _ATTENDS)


def mails(t: Trail, people: People, rng: np.random.Generator) -> list[Batch]:
    """Mails to leads, the clicks that opened a visit, and mail hosts that follow links."""
    click = np.flatnonzero(t.known & (t.channel == EMAIL))
    clicked = t.start[click] - 2 * MICROS
    clicks = batch(len(click), "email", clicked, clicked + MICROS, lead=t.lead[click], touch=t.touch[click])
    lead = np.repeat(np.arange(people.market.leads), len(_MAILS))
    at = people.created_at[lead] + np.tile(_MAILS, people.market.leads) * DAY + rng.integers(0, HOUR, len(lead))
    sent = batch(len(lead), "email", at, at.copy(), lead=lead, outbound=np.ones(len(lead), dtype=np.bool_))
    seen = np.flatnonzero(rng.random(len(lead)) < _SCANNED)
    return [clicks, sent, _bot_views(lead[seen], at[seen] + 3 * MICROS, rng)]


def bots(people: People, rng: np.random.Generator) -> Batch:
    """Crawlers: a page every two seconds, on devices of their own."""
    bot = np.repeat(np.arange(int(np.ceil(_BOTS * len(people)))), _BOT_VIEWS)
    begin = START + (rng.random(bot.max() + 1) * people.market.days * DAY).astype(np.int64)
    at = begin[bot] + np.arange(len(bot)) % _BOT_VIEWS * 2 * MICROS
    return _bot_views(2 * len(people) + bot, at, rng)


def _bot_views(visitor: I64, at: I64, rng: np.random.Generator) -> Batch:
    n = len(visitor)
    where = url(np.full(n, PRICING), np.full(n, -1), np.zeros(n, dtype=np.int64))
    yes = np.ones(n, dtype=np.bool_)
    return batch(n, "page_view", at, at + lag(rng, n), visitor=visitor, url=where, bot=yes)


def sales_events(lead: I64, accepted_at: I64, people: People, rng: np.random.Generator) -> list[Batch]:
    """Calls and meetings after a lead was accepted, and the fairs where some were met before they were written down."""
    u = rng.random((4, len(lead)))
    called = accepted_at + (u[0] * 3 * DAY).astype(np.int64) + HOUR
    met = accepted_at + ((2 + 7 * u[1]) * DAY).astype(np.int64)
    outbound = np.ones(len(lead), dtype=np.bool_)
    calls = batch(len(lead), "call", called, called + HOUR, lead=lead, outbound=outbound)
    meetings = batch(len(lead), "meeting", met, met + HOUR, lead=lead)
    fair = np.flatnonzero(people.profiles.lead_source[: people.market.leads] == "Trade fair")
    created = people.created_at[fair]
    ago: F64 = 2 + 28 * rng.random(len(fair))
    fairs = batch(len(fair), "fair", created - (ago * HOUR).astype(np.int64), created + MICROS, lead=fair)
    return [pick(calls, u[2] < 0.7), pick(meetings, u[3] < 0.35), fairs]
