"""Matomo: visits of `Live.getLastVisitsDetails` as one JSON array or one visit a line; each action is an event.

Where a visit came from is said once, so it goes to the visit's first action only. `timeSpent` is time by the clock
and no measured attention, which its basis says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data.importers.batch import Advance, Batch, batches
from data.importers.cells import Told, converted, moment, number, text
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerSpec
from data.records import MICROS

TYPES = {"action": "page_view", "goal": "goal", "download": "download"}
NAMES = ("eventAction", "eventName", "goalName")  # what the mapping may give a type
# Only where the referrer has no address: the channel rules say the rest of a host.
MEDIUMS = {"search": "organic", "social": "social", "website": "referral"}
SKIPPED = frozenset({"content"})


def read(path: Path, spec: TrackerSpec, advance: Advance) -> Iterator[Batch]:
    """All actions of all visits of a file."""
    return batches(path, spec, advance, _tell)


def _tell(visit: dict[str, Any], line: int, spec: TrackerSpec) -> Told:
    visit_id, actions = text(visit, "idVisit"), visit.get("actionDetails")
    if visit_id is None or not isinstance(actions, list) or not all(isinstance(a, dict) for a in actions):
        raise RowError("missing_value", "idVisit" if visit_id is None else "actionDetails")
    shared = {
        "visitor_id": text(visit, "visitorId"), "lead_id": text(visit, "userId"), "session_id": visit_id,
        "received_at": _seconds(visit, "serverTimestamp", "lastActionTimestamp"), "app": text(visit, "idSite"),
        "user_agent": text(visit, "userAgent"),
    }  # fmt: skip
    events = [{**shared, **_event(a, visit_id, i, spec)} for i, a in enumerate(actions) if a.get("type") not in SKIPPED]
    for event in events:  # an arrival before the action is the visit's start, not the action's
        if event["received_at"] is not None and event["occurred_at"] is not None:
            event["received_at"] = max(event["received_at"], event["occurred_at"])
    if events:
        first = min(range(len(events)), key=lambda i: (events[i]["occurred_at"] or 0, i))
        events[first].update(_touch(visit))
    return Told(events)


def _event(action: Mapping[str, Any], visit_id: str, position: int, spec: TrackerSpec) -> dict[str, Any]:
    kind = text(action, "type") or ""
    page_id = text(action, "pageId", "goalPageId", "idpageview") or f"{kind}-{position}"
    names = [text(action, n) for n in NAMES]
    known = {*spec.types, *(spec.converted.events if spec.converted else ())}
    name = next((n for n in names if n in known), next((n for n in names if n), kind))
    seconds = number(action, "timeSpent") if kind == "action" else None
    return {
        "event_id": f"{visit_id}-{page_id}", "occurred_at": _seconds(action, "timestamp"), "name": name,
        "type": TYPES.get(kind, "custom"), "url": text(action, "url"),
        "dwell_seconds": seconds, "dwell_basis": None if seconds is None else "timespent",
        **converted(spec, name, action),
    }  # fmt: skip


def _seconds(row: Mapping[str, Any], *names: str) -> int | None:
    """Seconds since 1970 as microseconds."""
    value = moment(row, *names)
    if value is None:
        return None
    try:
        return int(value) * MICROS
    except ValueError:
        raise RowError("bad_time", names[0]) from None


def _touch(visit: Mapping[str, Any]) -> dict[str, Any]:
    kind, name, url = text(visit, "referrerType"), text(visit, "referrerName"), text(visit, "referrerUrl")
    touch = {
        "referrer": url, "source": text(visit, "campaignSource"), "medium": text(visit, "campaignMedium"),
        "campaign": text(visit, "campaignName") or (name if kind == "campaign" else None),
    }  # fmt: skip
    if kind != "campaign" and not url and name:
        touch |= {"source": name.lower(), "medium": MEDIUMS.get(kind or "")}
    return {k: v for k, v in touch.items() if v is not None}
