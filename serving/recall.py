"""What the store knows of the people of a request, put together with what the request brings.

A profile column that the request brings wins over the store's; events of both count, one told by both once. Where
consent is required, the store's consents of a lead decide about all of it; what a caller sends without a lead's id is
the caller's to answer for.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.consent import SCORING, TRACKING
from data.dataset import ExtraColumn, People
from data.errors import LeadliftError, StoreError
from data.records import CONSENT, NULL_TIME, Coded, Columns, concat, filled, take
from data.store import schema
from data.store.database import READ_BUSY_SECONDS, Database, connect
from data.store.reader import Reader
from data.store.texts import refuse_market
from features.beside import Beside
from features.leads import leads_at
from serving.known import Known

I64 = NDArray[np.int64]
_log = logging.getLogger("leadlift")
_Read = tuple[People, tuple[Columns, set[str]]]

THREADS = 4
REST_SECONDS = 5.0  # a store that could not be opened in time is left alone for so long


@dataclass(frozen=True)
class Recall:
    """Completes requests from the store of a market (null: of any); some threads, each with a connection of its own, read.

    seconds: how long the caller waits; what takes longer is given up.
    """

    url: str = field(repr=False)
    require_consent: bool = False
    market: str | None = None
    seconds: float = 1.0
    _own: threading.local = field(default_factory=threading.local, repr=False, compare=False)
    _rests: list[float] = field(default_factory=lambda: [-math.inf], repr=False, compare=False)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, "leadlift-store"), repr=False, compare=False
    )
    _failing: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def failing(self) -> bool:
        """Whether the store did not answer when it was asked last."""
        return self._failing.is_set()

    def missed(self) -> None:
        """It did not answer to somebody else who asked."""
        self._failing.set()

    def complete(self, known: Known, extra: tuple[ExtraColumn, ...], context: bool) -> Known:
        """`known` with what the store knows of its leads and visitors.

        Parameters
        ----------
        context
            with the people of their accounts.

        Raises
        ------
        LeadliftError, TimeoutError
            where the store cannot be read in time, is gone or of another version or market.
        """
        lead_ids = list(dict.fromkeys(i for i in known.lead_ids if i is not None))
        visitor_ids = list(dict.fromkeys(v for v, lead in self._visitors(known) if v is not None))
        if not lead_ids and not visitor_ids:
            return known
        people, (visits, linked) = self._read(lead_ids, visitor_ids, extra, context)
        place = {lead_id: i for i, lead_id in enumerate(lead_ids)}
        number = np.array([-1 if i is None else place[i] for i in known.lead_ids], dtype=np.int64)
        of_visit = {v: i for i, v in enumerate(visitor_ids)}
        who = np.array([_visit(of_visit, linked, v, lead) for v, lead in self._visitors(known)], dtype=np.int64)
        events = [known.events, _spread(people.events, number), _spread(visits, who)]
        return replace(
            known, created_at=_created(known, people, number), leads=_profiles(known, people, number),
            events=concat(events), consents=_spread(people.consents, number),
            beside=self._beside(people, number),
        )  # fmt: skip

    def _read(
        self, lead_ids: list[str], visitor_ids: list[str], extra: tuple[ExtraColumn, ...], context: bool
    ) -> _Read:
        """In time, or not at all: a disk or a network that hangs holds a thread, never the caller."""
        reading = self._threads.submit(self._read_slowly, lead_ids, visitor_ids, extra, context)
        try:
            found = reading.result(self.seconds)
        except BaseException as error:
            reading.cancel()
            if not self._failing.is_set():  # once, not with each request
                why = error if isinstance(error, LeadliftError) else f"{type(error).__name__} after {self.seconds:g} s"
                _log.error("the store is not read: %s", why)
            self._failing.set()
            raise
        self._failing.clear()
        return found

    def _read_slowly(
        self, lead_ids: list[str], visitor_ids: list[str], extra: tuple[ExtraColumn, ...], context: bool
    ) -> _Read:
        reader = Reader(self._database(), extra)
        try:
            with reader.db.reading(self.seconds):
                return reader.people(lead_ids, context), reader.visits(visitor_ids)
        except StoreError:
            reader.db.close()
            del self._own.db  # the next request opens it anew
            raise

    def _visitors(self, known: Known) -> list[tuple[str | None, str | None]]:
        """The visitor and the lead of each; a visitor without a lead has consented to nothing."""
        pairs = zip(known.visitor_ids, known.lead_ids, strict=True)
        return [(None if self.require_consent and lead is None else visitor, lead) for visitor, lead in pairs]

    def _beside(self, people: People, number: I64) -> Beside:
        person = None
        if people.accounts is not None:
            of_lead = np.append(people.accounts.numbers(people.lead_ids), -1)
            person = of_lead[number]
        consents = None
        if self.require_consent:
            consents = concat([_spread(people.consents, number), _given(np.flatnonzero(number < 0))])
        return Beside(_spread(people.outcomes, number), consents, people.accounts, person)

    def _database(self) -> Database:
        found: Database | None = getattr(self._own, "db", None)
        if found is not None and found.replaced():  # a backup was put in its place, say
            found.close()
            del self._own.db
            found = None
        if found is None:
            found = self._own.db = self._opened()
        return found

    def _opened(self) -> Database:
        started = time.monotonic()
        if started < self._rests[0]:
            raise StoreError("The store did not answer a moment ago; it is left alone.")
        try:
            found = connect(self.url, wait=READ_BUSY_SECONDS)
            with found.reading(self.seconds):
                schema.refuse_other(found)
                refuse_market(found, self.market)
        except StoreError:
            if time.monotonic() - started > self.seconds:
                self._rests[0] = time.monotonic() + REST_SECONDS
            raise
        return found


def not_consenting(known: Known) -> Known:
    """The same people where nobody can say what those with an id have consented to: nothing of them may be used."""
    others = np.array([i for i, lead_id in enumerate(known.lead_ids) if lead_id is None], dtype=np.int64)
    return replace(known, beside=replace(known.beside, consents=_given(others)))


def _visit(of_visit: dict[str, int], linked: set[str], visitor: str | None, lead: str | None) -> int:
    """Whose visits count: a visitor's own; for a lead those of a visitor of whom nothing else is known."""
    if visitor is None or (lead is not None and visitor in linked):
        return -1
    return of_visit[visitor]


