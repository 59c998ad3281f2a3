"""What points can add up to: which fit and engagement sums, grades and totals a lead could ever have.

A column is tried with values on, beside and between all bounds its rules name, with each of their texts, with their
phrases joined, and unknown; columns are taken to be independent of each other. An event rule can give every number of
points up to its cap where its points decay, else their multiples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from data.records import NULL_TIME, Coded, Columns
from features.leads import Leads
from training.rules import PointsTable, Rules, graded
from training.rules_file import EngagementRule, FitRule
from training.rules_match import matches

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

FARTHEST = 1_000  # sums beyond do not differ: totals end at 100
MOST_JOINED = 10
_STRANGE = "\u2400"


def fit_sums(rules: Rules) -> I64:
    """All fit sums a lead can have, ascending."""
    return _sums(rules.file.fit)


def engagement_sums(rules: Rules) -> I64:
    """All engagement sums a lead can have, ascending."""
    return _sums(rules.file.engagement)


def reachable(rules: Rules) -> PointsTable:
    """One row for each pair of sums that a lead can have."""
    fit, engagement = np.meshgrid(fit_sums(rules), engagement_sums(rules), indexing="ij")
    return graded(rules, fit.ravel(), engagement.ravel())


def _sums(entries: Sequence[FitRule]) -> I64:
    by_column: dict[str, list[FitRule]] = defaultdict(list)
    parts: list[Iterable[int]] = []
    for rule in entries:
        if rule.column is not None:
            by_column[rule.column].append(rule)
        elif isinstance(rule, EngagementRule):
            parts.append(_event_sums(rule))
    for column, rules in by_column.items():
        met = tried(column, rules, joined=True)
        parts.append(set((met @ np.array([r.points for r in rules])).tolist()))
    found = {0}
    for part in parts:
        found = {max(-FARTHEST, min(FARTHEST, a + b)) for a in found for b in part}
    return np.array(sorted(found), dtype=np.int64)


def _event_sums(rule: EngagementRule) -> Iterable[int]:
    size, most = abs(rule.points), FARTHEST if rule.cap is None else rule.cap
    sign = -1 if rule.points < 0 else 1
    if size == 0:
        return [0]
    step = 1 if rule.half_life_days is not None else size
    return [sign * n for n in {*range(0, most + 1, step), most if rule.cap else 0}]


# -- columns -----------------------------------------------------------------------------------------------------
def is_number(rule: FitRule) -> bool | None:
    """Whether a rule looks at a number; None where it would take either."""
    if rule.at_least is not None or rule.between is not None:
        return True
    wanted = literals(rule)
    return None if rule.known is not None or any(not isinstance(v, str) for v in wanted) else False


def literals(rule: FitRule) -> list[str | float]:
    """The values of `equals` and `in`."""
    return rule.in_ if rule.in_ is not None else [] if rule.equals is None else [rule.equals]


def tried(column: str, rules: Sequence[FitRule], joined: bool) -> NDArray[np.int64]:
    """int64 (values, rules): which of some tried values of a column meet which rules, the unknown value last."""
    kinds = {is_number(r) for r in rules}
    values = _numbers(rules) if True in kinds and False not in kinds else _texts(rules, joined)
    leads = _leads(column, values)
    return np.column_stack([matches(r, leads).astype(np.int64) for r in rules])


def _leads(column: str, values: Coded | F64) -> Leads:
    nothing = np.full(len(values), NULL_TIME)
    columns: Columns = {column: values}
    return Leads(nothing, nothing, columns)


def _numbers(rules: Sequence[FitRule]) -> F64:
    named = [float(v) for r in rules for v in literals(r) if not isinstance(v, str)]
    named += [b for r in rules for b in (r.between or ())] + [r.at_least for r in rules if r.at_least is not None]
    bounds = np.unique(np.array(named or [0.0]))
    between = (bounds[1:] + bounds[:-1]) / 2
    return np.concatenate([[bounds[0] - 1], bounds, between, [bounds[-1] + 1, np.nan]])


def _texts(rules: Sequence[FitRule], joined: bool) -> Coded:
    texts = [v if isinstance(v, str) else f"{v:g}" for r in rules for v in literals(r)]
    texts += [phrase.strip("* ") for r in rules for phrase in r.contains or ()]
    texts += [_STRANGE]
    worded = [r.contains[0].strip("* ") for r in rules if r.contains]
    if joined and 1 < len(worded) <= MOST_JOINED:
        for chosen in product((False, True), repeat=len(worded)):
            texts.append(" ".join(t for t, taken in zip(worded, chosen, strict=True) if taken))
    return Coded.of([*dict.fromkeys(texts), None])
