"""Two points files on the same leads: who changes grade, who becomes sales-ready or no longer is, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from data.dataset import Dataset
from features.family import Moment
from features.source import first_channel
from training.rules import SALES_READY, Rules, ledger, score_points
from training.rules_file import FitRule
from training.rules_rows import everybody, standings

I64 = NDArray[np.int64]
I8 = NDArray[np.int8]

NO_VISIT = "no visit"
MOVERS = 20


@dataclass(frozen=True)
class Moved:
    """One line of a ledger under both files; 0 where a file has no such line."""

    code: str
    label: str
    old: int
    new: int


@dataclass(frozen=True)
class Mover:
    """A lead whose total changes, and the lines that do it: their differences add up to that of the totals."""

    lead_id: str
    old_total: int
    new_total: int
    old_grade: str
    new_grade: str
    entries: tuple[Moved, ...]

    @property
    def rank(self) -> tuple[int, str]:
        return -abs(self.new_total - self.old_total), self.lead_id

    def document(self) -> dict[str, Any]:
        return {**vars(self), "entries": [vars(e) for e in self.entries]}


@dataclass
class Difference:
    """What changes from one points file to the other.

    transitions: (old grade, new grade) -> leads, of those whose grade changes. by_thresholds: how many of these keep
    both sums, so that the grades' thresholds alone move them. stages: (old, new) -> leads, with the names of each file.
    leads, ready_before, ready_after, newly_ready, fallen: leads by the channel they first came by.
    rules: what was changed in the files, one line each.
    """

    rules: list[str]
    leads: Counter[str] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_thresholds: int = 0
    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    ready_before: Counter[str] = field(default_factory=Counter)
    ready_after: Counter[str] = field(default_factory=Counter)
    newly_ready: Counter[str] = field(default_factory=Counter)
    fallen: Counter[str] = field(default_factory=Counter)
    movers: list[Mover] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        pairs = {
            name: [{"from": a, "to": b, "leads": n} for (a, b), n in sorted(table.items())]
            for name, table in (("transitions", self.transitions), ("stages", self.stages))
        }
        return {
            "rules": self.rules, "leads": self.leads.total(), "changed_grade": self.transitions.total(),
            "by_thresholds": self.by_thresholds, **pairs,
            "ready_before": self.ready_before.total(), "ready_after": self.ready_after.total(),
            "newly_ready": self.newly_ready.total(), "fallen": self.fallen.total(),
            "channels": [
                {
                    "channel": c, "leads": n, "ready_before": self.ready_before[c], "newly_ready": self.newly_ready[c],
                    "fallen": self.fallen[c],
                }
                for c, n in sorted(self.leads.items())
            ],
            "movers": [m.document() for m in self.movers],
        }  # fmt: skip


def difference(dataset: Dataset, old: Rules, new: Rules, as_of: int, context: bool = False) -> Difference:
    """Both files on all leads there were just before `as_of`, as a rescoring would take them."""
    found = Difference(list(_changes(old, new)))
    for lead_ids, moment in everybody(dataset, as_of, context):
        if len(moment):
            _add(found, lead_ids, moment, old, new)
    return found


def _add(found: Difference, lead_ids: Sequence[str], moment: Moment, old: Rules, new: Rules) -> None:
    before, after = score_points(old, moment), score_points(new, moment)
    was, becomes = standings(old, before), standings(new, after)
    changed = before.grade_code != after.grade_code
    same_sums = (before.fit == after.fit) & (before.engagement == after.engagement)
    grades = zip(before.grades(), after.grades(), strict=True)
    found.transitions.update(pair for pair, moves in zip(grades, changed.tolist(), strict=True) if moves)
    found.by_thresholds += int((changed & same_sums).sum())
    found.stages.update(
        (old.standing(a).stage, new.standing(b).stage) for a, b in zip(was.tolist(), becomes.tolist(), strict=True)
    )
    _count_channels(found, moment, was == SALES_READY, becomes == SALES_READY)
    size = np.abs(after.total - before.total)
    largest = sorted(np.flatnonzero(size).tolist(), key=lambda i: (-int(size[i]), lead_ids[i]))[:MOVERS]
    grade_of = before.grades(), after.grades()
    movers = [
        Mover(
            lead_ids[i], int(before.total[i]), int(after.total[i]), grade_of[0][i], grade_of[1][i],
            tuple(_moved(moment, i, old, new)),
        )
        for i in largest
    ]  # fmt: skip
    found.movers = sorted([*found.movers, *movers], key=lambda m: m.rank)[:MOVERS]


def _count_channels(found: Difference, moment: Moment, was: NDArray[np.bool_], becomes: NDArray[np.bool_]) -> None:
    channel = [c or NO_VISIT for c in first_channel(moment).texts()]
    everyone = np.ones(len(moment), dtype=np.bool_)
    tallies = (
        (found.leads, everyone), (found.ready_before, was), (found.ready_after, becomes),
        (found.newly_ready, becomes & ~was), (found.fallen, was & ~becomes),
    )  # fmt: skip
    for tally, mask in tallies:
        tally.update(channel[i] for i in np.flatnonzero(mask).tolist())


def _moved(moment: Moment, row: int, old: Rules, new: Rules) -> Iterator[Moved]:
    """The lines of one lead's ledger that differ, the largest difference first."""
    before, after = ({e.code: e for e in ledger(r, moment, row)} for r in (old, new))
    lines = []
    for code in {**before, **after}:
        entries = before.get(code), after.get(code)
        points = [e.points if e else 0 for e in entries]
        label = next(e.label for e in reversed(entries) if e)
        lines.append(Moved(code, label, points[0], points[1]))
    yield from sorted((m for m in lines if m.old != m.new), key=lambda m: (-abs(m.new - m.old), m.code))


# -- the files ---------------------------------------------------------------------------------------------------
def _changes(old: Rules, new: Rules) -> Iterator[str]:
    """What differs between the files, apart from words."""
    before, after = _by_code(old), _by_code(new)
    for code in {**before, **after}:
        if code not in after:
            yield f"{code}: removed"
        elif code not in before:
            yield f"{code}: added with {after[code].points:+d} points"
        else:
            yield from _rule_changes(code, before[code], after[code])
    for name in ("fit_grades", "engagement_levels", "mql", "sales_ready"):
        a, b = (_plain(getattr(r.file, name)) for r in (old, new))
        if a != b:
            yield f"{name}: {a} -> {b}"


def _by_code(rules: Rules) -> dict[str, FitRule]:
    every: list[FitRule] = [*rules.file.fit, *rules.file.engagement]
    return {r.code: r for r in every}


def _rule_changes(code: str, old: FitRule, new: FitRule) -> Iterator[str]:
    before, after = _plain(old), _plain(new)
    for name in {**before, **after}:
        if name not in ("code", "label") and before.get(name) != after.get(name):
            yield f"{code}: {name} {before.get(name, 'none')} -> {after.get(name, 'none')}"


def _plain(part: Any) -> Any:
    """What a part of a file gives, by the names used there."""
    if not isinstance(part, BaseModel):
        return list(part) if isinstance(part, tuple) else part
    given = {(f.alias or n): getattr(part, n) for n, f in type(part).model_fields.items()}
    return {n: _plain(v) for n, v in given.items() if v is not None}
