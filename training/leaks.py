"""The leak gate: columns and feeds that hold the answer before it is given. One walk over the dataset.

    single_auc       a feature alone ranks too well: the training rows by label, or first looks by whether they ever convert
    filled_after     a profile column that becomes known mostly after the outcome
    filled_for       a profile column that converted leads have and others have not (all there is without history)
    arrived_after    events from before a conversion that arrive after it, more than other leads' delays explain
    future           a family that changes when what lies at or after as_of is shuffled between leads

Whoever is found is named, and closes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import People, joined
from data.settings import GateSettings
from features.arrays import run_starts
from training import future
from training.arrivals import Arrivals
from training.fills import Fills
from training.gate import suspects
from training.snapshots import FOREVER, conversions_of, open_leads
from training.work import Work

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

SINGLE = "single_auc"
SHUFFLED_LEADS = 500


@dataclass(frozen=True)
class Leak:
    """What was found: its kind, the feature, column, feed or family by name, its figures, and the reason for people."""

    kind: str
    name: str
    figures: Mapping[str, float]
    reason: str

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, **self.figures, "reason": self.reason}


@dataclass(frozen=True)
class Scan:
    """What the walk found. looked_at: how much of each kind was looked at. open: by lead number, who would be scored
    now; all False in a table without times."""

    leaks: tuple[Leak, ...]
    looked_at: Mapping[str, int]
    open: Mask

    def document(self) -> dict[str, Any]:
        """As `train --json` prints it."""
        return {"found": [leak.document() for leak in self.leaks], "looked_at": dict(self.looked_at)}

    def lines(self) -> list[str]:
        """For people: what was looked at, and each leak."""
        n = self.looked_at
        over = f"{n['features']} features alone, {n['columns']} profile columns"
        if n["shuffled"]:
            over += f", {n['feeds']} kinds of events, {n['shuffled']} leads with the future shuffled"
        head = "No leak found" if not self.leaks else f"Possible leaks: {len(self.leaks)}"
        return [f"{head}. Looked at: {over}.", *(f"- {leak.reason}" for leak in self.leaks)]


def scan(work: Work) -> Scan:
    """Walk over the dataset once and judge what was counted."""
    limits, has_times = work.settings.gate, work.dataset.info.has_times
    fills, arrivals = Fills.of(work.dataset.info.extra), Arrivals.none()
    leads = int(work.frame.lead.max(initial=-1)) + 1
    converted, open_ = np.zeros(leads, dtype=np.bool_), np.zeros(leads, dtype=np.bool_)
    rows, parts, start = future.sample(work.frame, work.split.turns[0].train, SHUFFLED_LEADS), [], 0
    for people in work.dataset.people():
        first = first_outcome(people, work) if has_times else _labelled(people)
        _put(converted, start, first < work.question.now)
        fills.count(people, first, work.question, has_times)
        if has_times:
            arrivals.count(people, first, work.question.now)
            _put(open_, start, open_leads(people, work.question.policy, work.question.target, work.question.now))
            mine = rows[(work.frame.lead[rows] >= start) & (work.frame.lead[rows] < start + len(people))]
            if len(mine):
                parts.append((people.take(work.frame.lead[mine] - start), mine))
        start += len(people)
    seeing = _seeing(work, parts)
    found = (*_alone(work, converted, limits), *_fills(fills, limits), *_arrivals(arrivals, limits), *seeing)
    looked_at = {
        "features": len(work.table.feature_set.columns), "columns": len(fills.names), "feeds": arrivals.kinds,
        "shuffled": sum(len(rows) for _, rows in parts),
    }  # fmt: skip
    return Scan(found, looked_at, open_)


def _put(column: Mask, start: int, part: Mask) -> None:
    """Into the leads of one group; leads after the last that is looked at are of no interest."""
    end = min(start + len(part), len(column))
    column[start:end] = part[: max(end - start, 0)]


def first_outcome(people: People, work: Work) -> I64:
    """When each lead first converted, as known now; FOREVER where it has not."""
    first = np.full(len(people), FOREVER, dtype=np.int64)
    found = conversions_of(people.outcomes, work.question.target, work.question.now)
    np.minimum.at(first, found.lead, found.at)
    return first


def _labelled(people: People) -> I64:
    return np.where(people.labels == 1, 0, FOREVER).astype(np.int64)


def _alone(work: Work, converted: Mask, limits: GateSettings) -> list[Leak]:
    """Features that alone tell the label, or at the first look whether the lead ever converts."""
    train = np.sort(work.split.turns[0].train)
    columns = work.table.feature_set.columns
    first = train[run_starts(work.frame.lead[train])]
    found = suspects(work.table.values[train], work.frame.label[train], columns, limits.max_auc_single)
    ever = converted[work.frame.lead[first]].astype(np.float64)
    if 0 < ever.mean() < 1:
        by_lead = suspects(work.table.values[first], ever, columns, limits.max_auc_single)
        found = {name: max(found.get(name, 0.0), by_lead.get(name, 0.0)) for name in found | by_lead}
    return [
        Leak(SINGLE, name, {"auc": auc}, f"{name} alone ranks with AUC {auc:.3f}; check when it is filled")
        for name, auc in found.items()
    ]


def _fills(fills: Fills, limits: GateSettings) -> list[Leak]:
    return [
        Leak(kind, name, figures, reason)
        for kind, name, figures, reason in fills.found(limits.max_filled_after, limits.max_fill_gap)
    ]


def _arrivals(arrivals: Arrivals, limits: GateSettings) -> list[Leak]:
    out = []
    for name, share, expected in arrivals.found(limits.max_arrived_after):
        reason = (
            f"{name} events: {share:.0%} of those before a conversion arrived after it, where the delays of other leads "
            f"explain {expected:.0%}; a feed filled in later. Leave it out, or import it as it arrives"
        )
        out.append(Leak("arrived_after", name, {"share": share, "expected": expected}, reason))
    return out


def _seeing(work: Work, parts: list[tuple[People, I64]]) -> list[Leak]:
    if not parts:
        return []
    people, rows = joined([p for p, _ in parts]), np.concatenate([r for _, r in parts])
    changed = future.families_that_see_it(people, work.frame.as_of[rows], work.table.feature_set)
    return [
        Leak("future", name, {"rows": float(n)},
             f"family {name} changes in {n} of {len(rows)} rows when what comes after as_of is shuffled between leads")
        for name, n in changed.items()
    ]  # fmt: skip
