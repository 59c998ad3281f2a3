"""PostHog: rows of a batch export as JSON lines or Parquet (there `properties` is JSON text).

`$pageview` is a page view, `$pageleave` engagement, other events custom; `$identify` is a link. Times on the page
before are credited to that page. Who is not identified has a `person_id` too: it counts as the lead's only where the
event says that the person was known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from data.importers.batch import Advance, Batch, batches
from data.importers.cells import Identified, Told, converted, moment, number, part, text
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerSpec
from data.importers.urls import CLICK_IDS

TYPES = {"$pageview": "page_view", "$pageleave": "engagement"}


def read(path: Path, spec: TrackerSpec, advance: Advance) -> Iterator[Batch]:
    """All events of a file."""
    return batches(path, spec, advance, _tell)


def _tell(row: dict[str, Any], line: int, spec: TrackerSpec) -> Told:
    if isinstance(row.get("properties"), str):
        try:
            row = {**row, "properties": json.loads(row["properties"])}
        except (ValueError, RecursionError):
            raise RowError("malformed_json", "properties") from None
    name = text(row, "event")
    if name is None:
        raise RowError("missing_value", "event")
    return Told(person=_person(row, line, spec)) if name == "$identify" else Told([_event(row, name, spec)])


def _person(row: Mapping[str, Any], line: int, spec: TrackerSpec) -> Identified:
    lead_id, event_id = text(row, spec.lead_id), text(row, "uuid")
    if lead_id is None or event_id is None:
        raise RowError("missing_value", "uuid" if event_id is None else spec.lead_id)
    visitor_id = text(part(row, "properties"), "$anon_distinct_id") or text(row, "distinct_id")
    return Identified(line, event_id, visitor_id, lead_id, moment(row, "timestamp"), moment(row, "inserted_at"))


def _event(row: Mapping[str, Any], name: str, spec: TrackerSpec) -> dict[str, Any]:
    p = part(row, "properties")
    url = text(p, "$current_url") or text(p, "$pathname")
    return {
        "event_id": text(row, "uuid"), "visitor_id": text(row, "distinct_id"), "lead_id": _lead(row, p, spec),
        "session_id": text(p, "$session_id"), "occurred_at": moment(row, "timestamp"),
        "received_at": moment(row, "inserted_at"), "name": name, "type": TYPES.get(name, "custom"), "url": url,
        "referrer": _host(text(p, "$referrer", "$referring_domain")),
        **{c: text(p, f"utm_{c}", f"$utm_{c}") for c in ("source", "medium", "campaign")},
        "click_id_kind": next((k for k in CLICK_IDS if p.get(k)), None),
        "user_agent": text(p, "$raw_user_agent"), "app": text(row, "team_id", "project_id"),
        **_dwell(name, url, p), **converted(spec, name, p),
    }  # fmt: skip


def _lead(row: Mapping[str, Any], properties: Mapping[str, Any], spec: TrackerSpec) -> str | None:
    known = properties.get("$is_identified") is True or bool(properties.get("$user_id"))
    return text(row, spec.lead_id) if known and properties.get("$process_person_profile") is not False else None


def _host(referrer: str | None) -> str | None:
    return None if referrer == "$direct" else referrer


def _dwell(name: str, url: str | None, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds on the page before: the leaving event's own, any other event's credit to that page."""
    seconds, path = number(properties, "$prev_pageview_duration"), text(properties, "$prev_pageview_pathname")
    if seconds is None or path is None:
        return {}
    if name == "$pageleave":
        return {"dwell_seconds": seconds, "dwell_basis": "measured", "url": _beside(url, path)}
    return {"credit_seconds": seconds, "credit_url": _beside(url, path)}


def _beside(url: str | None, path: str) -> str:
    """The page of this path on the host of `url`."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        raise RowError("bad_url", "$current_url") from None
    return f"{parts.scheme}://{parts.netloc}{path}" if parts.scheme and parts.netloc else path
