"""What the rules of a points file give each lead: all rules about one column, and all about events, in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.records import EVENT_TYPES, Coded
from features.channels import CHANNELS
from features.content import Content
from features.family import Moment
from features.journeys import Journeys
from features.lazy import cached_property
from features.leads import Leads
from training.rules_file import EngagementRule, FitRule
from training.rules_match import about, matches, rounded, text_test

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RulesTable:
    """k rules, taken apart by what they look at; `places` are their columns in the answer.

    columns: rules about one column of the profile each. events: those about events. cap: (k,), the most a rule can add
    or take away.
    """

    columns: tuple[_ColumnRules, ...]
    events: _EventRules
    cap: I64

    @staticmethod
    def of(rules: Sequence[FitRule]) -> RulesTable:
        events = [i for i, r in enumerate(rules) if isinstance(r, EngagementRule) and r.event is not None]
        columns: dict[str, list[int]] = {}
        for i, rule in enumerate(rules):
            if rule.column is not None and i not in events:
                columns.setdefault(rule.column, []).append(i)
        caps = [r.cap if isinstance(r, EngagementRule) else None for r in rules]
        none = np.iinfo(np.int64).max
        return RulesTable(
            tuple(_ColumnRules.of(name, at, [rules[i] for i in at]) for name, at in columns.items()),
            _EventRules.of(events, [rules[i] for i in events]),
            np.array([none if c is None else c for c in caps], dtype=np.int64),
        )

    def raw(self, moment: Moment) -> I64:
        """int64 (n, k): points of each rule before its cap. Row i depends on row i of the moment alone."""
        points = np.zeros((len(moment), len(self.cap)), dtype=np.int64)
        for one in self.columns:
            points[:, one.where] = one.points_of(moment.leads)
        if len(self.events.places) and len(moment.journeys.time):
            points[:, self.events.places] = self.events.points_of(moment.journeys)
        return points

    def capped(self, points: I64) -> I64:
        """The same after the caps: a cap bounds the size, 15 keeps a rule within -15..15."""
        return np.minimum(np.maximum(points, -self.cap), self.cap)


@dataclass(frozen=True)
class _ColumnRules:
    """Rules about one column: `of_text` gives the points of a text, `of_nothing` those of an unknown one.

    where: their places, as a slice where they follow each other, which is quicker. bounds: the lowest and highest number of each, (2, rules), where all of them are about ranges.
    """

    name: str
    where: I64 | slice
    rules: tuple[FitRule, ...]
    points: I64
    of_text: Callable[[str], tuple[int, ...]]
    of_nothing: tuple[int, ...]
    bounds: F64 | None

    @staticmethod
    def of(name: str, places: Sequence[int], rules: Sequence[FitRule]) -> _ColumnRules:
        points, tests = [r.points for r in rules], [text_test(r) for r in rules]
        return _ColumnRules(
            name, _where(places), tuple(rules), np.array(points, dtype=np.int64),
            lru_cache(maxsize=256)(lambda text: tuple(p if t(text) else 0 for p, t in zip(points, tests, strict=True))),
            tuple(r.points if r.known is False else 0 for r in rules), _bounds(rules),
        )  # fmt: skip

    def points_of(self, leads: Leads) -> I64:
        """int64 (n, rules of this column)."""
        column = leads.columns.get(self.name)
        if not isinstance(column, Coded):
            return self._of_numbers(leads) * self.points
        table = self._of_one(*column.values) if len(column.values) == 1 else self._table(*column.values)
        return table.take(column.codes, axis=0)

    def _table(self, *texts: str) -> I64:
        """Points of each of some texts and, at the end, of none, (texts + 1, rules)."""
        return np.array([*map(self.of_text, texts), self.of_nothing], dtype=np.int64)

    @cached_property
    def _of_one(self) -> Callable[[str], I64]:
        """The same for one text, as one lead has: remembered."""
        return lru_cache(maxsize=256)(self._table)

    def _of_numbers(self, leads: Leads) -> Mask:
        if self.bounds is None:
            return np.column_stack([matches(rule, leads) for rule in self.rules])
        values = leads.number(self.name)[:, np.newaxis]
        met: Mask = (values >= self.bounds[0]) & (values <= self.bounds[1])
        return met


def _where(places: Sequence[int]) -> I64 | slice:
    if list(places) == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, dtype=np.int64)


def _bounds(rules: Sequence[FitRule]) -> F64 | None:
    ranges = [r.between or (None if r.at_least is None else (r.at_least, np.inf)) for r in rules]
    return None if None in ranges else np.array(ranges, dtype=np.float64).T


@dataclass(frozen=True)
class _EventRules:
    """Rules about events, (k,) each: points, days until half of them (inf = never less), the most days ago (inf).

    by_type, by_channel: (types, k) and (channels, k), whether a rule takes such events. by_content: the same of one
    content, None = of none.
    """

    places: I64
    points: F64
    half_life: F64
    within: F64
    by_type: Mask
    by_channel: Mask
    by_content: Callable[[Content | None], tuple[bool, ...]]

    @staticmethod
    def of(places: Sequence[int], rules: Sequence[FitRule]) -> _EventRules:
        found = [r for r in rules if isinstance(r, EngagementRule)]
        events = [r.event for r in found if r.event is not None]
        return _EventRules(
            np.array(places, dtype=np.int64),
            np.array([r.points for r in found], dtype=np.float64),
            np.array([r.half_life_days or np.inf for r in found], dtype=np.float64),
            np.array([r.within_days or np.inf for r in found], dtype=np.float64),
            _taken(EVENT_TYPES, [e.type for e in events]),
            _taken(CHANNELS, [e.channel for e in events]),
            lru_cache(maxsize=4096)(lambda content: tuple(about(e, content) for e in events)),
        )

    def points_of(self, journeys: Journeys) -> I64:
        """int64 (n, k). An event of age a days counts round(points * 0.5 ** (a / half life)), halves away from zero.

        The sum of whole numbers in float64 is exact.
        """
        n, k = len(journeys), len(self.points)
        event, rule = np.divmod(self._counts(journeys).ravel().nonzero()[0], k)  # twice as quick as of two dimensions
        worth = rounded(self.points[rule] * 0.5 ** (journeys.age_days[event] / self.half_life[rule]))
        sums = np.bincount(journeys.segment[event] * k + rule, weights=worth, minlength=n * k)
        return sums.astype(np.int64).reshape(n, k)

    def _counts(self, journeys: Journeys) -> Mask:
        """Which events count for which rules, (events, k)."""
        of_content = np.array([self.by_content(c) for c in (*journeys.vocabulary.contents, None)], dtype=np.bool_)
        mask: Mask = self.by_type.take(journeys.type, axis=0) & of_content.take(journeys.content, axis=0)
        mask &= self.by_channel.take(journeys.channel, axis=0)
        mask &= journeys.age_days[:, np.newaxis] <= self.within
        return mask


def _taken(names: Sequence[str], wanted: Sequence[tuple[str, ...] | None]) -> Mask:
    """(names, k): whether each rule takes what has this name."""
    return np.array([[w is None or n in w for w in wanted] for n in names], dtype=np.bool_).reshape(len(names), -1)
