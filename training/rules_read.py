"""Reading a points file: shape, contradictions, and one-line errors that name line and entry.

Whether a file is *wise* (overlaps, grades nobody reaches) is another question; here it has to be complete and free
of contradictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from data.records import EVENT_TYPES
from features.channels import CHANNELS
from features.content import STAGES
from training.rules_file import (
    CONDITIONS,
    FIT_GRADES,
    GRADES,
    LEVELS,
    Approval,
    Condition,
    EngagementRule,
    EventMatch,
    FitRule,
    RulesFile,
    Stages,
    Words,
)
from training.rules_yaml import Document, Location, Problem, read, shown

_SEE = "data/rules.yaml shows the format."
_PLAIN = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "date_type": "a date such as 2026-10-05",
}
_CLOSED = {"type": EVENT_TYPES, "stage": STAGES, "channel": CHANNELS}
_PARTS: dict[str, type[BaseModel]] = {
    "approvals": Approval, "lead_birth": Words, "label": Words, "stages": Stages, "event": EventMatch, "fit": FitRule,
    "engagement": EngagementRule, "mql": Condition, "sales_ready": Condition,
}  # fmt: skip


def parse(text: str, name: str = "rules.yaml") -> RulesFile:
    """Read a points file.

    Raises
    ------
    InputError
        one line: file, line, entry, what was expected and what to do. Only the first problem is told.
    """
    document = read(text, name, _SEE)
    try:
        rules = RulesFile.model_validate(document.data)
    except ValidationError as bad:
        # A misspelt key is two mistakes to the checker, one missing and one unknown: the unknown one says more.
        problem = _explain(min(bad.errors(), key=lambda e: e["type"] != "extra_forbidden"))
        raise document.error(problem, entry_name(document, problem.at)) from None
    for problem in contradictions(rules):
        raise document.error(problem, entry_name(document, problem.at))
    return rules


# -- errors ----------------------------------------------------------------------------------------------------
def entry_name(document: Document, at: Location) -> str:
    """What people call a place: `fit rule company_large points`."""
    if len(at) < 2 or at[0] not in ("fit", "engagement") or not isinstance(at[1], int):
        return ".".join(map(str, at))
    given = document.data[at[0]][at[1]]
    code = given.get("code") if isinstance(given, dict) else None
    return " ".join([f"{at[0]} rule", str(code or at[1] + 1), *map(str, at[2:])])


def _explain(error: ErrorDetails) -> Problem:
    """A problem in our words out of pydantic's."""
    at: Location = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        return _unknown_key(at)
    if error["type"] == "missing":
        return Problem(at[:-1], f"the key {at[-1]!r}", "nothing", f"Add it; {_SEE}")
    expected = _PLAIN.get(error["type"]) or error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return Problem(at, expected, shown(error["input"]), _SEE)


def _unknown_key(at: Location) -> Problem:
    parent = next((s for s in reversed(at[:-1]) if isinstance(s, str)), "")
    fields = _PARTS.get(parent, RulesFile).model_fields
    return Problem(at, "a known key", repr(at[-1]), near_hint(str(at[-1]), [f.alias or n for n, f in fields.items()]))


def near_hint(got: str, known: Sequence[str]) -> str:
    """The nearest known name as a question, else all of them."""
    near = get_close_matches(got, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


# -- contradictions --------------------------------------------------------------------------------------------
def contradictions(rules: RulesFile) -> Iterator[Problem]:
    """What a file of the right shape can still get wrong, in no particular order."""
    yield from _twice([("approvals", i, a.team) for i, a in enumerate(rules.approvals)], "one approval per team")
    both: tuple[tuple[str, Sequence[FitRule]], ...] = (("fit", rules.fit), ("engagement", rules.engagement))
    yield from _twice([(p, i, r.code) for p, rs in both for i, r in enumerate(rs)], "a code of its own")
    for part, entries in both:
        for i, rule in enumerate(entries):
            yield from _rule_problems((part, i), rule)
    yield from _ladder("fit_grades", rules.fit_grades, FIT_GRADES[:3])
    yield from _ladder("engagement_levels", rules.engagement_levels, LEVELS[:3])
    yield from _unknown_grades(rules)
    if rules.sales_ready.total_at_least < rules.mql.total_at_least:
        at = ("sales_ready", "total_at_least")
        expected, got = f"at least the MQL total {rules.mql.total_at_least}", str(rules.sales_ready.total_at_least)
        yield Problem(at, expected, got, "A sales-ready lead is an MQL first.")


def _twice(entries: Sequence[tuple[str, int, str]], expected: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for part, i, name in entries:
        if name in seen:
            yield Problem((part, i), expected, f"{name!r} a second time", "Rename or remove one of them.")
        seen.add(name)


def _rule_problems(at: Location, rule: FitRule) -> Iterator[Problem]:
    event = rule.event if isinstance(rule, EngagementRule) else None
    if event is not None:
        yield from _event_problems(at, rule, event)
        return
    given = ", ".join(rule.conditions()) or "none"
    if rule.column is None:
        what = "a column or an event" if isinstance(rule, EngagementRule) else "a column"
        yield Problem(at, what, "nothing to look at", _SEE)
    elif len(rule.conditions()) != 1:
        yield Problem(at, f"exactly one condition of {', '.join(CONDITIONS)}", given, "Split or complete the rule.")
    elif isinstance(rule, EngagementRule) and (rule.cap or rule.half_life_days or rule.within_days):
        yield Problem(at, "cap, half_life_days and within_days on events only", "a column", "Remove them.")
    if rule.between is not None and rule.between[0] > rule.between[1]:
        yield Problem((*at, "between"), "the lower bound first", str(rule.between), "Swap the bounds.")


def _event_problems(at: Location, rule: FitRule, event: EventMatch) -> Iterator[Problem]:
    if rule.column is not None or rule.conditions():
        yield Problem(at, "a column or an event", "both", "Make two rules of it.")
    if all(getattr(event, key) is None for key in EventMatch.model_fields):
        yield Problem((*at, "event"), f"one of {', '.join(EventMatch.model_fields)}", "none", "Say which events count.")
    for key, known in _CLOSED.items():
        for text in getattr(event, key) or ():
            if text not in known:
                yield Problem((*at, "event", key), f"a known {key}", repr(text), near_hint(text, known))


def _ladder(
    name: str, steps: Mapping[str, int] | Mapping[int, int], best_first: Sequence[str | int]
) -> Iterator[Problem]:
    """Lowest points of each step; what is below the last one is D or 4."""
    points: dict[str | int, int] = dict(steps.items())
    if set(points) != set(best_first):
        got = ", ".join(map(str, points)) or "none"
        yield Problem(
            (name,), f"the keys {', '.join(map(str, best_first))}", got, "What is below the last is the worst."
        )
    elif any(points[better] <= points[worse] for better, worse in pairwise(best_first)):
        got = ", ".join(f"{k}: {points[k]}" for k in best_first)
        yield Problem((name,), "falling points from best to worst", got, "No lead could reach a step in between.")


def _unknown_grades(rules: RulesFile) -> Iterator[Problem]:
    named = {
        ("mql", "grades"): rules.mql.grades or [],
        ("sales_ready", "grades"): rules.sales_ready.grades or [],
        ("expected_rate",): list(rules.expected_rate),
    }
    for at, grades in named.items():
        for grade in grades:
            if grade not in GRADES:
                yield Problem(at, "grades A1 to D4", repr(grade), near_hint(grade.upper(), GRADES))
