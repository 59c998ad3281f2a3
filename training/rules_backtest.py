"""Backtest of points: what became of past leads, by grade and by threshold.

A lead is looked at as in training, week by week, and each look has its own grade and its own answer: converted within
the horizon or not. All looks whose answer is final count. The looks at one lead share one fate, so intervals are
Wilson's with the effective number of looks, rate * (1 - rate) / variance, the variance being that of whole leads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.errors import Verdict
from training.assemble import Frame, Question, frame_of
from training.calibration import Z90
from training.evaluate import Interval
from training.intervals import wilson
from training.periods import day
from training.rules import MQL, SALES_READY, Rules
from training.rules_file import GRADES
from training.rules_rows import points_of, standings

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

FEW = 10


@dataclass(frozen=True)
class Group:
    """Looks at which leads stood at one grade, or met one threshold.

    leads: who stood there at a look. converted: who of them converted within the horizon of such a look.
    rate: share of the looks that converted. lift: that over the rate of all looks; its interval takes that as known.
    capture: share of all converting looks. None where there is nothing to divide by, or nothing to tell (everybody). few: below 10 converted or 10
    other leads.
    """

    name: str
    looks: int
    leads: int
    converted: int
    rate: Interval | None
    lift: Interval | None
    capture: Interval | None

    @property
    def false_alarms(self) -> int:
        """Leads that stood there and did not convert within the horizon of any of those looks."""
        return self.leads - self.converted

    @property
    def few(self) -> bool:
        return min(self.converted, self.false_alarms) < FEW

    def document(self) -> dict[str, Any]:
        intervals = {n: (i := getattr(self, n)) and i.document() for n in ("rate", "lift", "capture")}
        counts = {n: getattr(self, n) for n in ("name", "looks", "leads", "converted", "false_alarms", "few")}
        return counts | intervals


@dataclass(frozen=True)
class Backtest:
    """The groups, everybody first; first and last day of the looks, and the horizon (None
    without times); looks not final yet."""

    everybody: Group
    grades: tuple[Group, ...]
    thresholds: tuple[Group, ...]
    first: str | None
    last: str | None
    censored: int
    horizon_days: int | None

    def document(self) -> dict[str, Any]:
        names = ("first", "last", "censored", "horizon_days")
        return {
            "everybody": self.everybody.document(), "grades": [g.document() for g in self.grades],
            "thresholds": [g.document() for g in self.thresholds], **{n: getattr(self, n) for n in names},
        }  # fmt: skip


def backtest(dataset: Dataset, rules: Rules, question: Question, context: bool = False) -> Backtest:
    """These points on all past looks of a dataset whose answer is final.

    Raises
    ------
    InputError, Verdict
        where there is no lead, or no final answer of one of the two kinds.
    """
    frame = frame_of(dataset, question)
    final = np.flatnonzero(~np.isnan(frame.label))
    if not frame.conversions(final):
        raise Verdict("too little history: no conversion is final yet. Import more, or ask for an earlier --target.")
    (points,) = points_of(dataset, frame, [rules], context)
    past = Past.of(frame, final)
    standing, code = standings(rules, points)[final], points.grade_code[final]
    as_of = frame.as_of[final]
    dated = dataset.info.has_times
    return Backtest(
        everybody=replace(past.group("everybody", np.ones(len(final), dtype=np.bool_)), lift=None, capture=None),
        grades=tuple(past.group(g, code == i) for i, g in enumerate(GRADES)),
        thresholds=(past.group("mql", standing >= MQL), past.group("sales_ready", standing == SALES_READY)),
        first=day(int(as_of.min())) if dated else None,
        last=day(int(as_of.max())) if dated else None,
        censored=len(frame) - len(final),
        horizon_days=question.policy.horizon_days if dated else None,
    )


@dataclass(frozen=True)
class Past:
    """Looks with a final answer: label, weight and lead, all (n,)."""

    label: F64
    weight: F64
    lead: I64

    @staticmethod
    def of(frame: Frame, rows: I64) -> Past:
        return Past(frame.label[rows], frame.weight[rows], frame.lead[rows])

    def group(self, name: str, inside: Mask) -> Group:
        """What became of the looks that are inside."""
        won = self.label == 1
        base = float(np.average(self.label, weights=self.weight))
        rate = self.share(won, inside)
        lift = rate and Interval(rate.value / base, rate.low / base, rate.high / base)
        return Group(
            name, int(inside.sum()), len(np.unique(self.lead[inside])), len(np.unique(self.lead[inside & won])), rate,
            lift, self.share(inside, won),
        )  # fmt: skip

    def share(self, hit: Mask, among: Mask) -> Interval | None:
        """Weighted share of `hit` among some looks, with its 90 % interval by lead; None where there is none.

        Wilson's interval with an effective size, as for surveys whose answers come in clusters (Dean and Pagano 2015).
        """
        if not among.any():
            return None
        weight, lead = self.weight[among], np.unique(self.lead[among], return_inverse=True)[1]
        p = float(np.average(hit[among], weights=weight))
        leads = int(lead.max()) + 1
        sums = np.bincount(lead, weights=weight * (hit[among] - p))
        variance = float(np.sum(sums**2)) / float(weight.sum()) ** 2 * leads / max(leads - 1, 1)
        size = p * (1 - p) / variance if variance > 0 else float(leads)
        hits = len(np.unique(lead[hit[among]]))
        if min(hits, leads - hits) < FEW:
            size = min(size, _one_fate(weight, lead))
        low, high = (float(end) for end in wilson(p * size, size, Z90))
        return Interval(p, min(low, p), max(high, p))


def _one_fate(weight: F64, lead: I64) -> float:
    """Effective number of looks where all looks of a lead end alike (Kish 1965).

    Few leads say too little of how alike their looks end, so the worst case is taken.
    """
    sums = np.bincount(lead, weights=weight)
    return float(sums.sum() ** 2 / np.sum(sums**2))
