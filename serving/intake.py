"""`POST /v1/events` and `POST /v1/outcomes`: documents -> the store. Once answered with 200 a row is kept and counts.

A row is taken whole or refused with its index and a reason of `data/importers/rejects.py`; bad rows never stop the good
ones. Rows are read by the logic of the Segment importer, so that an import of the same calls gives the same records.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Required, TypeVar

from typing_extensions import TypedDict

from data import emails
from data.dataset import DatasetInfo
from data.errors import LeadliftError
from data.importers.calls import Call, cleaned
from data.importers.cells import LAST_TIME, minor, text
from data.importers.clean_row import CleanEvent, clean_event
from data.importers.rejects import RowError
from data.importers.segment_rows import tell
from data.importers.tracker_mapping import TrackerFile, tracker_file
from data.mapping import DatasetSpec
from data.records import DAY, OUTCOME_KINDS
from data.store import schema
from data.store.database import Database, connect
from data.store.texts import TRACKER, info_of, refuse_market, texts_of
from data.store.write import WRITE_SECONDS, Put, Told, put
from data.times import TimeError, TimeRule, parse
from serving.problem import Fault, Problem, RequestError, refuse

ENVELOPE = ("batch", "sentAt", "integrations", "writeKey")  # what Segment's clients send around a batch


class Outcome(TypedDict, total=False):
    """One outcome: of a lead or a visitor, one of the kinds at a moment with zone; `value` in major units of the
    dataset's currency, `reason` a short code."""

    lead_id: str
    visitor_id: str
    kind: Required[Literal["converted", "lost", "cancelled", "accepted", "rejected"]]
    occurred_at: Required[str]
    value: float
    currency: str
    reason: str


_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_ANY_ZONE = TimeRule()
_T = TypeVar("_T")
_log = logging.getLogger("leadlift")


