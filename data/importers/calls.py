"""One `identify` call, cleaned: since when it is known, and its traits as profile columns. No Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from data import emails
from data.importers import values
from data.importers.cells import FAR, LAST_TIME, Identified, micros
from data.importers.rejects import RowError
from data.importers.values import Value
from data.records import DAY

Traits = dict[str, Value]


@dataclass(frozen=True)
class Call:
    """Who a visitor said to be, known from a moment on; `traits` null: a link alone."""

    known: int
    event_id: str
    visitor_id: str | None
    lead_id: str
    traits: Traits | None


def cleaned(call: Identified, key: bytes | None) -> Call:
    """The call with its times read and its address reduced under `key`; a RowError where it cannot be used."""
    if call.occurred_at is None:
        raise RowError("missing_value", "occurred_at")
    occurred, received = micros(call.occurred_at), None if call.received_at is None else micros(call.received_at)
    if received is not None and occurred - received > DAY:
        raise RowError("ahead_of_arrival", "received_at")
    if not 0 <= occurred < LAST_TIME or not -FAR < (received or 0) < FAR:
        raise RowError("bad_time", "occurred_at")
    traits = None if call.traits is None else _profile(dict(call.traits), key)
    return Call(max(occurred, received or occurred), call.event_id, call.visitor_id, call.lead_id, traits)


def profiles(calls: Iterable[Call]) -> Iterator[Traits]:
    """A row for each moment a lead's traits were told at: what it does not say is as before."""
    told = sorted((c for c in calls if c.traits is not None), key=lambda c: (c.lead_id, c.known, c.event_id))
    moments = groupby(told, key=lambda c: (c.lead_id, c.known))
    for number, ((lead_id, known), together) in enumerate(moments, 1):
        traits = {name: value for call in together for name, value in (call.traits or {}).items()}
        created = traits.pop("created_at", None)
        born = created if isinstance(created, int) and created <= known else known
        yield {**traits, "lead_id": lead_id, "created_at": born, "valid_from": known, "source_row": number}


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
        traits["created_at"] = born = micros(created)
        if not -FAR < born < FAR:
            raise RowError("bad_time", "created_at")
    if size is not None:
        traits["employees"] = values.employees(str(size))
    return traits
