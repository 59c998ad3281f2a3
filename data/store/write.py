"""Calls and outcomes into the store. A batch is one transaction: all of its good rows are there, or none.

A message that comes again changes nothing, unless it was known earlier than the one that is there: that one stays, in
whatever order the two come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.importers.calls import Call
from data.importers.clean_row import CleanEvent
from data.records import EVENT, OUTCOME
from data.store.database import Database, Row

EVENT_COLUMNS = tuple(c.name for c in EVENT.columns)
OUTCOME_COLUMNS = tuple(c.name for c in OUTCOME.columns)
IDENTIFY_COLUMNS = ("message_id", "visitor_id", "lead_id", "known_from", "traits")
GROUPS = ("account_id", "email_domain", "email_hash")
WRITE_SECONDS = 10.0  # a batch, while its sender waits
_OF_EVENT = "event:"


@dataclass
class Put:
    """What became of a batch: rows that are new, and those that were there already."""

    accepted: int = 0
    duplicate: int = 0

    def note(self, new: bool) -> None:
        self.accepted += new
        self.duplicate += not new


@dataclass(frozen=True)
class Told:
    """What one batch tells, cleaned. outcomes: rows of data.records.OUTCOME."""

    events: Sequence[CleanEvent] = ()
    calls: Sequence[Call] = ()
    outcomes: Sequence[dict[str, Any]] = field(default_factory=tuple)


def put(db: Database, told: Told) -> Put:
    """Write a batch and commit it: it survives whatever happens after. After WRITE_SECONDS it is a StoreError."""
    done = Put()
    with db.writing(WRITE_SECONDS):
        conversions = _put_events(db, told.events, done)
        _put_outcomes(db, conversions)
        _put_calls(db, told.calls, done)
        new = _put_outcomes(db, {outcome_id(o): o for o in told.outcomes})
        done.accepted += new
        done.duplicate += len(told.outcomes) - new
    return done


def outcome_id(outcome: dict[str, Any]) -> str:
    """The same outcome has the same id, however often it is told."""
    return hashlib.sha256(_text([outcome.get(n) for n in OUTCOME_COLUMNS]).encode()).hexdigest()


def _put_events(db: Database, events: Sequence[CleanEvent], done: Put) -> dict[str, dict[str, Any]]:
    """Of each event the telling that could be seen first; gives the conversions that these are, by their ids."""
    best: dict[str, Row] = {}
    rows = db.rows_among(
        f"SELECT {','.join(EVENT_COLUMNS)} FROM events WHERE event_id IN ({{}})", {e.row["event_id"] for e in events}
    )
    for row in rows:
        best[row[0]] = min(row, best.get(row[0], row), key=_rank_of_event)
    changed: dict[str, CleanEvent] = {}
    for event in events:
        new = _event_row(event)
        held = best.get(new[0])
        done.note(held is None)
        if held is None or _rank_of_event(new) < _rank_of_event(held):
            best[new[0]], changed[new[0]] = new, event
    db.run_among("DELETE FROM events WHERE event_id IN ({})", changed)
    db.run_among("DELETE FROM outcomes WHERE outcome_id IN ({})", [_OF_EVENT + name for name in changed])
    db.add("events", (*EVENT_COLUMNS, "posted"), [(*best[name], 1) for name in changed])
    return {_OF_EVENT + name: _conversion(event) for name, event in changed.items() if event.converted}


def _event_row(event: CleanEvent) -> Row:
    row = tuple(event.row.get(n) for n in EVENT_COLUMNS)
    return (*row[:-1], int(bool(row[-1])))  # is_bot


def _conversion(event: CleanEvent) -> dict[str, Any]:
    who = {n: event.row[n] for n in ("lead_id", "visitor_id", "occurred_at")}
    return {**who, "kind": "converted", "value": event.value}


def _rank_of_event(row: Row) -> tuple[int, str]:
    occurred, received = (row[EVENT_COLUMNS.index(n)] for n in ("occurred_at", "received_at"))
    return max(occurred, occurred if received is None else received), _text(row)


def _put_calls(db: Database, calls: Sequence[Call], done: Put) -> None:
    """Of each call the telling that was known first."""
    names = (*IDENTIFY_COLUMNS, *GROUPS)
    select = f"SELECT {','.join(names)} FROM identifies WHERE message_id IN ({{}})"
    best: dict[str, Row] = {row[0]: row for row in db.rows_among(select, {c.event_id for c in calls})}
    changed: dict[str, Row] = {}
    for call in calls:
        new = _call_row(call)
        held = best.get(call.event_id)
        done.note(held is None)
        if held is None or _rank_of_call(new) < _rank_of_call(held):
            best[call.event_id] = changed[call.event_id] = new
    db.run_among("DELETE FROM identifies WHERE message_id IN ({})", changed)
    db.add("identifies", names, list(changed.values()))


def _call_row(call: Call) -> Row:
    known = call.traits or {}
    traits = None if call.traits is None else json.dumps(call.traits, ensure_ascii=False, sort_keys=True)
    return call.event_id, call.visitor_id, call.lead_id, call.known, traits, *(known.get(n) for n in GROUPS)


def _rank_of_call(row: Row) -> tuple[int, str]:
    return row[3], _text(row[: len(IDENTIFY_COLUMNS)])


def _put_outcomes(db: Database, outcomes: Mapping[str, dict[str, Any]]) -> int:
    """Outcomes by their ids; gives how many were not there yet."""
    held = {name for (name,) in db.rows_among("SELECT outcome_id FROM outcomes WHERE outcome_id IN ({})", outcomes)}
    rows = [(name, *(o.get(n) for n in OUTCOME_COLUMNS)) for name, o in outcomes.items() if name not in held]
    db.add("outcomes", ("outcome_id", *OUTCOME_COLUMNS), rows)
    return len(rows)


def _text(row: Any) -> str:
    return json.dumps(list(row), ensure_ascii=False)