@dataclass
class Tally:
    """What became of the rows of one request: read = accepted + duplicate + rejected + passed_over."""

    read: int
    rejects: list[dict[str, Any]] = field(default_factory=list)
    passed_over: int = 0

    def reject(self, index: int, bad: RowError) -> None:
        self.rejects.append({"index": index, "reason": bad.reason, "field": bad.column or None})

    def body(self, done: Put) -> bytes:
        document = {
            "read": self.read, "accepted": done.accepted, "duplicate": done.duplicate, "rejected": len(self.rejects),
            "passed_over": self.passed_over, "rejects": self.rejects,
        }  # fmt: skip
        return json.dumps(document, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Intake:
    """Takes what is told to the store of a market (null: of any); at most `max_rows` in a request."""

    url: str = field(repr=False)
    max_rows: int
    market: str | None = None

    @cached_property
    def _about(self) -> tuple[DatasetInfo, TrackerFile]:
        """The store's market, and how its events are read."""
        with connect(self.url) as db, db.reading(WRITE_SECONDS):
            self._refuse_another(db)
            info, mapping = info_of(db), texts_of(db).get(TRACKER)
        file = tracker_file(mapping, info.name) if mapping is not None else None
        return info, file or TrackerFile(dataset=DatasetSpec(name=info.name, currency=info.currency))

    def events(self, document: object, now: int) -> bytes:
        """`{"batch": [...]}` of Segment calls -> what became of them.

        Parameters
        ----------
        now
            microseconds; what says it is of more than a day later is refused.

        Raises
        ------
        RequestError
            for a document that is no batch, or where nothing could be stored.
        """
        rows = self._listed(document, "batch", ENVELOPE)
        tally = Tally(len(rows))
        events: list[CleanEvent] = []
        calls: list[Call] = []
        key = emails.hash_key()
        _, file = self._stored(lambda: self._about)
        for index, row in enumerate(rows):
            try:
                told = tell(_object(row), index, file.tracker, None)
                clean = [clean_event(cells, file) for cells in told.events]
                call = None if told.person is None else cleaned(told.person, key)
                kept = [c for c in clean if c is not None]
                _refuse_later(kept, call, now)
            except RowError as bad:
                tally.reject(index, bad)
                continue
            events += kept
            calls += [call] if call else []
            tally.passed_over += None in clean
        return tally.body(self._put(Told(events, calls)))

    def outcomes(self, document: object, now: int) -> bytes:
        """`{"outcomes": [...]}` -> what became of them. An outcome told again counts once."""
        rows = self._listed(document, "outcomes", ("outcomes",))
        tally = Tally(len(rows))
        good: list[dict[str, Any]] = []
        info, _ = self._stored(lambda: self._about)
        for index, row in enumerate(rows):
            try:
                good.append(_outcome(_object(row), info.currency, now))
            except RowError as bad:
                tally.reject(index, bad)
        return tally.body(self._put(Told(outcomes=good)))

    def _refuse_another(self, db: Database) -> None:
        """Nothing is told to a store of another version or market."""
        schema.refuse_other(db)
        refuse_market(db, self.market)

    def _put(self, told: Told) -> Put:
        def write() -> Put:
            with connect(self.url) as db:
                with db.reading(WRITE_SECONDS):  # it may have been put in the place of the one that was looked at
                    self._refuse_another(db)
                return put(db, told)

        return self._stored(write)

    def _stored(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except LeadliftError as silent:
            _log.error("nothing was stored: %s", silent)
            raise RequestError(
                Problem(503, "The store cannot be written now. Nothing was stored; send it again.")
            ) from None

    def _listed(self, document: object, name: str, known: tuple[str, ...]) -> list[object]:
        if not isinstance(document, dict) or not isinstance(document.get(name), list):
            raise refuse(f'Expected an object with the key "{name}" and a list.')
        if any(key not in known for key in document):
            raise refuse("Some fields cannot be used.", [Fault("", f"known beside the list: {', '.join(known)}")])
        rows: list[object] = document[name]
        if len(rows) > self.max_rows:
            raise refuse(f"Expected at most {self.max_rows} rows.", [Fault(name, "too many")], status=413)
        return rows


def _refuse_later(events: Sequence[CleanEvent], call: Call | None, now: int) -> None:
    """A dataset ends with its latest arrival: one visitor's clock that is years ahead would make every label final."""
    told = [t for e in events for t in (e.row["occurred_at"], e.row["received_at"])] + ([call.known] if call else [])
    if any(isinstance(t, int) and t > now + DAY for t in told):
        raise RowError("ahead_of_arrival", "occurred_at")


def _object(row: object) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RowError("malformed_json")
    return row


def _outcome(row: Mapping[str, Any], currency: str, now: int) -> dict[str, Any]:
    """One outcome as a row of its record; `value` is in major units of the dataset's currency."""
    if any(name not in Outcome.__annotations__ for name in row):
        raise RowError("unknown_field")
    told = {name: text(row, name) for name in ("lead_id", "visitor_id", "kind", "reason", "currency")}
    if told["lead_id"] is None and told["visitor_id"] is None:
        raise RowError("no_person")
    for name in ("kind", "occurred_at"):
        if row.get(name) in (None, ""):
            raise RowError("missing_value", name)
    if told["kind"] not in OUTCOME_KINDS:
        raise RowError("unknown_value", "kind")
    if told["reason"] is not None and not _CODE.fullmatch(told["reason"]):
        raise RowError("bad_code", "reason")
    occurred = _moment(row["occurred_at"], now)
    return {**told, "occurred_at": occurred, "value": _worth(row.get("value"), told.pop("currency"), currency)}


def _moment(value: object, now: int) -> int:
    if not isinstance(value, str):
        raise RowError("bad_time", "occurred_at")
    try:
        found = parse(value.strip(), _ANY_ZONE)
    except TimeError as bad:
        raise RowError(bad.reason, "occurred_at") from None
    if not 0 <= found < LAST_TIME:
        raise RowError("bad_time", "occurred_at")
    if found > now + DAY:
        raise RowError("ahead_of_arrival", "occurred_at")
    return found


def _worth(value: object, given: str | None, currency: str) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        raise RowError("bad_number", "value")
    try:
        return minor(value, given, "major", currency)
    except RowError as bad:
        raise RowError(bad.reason, "value") from None
