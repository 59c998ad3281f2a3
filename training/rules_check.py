"""What a points file says that it cannot mean: thresholds nobody reaches, conditions that overlap, likely typos.

Reading a file (`training/rules_read.py`) already refuses what contradicts itself. Here follow a *problem*, which has to
be corrected because points are lost or given twice, and a *note*, which two teams may well want so.
`training/rules_check_data.py` adds what a dataset tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data.records import EMAIL_KINDS, PROFILE_NUMBER, PROFILE_TEXT
from training.rules import Rules, meets
from training.rules_file import FIT_GRADES, GRADES, LEVELS, TEAMS, Condition, EngagementRule, FitRule
from training.rules_finding import Finding, Level, close, parts_of
from training.rules_overlap import columns, events
from training.rules_reach import I64, engagement_sums, fit_sums, literals, reachable


def check(rules: Rules, own: Sequence[str] = ()) -> list[Finding]:
    """All findings that need no data, problems first; `own` are declared columns beyond the standard profile."""
    found = [
        *_approvals(rules), *_names(rules, own), *columns(rules), *events(rules), *_pointless(rules), *unreachable(rules),
        *_thresholds(rules),
    ]  # fmt: skip
    return sorted(found, key=lambda f: f.level != "problem")


def _approvals(rules: Rules) -> Iterator[Finding]:
    missing = [t for t in TEAMS if t not in {a.team for a in rules.file.approvals}]
    if missing:
        what = f"not approved by {' and '.join(missing)}: this version is not served"
        yield Finding("note", ("approvals",), what, "Add team and date of each approval.")


def _names(rules: Rules, own: Sequence[str]) -> Iterator[Finding]:
    """Names close to a column or value that every dataset knows."""
    standard = (*PROFILE_TEXT, *PROFILE_NUMBER)
    for at, rule in parts_of(rules):
        known = rule.column is None or rule.column in (*standard, *own)
        near = None if known else close(str(rule.column), standard)
        if near:
            remedy = f"Did you mean {near!r}? A column of your own is known with --dataset."
            yield Finding("problem", (*at, "column"), f"column {rule.column!r}", remedy)
        for value in literals(rule) if rule.column == "email_kind" else ():
            if str(value).strip().casefold() not in EMAIL_KINDS:
                meant = close(str(value), EMAIL_KINDS)
                remedy = f"Did you mean {meant!r}?" if meant else f"Known: {', '.join(EMAIL_KINDS)}."
                yield Finding("problem", at, f"email_kind is never {value!r}", remedy)


def _pointless(rules: Rules) -> Iterator[Finding]:
    for at, rule in parts_of(rules):
        cap = rule.cap if isinstance(rule, EngagementRule) else None
        if rule.points == 0:
            yield Finding("note", (*at, "points"), "gives no points", "Remove it, or give it points.")
        elif cap is not None and cap < abs(rule.points):
            what = f"the cap {cap} is below the {rule.points} points of one event"
            yield Finding("note", (*at, "cap"), what, "Raise the cap, or give fewer points.")


# -- thresholds --------------------------------------------------------------------------------------------------
def unreachable(rules: Rules, where: str = "") -> Iterator[Finding]:
    """Grades and levels that no lead can have; `where` ends the sentence (`in this dataset`).

    A problem where a threshold asks for them or they are the best; else the step is merely of no use.
    """
    points = reachable(rules)
    asked = {g for c in (rules.file.mql, rules.file.sales_ready) for g in c.grades or ()}
    sides: tuple[tuple[str, str, Sequence[str | int], I64, set[int], Sequence[FitRule]], ...] = (
        ("fit", "fit_grades", FIT_GRADES, fit_sums(rules), set(points.fit_grade.tolist()), rules.file.fit),
        ("engagement", "engagement_levels", LEVELS, engagement_sums(rules),
         {n - 1 for n in points.engagement_level.tolist()}, rules.file.engagement),
    )  # fmt: skip
    for side, key, steps, sums, got, entries in sides:
        if not entries:
            yield Finding("note", (side,), f"no rule: everybody has {side} 0", "Add rules, or leave it so.")
            continue
        for i, step in enumerate(steps):
            if i not in got:
                level: Level = "problem" if i == 0 or any(str(step) in g for g in asked) else "note"
                what = f"{step}: nobody can have it{where}; {side} is {sums[0]} to {sums[-1]}"
                yield Finding(level, (key, step), what, "Move the thresholds, or give other points.")


def _thresholds(rules: Rules) -> Iterator[Finding]:
    points = reachable(rules)
    certain = np.ones(len(points))
    mql = meets(rules.file.mql, points.total, points.grade_code, certain)
    ready = mql & meets(rules.file.sales_ready, points.total, points.grade_code, certain)
    conditions: tuple[tuple[str, Condition, Any], ...] = (
        ("mql", rules.file.mql, mql), ("sales_ready", rules.file.sales_ready, ready)
    )  # fmt: skip
    for name, condition, met in conditions:
        if not met.any():
            what = f"nobody can reach it: the highest total is {int(points.total.max())}"
            yield Finding("problem", (name,), what, "Lower the total, or name grades that reach it.")
        elif met.all():
            yield Finding("note", (name,), "everybody reaches it", "Raise the total, or name grades.")
        else:
            got = set(points.grade_code[met].tolist())
            idle = [g for g in condition.grades or () if GRADES.index(g) not in got]
            if idle:
                yield Finding("note", (name, "grades"), f"{', '.join(idle)} can never reach the total", "Remove them.")
