"""What a tracker's reader hands over: columns of raw cells, a batch of rows at a time; and the small readers of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.importers.json_lines import objects
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerSpec
from data.importers.values import Value

ROWS = 50_000
Advance = Callable[[int], None]
Reader = Callable[[Path, TrackerSpec, Advance], Iterator["Batch"]]
Cells = list[Any] | pa.Array


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
class Batch:
    """Some rows. `columns` by name, all as long as `lines`, lists or Arrow arrays; an absent one is all null:

    event_id, visitor_id, lead_id, session_id, name (the tracker's own), type, app, url, referrer, source, medium,
    campaign, click_id_kind, user_agent: text. occurred_at, received_at: text, or microseconds as int.
    dwell_seconds: float, with dwell_basis. credit_seconds: time measured by this event but spent on `credit_url`.
    bot: what the tracker itself found. page_view_id: of a heartbeat. value, currency: of a conversion. source_day: day
    of the table a row is from, in days since 1970, where the tracker restates days.
    """

    lines: Sequence[int] = field(default_factory=list)
    columns: Mapping[str, Cells] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    people: list[Identified] = field(default_factory=list)


@dataclass
class Told:
    """What one JSON object tells."""

    events: list[dict[str, Any]] = field(default_factory=list)
    person: Identified | None = None


def batches(
    path: Path, spec: TrackerSpec, advance: Advance, tell: Callable[[dict[str, Any], int, TrackerSpec], Told]
) -> Iterator[Batch]:
    """The objects of a file, told one by one."""
    batch, rows, lines = Batch(), [], []
    for item in objects(path, advance):
        try:
            if item.value is None:
                raise RowError("malformed_json")
            told = tell(item.value, item.line, spec)
        except RowError as bad:
            batch.broken.append(Broken(item.line, bad.reason, bad.column))
            continue
        if told.person is not None:
            batch.people.append(told.person)
        rows += told.events
        lines += [item.line] * len(told.events)
        if len(rows) >= ROWS:
            yield _filled(batch, rows, lines)
            batch, rows, lines = Batch(), [], []
    yield _filled(batch, rows, lines)


def by_text(column: pa.Array, told: Callable[[str], str | None]) -> pa.Array:
    """What becomes of each text, asked once for each distinct one; null stays null."""
    coded = column.dictionary_encode()
    return pa.array([told(text) for text in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _filled(batch: Batch, rows: list[dict[str, Any]], lines: list[int]) -> Batch:
    names = {name for row in rows for name in row}
    batch.lines = lines
    batch.columns = {name: [row.get(name) for row in rows] for name in sorted(names)}
    return batch


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
