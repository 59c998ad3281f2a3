"""Bots: a few persons who do more in a day than anybody does."""

from __future__ import annotations

import numpy as np

from data.records import DAY
from training.monitor.alarm import Alarm
from training.monitor.noise import WEEKS, WINDOWS, level, run_of
from training.monitor.tally import BUSY, Tally
from training.periods import day

FEWEST = 150  # events of a burst that matters
SHARE = 0.05  # and its share of all events of these days
CHANCE = 1e-6  # that the scatter of earlier weeks makes it
MANY = 3.0  # times the busiest such days of the eight weeks before


def burst_alarms(tally: Tally) -> list[Alarm]:
    """At most one: the shortest window that shows it best."""
    busy, human = tally.busy, tally.records.of.get("events")
    for window in WINDOWS:
        events, people = int(busy.events[:window].sum()), int(busy.people[:window].sum())
        earlier = max(int(busy.events[7 * i : 7 * i + window].sum()) for i in range(1, WEEKS + 1))
        whole = events + (int(human.counts[:window].sum()) if human else 0)
        if events < max(FEWEST, SHARE * whole, MANY * earlier):
            continue
        usual = level(busy.events, window, tally.reach.get("events", 0))
        if usual is None or (usual.high > CHANCE and usual.before > 0):
            continue
        flagged = int(busy.flagged[:window].sum())
        since = tally.as_of - run_of(busy.events[:28] > 0, np.zeros(28, dtype=np.bool_)) * DAY
        note = "" if not flagged else f" ({flagged:,} of them flagged as bots already)"
        says = (f"bot burst: {events:,} events from {people:,} visitor-days of more than {BUSY} events since {day(since)}{note}; "
                f"before {usual.before:,.0f} in as many days")  # fmt: skip
        remedy = "flag or block them, and take their events out before the next training"
        numbers = {
            "events": events,
            "visitors": people,
            "flagged": flagged,
            "before": round(usual.before, 1),
            "days": window,
        }
        return [Alarm("bot_burst", says, remedy, "events", None, since, numbers)]
    return []
