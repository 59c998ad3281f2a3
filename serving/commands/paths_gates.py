"""What `leadlift paths` says of forms before content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data.dataset import Dataset
from serving.console import Screen

if TYPE_CHECKING:
    from training.gate_rows import Became, Difference
    from training.gates import GateReport
    from training.meetings import MeetingTally
    from training.trails import Asked

GATE_COLUMNS = ("content", "reached it", "met first", "left", "filled in", "open readers", "points more", "verdict")
OPEN_COLUMNS = ("content", "readers", "others", "points more", "verdict")


def gate_tally(dataset: Dataset, asked: Asked) -> MeetingTally | None:
    """What is told of all leads on the walk; None for targets that no form could win or lose."""
    from training.assemble import content_map
    from training.gates import TARGETS
    from training.meetings import MeetingTally

    return MeetingTally(asked.policy, asked.now, content_map(dataset)) if asked.target in TARGETS else None


def gates(screen: Screen, dataset: Dataset, tally: MeetingTally | None, asked: Asked, top: int) -> dict[str, Any]:
    """The report on the tally, shown and as it is in the document."""
    from training.gates import with_strangers

    if tally is None:
        return {"gates": None}
    report = with_strangers(dataset, tally, asked.policy, asked.target, asked.now, asked.threads)
    show(screen, report, top)
    return {"gates": report.document()}


def show(screen: Screen, report: GateReport, top: int) -> None:
    """The gates and the open contents beside them."""
    if not report.gates:
        screen.say("No content behind a form was met; `gated` in content.yaml says which content that is.")
        return
    who = "visitors" if report.strangers else "leads (nobody else gave consent)"
    title = (f"What forms cost: {who} who met the form before other content of its topic and stage, while no leads; "
             f"{report.target} in the {report.horizon_days} days after that visit, by any path")  # fmt: skip
    rows = [[r.gate, f"{r.reached:,}", *map(_share, (r.met, r.left, r.filled, r.readers)), *_compared(r.compared)]
            for r in report.gates[:top]]  # fmt: skip
    screen.table(title, GATE_COLUMNS, rows)
    beside = [[r.content, *map(_share, (r.readers, r.others)), *_compared(r.compared)] for r in report.opens[:top]]
    if beside:
        screen.table("Open content of the same topics and stages, by who read it first", OPEN_COLUMNS, beside)
    for row in report.claimed:
        screen.say(row.sentence)
    screen.say(f"{len(report.claimed)} of {len(report.gates) + len(report.opens)} told at a false-discovery rate of "
               f"5 %; {report.note}.")  # fmt: skip


def _share(group: Became | None) -> str:
    """How many of a group converted; of a small one nothing is told."""
    if group is None:
        return "-"
    return f"{group.rate:.1%} of {group.people:,}" if group.people else "0"


def _compared(found: Difference) -> tuple[str, str]:
    known = found.low == found.low
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if known else "-", found.verdict
