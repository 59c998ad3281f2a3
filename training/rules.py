"""Points: the score marketing and sales agreed on, and its ledger.

A lead's points have two parts. *Fit* is the sum of the fit rules its profile meets, *engagement* the sum of the
engagement rules after their caps. The total is fit + engagement, limited to 0..100; grade letter (A-D) and level
(1-4) come from the two sums before that limit. All points are whole numbers: an event's points are rounded after
decay, halves away from zero, so that the ledger of a lead adds up to its total exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.light import light
from features.family import Moment
from training.rules_file import FIT_GRADES, GRADES, LEVELS, TEAMS, Condition, EngagementRule, FitRule, RulesFile
from training.rules_match import counted_events, row_of
from training.rules_read import parse
from training.rules_table import RulesTable

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I8 = NDArray[np.int8]
Mask = NDArray[np.bool_]
Dimension = Literal["fit", "engagement", "total"]

LOWEST, HIGHEST = 0, 100
BELOW_MQL, MQL, SALES_READY = 0, 1, 2


@dataclass(frozen=True)
class Standing:
    """Where a lead stands by the rules; `stage` is the name the file gives it. Sales-ready leads are MQLs too."""

    stage: str
    mql: bool
    sales_ready: bool


@light
class PointsTable:
    """Points of n leads.

    fit, engagement: int64 (n,), sums before the 0..100 limit; total: int64 (n,), 0..100;
    fit_grade: int8 (n,), position in "ABCD"; engagement_level: int8 (n,), 1 (best) to 4.
    """

    fit: I64
    engagement: I64
    total: I64
    fit_grade: I8
    engagement_level: I8

    def __len__(self) -> int:
        return len(self.total)

    @cached_property
    def grade_code(self) -> I8:
        """int8 (n,): position of each grade in GRADES (A1 first, D4 last)."""
        return (self.fit_grade * len(LEVELS) + self.engagement_level - 1).astype(np.int8)

    def grades(self) -> list[str]:
        """Grades as text, `B2`."""
        return [GRADES[c] for c in self.grade_code.tolist()]


@dataclass(frozen=True)
class Rules:
    """A points file that was read and found sound. Equal where the text is equal."""

    text: str
    file: RulesFile = field(repr=False, compare=False)

    @staticmethod
    def from_yaml(text: str, name: str = "rules.yaml") -> Rules:
        """Read a points file; `name` is what errors call it.

        Raises
        ------
        InputError
            one line that names file, line and entry, with the nearest known key for a misspelt one.
        """
        return Rules(text, parse(text, name))

    @property
    def version(self) -> str:
        return self.file.version

    @property
    def approved(self) -> bool:
        """True where marketing and sales have both approved this version; no other version is served."""
        return {a.team for a in self.file.approvals} == set(TEAMS)

    @property
    def hot_probability(self) -> float:
        """The model is hot from this probability on."""
        return self.file.hot_probability

    @property
    def hot_points(self) -> int:
        """Points are hot from this total on: the sales-ready total."""
        return self.file.sales_ready.total_at_least

    @property
    def expected_rate(self) -> Mapping[str, float]:
        """grade -> conversion rate both teams expect; empty where none was declared."""
        return self.file.expected_rate

    @property
    def columns(self) -> dict[str, str]:
        """Lead columns the rules look at -> code of the first rule that does."""
        return {r.column: r.code for r in reversed(self.entries) if r.column is not None}

    @cached_property
    def entries(self) -> tuple[FitRule, ...]:
        """All rules in the file's order, fit before engagement."""
        return (*self.file.fit, *self.file.engagement)

    @cached_property
    def steps(self) -> tuple[I64, I64]:
        """Lowest points of grades A, B, C and of levels 1, 2, 3, ascending."""
        grades, levels = self.file.fit_grades, self.file.engagement_levels
        return np.sort([grades[g] for g in FIT_GRADES[:3]]), np.sort([levels[n] for n in LEVELS[:3]])

    @cached_property
    def table(self) -> RulesTable:
        """The same, ready to be asked about many leads at once."""
        return RulesTable.of(self.entries)

    def standings(self, points: PointsTable, probability: F64 | None = None) -> I8:
        """int8 (n,): BELOW_MQL, MQL or SALES_READY.

        `probability` float64 (n,), NaN = unknown, None = all unknown: a condition on the probability is not met by
        an unknown one (a declared `expected_rate` may stand in for it; that is the caller's choice).
        """
        known = np.full(len(points), np.nan) if probability is None else probability
        mql = meets(self.file.mql, points.total, points.grade_code, known)
        ready = mql & meets(self.file.sales_ready, points.total, points.grade_code, known)
        return (mql.astype(np.int8) + ready).astype(np.int8)

    def standing(self, code: int) -> Standing:
        """The standing behind one code of `standings`."""
        stages = self.file.stages
        return Standing(
            (stages.below_mql, stages.mql, stages.sales_ready)[code],
            code >= MQL,
            code == SALES_READY,
        )

    def verdict(self, total: int, grade: str, probability: float | None = None) -> Standing:
        """The standing of one lead; `standings` for many."""
        one = np.array([GRADES.index(grade)], dtype=np.int8)
        totals, known = (
            np.array([total]),
            np.array([np.nan if probability is None else probability]),
        )
        mql = meets(self.file.mql, totals, one, known)[0]
        ready = mql and meets(self.file.sales_ready, totals, one, known)[0]
        return self.standing(int(mql) + int(ready))


