"""What one call of a tracker tells, and the small readers of its cells; no Arrow, so that the service can use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from data import times
from data.currency import exponent_of
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerSpec
from data.importers.values import Value
from data.records import MICROS

LAST_TIME = 253_402_300_800 * MICROS  # the end of the year 9999
FAR = 1 << 62  # what is farther is no time either, and fits into an array
MOST_MINOR = 1 << 53  # what is more is no whole number in a float
_UTC = times.TimeRule(times.zone_named("UTC"))
_MICRO = timedelta(microseconds=1)


@dataclass(frozen=True)
class Broken:
    """A row that could not be read: where, and a reason of data.importers.rejects."""

    line: int
    reason: str
    column: str = ""


@dataclass(frozen=True)
class Identified:
    """Who a visitor said to be: a link if there is a visitor, a profile row if there are traits (may be empty)."""

    line: int
    event_id: str
    visitor_id: str | None
    lead_id: str
    occurred_at: Value
    received_at: Value
    traits: Mapping[str, Value] | None = None


@dataclass
class Told:
    """What one JSON object tells."""

    events: list[dict[str, Any]] = field(default_factory=list)
    person: Identified | None = None


def micros(value: Value) -> int:
    """A time of a tracker, which is UTC where it names no zone, in microseconds; a RowError for anything else."""
    if isinstance(value, int):
        return value
    text = str(value)
    try:
        if len(text) > 18 and text[10] in " T":
            found = datetime.fromisoformat(text)
            return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - times.EPOCH) // _MICRO
    except ValueError:
        pass
    try:
        return times.parse(text.strip(), _UTC)
    except times.TimeError as bad:
        raise RowError(bad.reason) from None


def text(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of these cells that holds a text or a whole number, trimmed; a cell of another kind is rejected."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            if clean := value.strip():
                return _encodable(clean, name)
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        elif value is not None:
            raise RowError("bad_text", name)
    return None


def _encodable(value: str, name: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RowError("bad_encoding", name) from None
    return value


def part(row: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The object at a path; empty where there is none."""
    for name in names:
        inner = row.get(name)
        if not isinstance(inner, dict):
            return {}
        row = inner
    return row


def moment(row: Mapping[str, Any], *names: str) -> Value:
    """The first of these times: text, a number of the tracker's own (as text), or a datetime's microseconds."""
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return value
        if hasattr(value, "tzinfo"):  # a time column of Parquet
            return value.isoformat()  # type: ignore[no-any-return]
        raise RowError("bad_time", name)
    return None


def number(row: Mapping[str, Any], name: str) -> float | None:
    """A number that is not negative; null where there is none."""
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        found = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else float("nan")
    except (ValueError, OverflowError):
        found = float("nan")
    if not 0 <= found < float("inf"):
        raise RowError("negative_value" if found < 0 else "bad_number", name)
    return found


def converted(spec: TrackerSpec, name: str | None, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The value and currency cells of a conversion; nothing for other events."""
    rule = spec.converted
    if rule is None or name not in rule.events:
        return {}
    cells = {"value": properties.get(rule.value) if rule.value else None}
    return cells | ({"currency": text(properties, rule.currency)} if rule.currency else {})


def minor(value: Any, currency: str | None, unit: str, own: str) -> float | None:
    """A value in whole minor units of the dataset's currency `own`; null where there is none."""
    if currency is not None and currency.upper() != own:
        raise RowError("other_currency")
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value)).scaleb(exponent_of(own) if unit == "major" else 0)
    except InvalidOperation:
        raise RowError("bad_number") from None
    if not found.is_finite() or found < 0:
        raise RowError("negative_value" if found.is_finite() else "bad_number")
    if found > MOST_MINOR:
        raise RowError("bad_number")
    if found != found.to_integral_value():
        raise RowError("fraction_of_minor_unit")
    return float(found)
