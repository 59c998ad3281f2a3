"""Who said who they are: `identify` calls as links and as the history of a lead's profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from data import emails
from data.importers import values
from data.importers.batch import Broken, Identified
from data.importers.clean import micros
from data.importers.finish import Link
from data.importers.rejects import RowError, Tally
from data.importers.spill import part_of
from data.importers.values import Value
from data.lake_merge import TOLD
from data.records import DAY

Traits = dict[str, Value]


@dataclass(frozen=True)
class _Call:
    known: int
    event_id: str
    visitor_id: str | None
    lead_id: str
    traits: Traits | None


@dataclass
class People:
    """The calls of an import, held in memory: one entry a call. Tallies count them by file."""

    tallies: list[Tally] = field(default_factory=list)
    _calls: dict[str, _Call] = field(default_factory=dict)
    _tally: Tally = field(default_factory=lambda: Tally("", ""))
    _key: bytes | None = field(default_factory=emails.hash_key)

    @property
    def read(self) -> int:
        """Calls of the file that was begun last."""
        return self._tally.read

    def begin(self, file: str, record: str) -> None:
        """What is added from here on is of this file, and is counted as this record."""
        self._tally = Tally(file, record)

    def add(self, calls: Sequence[Identified]) -> list[Broken]:
        """Keep some calls; those that cannot be used."""
        refused = []
        for call in calls:
            try:
                clean = self._clean(call)
            except RowError as bad:
                self._tally.reject(bad.reason, bad.column, call.line)
                refused.append(Broken(call.line, bad.reason, bad.column))
                continue
            if call.event_id in self._calls:
                self._tally.duplicate += 1
                clean = min(clean, self._calls[call.event_id], key=lambda c: c.known)
            else:
                self._tally.accepted += 1
            self._calls[call.event_id] = clean
        if self._tally.read and self._tally not in self.tallies:
            self.tallies.append(self._tally)
        return refused

    def _clean(self, call: Identified) -> _Call:
        if call.occurred_at is None:
            raise RowError("missing_value", "occurred_at")
        occurred, received = micros(call.occurred_at), None if call.received_at is None else micros(call.received_at)
        if received is not None and occurred - received > DAY:
            raise RowError("ahead_of_arrival", "received_at")
        traits = None if call.traits is None else _profile(dict(call.traits), self._key)
        return _Call(max(occurred, received or occurred), call.event_id, call.visitor_id, call.lead_id, traits)

    def links_by_part(self) -> dict[int, list[Link]]:
        """The links of the calls, by the part of the spill their visitor is in."""
        found: dict[int, list[Link]] = defaultdict(list)
        for call in self._calls.values():
            if call.visitor_id is not None:
                found[part_of(call.visitor_id)].append((call.visitor_id, call.lead_id, call.known))
        return found

    def profiles(self) -> Iterator[Traits]:
        """A row for each moment a lead's traits were told at: what it does not say is as before."""
        calls = [c for c in self._calls.values() if c.traits is not None]
        calls.sort(key=lambda c: (c.lead_id, c.known, c.event_id))
        moments = groupby(calls, key=lambda c: (c.lead_id, c.known))
        for number, ((lead_id, known), together) in enumerate(moments, 1):
            traits = {name: value for call in together for name, value in (call.traits or {}).items()}
            created = traits.pop("created_at", None)
            born = created if isinstance(created, int) and created <= known else known
            yield {
                **traits,
                "lead_id": lead_id,
                "created_at": born,
                "valid_from": known,
                "source_row": number,
                TOLD: True,
            }


def _profile(traits: Traits, key: bytes | None) -> Traits:
    """Traits as profile columns; the address is reduced."""
    address, created, size = traits.pop("email", None), traits.pop("created_at", None), traits.pop("employees", None)
    if isinstance(address, str):
        try:
            email = emails.reduce_address(address, key)
        except ValueError:
            raise RowError("bad_email", "email") from None
        traits |= {"email_domain": email.domain, "email_kind": email.kind}
        traits |= {} if email.hash is None else {"email_hash": email.hash}
    if created is not None:
        traits["created_at"] = micros(created)
    if size is not None:
        traits["employees"] = values.employees(str(size))
    return traits
