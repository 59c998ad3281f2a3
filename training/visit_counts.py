"""Visits and visitors of periods by source, and which contents people saw in them: one walk over everybody who came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.spans import FOREVER
from features.arrays import differs, filled, rows_where, sorted_distinct
from features.build import journeys_at
from features.journeys import SESSION_GAP, Journeys
from training.lead_facts import NumbersAsked, source_of
from training.number_facts import Sums, VisitMonths
from training.path_targets import LEAD, crowds_of
from training.periods import Period, month_of
from training.sources import Sources
from training.trails import Names

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """What n people did up to shortly after the period, and when each became a lead, us, FOREVER = not, (n,)."""

    journeys: Journeys
    created: I64


def walk_visitors(dataset: Dataset, asked: NumbersAsked, tallies: Sequence[Callable[[Seen], None]]) -> None:
    """Tell the tallies of everybody who came before the period ended.

    Raises
    ------
    InputError
        where visitors may not be counted (see `path_targets.crowds_of`).
    """
    until = min(asked.period.end + SESSION_GAP, asked.now)  # a visit begun in the period is seen to its end
    for crowd in crowds_of(dataset, LEAD, asked.policy, asked.now, threads=asked.threads):
        rows = rows_where(crowd.start < asked.period.end)
        journeys = journeys_at(crowd.encoded, rows, filled(len(rows), until, np.int64), crowd.beside)
        created = filled(len(crowd), FOREVER, np.int64)
        created[crowd.conversions.lead] = crowd.conversions.at
        seen = Seen(journeys, created[rows])
        for tell in tallies:
            tell(seen)


class VisitTally:
    """Counts VISIT_COUNTS by source. A visit has its own source; a visitor that of its first visit in the period.

    launched: first visit of each source ever, us.
    """

    def __init__(self, periods: Sequence[Period], sources: Sources) -> None:
        self._periods, self._sources = periods, sources
        self.sums = [Sums() for _ in periods]
        self._launched = np.zeros(0, dtype=np.int64)

    def __call__(self, seen: Seen) -> None:
        j = seen.journeys
        source = source_of(j, np.arange(len(j.session_starts), dtype=np.int64), self._sources)
        at, bounced = j.time[j.session_starts], _bounced(j)
        self._launched = np.minimum(self.launched(len(self._sources.all)), _earliest(source, at, self._sources))
        for period, sums in zip(self._periods, self.sums, strict=True):
            here = rows_where(period.holds(at))
            sums.add("visits", source[here])
            sums.add("bounces", source[here[bounced[here]]])
            first = here[rows_where(differs(j.session_segment[here]))]
            born = seen.created[j.session_segment[first]]
            new = born > at[first]
            sums.add("visitors", source[first])
            sums.add("new_visitors", source[first[new]])
            sums.add("became_leads", source[first[new & (born < period.end)]])

    def launched(self, n: int) -> I64:
        """Of the first n sources, FOREVER = no visit."""
        return np.concatenate([self._launched, filled(n - len(self._launched), FOREVER, np.int64)])


class MonthTally:
    """Counts visits that begin before `end` (us) by source and month."""

    def __init__(self, end: int, sources: Sources) -> None:
        self._end, self._sources = end, sources
        none = np.zeros(0, dtype=np.int64)
        self._parts = [visit_months(none, none, none, none > 0)]

    def __call__(self, seen: Seen) -> None:
        j = seen.journeys
        at = j.time[j.session_starts]
        kept = rows_where(at < self._end)
        source = source_of(j, kept, self._sources)
        self._parts.append(visit_months(j.session_segment[kept], at[kept], source, _bounced(j)[kept]))

    def found(self) -> VisitMonths:
        """Everything told so far."""
        columns = [np.concatenate([getattr(p, f.name) for p in self._parts]) for f in fields(VisitMonths)]
        return _alike(np.column_stack(columns[:3]), np.column_stack(columns[3:]))


def visit_months(person: I64, at: I64, source: I64, bounced: Mask) -> VisitMonths:
    """Visits, by person and time (us), as they are kept; (n,) each."""
    month = month_of(at)
    fresh = differs(person) | differs(month)
    kinds = np.column_stack([source, month, _month_before(person, month, fresh)])
    return _alike(kinds, np.column_stack([np.ones(len(month)), bounced, fresh]))


def _alike(kinds: I64, counts: F64) -> VisitMonths:
    """Those of the same source, month and month before as one; (n, 3) each."""
    order = np.lexsort(kinds.T)
    kinds, counts = kinds[order], counts[order]
    first = rows_where(differs(kinds[:, 0]) | differs(kinds[:, 1]) | differs(kinds[:, 2]))
    sums = np.add.reduceat(counts, first) if len(first) else counts
    return VisitMonths(*kinds[first].T.copy(), *sums.T.copy())


def _month_before(person: I64, month: I64, fresh: Mask) -> I64:
    """Of each visit, by person and time, the last month before its own in which the person came, -1 = none."""
    first = rows_where(fresh)
    before = filled(len(first), -1, np.int64)
    again = rows_where(~differs(person[first]))
    before[again] = month[first[again - 1]]
    every: I64 = before[np.cumsum(fresh) - 1]
    return every


def _earliest(source: I64, at: I64, sources: Sources) -> I64:
    first = filled(len(sources.all), FOREVER, np.int64)
    np.minimum.at(first, source, at)
    return first


def _bounced(j: Journeys) -> Mask:
    """Sessions of one page view and nothing else; heartbeats of the page are no action."""
    n = len(j.session_starts)
    web = rows_where(j.session >= 0)
    views = np.bincount(j.session[web], j.views[web], n)
    acts = np.bincount(j.session[web], ~(j.views | j.of_type("engagement"))[web], n)
    return np.asarray((views == 1) & (acts == 0))


class ContentTally:
    """People who saw each content in each period, and people who saw any."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._periods, self._names, self._sums = periods, Names(), [Sums() for _ in periods]
        self.everybody = [0] * len(periods)

    def __call__(self, seen: Seen) -> None:
        rows, segment, content = seen.journeys.pages.known
        code, at = self._names.codes(seen.journeys.vocabulary, "content").take(content), seen.journeys.time[rows]
        width = len(self._names.all)
        for i, period in enumerate(self._periods):
            here = rows_where(period.holds(at) & (code >= 0))
            pairs = sorted_distinct(segment[here] * width + code[here])[0]
            self._sums[i].add("people", pairs % max(width, 1))
            self.everybody[i] += len(sorted_distinct(segment[here])[0])

    def people(self) -> dict[str, tuple[int, ...]]:
        """People of each content, by period."""
        names = self._names.all
        columns = [s.of("people", len(names)).astype(np.int64).tolist() for s in self._sums]
        return dict(zip(names, zip(*columns, strict=True), strict=True))