def meets(condition: Condition, total: I64, grade: I8, probability: F64) -> Mask:
    """bool (n,): who meets everything a condition gives; totals, positions in GRADES and probabilities are (n,)."""
    met: Mask = total >= condition.total_at_least
    if condition.grades is not None:
        met = met & _among(tuple(condition.grades))[grade]
    if condition.probability_at_least is not None:
        met = met & (probability >= condition.probability_at_least)
    return met


@lru_cache(maxsize=256)
def _among(grades: tuple[str, ...]) -> Mask:
    """Which of GRADES these are."""
    return np.array([g in grades for g in GRADES])


# -- points ----------------------------------------------------------------------------------------------------
def score_points(rules: Rules, moment: Moment) -> PointsTable:
    """The points of n (lead, as_of) pairs. Row i depends on row i of the moment alone; integers are exact."""
    points, fit = entry_points(rules, moment), len(rules.file.fit)
    return graded(rules, np.add.reduce(points[:, :fit], axis=1), np.add.reduce(points[:, fit:], axis=1))


def entry_points(rules: Rules, moment: Moment) -> I64:
    """int64 (n, k): points of each rule after its cap, in the file's order, fit before engagement."""
    return rules.table.capped(rules.table.raw(moment))


def graded(rules: Rules, fit: I64, engagement: I64) -> PointsTable:
    """Total, grade and level of n leads from their two sums."""
    grades, levels = rules.steps
    return PointsTable(
        fit=fit,
        engagement=engagement,
        total=np.minimum(np.maximum(fit + engagement, LOWEST), HIGHEST),
        fit_grade=_steps_missed(fit, grades),
        engagement_level=_steps_missed(engagement, levels) + np.int8(1),
    )


def _steps_missed(points: I64, steps: I64) -> I8:
    return (len(steps) - steps.searchsorted(points, side="right")).astype(np.int8)


# -- ledger ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class LedgerEntry:
    """One line of the ledger. `code` is the rule's, `<rule>:cap` or `limit`; `count` is the number of events that
    counted, 0 where the entry is not about events."""

    dimension: Dimension
    code: str
    label: str
    points: int
    count: int = 0


def ledger(rules: Rules, moment: Moment, row: int, lang: str = "en") -> list[LedgerEntry]:
    """Why row `row` has its points: entries that are not 0, in the file's order; their sum is the total exactly."""
    one = row_of(moment, row)
    raw = rules.table.raw(one)
    pairs = zip(raw[0].tolist(), rules.table.capped(raw)[0].tolist(), strict=True)
    entries = [e for rule, (points, kept) in zip(rules.entries, pairs, strict=True)
               for e in _entries(rule, points, kept, one, lang)]  # fmt: skip
    total = sum(e.points for e in entries)
    limit = min(max(total, LOWEST), HIGHEST) - total
    label = "Begrenzung auf 0 bis 100" if lang == "de" else "Limit of 0 to 100"
    return [e for e in [*entries, LedgerEntry("total", "limit", label, limit)] if e.points]


def _entries(rule: FitRule, points: int, kept: int, one: Moment, lang: str) -> Iterator[LedgerEntry]:
    """The rule's own line and that of its cap; `kept` is what the cap leaves of the points."""
    label = rule.label.of(lang)
    if not isinstance(rule, EngagementRule):
        yield LedgerEntry("fit", rule.code, label, points)
        return
    cap = "Obergrenze" if lang == "de" else "Cap"
    yield LedgerEntry("engagement", rule.code, label, points, counted_events(rule, one.journeys))
    yield LedgerEntry("engagement", f"{rule.code}:cap", f"{cap}: {label}", kept - points)
