"""How often people came, against conversion: by their landmark, and in everything that was imported.

    TouchTally   people at their landmark, by the visits they had begun by then, and who converted in the horizon after it
    WholeTally   all leads, by all their visits, and who ever converted; visits and conversions by source

The second is a count of the data as it is, and no more: it has visits made after the conversion, and who buys comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import filled, rows_where, sorted_distinct
from features.build import journeys_at
from features.journeys import Journeys
from training.groups import plain
from training.intervals import rate, wilson
from training.lead_facts import created_before, source_of
from training.number_facts import Sums
from training.number_figures import LEAST
from training.path_targets import Crowd
from training.snapshots import CONVERTED, Conversions, Policy, conversions_of, taken_back
from training.sources import Sources
from training.trails import Stand

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
MOST = 6  # visits that are told apart; more are one row
BANDS = ("none", *(str(n) for n in range(1, MOST)), f"{MOST} or more")


@dataclass(frozen=True)
class TouchRow:
    """People with so many visits, one of BANDS; rate with its Wilson 95 % interval."""

    touches: str
    people: int
    conversions: int
    rate: float
    low: float
    high: float

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


@dataclass(frozen=True)
class SourceCount:
    """Of a channel and campaign, or of all: visits, their page views, visits that were the last before a conversion (hits);
    leads whose first visit it was (people), and who of them ever converted for good. Rates with Wilson 95 % intervals."""

    channel: str
    campaign: str
    visits: int
    views: int
    hits: int
    hit_rate: float
    hit_low: float
    hit_high: float
    people: int
    converted: int
    rate: float
    low: float
    high: float

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


class Touches:
    """People and conversions by visits, told group by group."""

    def __init__(self) -> None:
        self._people, self._hits = np.zeros(len(BANDS), dtype=np.int64), np.zeros(len(BANDS), dtype=np.int64)

    def add(self, visits: I64, converted: F64) -> None:
        """visits (n,) and converted (n,), 1 or 0."""
        band = np.minimum(visits, MOST)
        self._people += np.bincount(band, minlength=len(BANDS))
        self._hits += np.bincount(band, converted, len(BANDS)).astype(np.int64)

    def rows(self, least: int = LEAST) -> tuple[TouchRow, ...]:
        """Rows of at least `least` people, fewest visits first."""
        columns = (self._people, self._hits, rate(self._hits, self._people), *wilson(self._hits, self._people))
        table = zip(BANDS, *(c.tolist() for c in columns), strict=True)
        return tuple(row for values in table if (row := TouchRow(*values)).people >= least)


class TouchTally(Touches):
    """Visits begun by the landmark, of those who have matured."""

    def __init__(self) -> None:
        super().__init__()
        self._bands: list[NDArray[np.int8]] = []

    def __call__(self, stand: Stand) -> None:
        visits = _visits(stand.journeys)
        self.add(visits, stand.label)
        self._bands.append(np.minimum(visits, MOST).astype(np.int8))

    def bands(self) -> NDArray[np.int8]:
        """The number of the band of each person, in the order they were told of."""
        return np.concatenate([np.zeros(0, dtype=np.int8), *self._bands])


class WholeTally:
    """All leads created before `now`, without a landmark. Conversions are those not taken back within their window."""

    def __init__(self, policy: Policy, now: int) -> None:
        self._policy, self._now, self._sources, self._sums = policy, now, Sources(), Sums()
        self.touches, self.conversions = Touches(), 0

    def __call__(self, crowd: Crowd) -> None:
        people = crowd.leads
        assert people is not None
        rows = created_before(people, self._now)
        j = journeys_at(crowd.encoded, rows, filled(len(rows), self._now, np.int64), crowd.beside)
        won = conversions_of(people.outcomes, CONVERTED, self._now)
        won = won.take(~taken_back(won, self._policy) & np.isin(won.lead, rows))
        self.conversions += len(won.lead)
        converted = np.isin(rows, won.lead).astype(np.float64)
        self.touches.add(_visits(j), converted)
        self._count(j, converted, _visits_before(j, np.searchsorted(rows, won.lead), won))

    def _count(self, j: Journeys, converted: F64, hits: I64) -> None:
        """hits: visits that were the last before a conversion."""
        source = source_of(j, np.arange(len(j.session_starts), dtype=np.int64), self._sources)
        views = rows_where(j.views & (j.session >= 0))
        first = source_of(j, j.first_session, self._sources)
        self._sums.add("visits", source)
        self._sums.add("views", source[j.session[views]])
        self._sums.add("hits", source[hits])
        self._sums.add("people", first)
        self._sums.add("converted", first, converted)

    def total(self) -> SourceCount:
        """All sources together."""
        visits, views, hits, people, converted = self._table().sum(axis=0).tolist()
        return _row("", "", visits, views, hits, people, converted)

    def rows(self, least: int = LEAST) -> tuple[SourceCount, ...]:
        """Sources that at least `least` leads came by first, most visits first."""
        rows = [_row(*name, *counts) for name, counts in zip(self._sources.all, self._table().tolist(), strict=True)]
        shown = [r for r in rows if r.people >= least]
        return tuple(sorted(shown, key=lambda r: (-r.visits, r.channel, r.campaign)))

    def _table(self) -> I64:
        """Each of _COUNTS by source, (sources, counts)."""
        n = len(self._sources.all)
        return np.column_stack([self._sums.of(name, n) for name in _COUNTS]).astype(np.int64)


_COUNTS = ("visits", "views", "hits", "people", "converted")


def _row(channel: str, campaign: str, visits: int, views: int, hits: int, people: int, converted: int) -> SourceCount:
    return SourceCount(
        channel, campaign, visits, views, hits, *_rate(hits, visits), people, converted, *_rate(converted, people)
    )


def _rate(hits: int, n: int) -> tuple[float, float, float]:
    low, high = wilson(hits, n)
    return float(rate(hits, n)), float(low), float(high)


def _visits(j: Journeys) -> I64:
    """Visits of each person, (n,)."""
    return np.bincount(j.session_segment, minlength=len(j)).astype(np.int64)


def _visits_before(j: Journeys, person: I64, won: Conversions) -> I64:
    """The visits that were the last begun by each of these conversions (person: whose it was), each once."""
    begun = j.time[j.session_starts]
    times = np.sort(begun)
    width = len(times) + 1
    place = j.session_segment * width + np.searchsorted(times, begun, side="right")
    last = np.searchsorted(place, person * width + np.searchsorted(times, won.at, side="right"), side="right") - 1
    own = rows_where(last >= 0)
    own = own[j.session_segment[last[own]] == person[own]]
    visits: I64 = sorted_distinct(last[own])[0]
    return visits
