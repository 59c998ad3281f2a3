"""What a form before content costs: who reached it, left it or filled it in, and what each became later by any path.

Beside them: people who met open content of the same topic and stage first. See `meetings` for who stands where and why
nobody is in two groups. Verdicts follow the difference of everybody who met the form, filled in or not, from those
readers: comparing only who left with who filled in would tell how interested they were. Rates have Wilson intervals,
differences Newcombe's, verdicts a false-discovery rate of LEVEL over all rows. Associated with, not caused by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Consenting, Dataset
from data.errors import UsageError
from features.content import Content
from training.activation import LEAST
from training.assemble import content_map
from training.content_paths import ASSOCIATED
from training.gate_rows import EARNS, LEADS_ON, LOSES, TURNS_AWAY, UNTOLD, Became, Difference, GateRow, OpenRow
from training.intervals import discoveries
from training.meetings import Meetings, MeetingTally, group_of
from training.path_targets import WON, crowds_of, known_target, strangers_of
from training.snapshots import Policy

I64 = NDArray[np.int64]
TARGETS = (WON, "accepted")  # what may be said to be won or lost by a form
NO_OPEN = "no open content of its topic and stage"
NO_GROUP = "it has no topic or stage in the content map"
NOBODY = np.zeros((2, 2, 2), dtype=np.int64)


@dataclass(frozen=True)
class GateReport:
    """Gates, those that turn away first, and the open contents beside them; strangers: whether visitors who never left a
    name are counted."""

    gates: tuple[GateRow, ...]
    opens: tuple[OpenRow, ...]
    target: str
    horizon_days: int
    closed_before: int
    censored: int
    strangers: bool
    landmark: str = "the visit in which it was met"
    note: str = ASSOCIATED

    @property
    def claimed(self) -> tuple[GateRow | OpenRow, ...]:
        rows: list[GateRow | OpenRow] = [*self.gates, *self.opens]
        return tuple(r for r in rows if r.compared.verdict != UNTOLD)

    def document(self) -> dict[str, Any]:
        lists = {n: [r.document() for r in getattr(self, n)] for n in ("gates", "opens")}
        return {**vars(self), **lists}


def content_gates(dataset: Dataset, policy: Policy, target: str, now: int) -> GateReport:
    """The report for one dataset, of its visitors; of leads alone where consent is asked for.

    Raises
    ------
    UsageError
        for a target other than won or accepted.
    InputError
        see `path_targets.crowds_of`.
    """
    tally = MeetingTally(policy, now, content_map(dataset))
    for crowd in crowds_of(dataset, asked_of_gates(target), policy, now):
        tally(crowd)
    return with_strangers(dataset, tally, policy, target, now)


def asked_of_gates(target: str) -> str:
    """The target as it is called here; a UsageError where no form could win or lose it."""
    if known_target(target) not in TARGETS:
        raise UsageError(f"--target: expected one of {', '.join(TARGETS)} for what a form costs, got {target!r}.")
    return known_target(target)


def with_strangers(
    dataset: Dataset, tally: MeetingTally, policy: Policy, target: str, now: int, threads: int = 1
) -> GateReport:
    """The report on a tally that was told of all leads and is told of the strangers now."""
    for crowd in strangers_of(dataset, now, threads):
        tally(crowd)
    strangers = not isinstance(dataset, Consenting)
    return gate_report(tally.found(), known_target(target), policy.horizon_days, strangers)


# -- rows ------------------------------------------------------------------------------------------------------------
def gate_report(found: Meetings, target: str, horizon_days: int, strangers: bool) -> GateReport:
    """The report on meetings; contents that fewer than LEAST people met have no row."""
    shown = [i for i, c in enumerate(found.contents) if _seen(found, i, c) >= LEAST]
    gated = {group_of(c) for c in found.contents if c.gated}
    gates = [_gate_row(found, i) for i in shown if found.contents[i].gated]
    opens = [_open_row(found, i) for i in shown if not found.contents[i].gated and group_of(found.contents[i]) in gated]
    compared = [*(r.compared for r in gates), *(r.compared for r in opens)]
    q: list[float] = discoveries(np.array([c.p for c in compared])).tolist()
    first = [replace(r, compared=r.compared.judged(v, EARNS, TURNS_AWAY)) for r, v in zip(gates, q, strict=False)]
    then = [
        replace(r, compared=r.compared.judged(v, LEADS_ON, LOSES)) for r, v in zip(opens, q[len(gates) :], strict=True)
    ]
    return GateReport(
        tuple(sorted(first, key=lambda r: (_order(r.compared, 1), r.gate))),
        tuple(sorted(then, key=lambda r: (_order(r.compared, -1), r.content))),
        target, horizon_days, found.closed, found.censored, strangers,
    )  # fmt: skip


def _order(compared: Difference, sign: int) -> tuple[bool, float]:
    """What is told first, then by difference; NaN last."""
    unknown = bool(np.isnan(compared.difference))
    return compared.verdict == UNTOLD, np.inf if unknown else sign * compared.difference


def _seen(found: Meetings, i: int, content: Content) -> int:
    return int(found.reached[i] if content.gated else found.people[i].sum())


def _gate_row(found: Meetings, i: int) -> GateRow:
    content, cells = found.contents[i], found.people[i]
    beside = _others(found, i, lambda c: not c.gated)
    met, readers = Became.of(cells), Became.of(sum(beside.values(), NOBODY))
    compared = Difference.of(met, readers)
    if not beside:
        known = content.topic and content.stage
        compared = replace(compared, why=NO_OPEN if known else NO_GROUP)
    left, filled = _shown(Became.of(cells[0]), Became.of(cells[1]))
    return GateRow(
        content.content_id, str(content.gated), content.topic, content.stage, tuple(sorted(beside)),
        int(found.reached[i]), _shown(met)[0], left, filled, _shown(readers)[0], compared,
    )  # fmt: skip


def _open_row(found: Meetings, i: int) -> OpenRow:
    content = found.contents[i]
    beside = _others(found, i, lambda _: True)
    readers, others = Became.of(found.people[i]), Became.of(sum(beside.values(), NOBODY))
    return OpenRow(
        content.content_id, str(content.topic), str(content.stage), _shown(readers)[0], _shown(others)[0],
        Difference.of(readers, others),
    )  # fmt: skip


def _shown(*groups: Became) -> list[Became | None]:
    """Groups that make up one; where one of them is small none is told, for the others would tell it."""
    return [None if any(g.small for g in groups) else g for g in groups]


def _others(found: Meetings, i: int, kind: Callable[[Content], bool]) -> Mapping[str, I64]:
    """The counts of the other contents of the group of one, of some kind, by id."""
    group = group_of(found.contents[i])
    return {
        c.content_id: found.people[k]
        for k, c in enumerate(found.contents)
        if k != i and kind(c) and group_of(c) == group and found.people[k].any()
    }
