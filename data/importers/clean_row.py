"""One event's cells -> one event, as `data/importers/clean.py` cleans a column of them; without Arrow, for the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data import bots
from data.importers import urls
from data.importers.cells import FAR, LAST_TIME, micros, minor
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerFile
from data.importers.values import Value
from data.records import DAY

_SAME = ("event_id", "visitor_id", "lead_id", "session_id", "dwell_basis", "page_view_id")


@dataclass(frozen=True)
class CleanEvent:
    """The columns of data.records.EVENT that are known; `converted`: it is a conversion worth `value` minor units."""

    row: dict[str, Value]
    converted: bool = False
    value: float | None = None


def clean_event(cells: Mapping[str, Any], file: TrackerFile) -> CleanEvent | None:
    """Clean one event; None where it is of another app.

    Raises
    ------
    RowError
        with the reason and column that an import of the same event would give.
    """
    spec = file.tracker
    if spec.apps and cells.get("app") not in spec.apps:
        return None
    row: dict[str, Value] = {name: cells.get(name) for name in _SAME} | _times(cells, spec.received_at == "ignore")
    _require(row)
    row |= _place(cells)
    rule = spec.converted
    converted = rule is not None and cells.get("name") in rule.events
    value = _value(cells, file) if converted else None
    row["type"] = spec.types.get(str(cells.get("name"))) or cells.get("type")
    row["dwell_seconds"], row["dwell_basis"] = cells.get("dwell_seconds"), row["dwell_basis"] or "none"
    row["is_bot"] = bots.is_crawler(cells.get("user_agent")) or bool(cells.get("bot"))
    return CleanEvent(row, converted, value)


def _times(cells: Mapping[str, Any], ignore_arrival: bool) -> dict[str, Value]:
    found: dict[str, Value] = {"received_at": None}
    for name in ("occurred_at",) if ignore_arrival else ("occurred_at", "received_at"):
        value = cells.get(name)
        try:
            found[name] = None if value is None or value == "" else max(-FAR, min(micros(value), FAR))
        except RowError as bad:
            raise RowError(bad.reason, name) from None
    return found


def _require(row: Mapping[str, Value]) -> None:
    """An id, a time, a person; and no event a day ahead of its arrival."""
    for name in ("event_id", "occurred_at"):
        if row[name] is None:
            raise RowError("missing_value", name)
    if row["visitor_id"] is None and row["lead_id"] is None:
        raise RowError("no_person")
    at, arrived = row["occurred_at"], row["received_at"]
    assert isinstance(at, int)
    if at - DAY > (arrived if isinstance(arrived, int) else LAST_TIME):
        raise RowError("ahead_of_arrival", "received_at")
    if not 0 <= at < LAST_TIME:
        raise RowError("bad_time", "occurred_at")


def _place(cells: Mapping[str, Any]) -> dict[str, Value]:
    """URL, referrer and campaign; tags that the tracker names itself win over those of the URL."""
    url, referrer = cells.get("url"), cells.get("referrer")
    try:
        page = urls.page(url) if url else None
    except RowError as bad:
        raise RowError(bad.reason, "url") from None
    try:
        host = urls.host(referrer) if referrer else None
    except RowError as bad:
        raise RowError(bad.reason, "referrer") from None
    tags = {n: cells.get(n) for n in ("source", "medium", "campaign", "click_id_kind")}
    if page is not None:
        tags = {n: own if own is not None else getattr(page, n) for n, own in tags.items()}
    return {**tags, "url": (page.url or None) if page else None, "referrer_host": host or None}


def _value(cells: Mapping[str, Any], file: TrackerFile) -> float | None:
    rule = file.tracker.converted
    assert rule is not None
    try:
        return minor(cells.get("value"), cells.get("currency"), rule.unit, file.dataset.currency)
    except RowError as bad:
        raise RowError(bad.reason, rule.value or "") from None
