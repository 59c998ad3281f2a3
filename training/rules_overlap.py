"""Rules that count the same twice: conditions on one column, phrases of one rule, events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from data.records import Coded
from features.leads import Leads
from training.rules import Rules
from training.rules_file import EngagementRule, EventMatch, FitRule, Words
from training.rules_finding import Finding, Part, parts_of
from training.rules_match import matches
from training.rules_reach import is_number, literals, tried
from training.rules_yaml import Location

_ANY_WORD = "\u0298"  # a letter no title has: stands for what a `*` lets follow
_KEYS = tuple(EventMatch.model_fields)


# -- columns -----------------------------------------------------------------------------------------------------
def columns(rules: Rules) -> Iterator[Finding]:
    by_column: dict[str, list[Part]] = defaultdict(list)
    for at, rule in parts_of(rules):
        if rule.column is not None:
            by_column[rule.column].append((at, rule))
            yield from _within(at, rule)
    for column, parts in by_column.items():
        kinds = {is_number(r): at for at, r in parts}
        if True in kinds and False in kinds:
            what = f"column {column} is compared with texts here and with bounds elsewhere: one of them is never met"
            yield Finding("problem", kinds[False], what, "Use one kind of condition for a column.")
        else:
            yield from _overlaps(column, parts)


def _within(at: Location, rule: FitRule) -> Iterator[Finding]:
    """Values of one rule that another of its values already covers."""
    seen: set[str] = set()
    for value in literals(rule):
        plain = str(value).strip().casefold()
        if plain in seen:
            yield Finding("note", at, f"{value!r} is there twice", "Remove one.")
        seen.add(plain)
    phrases = rule.contains or ()
    for i, phrase in enumerate(phrases):
        others = [
            p for k, p in enumerate(phrases) if k != i and _covers(p, phrase) and (not _covers(phrase, p) or k < i)
        ]
        if others:
            what = f"{phrase!r} is covered by {others[0]!r}"
            yield Finding("note", (*at, "contains"), what, "It changes nothing and may go.")


def _covers(wide: str, narrow: str) -> bool:
    """Whether each text with the narrow phrase has the wide one too."""
    rule = FitRule(code="x", label=Words(en="x", de="x"), points=0, column="x", contains=[wide])  # type: ignore[arg-type]
    core = narrow.strip("* ")
    before = ("", _ANY_WORD) if narrow.startswith("*") else ("",)
    after = ("", _ANY_WORD) if narrow.endswith("*") else ("",)
    texts = Coded.of([b + core + a for b in before for a in after])
    nothing = np.zeros(len(texts), dtype=np.int64)
    return bool(matches(rule, Leads(nothing, nothing, {"x": texts})).all())


def _overlaps(column: str, parts: Sequence[Part]) -> Iterator[Finding]:
    met = tried(column, [r for _, r in parts], joined=False)[:-1].astype(bool)
    for (i, (_, a)), (k, (at, b)) in combinations(enumerate(parts), 2):
        both, one, two = met[:, i] & met[:, k], met[:, i], met[:, k]
        if not both.any():
            continue
        if (one == two).all():
            what = f"asks the same of {column} as {a.code}: {a.points + b.points:+d} points for one thing"
            yield Finding("problem", at, what, "Remove one of them.")
        elif (a.contains is None and b.contains is None) or (one <= two).all() or (two <= one).all():
            yield Finding(
                "note", at, _overlap(column, a, b, met[:, i], met[:, k]), "Both count; divide them if not meant."
            )


def _overlap(column: str, a: FitRule, b: FitRule, one: Any, two: Any) -> str:
    if (one <= two).all() or (two <= one).all():
        inner, outer = (a, b) if (one <= two).all() else (b, a)
        return f"whoever meets {inner.code} meets {outer.code} too ({column})"
    return f"overlaps with {a.code} in {column}"


# -- events ------------------------------------------------------------------------------------------------------
def events(rules: Rules) -> Iterator[Finding]:
    parts = [(at, r, r.event) for at, r in parts_of(rules) if isinstance(r, EngagementRule) and r.event is not None]
    inside: dict[Location, list[str]] = defaultdict(list)
    for (at_a, a, one), (at_b, b, two) in combinations(parts, 2):
        if _same(one, two) and a.within_days == b.within_days:
            what = f"counts the same events as {a.code}"
            yield Finding("problem", at_b, what, "Remove one of them, or give them different events.")
        elif _inside(one, two):
            inside[at_b].append(a.code)
        elif _inside(two, one):
            inside[at_a].append(b.code)
    for at, codes in inside.items():
        yield Finding(
            "note", at, f"counts the events of {', '.join(codes)} too", "Both count; divide them if not meant."
        )


def _same(a: EventMatch, b: EventMatch) -> bool:
    return _inside(a, b) and _inside(b, a)


def _inside(narrow: EventMatch, wide: EventMatch) -> bool:
    """Whether what the narrow one asks for, by the keys both give, is always what the wide one asks for."""
    for key in _KEYS:
        asked, allowed = getattr(narrow, key), getattr(wide, key)
        if allowed is not None and (asked is None or not set(asked) <= set(allowed)):
            return False
    return True
