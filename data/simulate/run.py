"""Living through a market, day by day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from data.simulate import hazard
from data.simulate.days import Day, step
from data.simulate.market import Market, People, draw_people
from data.simulate.state import I64, State


@dataclass(frozen=True)
class Run:
    """A market that was lived through. `days[d]` is what happened on day d, rows being persons of `people`.

    fingerprint: digest of people, constants' version and conversions; equal runs have equal ones.
    states: what was recorded of the asked (person, day) pairs when that day began, row by row as asked.
    """

    people: People
    days: tuple[Day, ...]
    fingerprint: str
    states: State

    def happened(self, what: str) -> tuple[I64, I64]:
        """Who `converted`, was `lost` or `reopened`, and on which day; in order of days."""
        rows = [getattr(d, what) for d in self.days]
        return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(r) for r in rows])

    @property
    def market(self) -> Market:
        return self.people.market


def live(market: Market, person: I64 | None = None, day: I64 | None = None) -> Run:
    """Live through a market; (person, day) pairs ask for states on the way, 0 <= day <= market.days."""
    person = np.zeros(0, dtype=np.int64) if person is None else person
    day = np.zeros(0, dtype=np.int64) if day is None else day
    streams = market.streams()
    people = draw_people(market, streams[0])
    state = people.state()
    asked = state.take(person)
    order = np.argsort(day, kind="stable")
    ends = np.searchsorted(day[order], np.arange(market.days + 1), side="right")
    begun, happened = 0, []
    for today in range(market.days + 1):
        rows = order[begun : ends[today]]
        asked.put(rows, state.take(person[rows]))
        begun = int(ends[today])
        if today < market.days:
            happened.append(step(state, today, streams[1], people.form_page))
    return Run(people, tuple(happened), _fingerprint(people, happened), asked)


def _fingerprint(people: People, days: list[Day]) -> str:
    digest = hashlib.sha256(hazard.VERSION.encode())
    for part in (people.start, people.birth, people.phase, people.profiles.fit()):
        digest.update(np.ascontiguousarray(part).tobytes())
    for day in days:
        for rows in (day.converted, day.cancel_in, day.lost):
            digest.update(rows.astype(np.int64).tobytes())
    return digest.hexdigest()