def _spread(columns: Columns, number: I64) -> Columns:
    """The rows of each person, numbered as the people of the request are; one asked about twice has them twice."""
    owner = np.asarray(columns["lead"], dtype=np.int64)
    order = np.argsort(owner, kind="stable")
    first, last = (np.searchsorted(owner[order], number, side=side) for side in ("left", "right"))
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(order[a:b] for a, b in zip(first, last, strict=True))])
    lead = np.repeat(np.arange(len(number), dtype=np.int64), last - first)
    return {**take(columns, rows), "lead": lead}


def _created(known: Known, people: People, number: I64) -> I64:
    """The request's, else the store's where it lies before the moment asked about."""
    stored = np.append(people.created_at, NULL_TIME)[number]
    stored = np.where(stored < known.as_of, stored, NULL_TIME)
    return np.where(known.created_at == NULL_TIME, stored, known.created_at)


def _profiles(known: Known, people: People, number: I64) -> Columns:
    """One row for each person, known just before the moment asked about: the request's columns, else the store's."""
    stored = leads_at(people.leads, number, known.created_at, known.as_of).columns
    return {name: _either(column, stored.get(name)) for name, column in known.leads.items()}


def _either(given: Any, stored: Any) -> Any:
    if isinstance(given, Coded) and isinstance(stored, Coded):
        pairs = zip(given.texts(), stored.texts(), strict=True)
        return Coded.of([b if a is None else a for a, b in pairs])
    if isinstance(given, Coded) or stored is None or given.dtype != np.float64:
        return given
    return np.where(np.isnan(given), stored, given)


def _given(persons: I64) -> Columns:
    """Consents that always held."""
    purposes = [p for _ in persons for p in (SCORING, TRACKING)]
    nothing: list[str | None] = [None] * len(purposes)
    columns = {c.name: filled(c.kind, nothing) for c in CONSENT.columns}
    columns |= {"purpose": filled("code", purposes), "given_at": filled("time", [NULL_TIME + 1] * len(purposes))}
    return {**columns, "lead": np.repeat(persons, 2)}
