"""One visit to the site: how likely, how long, which pages. Everything depends on the recorded state alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.simulate.state import F64, I64, NEVER, OPEN, Mask, State

PAGES = (
    "home", "blog", "product", "pricing", "case", "guide", "docs", "webinar", "demo", "contact", "careers", "thanks",
)  # fmt: skip
HOME, BLOG, PRODUCT, PRICING, CASE, GUIDE, DOCS, WEBINAR, DEMO, CONTACT, CAREERS, THANKS = range(12)
TOPICS = ("automation", "analytics", "integration", "security")
HAS_TOPIC = np.array([p in ("blog", "product", "case", "guide", "webinar") for p in PAGES])
MAX_PAGES = 8

# Which page a visit opens with, and what comes after a page. Rows: nobody's idea yet, warm, has seen prices, job seeker.
_ENTRY = np.array([
    [25, 40, 12, 2, 4, 6, 2, 4, 1, 1, 3],
    [20, 20, 22, 8, 9, 8, 5, 4, 2, 1, 1],
    [14, 10, 20, 20, 10, 5, 12, 3, 4, 1, 1],
    [20, 18, 4, 0, 1, 1, 1, 1, 0, 1, 53],
], dtype=np.float64)  # fmt: skip
_NEXT = np.array([
    [2, 14, 38, 12, 10, 5, 4, 3, 3, 4, 5],
    [8, 42, 18, 3, 6, 12, 2, 6, 1, 1, 1],
    [6, 8, 28, 16, 14, 8, 12, 3, 4, 1, 0],
    [5, 3, 24, 8, 14, 4, 14, 2, 20, 6, 0],
    [5, 6, 24, 20, 26, 6, 4, 3, 5, 1, 0],
    [6, 26, 24, 6, 8, 16, 5, 6, 2, 1, 0],
    [3, 3, 20, 10, 4, 3, 54, 1, 2, 0, 0],
    [6, 20, 24, 6, 12, 12, 3, 14, 2, 1, 0],
    [8, 4, 24, 30, 16, 4, 10, 2, 0, 2, 0],
    [30, 6, 20, 14, 10, 4, 6, 4, 4, 2, 0],
    [24, 12, 6, 1, 1, 1, 1, 1, 0, 5, 48],
], dtype=np.float64)  # fmt: skip
_PULL = np.array([
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    [1, 0.8, 1.2, 1.3, 1.3, 1.1, 1.2, 1, 1.3, 1, 0.5],
    [1, 0.5, 1.1, 1.8, 1.4, 0.8, 1.6, 0.8, 2, 1.2, 0.3],
    [1, 1, 0.4, 0.1, 0.3, 0.3, 0.3, 0.5, 0.1, 1, 2],
])  # fmt: skip


def _cumulated(weights: F64) -> F64:
    shares = weights / weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.cumsum(shares, axis=-1))[..., :-1]


_ENTRY_CDF = _cumulated(_ENTRY)
_NEXT_CDF = _cumulated(_NEXT[None, :, :] * _PULL[:, None, :])
_LENGTH_CDF = _cumulated(np.array([
    [46, 22, 13, 8, 5, 3, 2, 1], [30, 22, 17, 12, 8, 5, 4, 2], [24, 20, 17, 14, 10, 7, 5, 3], [40, 26, 16, 9, 5, 2, 1, 1],
], dtype=np.float64))  # fmt: skip

# Seconds on a page: log-normal around these medians.
_DWELL_MEDIAN = np.log([18.0, 75, 45, 50, 80, 40, 95, 60, 40, 30, 55, 8])
_DWELL_SPREAD, _DWELL_LEAST, _DWELL_MOST = 0.9, 2.0, 900.0
_MEASURED, _MEASURED_LAST = 0.6, 0.35  # share of views whose dwell the tracker could measure
DOWNLOAD, DEMO_REQUEST = 0.45, 0.5  # chance per view of a guide or the demo page, for an open lead

# Visits per day: a person's days start in office hours, so its Friday is mostly weekend and its Sunday a Monday morning.
_WEEKDAY = np.array([1.1, 1.15, 1.15, 1.05, 0.65, 0.15, 0.6])
_STATUS_RATE = np.array([0.8, 1.0, 0.3, 0.15])
_RATE_FLOOR, _RATE_PULL, _RATE_MOMENTUM, _RATE_MOST = 0.010, 0.20, 0.25, 0.7
_RATE_FADE = np.where(np.arange(NEVER + 1) < NEVER, np.exp(-np.arange(NEVER + 1) / 6.0), 0.0)
FIRST_WEEKDAY = 2  # day 0 is a Wednesday


@dataclass(frozen=True)
class Visits:
    """Visits of one day. `row` (m,) says whose; the others are (m, MAX_PAGES), valid before `length` (m,).

    page: number in PAGES; topic: number in TOPICS, -1 none; dwell: true seconds; measured: the tracker saw them;
    download: the guide was taken. requested (m,): the visit ends with a demo request.
    """

    row: I64
    length: I64
    page: NDArray[np.int8]
    topic: NDArray[np.int8]
    dwell: F64
    measured: Mask
    download: Mask
    requested: Mask

    @property
    def valid(self) -> Mask:
        return np.arange(MAX_PAGES) < self.length[:, None]


def rate(s: State, day: int) -> F64:
    """The chance of a visit on this day, (n,): fades with days since the last one, grows with active days."""
    week = np.bitwise_count(s.active & np.uint32(127))
    wish = _RATE_FLOOR + _RATE_PULL * _RATE_FADE[s.since] * (1.0 + _RATE_MOMENTUM * week)
    chance = s.reach * _STATUS_RATE[s.status] * _WEEKDAY[(day + FIRST_WEEKDAY) % 7] * wish
    chance = np.minimum(chance, _RATE_MOST)
    return np.where(s.start < day, chance, np.where(s.start == day, 1.0, 0.0))


def visits(s: State, row: I64, form_page: I64, rng: np.random.Generator) -> Visits:
    """Draw the visits of some people. form_page (m,): the page with the form it must end on, -1 = a free visit."""
    mode = _mode(s, row)
    u = rng.random((5, len(row), MAX_PAGES))
    length = 1 + _pick(_LENGTH_CDF[mode], u[0, :, 0])
    page = _pages(mode, u[1])
    page = np.where(_last(length) & (form_page >= 0)[:, None], form_page[:, None], page).astype(np.int8)
    topic = _topics(s.topics[row], page, u[2], u[0, :, 1])
    known = (s.status[row] == OPEN)[:, None]
    asks = known & (page == DEMO) & (u[3] < DEMO_REQUEST) & (np.arange(MAX_PAGES) < length[:, None])
    requested = asks.any(axis=1)
    length = np.where(requested, asks.argmax(axis=1) + 1, length)
    dwell = np.exp(_DWELL_MEDIAN[page] + _DWELL_SPREAD * rng.standard_normal(page.shape))
    dwell = np.round(np.clip(dwell, _DWELL_LEAST, _DWELL_MOST), 1)
    measured = u[4] < np.where(_last(length), _MEASURED_LAST, _MEASURED)
    download = known & (page == GUIDE) & (u[3] < DOWNLOAD)
    return Visits(row, length, page, topic, dwell, measured, download, requested)


def _last(length: I64) -> Mask:
    return np.asarray(np.arange(MAX_PAGES) == length[:, None] - 1)


def _mode(s: State, row: I64) -> I64:
    return np.where(s.priced[row], 2, np.where(s.careers[row], 3, np.where(s.warm[row], 1, 0)))


def _pick(cumulated: F64, u: F64) -> I64:
    """Number drawn from each row's cumulated shares."""
    return np.asarray((u[:, None] >= cumulated).sum(axis=1))


def _pages(mode: I64, u: F64) -> NDArray[np.int8]:
    page = np.empty(u.shape, dtype=np.int8)
    page[:, 0] = _pick(_ENTRY_CDF[mode], u[:, 0])
    for j in range(1, u.shape[1]):
        page[:, j] = _pick(_NEXT_CDF[mode, page[:, j - 1]], u[:, j])
    return page


def _topic_of_visit(seen: F64, u: F64) -> I64:
    """The topic of a visit: each one as likely as 1 + its views so far."""
    weight = np.cumsum(1.0 + seen, axis=1)
    return _pick(weight[:, :-1] / weight[:, -1:], u)


def _topics(seen: F64, page: NDArray[np.int8], u: F64, u_visit: F64) -> NDArray[np.int8]:
    """Four of five pages keep to the visit's topic; the fifth is about anything."""
    of_visit = _topic_of_visit(seen, u_visit)[:, None]
    topic = np.where(u < 0.8, of_visit, np.minimum((u - 0.8) * 20.0, 3.0).astype(np.int64))
    return np.where(HAS_TOPIC[page], topic, -1).astype(np.int8)
