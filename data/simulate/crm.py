"""What the CRM holds of leads: profiles and their changes, links to devices, consents."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.records import DAY, NULL_TIME, Coded, Columns
from data.simulate.market import People
from data.simulate.rows import visitor_ids
from data.simulate.state import I64, Mask
from data.simulate.trail import HOUR, Trail

_SAID_AT_ONCE, _SAID_LATER, _MOVED = 0.45, 0.3, 0.05
_TRACKING, _SCORING, _CONTACT, _CONFIRMED, _WITHDRAWN = 0.85, 0.8, 0.75, 0.8, 0.05


def lead_columns(people: People, lead_ids: tuple[str, ...], rng: np.random.Generator) -> Columns:
    """The lead record: each lead as its form said, and again where something was learned later."""
    n, end = people.market.leads, people.market.end
    u, created = rng.random((3, n)), people.created_at
    learned = np.where(u[0] < _SAID_AT_ONCE + _SAID_LATER, created + ((0.5 + 20 * u[1]) * DAY).astype(np.int64), end)
    said_later = np.flatnonzero((u[0] >= _SAID_AT_ONCE) & (learned < end))
    moved_at = created + ((5 + 100 * u[1]) * DAY).astype(np.int64)
    moved = np.flatnonzero((u[0] < _SAID_AT_ONCE) & (u[2] < _MOVED) & (moved_at < end))
    row = np.concatenate([np.arange(n), said_later, moved])
    valid_from = np.concatenate([created, learned[said_later], moved_at[moved]])
    says = (u[0][row] < _SAID_AT_ONCE) | (np.arange(len(row)) >= n)
    new_state = np.arange(len(row)) >= n + len(said_later)
    return _lead_rows(people, lead_ids, row, valid_from, says, new_state)


def _lead_rows(
    people: People, lead_ids: tuple[str, ...], row: I64, valid_from: I64, says: Mask, new_state: Mask
) -> Columns:
    p = people.profiles
    names = ("company", "email_domain", "email_kind", "title", "industry", "country", "lead_source")
    texts: dict[str, Any] = {n: getattr(p, n)[row] for n in names}
    texts["self_reported_source"] = [s if y else None for s, y in zip(p.said[row], says, strict=True)]
    texts["state"] = np.where(new_state, "Hamburg", p.state[row])
    texts["account_id"] = [f"A{a:06d}" if a >= 0 else None for a in p.account[row].tolist()]
    return {
        "lead_id": Coded(row.astype(np.int32), lead_ids), "created_at": people.created_at[row],
        "valid_from": valid_from, "employees": p.employees[row], "source_row": np.arange(1, len(row) + 1),
        **{name: Coded.of(values) for name, values in texts.items()},
    }  # fmt: skip


def link_columns(t: Trail, people: People, lead_ids: tuple[str, ...]) -> Columns:
    """The link record: the form names a lead's own device, the click in a mail its second one."""
    leads, second = np.arange(people.market.leads), np.flatnonzero(t.visitor >= len(people))
    device, first = np.unique(t.visitor[second], return_index=True)  # visits are in order of days: the first one
    known_from = np.concatenate([people.created_at, t.start[second[first]]])
    keep = known_from < people.market.end
    visitor, lead = np.concatenate([leads, device]), np.concatenate([leads, device - len(people)])
    kind = np.repeat([0, 1], [len(leads), len(device)])
    return {
        "visitor_id": Coded.of(visitor_ids(visitor[keep])), "lead_id": Coded(lead[keep].astype(np.int32), lead_ids),
        "known_from": known_from[keep], "kind": Coded(kind[keep].astype(np.int32), ("form", "identify")),
    }  # fmt: skip


def consent_columns(people: People, lead_ids: tuple[str, ...], rng: np.random.Generator) -> Columns:
    """The consent record: given with the form, some confirmed by mail, some withdrawn later."""
    n, end = people.market.leads, people.market.end
    lead, purpose = np.tile(np.arange(n), 3), np.repeat(np.arange(3), n)
    u, z = rng.random((3, 3 * n)), rng.random((2, 3 * n))
    share = np.array([_TRACKING, _SCORING, _CONTACT])[purpose]
    given = people.created_at[lead]
    confirmed = given + ((0.02 + z[0]) * HOUR).astype(np.int64)
    withdrawn = given + ((1 + 120 * z[1]) * DAY).astype(np.int64)
    keep = np.flatnonzero(u[0] < share)
    confirmed = np.where((u[1] < _CONFIRMED) & (confirmed < end), confirmed, NULL_TIME)
    withdrawn = np.where((u[2] < _WITHDRAWN) & (withdrawn < end), withdrawn, NULL_TIME)
    return {
        "lead_id": Coded(lead[keep].astype(np.int32), lead_ids), "given_at": given[keep],
        "purpose": Coded(purpose[keep].astype(np.int32), ("tracking", "scoring", "contact")),
        "confirmed_at": confirmed[keep], "withdrawn_at": withdrawn[keep],
        "text_version": Coded(np.zeros(len(keep), dtype=np.int32), ("2025-1",)),
    }  # fmt: skip
