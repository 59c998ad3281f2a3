"""Sessions: rows that hand their columns to their events and yield links and leads.

A session may be told in one file and its events in the next, so the dataset keeps a table `sessions` for later imports.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from data.importers.sink import Sink
from data.importers.values import Value

HANDED = ("source", "medium", "campaign", "referrer_host")
_TEXTS = ("session_id", "visitor_id", "lead_id", *HANDED)
# opened: an event has had the session's touch
KEPT = pa.schema([*(pa.field(n, pa.string()) for n in _TEXTS), ("started_at", pa.int64()), ("opened", pa.bool_())])
Row = dict[str, Value]


@dataclass
class Sessions:
    """All session rows of an import and of those before it, held in memory: one entry per session.

    closed_at: sessions starting at or after it are outside, with their events and outcomes. earlier: sessions told by an
    import before; those that are True there have handed their touch over.
    """

    closed_at: int | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    earlier: dict[str, bool] = field(default_factory=dict)
    first: dict[str, tuple[int, tuple[int, int]]] = field(default_factory=dict)

    def recall(self, kept: pa.Table, sink: Sink) -> None:
        """Know the sessions of earlier imports."""
        for row in kept.to_pylist():
            session_id, opened = row["session_id"], row.pop("opened")
            self.earlier[session_id] = opened or self.earlier.get(session_id, False)
            self.rows[session_id] = {**row, "source_row": 0}
            sink.seen("session", (session_id,))

    def to_keep(self) -> pa.Table:
        """Sessions that are new, or whose touch was handed over in this import, as a table of KEPT."""
        rows = [{**{n: row.get(n) for n in KEPT.names}, "opened": session_id in self.first}
                for session_id, row in self.rows.items() if session_id not in self.earlier or session_id in self.first]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=KEPT)

    def add(self, row: Row, sink: Sink, source_row: int) -> str:
        """Keep one session; `accepted`, `duplicate` or `outside`."""
        session_id = str(row["session_id"])
        if self.closed_at is not None and _time(row, "started_at") >= self.closed_at:
            self.outside.add(session_id)
            return "outside"
        if sink.seen("session", (session_id,)) is not None:
            return "duplicate"
        self.rows[session_id] = {**row, "source_row": source_row}
        return "accepted"

    def is_outside(self, session_id: Value, occurred_at: Value) -> bool:
        """Does a row of this session lie outside the closed window? Of an unknown session its own time decides."""
        if session_id in self.outside:
            return True
        unknown = session_id is not None and session_id not in self.rows
        return unknown and self.closed_at is not None and isinstance(occurred_at, int) and occurred_at >= self.closed_at

    def note_event(self, row: Row, place: tuple[int, int]) -> None:
        """Remember the earliest event of each session (of equal times the first in file order)."""
        session_id, at = row.get("session_id"), (_time(row, "occurred_at"), place)
        if isinstance(session_id, str) and session_id in self.rows and not self.earlier.get(session_id):
            self.first[session_id] = min(self.first.get(session_id, at), at)

    def hand_over(self, row: Row, place: tuple[int, int]) -> None:
        """Complete an event: the person of its session, and the touch if it is the session's first event."""
        session = self.rows.get(str(row.get("session_id")))
        if session is None:
            return
        for name in ("visitor_id", "lead_id"):
            row[name] = row.get(name) if row.get(name) is not None else session.get(name)
        first = self.first.get(str(row["session_id"]))
        if first is not None and first[1] == place:
            for name in HANDED:
                row[name] = row.get(name) if row.get(name) is not None else session.get(name)

    def yield_people(self, sink: Sink, extra: tuple[str, ...]) -> None:
        """A link wherever a visitor's lead changes and one Lead per lead, from the earliest session; known leads stay."""
        links: list[tuple[str, str, int]] = []
        latest: dict[str, str] = {}
        leads: dict[str, Row] = {}
        for row in sorted(self.rows.values(), key=lambda r: (_time(r, "started_at"), _time(r, "source_row"))):
            lead_id, visitor_id = row.get("lead_id"), row.get("visitor_id")
            if not isinstance(lead_id, str):
                continue
            leads.setdefault(lead_id, row)
            if isinstance(visitor_id, str) and latest.get(visitor_id) != lead_id:
                latest[visitor_id] = lead_id
                if row["session_id"] in self.earlier:
                    continue
                links.append((visitor_id, lead_id, _time(row, "started_at")))
        for visitor_id, lead_id, at in links:
            sink.add("links", {"visitor_id": visitor_id, "lead_id": lead_id, "known_from": at, "kind": "identify"})
        for lead_id, row in leads.items():
            if not sink.has("lead", (lead_id,)):
                sink.seen("lead", (lead_id,))
                sink.add("leads", _lead(lead_id, row, extra))


def _lead(lead_id: str, row: Row, extra: tuple[str, ...]) -> Row:
    lead: Row = {"lead_id": lead_id, "created_at": row["started_at"], "source_row": row["source_row"]}
    return {**lead, **{name: row.get(name) for name in extra}}


def _time(row: Row, name: str) -> int:
    value = row[name]
    assert isinstance(value, int)
    return value
