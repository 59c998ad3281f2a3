"""What becomes of one row, record by record: completed, checked, compared with what came before, handed to the sink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from data import emails
from data.importers import urls
from data.importers.changes import Changes
from data.importers.merge_log import MergeLog
from data.importers.rejects import RowError, RowPassedOver
from data.importers.sessions import Row, Sessions
from data.importers.sink import Sink
from data.importers.values import Value
from data.mapping import LabelSpec
from data.records import DAY

ACCEPTED, DUPLICATE, OUTSIDE = "accepted", "duplicate", "outside"


@dataclass
class Place:
    """Where a row stands: the file's stem, its row there and in all files of the table, both from 1."""

    stem: str
    number: int
    source_row: int
    order: tuple[int, int]


@dataclass
class Context:
    """What the handlers share. late: events that arrived late, with those that have an arrival.

    born: when each lead of the lead tables was created; early: outcomes before that."""

    sink: Sink
    sessions: Sessions
    label: LabelSpec | None
    hash_key: bytes | None
    late_after: int
    changes: Changes = field(default_factory=Changes)
    merges: MergeLog = field(default_factory=MergeLog)
    cut_over: int | None = None
    late: int = 0
    arrived: int = 0
    exported_at: int | None = None
    classes: set[int] | None = None
    winners: Counter[str] = field(default_factory=Counter)
    born: dict[str, Value] = field(default_factory=dict)
    early: list[Place] = field(default_factory=list)

    def orphans(self) -> int:
        """Outcomes whose lead is not among the leads."""
        return sum(n for lead, n in self.winners.items() if not self.sink.has("lead", (lead,)))


Handler = Callable[[Row, Place, Context], str]


def lead(row: Row, place: Place, context: Context) -> str:
    """A profile row; a lead may have several, one per `valid_from`, which may be the moment of the export.

    A visitor_id, from a hidden field of the form, links what that visitor did from the lead's creation on.
    """
    reduce_email(row, context)
    row.setdefault("lead_id", f"{place.stem}:{place.number}")
    visitor_id = row.pop("visitor_id", None)
    if row.get("valid_from") is None and context.exported_at is not None:
        row |= {"valid_from": context.exported_at, "exported": True}
    since = row.get("valid_from") if row.get("valid_from") is not None else row.get("created_at")
    if context.sink.seen("profile", (row["lead_id"], since)) is not None:
        return DUPLICATE
    context.sink.seen("lead", (row["lead_id"],))
    context.sink.add("leads", {**row, "source_row": place.source_row})
    context.merges.note_lead(row)
    context.born.setdefault(str(row["lead_id"]), row["created_at"])
    if visitor_id is not None:
        names = ("visitor_id", "lead_id", "known_from", "kind")
        form = dict(zip(names, (visitor_id, row["lead_id"], row["created_at"], "form"), strict=True))
        _plain("links", form, context)
    return ACCEPTED


def change(row: Row, place: Place, context: Context) -> str:
    """One change of a lead's column, kept until the lead is read."""
    if row["field"] not in context.changes.columns:
        raise RowPassedOver
    return ACCEPTED if context.changes.add(row) else DUPLICATE


def labelled_lead(row: Row, place: Place, context: Context) -> str:
    """A row of a table without times; without an id column equal rows stay."""
    label = _label(row.pop("label", None), context)
    reduce_email(row, context)
    if "lead_id" in row:
        before = context.sink.seen("lead", (row["lead_id"],), (label, *_content(row)))
        if before == "other":
            raise RowError("id_twice", "lead_id")
        if before == "same":
            return DUPLICATE
    row.setdefault("lead_id", f"{place.stem}:{place.number}")
    context.sink.add("leads", {**row, "source_row": place.source_row})
    context.sink.add("labels", {"lead_id": row["lead_id"], "label": label})
    context.classes = (context.classes or set()) | {label}
    return ACCEPTED


def event(row: Row, place: Place, context: Context) -> str:
    """An event; completed from its URL and its session."""
    if context.sessions.is_outside(row.get("session_id"), row["occurred_at"]):
        return OUTSIDE
    complete_event(row, place, context)
    context.sessions.hand_over(row, place.order)
    if row.get("visitor_id") is None and row.get("lead_id") is None:
        known = not context.sessions.rows or row.get("session_id") in context.sessions.rows
        raise RowError("no_person" if known else "unknown_session", "session_id")
    if context.sink.seen("event", (row["event_id"],)) is not None:
        return DUPLICATE
    _note_arrival(row, context)
    context.sink.add("events", row)
    return ACCEPTED


