"""One call of Segment or RudderStack: as the tracker sent it, or a row of their warehouse tables in snake case.

`track` is custom unless the mapping gives its name a type; `identify` makes a Lead row and a link, no event; `group`,
`alias` and `screen` are custom. Neither sends a dwell time: see `data/importers/dwell.py` for the gap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from data.importers.cells import Identified, Told, converted, moment, part, text
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerSpec
from data.importers.values import Value

# Reserved traits, in camel case or the warehouse's snake case -> profile column.
TRAITS: dict[str, tuple[str, ...]] = {
    "email": ("email",), "title": ("title",), "created_at": ("createdAt", "created_at"),
    "company": ("company_name",), "industry": ("company_industry", "industry"),
    "employees": ("company_employee_count", "employees"), "account_id": ("company_id",),
    "country": ("address_country",), "state": ("address_state",),
}  # fmt: skip


def tell(row: dict[str, Any], line: int, spec: TrackerSpec, table: str | None) -> Told:
    """What one call tells; `table`: the kind of its calls where a warehouse table says it by its name."""
    kind = text(row, "type") or table or ("track" if "event" in row else None)
    if kind is None:
        raise RowError("missing_value", "type")
    call = _nested(row) if "context" not in row and "messageId" not in row else row
    if kind.lower() == "identify":
        return Told(person=_person(call, line))
    return Told([_event(call, kind.lower(), spec)])


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """A warehouse row (`context_campaign_source`, `anonymous_id`, `id` ...) as the call it came from."""
    get = row.get
    campaign = {k: get(f"context_campaign_{k}") for k in ("source", "medium", "name")}
    page = {k: get(f"context_page_{k}") for k in ("url", "path", "referrer")}
    return {
        **row, "messageId": get("id", get("message_id")), "anonymousId": get("anonymous_id"), "userId": get("user_id"),
        "receivedAt": get("received_at"), "properties": row,
        "traits": {**row, **{n: get(f"context_traits_{n}", get(n)) for names in TRAITS.values() for n in names}},
        "context": {"campaign": campaign, "page": page, "userAgent": get("context_user_agent"),
                    "sessionId": get("context_session_id"), "app": {"name": get("context_app_name")}},
    }  # fmt: skip


def _event(row: Mapping[str, Any], kind: str, spec: TrackerSpec) -> dict[str, Any]:
    properties, page, campaign = part(row, "properties"), part(row, "context", "page"), part(row, "context", "campaign")
    name = text(row, "event") if kind == "track" else kind
    return {
        **_who(row), "name": name, "type": "page_view" if kind == "page" else "custom",
        "session_id": text(part(row, "context"), "sessionId"),
        "url": text(properties, "url") or text(page, "url") or text(properties, "path") or text(page, "path"),
        "referrer": text(properties, "referrer") or text(page, "referrer"),
        "source": text(campaign, "source"), "medium": text(campaign, "medium"), "campaign": text(campaign, "name"),
        "user_agent": text(part(row, "context"), "userAgent"), "app": text(part(row, "context", "app"), "name"),
        **converted(spec, name, properties),
    }  # fmt: skip


def _who(row: Mapping[str, Any]) -> dict[str, Any]:
    """`timestamp` is the time corrected by the visitor's clock; `originalTimestamp` is not and is not read."""
    return {
        "event_id": text(row, "messageId"), "visitor_id": text(row, "anonymousId"), "lead_id": text(row, "userId"),
        "occurred_at": moment(row, "timestamp"), "received_at": moment(row, "receivedAt"),
    }  # fmt: skip


def _person(row: Mapping[str, Any], line: int) -> Identified:
    who = _who(row)
    if who["event_id"] is None or who["lead_id"] is None:
        raise RowError("missing_value", "messageId" if who["event_id"] is None else "userId")
    traits = {**part(row, "context", "traits"), **part(row, "traits")}
    return Identified(
        line, who["event_id"], who["visitor_id"], who["lead_id"], who["occurred_at"], who["received_at"],
        _profile(traits),
    )  # fmt: skip


def _profile(traits: Mapping[str, Any]) -> dict[str, Value]:
    flat: dict[str, Any] = dict(traits)
    for outer in ("company", "address"):
        inner = traits.get(outer)
        if isinstance(inner, dict):
            flat.update({f"{outer}_{_snake(k)}": v for k, v in inner.items()})
        elif outer == "company" and isinstance(inner, str):
            flat.setdefault("company_name", inner)
    found = {column: moment(flat, *names) if column == "created_at" else _cell(flat, names)
             for column, names in TRAITS.items()}  # fmt: skip
    return {column: value for column, value in found.items() if value is not None}


def _cell(flat: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((t for n in names if (t := text(flat, n)) is not None), None)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()
