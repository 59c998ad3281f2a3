"""Scores back into a CRM: each lead whose score is news to it arrives, and is told nothing twice but the same.

    1 what an earlier run left under way is asked for, and its results kept
    2 each lead is compared with what the CRM last accepted; what moved goes out in batches: noted, sent, settled
    3 a report names the result of every lead; what failed is tried again by the next run

    SCORES/writeback/salesforce-Lead.results.jsonl   {"lead_id": ..., "result": "sent"} a lead, in the set's order

Results: `sent`, `unchanged`, `skipped:converted`, `failed:<reason>`. A run that dies is gone on with by the next one.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa

from data.errors import CrmError, InputError
from data.files import sync
from serving.rescore_sets import CURRENT, manifest_of, read_current
from serving.writeback_fields import Group, Item, NoteJob, Outcome, groups, in_pieces, moved
from serving.writeback_state import SENT, State

FOLDER = "writeback"
Advance = Callable[[int], None]


class Crm(Protocol):
    """How leads are sent. rows: how many at once. See `writeback_salesforce` for the two methods."""

    rows: int

    def deliver(self, items: Sequence[Item], note_job: NoteJob) -> Outcome: ...

    def resume(self, job: str | None) -> Outcome | None: ...


@dataclass(frozen=True)
class Published:
    """The published set of a folder: its run, whose it is, its rows."""

    folder: Path
    run: str
    market: str
    target: str
    table: pa.Table


@dataclass(frozen=True)
class Told:
    """Which fields are written, and by how much a probability must move to be news."""

    fields: tuple[str, ...]
    min_move: float


@dataclass
class Summary:
    """Leads by their result: leads = unchanged + changed, changed = sent + failed + skipped.

    reasons: how many leads failed or were skipped, by reason. stopped: why not all was tried; null = all was.
    """

    leads: int = 0
    unchanged: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stopped: CrmError | None = None

    @property
    def changed(self) -> int:
        return self.leads - self.unchanged

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        counts = ("leads", "unchanged", "changed", "sent", "failed", "skipped")
        stopped = self.stopped.code if self.stopped else None
        return {**{name: getattr(self, name) for name in counts}, "reasons": dict(self.reasons), "stopped": stopped}

    def add(self, result: str) -> None:
        kind, _, reason = result.partition(":")
        self.leads += 1
        setattr(self, kind, getattr(self, kind) + 1)
        if reason:
            self.reasons[reason] += 1


def published(folder: Path) -> Published:
    """The set that readers take now; an InputError where none was published."""
    while True:
        run, table = _pointed(folder), read_current(folder)
        manifest = manifest_of(folder / run) if run else None
        if run and manifest and run == _pointed(folder):
            return Published(folder, run, manifest["market"], manifest["target"], table)


def _pointed(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / CURRENT).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_back(scores: Published, told: Told, crm: Crm, state: State, report: Path, advance: Advance) -> Summary:
    """Send what moved and write the report; `advance` grows with the leads that were looked at.

    Where the CRM takes no more, the summary says why it `stopped`, and the leads left over failed for that reason.
    """
    state.begin(scores.run)
    stopped = None
    try:
        _go_on(crm, state)
        for batch in in_pieces(changed(scores, told, state, advance), crm.rows):
            _send(batch, crm, state)
    except CrmError as no:
        stopped = no
    summary = _report(scores, told, state, report, stopped)
    if stopped is None:
        state.finish()
    return summary


def _go_on(crm: Crm, state: State) -> None:
    """What a run before left under way. That a job failed as a whole may have been mended since."""
    for batch in state.under_way():
        found = crm.resume(batch.job)
        if found is None:
            state.forget(batch)
        else:
            state.settle(batch, found[0])


def _send(batch: Sequence[Item], crm: Crm, state: State) -> None:
    intended = state.intend(batch)
    results, stop = crm.deliver(batch, lambda job: state.note_job(intended, job))
    state.settle(intended, results)
    if stop is not None:
        raise stop


def changed(scores: Published, told: Told, state: State, advance: Advance) -> Iterator[list[Item]]:
    """The leads to send, group by group as they are read: what moved, unless the CRM takes nothing of them any more."""
    for group in groups(scores.table, told.fields):
        closed = state.closed(group.leads)
        yield group.items([i for i in _moved(group, told, state) if group.leads[i] not in closed])
        advance(len(group.leads))


def _moved(group: Group, told: Told, state: State) -> list[int]:
    """The places of those of which the CRM has not accepted the same."""
    accepted = state.accepted(group.leads)
    leads = enumerate(group.leads)
    return [i for i, lead in leads if moved(accepted.get(lead), group.marks[i], told.min_move)]


def _report(scores: Published, told: Told, state: State, file: Path, stopped: CrmError | None) -> Summary:
    """One line a lead. What moved and has no result of this pass is what a stop left over."""
    summary = Summary(stopped=stopped)
    left = f"failed:{stopped.code if stopped else 'no_answer'}"
    with replacing(file) as out:
        for group in groups(scores.table, told.fields):
            results, closed = state.results(group.leads), state.closed(group.leads)
            news = set(_moved(group, told, state))
            for i, lead in enumerate(group.leads):
                result = results.get(lead)
                if i in news and (result is None or result == SENT):
                    result = closed.get(lead, left)
                result = result or "unchanged"
                summary.add(result)
                out.write(json.dumps({"lead_id": lead, "result": result}, ensure_ascii=False) + "\n")
    return summary


@contextmanager
def replacing(file: Path) -> Iterator[IO[str]]:
    """A text file that readers see old or new; an InputError where it cannot be written."""
    staging = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for left_over in file.parent.glob(f".{file.name}.*"):
            left_over.unlink()
        with staging.open("w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        staging.replace(file)
        sync(file.parent)
    except OSError as bad:
        raise InputError.of(
            where=str(file),
            expected="room to write",
            got=str(bad.strerror),
            remedy="What the CRM accepted is remembered.",
        ) from None
    finally:
        staging.unlink(missing_ok=True)
