"""Raw cells of a tracker -> events: times in UTC, URLs without what is personal, bots marked, bad rows apart.

Works on whole columns; the loops that remain are over cells that Python alone can read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data import bots
from data.importers import urls
from data.importers.batch import Batch, Cells, by_text
from data.importers.cells import FAR, LAST_TIME, Broken, micros, minor
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerFile
from data.records import DAY, NULL_TIME

TEXTS = (
    "event_id", "visitor_id", "lead_id", "session_id", "type", "url", "referrer_host", "source", "medium", "campaign",
    "click_id_kind", "dwell_basis", "page_view_id", "credit_url",
)  # fmt: skip
SCHEMA = pa.schema(
    [
        *(pa.field(n, pa.string()) for n in TEXTS),
        *(pa.field(n, pa.int64()) for n in ("occurred_at", "received_at", "row", "source_day")),
        *(pa.field(n, pa.float64()) for n in ("dwell_seconds", "credit_seconds")),
        pa.field("is_bot", pa.bool_()),
    ]
)
_TEXT = pa.string()


@dataclass(frozen=True)
class Conversion:
    """A conversion whose lead may be known only through a later link."""

    row: int
    lead_id: str | None
    visitor_id: str | None
    occurred_at: int
    value: float | None


@dataclass
class Cleaned:
    """The good rows as a table of SCHEMA; what is wrong with the others; skipped rows are of other apps."""

    table: pa.Table
    rejects: list[Broken] = field(default_factory=list)
    conversions: list[Conversion] = field(default_factory=list)
    skipped: int = 0


def clean(batch: Batch, file: TrackerFile, first_row: int) -> Cleaned:
    """Clean a batch; its good rows are numbered from `first_row`."""
    work = _Work(batch, file)
    skipped = work.keep_own_apps()
    work.read_times()
    work.require()
    work.clean_urls()
    values = work.read_values()
    work.mark_bots()
    rejects = sorted([*batch.broken, *work.broken()], key=lambda b: b.line)
    good = np.flatnonzero(work.why < 0)
    table = work.table(good, first_row)
    return Cleaned(table, rejects, _conversions(table, good, values, first_row), skipped)


def _conversions(
    table: pa.Table, good: NDArray[np.int64], values: dict[int, float | None], first_row: int
) -> list[Conversion]:
    at = np.searchsorted(good, np.array(sorted(values), dtype=np.int64))
    told = table.select(["lead_id", "visitor_id", "occurred_at"]).take(pa.array(at)).to_pylist()
    return [Conversion(first_row + row, **who, value=values[i])
            for row, i, who in zip(at.tolist(), sorted(values), told, strict=True)]  # fmt: skip


def _uniform(values: Cells) -> pa.Array | None:
    """Times that are all numbers, or all texts of one spelling; None for any other column."""
    try:
        found = values if isinstance(values, pa.Array) else pa.array(values)
        if pa.types.is_integer(found.type) or pa.types.is_null(found.type):
            return found.cast(pa.int64())
        for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):  # without a zone in all, or with one in all
            try:
                return found.cast(kind).cast(pa.int64())
            except pa.ArrowInvalid:
                continue
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    return None


class _Work:
    """One batch while it is cleaned. `why`: of each row a place in `reasons` (reason, column), -1 = good."""

    def __init__(self, batch: Batch, file: TrackerFile) -> None:
        self.lines: Sequence[int] = batch.lines
        self.columns: dict[str, Cells] = dict(batch.columns)
        self.spec, self.file = file.tracker, file
        self.why, self.reasons = np.full(len(self.lines), -1), [("", "")]

    @property
    def n(self) -> int:
        return len(self.lines)

    def get(self, name: str, kind: pa.DataType = _TEXT) -> pa.Array:
        """A column, or nulls."""
        column = self.columns.get(name)
        if column is None:
            return pa.nulls(self.n, kind)
        if not isinstance(column, pa.Array):
            self.columns[name] = column = pa.array(column, kind)
        return column

    def refuse(self, rows: NDArray[np.bool_], reason: str, column: str = "") -> None:
        """The first reason counts."""
        rows = rows & (self.why < 0)
        if rows.any():
            self.why[rows] = len(self.reasons)
            self.reasons.append((reason, column))

    def refuse_each(self, reasons: Mapping[int, str], of: NDArray[np.int64], column: str) -> None:
        """A reason for each number; `of`: the number of each row."""
        for reason in dict.fromkeys(reasons.values()):
            self.refuse(np.isin(of, [i for i, why in reasons.items() if why == reason]), reason, column)

    def broken(self) -> list[Broken]:
        return [Broken(self.lines[i], *self.reasons[self.why[i]]) for i in np.flatnonzero(self.why >= 0).tolist()]

    def keep_own_apps(self) -> int:
        """Leave out other apps; how many rows that were."""
        if not self.spec.apps:
            return 0
        own = pc.is_in(pc.fill_null(self.get("app"), ""), pa.array(self.spec.apps, _TEXT))
        rows, before = np.flatnonzero(np.asarray(own)), self.n
        if len(rows) < before:
            kept = rows.tolist()
            self.columns = {name: column.take(pa.array(rows)) if isinstance(column, pa.Array) else
                            [column[i] for i in kept] for name, column in self.columns.items()}  # fmt: skip
            self.lines, self.why = [self.lines[i] for i in kept], self.why[rows]
        return before - len(rows)

    def read_times(self) -> None:
        self.columns["occurred_at"] = self._times("occurred_at")
        ignore = self.spec.received_at == "ignore"
        self.columns["received_at"] = pa.nulls(self.n, pa.int64()) if ignore else self._times("received_at")

    def _times(self, name: str) -> pa.Array:
        values = self.columns.get(name)
        if values is None:
            return pa.nulls(self.n, pa.int64())
        if (quick := _uniform(values)) is not None:
            return quick
        found: list[int | None] = []
        refused: dict[int, str] = {}
        for i, value in enumerate(values.to_pylist() if isinstance(values, pa.Array) else values):
            try:
                found.append(None if value is None or value == "" else max(-FAR, min(micros(value), FAR)))
            except RowError as bad:
                refused[i] = bad.reason
                found.append(None)
        self.refuse_each(refused, np.arange(self.n), name)
        return pa.array(found, pa.int64())

    def require(self) -> None:
        """An id, a time, a person; and no event a day ahead of its arrival."""
        null = {n: np.asarray(pc.is_null(self.get(n))) for n in ("event_id", "occurred_at", "visitor_id", "lead_id")}
        at = np.clip(np.asarray(pc.fill_null(self.get("occurred_at"), 0)), -FAR, FAR)
        arrived = np.asarray(pc.fill_null(self.get("received_at"), LAST_TIME))
        self.refuse(null["event_id"], "missing_value", "event_id")
        self.refuse(null["occurred_at"], "missing_value", "occurred_at")
        self.refuse(null["visitor_id"] & null["lead_id"], "no_person")
        self.refuse(at - DAY > arrived, "ahead_of_arrival", "received_at")
        self.refuse((at < 0) | (at >= LAST_TIME), "bad_time", "occurred_at")

    def clean_urls(self) -> None:
        codes, pages = self._each("url", urls.page)
        self.columns["url"] = _told([(p and p.url) or None for p in pages], codes)
        for name in ("source", "medium", "campaign", "click_id_kind"):
            told = [p and getattr(p, name) for p in pages]
            if any(t is not None for t in told):
                self.columns[name] = pc.coalesce(self.get(name), _told(told, codes))
        codes, hosts = self._each("referrer", urls.host)
        self.columns["referrer_host"] = _told([h or None for h in hosts], codes)
        if "credit_url" in self.columns:
            codes, pages = self._each("credit_url", urls.page)
            self.columns["credit_url"] = _told([p and p.url for p in pages], codes)

    def _each(self, name: str, clean_one: Callable[[str], Any]) -> tuple[pa.Array, list[Any]]:
        """Each row's place in what becomes of the distinct texts; rows with one that is refused are bad."""
        coded = self.get(name).dictionary_encode()
        found: list[Any] = []
        refused: dict[int, str] = {}
        for code, text in enumerate(coded.dictionary.to_pylist()):
            try:
                found.append(clean_one(text) if text else None)
            except RowError as bad:
                found.append(None)
                refused[code] = bad.reason
        self.refuse_each(refused, np.asarray(pc.fill_null(coded.indices, -1)), name)
        return coded.indices, found

    def read_values(self) -> dict[int, float | None]:
        """Row -> value in minor units, for the rows that are conversions."""
        rule = self.spec.converted
        if rule is None:
            return {}
        named = np.asarray(pc.is_in(self.get("name"), pa.array(rule.events, _TEXT)))
        rows = np.flatnonzero(named & (self.why < 0)).tolist()
        found: dict[int, float | None] = {}
        refused: dict[int, str] = {}
        for i, value, currency in zip(rows, self._cells("value", rows), self._cells("currency", rows), strict=True):
            try:
                found[i] = minor(value, currency, rule.unit, self.file.dataset.currency)
            except RowError as bad:
                refused[i] = bad.reason
        self.refuse_each(refused, np.arange(self.n), rule.value or "")
        return found

    def _cells(self, name: str, rows: list[int]) -> list[Any]:
        """Some cells of a column, as Python has them."""
        column = self.columns.get(name)
        if isinstance(column, pa.Array):
            return column.take(pa.array(rows, pa.int64())).to_pylist()  # type: ignore[no-any-return]
        return [None if column is None else column[i] for i in rows]

    def mark_bots(self) -> None:
        """Flags by user agent and by what the tracker found."""
        agents = self.get("user_agent").dictionary_encode()
        named = pa.array([bots.is_crawler(agent) for agent in agents.dictionary.to_pylist()], pa.bool_())
        by_agent, own = named.take(agents.indices), self.get("bot", pa.bool_())
        self.columns["is_bot"] = pc.or_(pc.fill_null(by_agent, False), pc.fill_null(own, False))

    def table(self, good: NDArray[np.int64], first_row: int) -> pa.Table:
        if types := self.spec.types:
            self.columns["type"] = pc.coalesce(by_text(self.get("name"), types.get), self.get("type"))
        self.columns["row"] = pa.nulls(self.n, pa.int64())
        table = pa.Table.from_arrays([self.get(item.name, item.type) for item in SCHEMA], schema=SCHEMA)
        table = table if len(good) == self.n else table.take(pa.array(good))
        rows = pa.array(np.arange(first_row, first_row + len(good)))
        return table.set_column(SCHEMA.get_field_index("row"), "row", rows)


def _told(values: list[str | None], codes: pa.Array) -> pa.Array:
    return pa.array(values, _TEXT).take(codes)


def seen_from(table: pa.Table) -> Any:
    """When each event was known: its arrival, at the earliest its own time; int64 microseconds."""
    received = table["received_at"].fill_null(pa.scalar(NULL_TIME, pa.int64())).to_numpy()
    return np.maximum(table["occurred_at"].to_numpy(), received)
