"""Calls and outcomes into the store. A batch is one transaction: all of its good rows are there, or none.

A message that comes again changes nothing, unless it was known earlier than the one that is there: that one stays, in
whatever order the two come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from data.importers.calls import Call
from data.importers.clean_row import CleanEvent
from data.records import EVENT, OUTCOME
from data.store.database import Database

EVENT_COLUMNS = tuple(c.name for c in EVENT.columns)
OUTCOME_COLUMNS = tuple(c.name for c in OUTCOME.columns)
IDENTIFY_COLUMNS = ("message_id", "visitor_id", "lead_id", "known_from", "traits")
GROUPS = ("account_id", "email_domain", "email_hash")
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
    """Write a batch and commit it: it survives whatever happens after."""
    done = Put()
    with db.writing():
        for event in told.events:
            done.note(_put_event(db, event))
        for call in told.calls:
            done.note(_put_call(db, call))
        for outcome in told.outcomes:
            done.note(_put_outcome(db, outcome_id(outcome), outcome))
    return done


def outcome_id(outcome: dict[str, Any]) -> str:
    """The same outcome has the same id, however often it is told."""
    return hashlib.sha256(_text([outcome.get(n) for n in OUTCOME_COLUMNS]).encode()).hexdigest()


def _put_event(db: Database, event: CleanEvent) -> bool:
    new = tuple(event.row.get(n) for n in EVENT_COLUMNS)
    new = (*new[:-1], int(bool(new[-1])))  # is_bot
    held = db.rows(f"SELECT {','.join(EVENT_COLUMNS)} FROM events WHERE event_id = ?", [new[0]])
    if not held or _rank_of_event(new) < min(map(_rank_of_event, held)):
        db.run("DELETE FROM events WHERE event_id = ?", [new[0]])
        db.add("events", (*EVENT_COLUMNS, "posted"), [(*new, 1)])
        db.run("DELETE FROM outcomes WHERE outcome_id = ?", [_OF_EVENT + str(new[0])])
        if event.converted:
            row = event.row
            converted = {n: row[n] for n in ("lead_id", "visitor_id", "occurred_at")}
            _put_outcome(db, _OF_EVENT + str(new[0]), {**converted, "kind": "converted", "value": event.value})
    return not held


def _rank_of_event(row: tuple[Any, ...]) -> tuple[int, str]:
    occurred, received = (row[EVENT_COLUMNS.index(n)] for n in ("occurred_at", "received_at"))
    return max(occurred, occurred if received is None else received), _text(row)


def _put_call(db: Database, call: Call) -> bool:
    traits = None if call.traits is None else json.dumps(call.traits, ensure_ascii=False, sort_keys=True)
    new = (call.event_id, call.visitor_id, call.lead_id, call.known, traits)
    held = db.rows(f"SELECT {','.join(IDENTIFY_COLUMNS)} FROM identifies WHERE message_id = ?", [call.event_id])
    if not held or (new[3], _text(new)) < (held[0][3], _text(held[0])):
        db.run("DELETE FROM identifies WHERE message_id = ?", [call.event_id])
        known = call.traits or {}
        db.add("identifies", (*IDENTIFY_COLUMNS, *GROUPS), [(*new, *(known.get(n) for n in GROUPS))])
    return not held


def _put_outcome(db: Database, name: str, outcome: dict[str, Any]) -> bool:
    if db.rows("SELECT 1 FROM outcomes WHERE outcome_id = ?", [name]):
        return False
    row = (name, *(outcome.get(n) for n in OUTCOME_COLUMNS))
    db.add("outcomes", ("outcome_id", *OUTCOME_COLUMNS), [row])
    return True


def _text(row: Any) -> str:
    return json.dumps(list(row), ensure_ascii=False)
