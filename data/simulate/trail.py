"""When and where visits happened: the days' visits with times, devices and touches. Drawn to be seen; nothing here
decides anything that comes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.records import DAY, MICROS
from data.simulate import touches
from data.simulate.market import FIRST_LOOK, People, clock
from data.simulate.profiles import CHANNELS
from data.simulate.run import Run
from data.simulate.sessions import FIRST_WEEKDAY, MAX_PAGES, Visits
from data.simulate.state import I64, Mask

TAIL = 900 * MICROS  # a free visit leaves at least this much of its day
HEAD = 60 * MICROS  # and starts this much after its beginning
HOUR = 3600 * MICROS
_SECOND_DEVICE, _ON_SECOND = 0.12, 0.5  # leads with another device; their mails read there


@dataclass(frozen=True)
class Trail:
    """All visits, one row each, in order of days.

    person, day: whose and on which of its days. birth: the visit whose form makes the lead. lead: lead number, -1 for a
    stranger. known: the person was a lead before the visit. visitor: number of the device, the person's own or
    people + person for the second one, which the click in a mail identifies. start, end: us, of the first
    page and of leaving the last. at: (m, MAX_PAGES) us, when each page was opened. channel, touch: see `touches`.
    """

    visits: Visits
    person: I64
    day: I64
    birth: Mask
    lead: I64
    known: Mask
    visitor: I64
    start: I64
    end: I64
    at: I64
    channel: I64
    touch: I64

    def __len__(self) -> int:
        return len(self.person)


def trail(run: Run, rng: np.random.Generator) -> Trail:
    """Place all visits of a market in time."""
    people = run.people
    visits, day = _all_visits(run)
    person = visits.row
    birth = people.birth[person] == day + 1
    known = people.birth[person] <= day
    lead = np.where(person < people.market.leads, person, -1)
    seconds = np.where(visits.valid, visits.dwell, 0.0)
    spent = np.round(seconds * MICROS).astype(np.int64)
    start, end = _place(people, person, day, birth, spent.sum(axis=1), rng)
    at = start[:, None] + np.cumsum(spent, axis=1) - spent
    numbers = np.array([CHANNELS.index(c) for c in people.profiles.channel])
    channel, touch = touches.draw(numbers[person], people.start[person] == day, known, rng)
    visitor = _devices(people, person, channel, known, rng)
    return Trail(visits, person, day, birth, lead, known, visitor, start, end, at, channel, touch)


def _all_visits(run: Run) -> tuple[Visits, I64]:
    parts = [d.visits for d in run.days]
    names = ("row", "length", "page", "topic", "dwell", "measured", "download", "requested")
    joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    return Visits(**joined), np.repeat(np.arange(len(parts)), [len(p.row) for p in parts])


def _place(people: People, person: I64, day: I64, birth: Mask, spent: I64, rng: np.random.Generator) -> tuple[I64, I64]:
    """Start and end of visits: inside their person's day, and a form that makes a lead 5 minutes before its end."""
    begin = people.boundary(person, day)
    offset = _into_day(people.phase[person], day, rng)
    offset = np.clip(offset, HEAD, DAY - TAIL - spent)
    offset = np.where(birth, DAY - FIRST_LOOK - spent, offset)
    return begin + offset, begin + offset + spent


def _into_day(phase: I64, day: I64, rng: np.random.Generator) -> I64:
    """How far into its person's day a visit starts: office hours, Fridays before the weekend, Sundays after it."""
    hour = (clock(rng, len(day)) * HOUR).astype(np.int64)
    weekday = (day + FIRST_WEEKDAY) % 7
    u = rng.random(len(day))
    to_evening = phase + (u * np.maximum(20 * HOUR - phase, HOUR)).astype(np.int64)
    from_morning = np.minimum(7 * HOUR, phase - 1) + (u * np.maximum(phase - 7 * HOUR, 0)).astype(np.int64)
    hour = np.where((weekday == 4) & (hour < phase) & (u < 0.95), to_evening, hour)
    hour = np.where((weekday == 6) & (hour >= phase) & (u < 0.9), from_morning, hour)
    return (hour - phase) % DAY


def _devices(people: People, person: I64, channel: I64, known: Mask, rng: np.random.Generator) -> I64:
    """Device numbers: a person's own number, or people + person for mails read on a second device."""
    has_second = rng.random(len(people)) < _SECOND_DEVICE
    second = known & (channel == touches.EMAIL) & has_second[person] & (rng.random(len(person)) < _ON_SECOND)
    return np.where(second, len(people) + person, person)


def page_rows(trail_: Trail) -> tuple[I64, I64]:
    """(visit, position) of every page view."""
    visit, position = np.nonzero(np.arange(MAX_PAGES) < trail_.visits.length[:, None])
    return visit, position
