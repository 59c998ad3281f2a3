"""Points fitted from data, beside the hand-made ones and judged against them on leads that taught neither.

The rules, their conditions and their directions stay; what data decide is how many points each gives. The fitted
points have the hand-made range (the same 99 % quantile of the sums), and all thresholds are set so that as many looks
as before have each grade and level, are MQLs and are sales-ready: only *who* they are changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.errors import Verdict
from data.settings import Settings
from training.assemble import Frame, frame_of
from training.evaluate import Bench
from training.history import refuse_too_little
from training.rules import MQL, SALES_READY, PointsTable, Rules, graded, meets
from training.rules_compare import Compared, Pair, ready_looks
from training.rules_edit import edited
from training.rules_file import FIT_GRADES, LEVELS, Condition, EngagementRule
from training.rules_fit import Fitted, fit_factors
from training.rules_rows import entries_of, points_of, standings
from training.rules_yaml import Location
from training.run import question_of, split_for
from training.splits import Turn
from training.work import Request

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Changes = dict[Location, Any]

RANGE = 0.99


@dataclass(frozen=True)
class Line:
    """One rule of both files; `factor` is what its points are worth in the data over what the hand-made file says."""

    code: str
    hand_made: int
    suggested: int
    factor: float


@dataclass(frozen=True)
class Suggestion:
    """The suggested points and how they do.

    judged: both files on the judged looks. ready: how many training looks are MQL and sales-ready by each. ridge: how strongly the hand-made points held.
    """

    rules: Rules
    lines: tuple[Line, ...]
    judged: Compared
    measures: Mapping[str, Pair]
    ready: Mapping[str, Mapping[str, int]]
    counts: Mapping[str, int]
    split: str
    ridge: float

    @property
    def verdict(self) -> str:
        """better, worse or no different: by the interval of the difference in AUC."""
        gain = self.measures["auc"].difference
        return "better" if gain.low > 0 else "worse" if gain.high < 0 else "no different"


def suggest(dataset: Dataset, hand: Rules, settings: Settings, request: Request, name: str) -> Suggestion:
    """Fit, set thresholds, judge. With fewer than 500 conversions five folds of leads take turns at judging, each by
    points that the others taught, and the suggestion is fitted on all; `name` is what its heading calls the file.

    Raises
    ------
    InputError, Verdict
        where nothing can be learned: no leads, one answer only, too few conversions, or data against every rule.
    """
    question, context = question_of(dataset, settings, request), settings.training.context
    frame = frame_of(dataset, question)
    split = split_for(dataset, frame, settings, question)
    refuse_too_little(dataset, frame, split, question, settings.training.judging_share)
    entries = entries_of(dataset, frame, hand, context)
    train = [t.train for t in split.turns]
    rows = [*train, split.refit] if len(train) > 1 else train
    fits = [fit_factors(entries[r], frame.label[r], frame.weight[r], frame.hashes[r]) for r in rows]
    scaled = [_scaled(hand, f, entries[r]) for f, r in zip(fits, rows, strict=True)]
    drafts = [_with(hand, points) for points in scaled]
    old, *tables = points_of(dataset, frame, [hand, *drafts], context)
    steps = [_thresholds(hand, old, t, r, frame.weight) for t, r in zip(tables, rows, strict=True)]
    found = [_with(d, s) for d, s in zip(drafts, steps, strict=True)]
    judged = _judged(frame, split.turns, (hand, old), list(zip(found, tables, strict=True)))
    heading = _heading(name, frame, rows[-1], request.target)
    changes = {**scaled[-1], **steps[-1], ("version",): f"{hand.version}-suggested", ("approvals",): []}
    final = Rules.from_yaml(edited(hand.text, changes, heading))
    draws = judged.bench.draws(settings.training.bootstrap, request.seed)
    counts = {
        "train": len(rows[-1]), "train_conversions": frame.conversions(rows[-1]), "judging": len(judged.rows),
        "judging_conversions": frame.conversions(judged.rows),
    }  # fmt: skip
    points = graded(final, tables[-1].fit, tables[-1].engagement)
    ready = ready_looks(standings(hand, old)[rows[-1]], standings(final, points)[rows[-1]])
    return Suggestion(
        final, _lines(hand, final, fits[-1]), judged, judged.measures(draws), ready, counts, split.kind, fits[-1].ridge
    )


def _judged(
    frame: Frame, turns: tuple[Turn, ...], hand: tuple[Rules, PointsTable], found: list[tuple[Rules, PointsTable]]
) -> Compared:
    """Both files on the judged looks; each look under the points of its turn."""
    rows = np.concatenate([t.judge for t in turns])
    total, standing = [], []
    for turn, (rules, table) in zip(turns, found, strict=False):
        points = graded(rules, table.fit[turn.judge], table.engagement[turn.judge])
        total.append(points.total)
        standing.append(standings(rules, points))
    bench = Bench.of(frame.label[rows], frame.weight[rows], frame.lead[rows])
    totals = hand[1].total[rows].astype(np.float64), np.concatenate(total).astype(np.float64)
    return Compared(rows, bench, totals, (standings(*hand)[rows], np.concatenate(standing)))


def _heading(name: str, frame: Frame, rows: I64, target: str) -> str:
    leads = len(np.unique(frame.lead[rows]))
    return (
        f"Suggested by leadlift rules suggest: points of {name} fitted to {len(rows):,} looks at {leads:,} leads,\n"
        f"{frame.conversions(rows):,} of them {target}. Not approved: marketing and sales decide, then enter their "
        "approvals.\nA backtest on the same leads would flatter these points; what suggest prints is judged on others."
    )


def _with(rules: Rules, changes: Changes) -> Rules:
    return Rules.from_yaml(edited(rules.text, changes))


# -- points ------------------------------------------------------------------------------------------------------
def _scaled(hand: Rules, fitted: Fitted, entries: NDArray[np.integer]) -> Changes:
    """Whole points with the hand-made range, and caps that let as many events count as before."""
    size = float(np.quantile(entries @ fitted.factor, RANGE))
    wanted = float(np.quantile(entries.sum(axis=1), RANGE))
    if size <= 0 or wanted <= 0:
        raise Verdict("no points to suggest: in these data no rule that gives points speaks for a conversion. "
                      "Write other rules, or import more.")  # fmt: skip
    factor = fitted.factor * wanted / size
    changes: Changes = {}
    n_fit = len(hand.file.fit)
    for i, rule in enumerate([*hand.file.fit, *hand.file.engagement]):
        at: Location = ("fit", i) if i < n_fit else ("engagement", i - n_fit)
        points = _rounded(rule.points * factor[i])
        changes[*at, "points"] = points
        if isinstance(rule, EngagementRule) and rule.cap is not None:
            changes[*at, "cap"] = max(_rounded(rule.cap * factor[i]), min(abs(points), rule.cap), 1)
    return changes


def _rounded(points: float) -> int:
    return int(max(-100, min(100, np.copysign(np.floor(abs(points) + 0.5), points))))


def _lines(hand: Rules, new: Rules, fitted: Fitted) -> tuple[Line, ...]:
    pairs = zip([*hand.file.fit, *hand.file.engagement], [*new.file.fit, *new.file.engagement], strict=True)
    share = fitted.factor / fitted.common if fitted.common > 0 else fitted.factor
    return tuple(Line(a.code, a.points, b.points, f) for (a, b), f in zip(pairs, share.tolist(), strict=True))


# -- thresholds --------------------------------------------------------------------------------------------------
def _thresholds(hand: Rules, old: PointsTable, new: PointsTable, rows: I64, weight: F64) -> Changes:
    """Thresholds at which as many training looks as before have each grade, are MQLs and are sales-ready."""
    w = weight[rows]
    fit = _ladder([hand.file.fit_grades[g] for g in FIT_GRADES[:3]], old.fit[rows], new.fit[rows], w)
    engagement = [hand.file.engagement_levels[n] for n in LEVELS[:3]]
    levels = _ladder(engagement, old.engagement[rows], new.engagement[rows], w)
    changes: Changes = {("fit_grades", g): t for g, t in zip(FIT_GRADES, fit, strict=False)}
    changes |= {("engagement_levels", n): t for n, t in zip(LEVELS, levels, strict=False)}
    letter, number = _missed(new.fit[rows], fit), _missed(new.engagement[rows], levels)
    code, total = (letter * len(LEVELS) + number).astype(np.int8), new.total[rows]
    standing = standings(hand, old)[rows]
    mql = _total(hand.file.mql, total, code, w, float(w[standing >= MQL].sum()), 0)
    ready = _total(hand.file.sales_ready, total, code, w, float(w[standing == SALES_READY].sum()), mql)
    return changes | {("mql", "total_at_least"): mql, ("sales_ready", "total_at_least"): ready}


def _missed(points: I64, steps: list[int]) -> I64:
    """How many of the steps each lead does not reach."""
    missed: I64 = (points[:, None] < np.array(steps)).sum(axis=1, dtype=np.int64)
    return missed


def _ladder(steps: list[int], old: I64, new: I64, weight: F64) -> list[int]:
    """Falling thresholds of `new` that as many looks reach as reach these of `old`."""
    values = np.unique(new)
    reach = np.array([weight[new >= v].sum() for v in values])
    found: list[int] = []
    for step in steps:
        wanted = weight[old >= step].sum()
        best = int(values[int(np.argmin(np.abs(reach - wanted)))]) if wanted > 0 else int(values[-1]) + 1
        found.append(min(best, found[-1] - 1) if found else best)
    return found


def _total(condition: Condition, total: I64, code: NDArray[np.int8], weight: F64, wanted: float, least: int) -> int:
    """The total at which the weight of those who meet the condition is nearest to the wanted one."""
    if wanted == 0:
        return max(condition.total_at_least, least)
    free = condition.model_copy(update={"total_at_least": 0})
    able = meets(free, total, code, np.ones(len(total)))
    reach = [float(weight[able & (total >= t)].sum()) for t in range(least, 101)]
    return least + int(np.argmin(np.abs(np.array(reach) - wanted)))
