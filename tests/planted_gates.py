"""A simulated market in which we draw by lot who buys, from the first visit on: a form and an open page may change that.

Everybody buys at the same rate a day. Planted, who leaves the form before the guide on automation buys at AWAY times the
rate from then on, and who reads a case study on analytics at ON times the rate. Without a plant nothing counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.records import DAY
from features.beside import Beside
from features.build import journeys_at
from features.journeys import Journeys
from tests.planted_paths import Lot
from training.rules_rows import encoder

F64 = NDArray[np.float64]
RATE, AWAY, ON = (
    0.006,
    0.02,
    5.0,
)  # chance a day, and how many times as high it is once the form was left, the page read
GATE, OPEN = "guide:automation", "case:analytics"


@dataclass(frozen=True)
class GateLot(Lot):
    """`Lot` with other plants."""

    def _drawn(self, people: People) -> People:
        wait = np.random.default_rng(self.seed).exponential(1.0, len(people)) / RATE
        first, left, read = self._turns(people)
        bought = np.array([_bought(*of_one) for of_one in zip(wait, first, left, read, strict=True)])
        return self.buying(people, bought.astype(np.int64))

    def _turns(self, people: People) -> tuple[F64, F64, F64]:
        """When each first came, left the form for good, and read the page; infinity = never (or nothing is planted)."""
        encoded = encoder(self.dataset, False).encode(people.events)
        everybody, end = np.arange(len(people)), np.full(len(people), self.end)
        j = journeys_at(encoded, everybody, end, Beside())
        never = np.full(len(people), np.inf)
        first = _first(j, j.views | j.of_type("form"))
        if not self.planted:
            return first, never, never
        ids = np.array([*encoded.vocabulary.content_ids, ""])
        at_gate, at_page = ids[j.content] == GATE, ids[j.content] == OPEN
        through = _first(j, at_gate & j.of_type("form", "download"))
        left = _first(j, at_gate & j.views)
        return first, np.where(np.isinf(through), left, np.inf), _first(j, at_page & j.views)


def _first(j: Journeys, mask: NDArray[np.bool_]) -> F64:
    position = j.first(mask)
    return np.where(position >= 0, j.time[np.maximum(position, 0)].astype(float), np.inf)


def _bought(wait: float, first: float, left: float, read: float) -> float:
    """When somebody buys, us, who would wait so many days (`wait`) at the plain rate."""
    now, factor = min(first, 1e18), 1.0
    for turn, times in sorted([(left, AWAY), (read, ON)]):
        until = (max(turn, now) - now) / DAY * factor
        if wait <= until:
            break
        wait, now, factor = wait - until, max(turn, now), factor * times
    return min(now + wait / factor * DAY, 4e18)
