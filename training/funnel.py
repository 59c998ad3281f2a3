"""The funnel: where journeys end, and whom in its middle nobody has written or called for a while.

drop-offs   the last content (or stage) of each person at its landmark, and what it did in the horizon after: it
            converted, was on the site again without converting, or did neither. Everybody stands on exactly one content.
quiet       open leads by stage, and those with no outbound touch (mail, call, meeting ... of ours) for so many days
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.identity import by_the_lead
from data.outcomes import first_hand_over
from data.records import DAY, EVENT_TYPES, NULL_TIME, WEB_TYPES
from data.spans import FOREVER
from features.arrays import filled, highest_of_each, pick, rows_where, sorted_distinct
from features.build import moment_at
from features.content import STAGES
from training.groups import plain
from training.intervals import LEVEL, discoveries, exact_p, medians, rate, wilson
from training.lead_facts import NumbersAsked
from training.number_facts import Sums
from training.number_figures import LEAST
from training.path_targets import Crowd
from training.prepared_names import NO_PATH
from training.rules import score_points
from training.rules_rows import standings
from training.snapshots import CONVERTED, open_leads, seen_from
from training.trails import By, Names, Stand, steps_of

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
ON_SITE = np.array([t in WEB_TYPES for t in EVENT_TYPES])


# -- where journeys end ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class DropRow:
    """One content or stage. saw: people who saw it by their landmark; stood: of these, those whose last it was; of them
    converted, came_back and gone in the horizon after, which add up. share: gone over stood, with its Wilson 95 %
    interval; p: exact, for a share like that of the others; claimed: q at most LEVEL."""

    name: str
    saw: int
    stood: int
    converted: int
    came_back: int
    gone: int
    share: float
    low: float
    high: float
    p: float
    q: float
    claimed: bool

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


class DropTally:
    """Where people stood at their landmark, of groups told one by one."""

    def __init__(self, by: By) -> None:
        self._by = by
        self._names, self._sums, self._pathless = Names(), Sums(), np.zeros(4, dtype=np.int64)

    def __call__(self, stand: Stand) -> None:
        j = stand.journeys
        segment, code, _ = steps_of(j, self._names.codes(j.vocabulary, self._by))
        last = pick(code, highest_of_each(segment, np.arange(len(code)), len(j))).astype(np.int64)
        width = max(len(self._names.all), 1)
        self._sums.add("saw", sorted_distinct(segment * width + code)[0] % width)
        won = stand.label == 1
        back = _returned(stand) & ~won
        for i, (name, mask) in enumerate((("stood", ~won | won), ("won", won), ("back", back), ("gone", ~won & ~back))):
            self._sums.add(name, last[mask & (last >= 0)])
            self._pathless[i] += int((mask & (last < 0)).sum())

    def rows(self, least: int = LEAST) -> tuple[DropRow, ...]:
        """Contents on which at least `least` people stood, those most left first, by lower bound; stages in order."""
        names = (*self._names.all, NO_PATH)
        saw, stood, won, back, gone = (
            self._sums.of(n, len(names)).astype(np.int64) for n in ("saw", "stood", "won", "back", "gone")
        )
        for column, without in zip((stood, won, back, gone), self._pathless.tolist(), strict=True):
            column[-1] = without
        saw[-1] = stood[-1]
        p = exact_p(gone, stood, int(gone.sum()), int(stood.sum()))
        kept = rows_where(stood >= least)
        q = discoveries(p[kept])
        share = (rate(gone, stood)[kept], *(b[kept] for b in wilson(gone, stood)))
        columns = (*(c[kept] for c in (saw, stood, won, back, gone)), *share, p[kept], q, q <= LEVEL)
        table = zip(kept.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True)
        rows = [DropRow(names[i], *row) for i, row in table]
        return tuple(sorted(rows, key=self._order))

    def _order(self, row: DropRow) -> tuple[float, str]:
        stage = self._by == "stage" and row.name in STAGES
        return (STAGES.index(row.name) - len(STAGES) - 1.0 if stage else -row.low), row.name


def _returned(stand: Stand) -> Mask:
    """Who was on the site again in the horizon after the landmark, (n,)."""
    moment = filled(len(stand.crowd), FOREVER, np.int64)
    moment[stand.rows] = stand.as_of
    encoded, asked = stand.crowd.encoded, stand.asked
    since = encoded.time - np.minimum(moment[encoded.lead], FOREVER // 2)
    back = np.zeros(len(stand.crowd), dtype=np.bool_)
    seen = (encoded.known < asked.now) & ON_SITE.take(encoded.type)
    back[encoded.lead[rows_where((since >= 0) & (since < asked.policy.horizon) & seen)]] = True
    return back[stand.rows]


# -- the middle ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class QuietRow:
    """One stage of open leads. never: with no outbound touch at all; quiet: those and the ones whose last was `days` days
    ago or more, as a share with its Wilson 95 % interval; median_days: since the last touch, NaN where there is none."""

    stage: str
    leads: int
    never: int
    quiet: int
    share: float
    low: float
    high: float
    median_days: float

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


class QuietTally:
    """Open leads at `now` by stage: those of the points in force (a condition on the probability counts as met), or
    `accepted` once sales took a lead over."""

    def __init__(self, asked: NumbersAsked, days: int) -> None:
        stages = asked.rules.file.stages
        self._asked, self.days = asked, days
        self._names = (stages.below_mql, stages.mql, stages.sales_ready, "accepted")
        self._parts: list[tuple[I64, F64]] = []

    def __call__(self, crowd: Crowd) -> None:
        assert crowd.leads is not None
        rows = rows_where(open_leads(crowd.leads, self._asked.policy, CONVERTED, self._asked.now))
        self._parts.append((self._stage(crowd, crowd.leads, rows), _since_touch(crowd.leads, self._asked.now)[rows]))

    def _stage(self, crowd: Crowd, people: People, rows: I64) -> I64:
        now = filled(len(rows), self._asked.now, np.int64)
        moment = moment_at(people.leads, crowd.encoded, rows, people.created_at[rows], now, crowd.beside.bare())
        stage = standings(self._asked.rules, score_points(self._asked.rules, moment)).astype(np.int64)
        taken = first_hand_over(people.outcomes, rows)
        return np.where((taken != NULL_TIME) & (taken < now), len(self._names) - 1, stage)

    def rows(self, least: int = LEAST) -> tuple[QuietRow, ...]:
        """Stages of at least `least` open leads, in order."""
        nothing: tuple[I64, F64] = (np.zeros(0, dtype=np.int64), np.zeros(0))
        stage, since = (np.concatenate([p[i] for p in (nothing, *self._parts)]) for i in (0, 1))
        n, never = len(self._names), np.isnan(since)
        quiet = never | (since >= self.days)
        leads, nevers, quiets = (
            np.bincount(stage[m], minlength=n).astype(np.int64) for m in (never | ~never, never, quiet)
        )
        columns = (leads, nevers, quiets, rate(quiets, leads), *wilson(quiets, leads), medians(stage, since, n))
        rows = zip(self._names, zip(*(c.tolist() for c in columns), strict=True), strict=True)
        return tuple(row for name, values in rows if (row := QuietRow(name, *values)).leads >= least)


def _since_touch(people: People, now: int) -> F64:
    """Days since our last touch of each lead, NaN = never, (n,)."""
    events = people.events
    lead, bot = np.asarray(events["lead"], dtype=np.int64), np.asarray(events["is_bot"], dtype=np.bool_)
    ours = rows_where((lead >= 0) & ~bot & ~by_the_lead(events) & (seen_from(events) < now))
    last = filled(len(people), NULL_TIME, np.int64)
    np.maximum.at(last, lead[ours], np.asarray(events["occurred_at"], dtype=np.int64)[ours])
    return np.where(last != NULL_TIME, (now - np.where(last != NULL_TIME, last, now)) / DAY, np.nan)