def complete_event(row: Row, place: Place, context: Context) -> None:
    """What an event's own cells say: id, cleaned URL, campaign tags, dwell basis; arrivals are checked."""
    if row.get("event_id") is None:
        row["event_id"] = f"{place.stem}:{place.number}"
    if isinstance(url := row.get("url"), str):
        page = urls.page(url)
        row["url"] = page.url
        for name in ("source", "medium", "campaign", "click_id_kind"):
            row[name] = row.get(name) if row.get(name) is not None else getattr(page, name)
    _referrer(row)
    if row.get("dwell_seconds") is None:
        row["dwell_basis"] = "none"
    elif row.get("dwell_basis") is None:
        row["dwell_basis"] = "measured"
    occurred, received = row["occurred_at"], row.get("received_at")
    assert isinstance(occurred, int)
    if context.cut_over is not None and occurred < context.cut_over:
        row["received_at"] = received = None
    if isinstance(received, int) and occurred - received > DAY:
        raise RowError("ahead_of_arrival", "received_at")


def session(row: Row, place: Place, context: Context) -> str:
    """A session row; what it yields is written when all are known."""
    _referrer(row)
    return context.sessions.add(row, context.sink, place.source_row)


def outcome(row: Row, place: Place, context: Context) -> str:
    """An outcome of a lead, of a visitor, or of a session whose lead it is."""
    session_id = row.pop("session_id", None)
    if context.sessions.is_outside(session_id, row["occurred_at"]):
        return OUTSIDE
    if row.get("lead_id") is None and row.get("visitor_id") is None:
        session = context.sessions.rows.get(str(session_id)) if session_id is not None else None
        row["lead_id"] = session.get("lead_id") if session else None
        if row["lead_id"] is None:
            raise RowError("no_person" if session or session_id is None else "unknown_session", "session_id")
    key = ("visitor_id" if row.get("visitor_id") is not None else "lead_id", "occurred_at", "kind", "value")
    if context.sink.seen("outcome", tuple(row.get(c) for c in key)) is not None:
        return DUPLICATE
    if row.get("lead_id") is not None:
        context.winners[str(row["lead_id"])] += 1
        born, at = context.born.get(str(row["lead_id"])), row["occurred_at"]
        if isinstance(born, int) and isinstance(at, int) and at < born:
            context.early.append(place)
    context.sink.add("outcomes", row)
    return ACCEPTED


def link(row: Row, place: Place, context: Context) -> str:
    """A link of a visitor to a lead."""
    if row.get("kind") is None:
        row["kind"] = "table"
    if row["kind"] == "merge":
        if row["visitor_id"] == row["lead_id"]:
            raise RowError("same_lead", "lead_id")
        context.merges.note_merge(row)
    return _plain("links", row, context)


def consent(row: Row, place: Place, context: Context) -> str:
    """A consent given or withdrawn."""
    return _plain("consents", row, context)


def spend(row: Row, place: Place, context: Context) -> str:
    """Spend; equal rows are two bookings."""
    context.sink.add("spend", row)
    return ACCEPTED


HANDLERS: dict[str, Handler] = {
    "lead": lead, "labelled_lead": labelled_lead, "event": event, "session": session, "outcome": outcome,
    "link": link, "consent": consent, "spend": spend, "change": change,
}  # fmt: skip


def _plain(record: str, row: Row, context: Context) -> str:
    if context.sink.seen(record, _content(row)) is not None:
        return DUPLICATE
    context.sink.add(record, row)
    return ACCEPTED


def _content(row: Row) -> tuple[Value, ...]:
    return tuple(f"{name}={row[name]!r}" for name in sorted(row))


def _label(cell: Value, context: Context) -> int:
    assert context.label is not None
    if not isinstance(cell, str) or not cell:
        raise RowError("missing_value", context.label.column)
    if cell in context.label.true:
        return 1
    if context.label.false and cell not in context.label.false:
        raise RowError("unknown_label", context.label.column)
    return 0


def reduce_email(row: Row, context: Context) -> None:
    """Domain, kind and hash in the place of an address; nothing where there is none."""
    address = row.pop("email", None)
    if not isinstance(address, str):
        return
    try:
        email = emails.reduce_address(address, context.hash_key)
    except ValueError:
        raise RowError("bad_email", "email") from None
    for name, value in (("email_domain", email.domain), ("email_kind", email.kind), ("email_hash", email.hash)):
        row[name] = row.get(name) if row.get(name) is not None else value


def _referrer(row: Row) -> None:
    referrer = row.pop("referrer", None)
    for text in (row.get("referrer_host"), referrer):
        if isinstance(text, str):
            row["referrer_host"] = urls.host(text)
            return


def _note_arrival(row: Row, context: Context) -> None:
    occurred, received = row["occurred_at"], row.get("received_at")
    if isinstance(received, int) and isinstance(occurred, int):
        context.arrived += 1
        context.late += received - occurred > context.late_after
