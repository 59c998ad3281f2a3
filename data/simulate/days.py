"""One day of a market: visits, then conversions and losses. The same step drives the simulation and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.simulate import hazard
from data.simulate.sessions import (
    CAREERS,
    CASE,
    DEMO,
    DOCS,
    GUIDE,
    PRICING,
    PRODUCT,
    Visits,
    rate,
    visits,
)
from data.simulate.state import F64, I64, LOST, OPEN, WON, Mask, State

_WARM = np.isin(np.arange(12), [PRODUCT, CASE, GUIDE, DOCS])

# A conversion is cancelled with this chance; of the cancelled ones this share within 1-12 days, else after 16-60.
CANCEL, CANCEL_FREE_MAIL, CANCEL_SOON = 0.06, 0.16, 0.8
SOON, LATE = (1, 12), (16, 60)
# An open lead is lost with this daily chance; more after a month without a page view.
LOSE, LOSE_IDLE, LOSE_IDLE_DAYS = 0.002, 0.010, 30


@dataclass(frozen=True)
class Day:
    """What happened: visits, and the rows that converted (with days until cancelled, 0 = stays), were lost, reopened."""

    visits: Visits
    converted: I64
    cancel_in: I64
    lost: I64
    reopened: I64


def step(s: State, day: int, rng: np.random.Generator, form_page: I64 | None = None) -> Day:
    """Live one day; `s` is changed to what is recorded at its end.

    Parameters
    ----------
    day
        Number of the day, 0 = the market's first; the same for all rows.
    rng
        Chances; the number of draws depends on the state alone.
    form_page
        int64 (n,): page of the form through which an anonymous person becomes a lead on the day before its birth.
        None where nobody is anonymous.
    """
    reopened = _age(s)
    born = np.flatnonzero((s.birth == day + 1) & (form_page is not None))
    chance = rate(s, day)
    chance[born] = 1.0
    row = np.flatnonzero(rng.random(len(s)) < chance)
    page = np.full(len(row), -1, dtype=np.int64)
    if form_page is not None:
        page = np.where(s.birth[row] == day + 1, form_page[row], -1)
    seen = visits(s, row, page, rng)
    _record(s, seen, page)
    converted, lost = _decide(s, day, reopened, rng)
    cancel_in = _cancellations(s, converted, rng)
    s.status[born] = OPEN
    return Day(seen, converted, cancel_in, lost, reopened)


def _age(s: State) -> I64:
    """A night passes: counts of days grow, fading counts fade, due cancellations reopen their leads."""
    s.active <<= np.uint32(1)
    s.since, s.ordered_since, s.demo_since = map(hazard.older, (s.since, s.ordered_since, s.demo_since))
    s.pricing *= hazard.PRICING_KEEP
    s.dwell *= hazard.DWELL_KEEP
    reopened = np.flatnonzero(s.cancel_in == 1)
    s.cancel_in = np.maximum(s.cancel_in - 1, 0)
    s.status[reopened] = OPEN
    s.cancelled[reopened] = True
    return reopened


def _record(s: State, v: Visits, form_page: I64) -> None:
    """What the day's page views and forms change."""
    row, valid, born = v.row, v.valid, form_page >= 0
    s.active[row] |= np.uint32(1)
    s.since[row] = 0
    s.odd[row] = (v.length + (v.requested | born)) % 2 == 1  # a form is followed by its thank-you page
    is_case, is_pricing = valid & (v.page == CASE), valid & (v.page == PRICING)
    before = np.logical_or.accumulate(is_case, axis=1) | s.case[row][:, None]
    s.ordered_since[row[(is_pricing & before).any(axis=1)]] = 0
    s.demo_since[row[v.requested | (form_page == DEMO)]] = 0
    s.pricing[row] += is_pricing.sum(axis=1)
    s.dwell[row] += (v.dwell * (v.measured & valid)).sum(axis=1)
    s.downloads[row] += (v.download & valid).sum(axis=1) + (form_page == GUIDE)
    s.case[row] |= is_case.any(axis=1)
    s.priced[row] |= is_pricing.any(axis=1)
    s.warm[row] |= (valid & _WARM[v.page]).any(axis=1)
    s.careers[row] |= (valid & (v.page == CAREERS)).any(axis=1)
    s.topics[row] += _topic_views(v)


def _topic_views(v: Visits) -> F64:
    flat = np.where(v.valid & (v.topic >= 0), v.topic, 4) + 5 * np.arange(len(v.row))[:, None]
    counts = np.bincount(flat.ravel(), minlength=5 * len(v.row)).reshape(len(v.row), 5)
    return counts[:, :4].astype(np.float64)


def _decide(s: State, day: int, reopened: I64, rng: np.random.Generator) -> tuple[I64, I64]:
    """Rows that convert and rows that are lost today; who was reopened today waits until tomorrow."""
    u = rng.random(len(s))
    asked = s.status == OPEN
    asked[reopened] = False
    lose = LOSE + np.where(s.since > LOSE_IDLE_DAYS, LOSE_IDLE, 0.0)
    converted = np.flatnonzero(asked & (u < hazard.hazard(s, day)))
    lost = np.flatnonzero(asked & (u > 1.0 - lose))
    s.status[converted] = WON
    s.status[lost] = LOST
    return converted, lost


def _cancellations(s: State, converted: I64, rng: np.random.Generator) -> I64:
    """Days until each conversion is cancelled, 0 = it stays."""
    u = rng.random((3, len(converted)))
    cancelled = u[0] < np.where(s.free[converted], CANCEL_FREE_MAIL, CANCEL)
    soon = SOON[0] + (u[2] * (SOON[1] - SOON[0] + 1)).astype(np.int64)
    late = LATE[0] + (u[2] * (LATE[1] - LATE[0] + 1)).astype(np.int64)
    s.cancel_in[converted] = np.where(cancelled, np.where(u[1] < CANCEL_SOON, soon, late), 0)
    return s.cancel_in[converted]


def stays(cancel_in: I64) -> Mask:
    """Is a conversion still one after the cancellation window of 14 days?"""
    return np.asarray((cancel_in == 0) | (cancel_in >= LATE[0]))
