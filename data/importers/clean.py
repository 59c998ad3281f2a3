"""Raw cells of a tracker -> events: times in UTC, URLs without what is personal, bots marked, bad rows apart.

Works on whole columns; the loops that remain are over cells that Python alone can read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from data import bots, times
from data.currency import exponent_of
from data.importers import urls
from data.importers.batch import Batch, Broken
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerFile
from data.importers.values import Value
from data.records import DAY, MICROS, NULL_TIME

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
_UTC = times.TimeRule(times.zone_named("UTC"))
_MICRO = timedelta(microseconds=1)


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
    by_agent: int = 0


def clean(batch: Batch, file: TrackerFile, first_row: int) -> Cleaned:
    """Clean a batch; its good rows are numbered from `first_row`."""
    work = _Work(batch, file)
    skipped = work.keep_own_apps()
    work.read_times()
    work.require()
    work.clean_urls()
    minor = work.read_values()
    by_agent = work.mark_bots()
    rejects = sorted([*batch.broken, *work.broken()], key=lambda b: b.line)
    good = [i for i in range(work.n) if i not in work.bad]
    table = work.table(good, first_row)
    money = [Conversion(first_row + at, work.get("lead_id")[i], work.get("visitor_id")[i], work.get("occurred_at")[i],
                        minor.get(i)) for at, i in enumerate(good) if i in minor]  # fmt: skip
    return Cleaned(table, rejects, money, skipped, by_agent)


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


def _uniform(values: list[Any]) -> list[int | None] | None:
    """Times that are all numbers, or all texts of one spelling; None for any other column."""
    try:
        texts = pa.array(values)
        if pa.types.is_integer(texts.type) or pa.types.is_null(texts.type):
            return values
        for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):  # without a zone in all, or with one in all
            try:
                return texts.cast(kind).cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]
            except pa.ArrowInvalid:
                continue
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    return None


class _Work:
    """One batch while it is cleaned. `bad`: row -> (reason, column); the first reason counts."""

    def __init__(self, batch: Batch, file: TrackerFile) -> None:
        self.lines, self.columns, self.spec, self.file = list(batch.lines), dict(batch.columns), file.tracker, file
        self.bad: dict[int, tuple[str, str]] = {}

    @property
    def n(self) -> int:
        return len(self.lines)

    def get(self, name: str) -> list[Any]:
        return self.columns.get(name) or [None] * self.n

    def broken(self) -> list[Broken]:
        return [Broken(self.lines[i], reason, column) for i, (reason, column) in self.bad.items()]

    def keep_own_apps(self) -> int:
        """Leave out other apps; how many rows that were."""
        if not self.spec.apps:
            return 0
        own, before = set(self.spec.apps), self.n
        rows = [i for i, app in enumerate(self.get("app")) if (app or "") in own]
        if len(rows) < before:
            self.columns = {name: [column[i] for i in rows] for name, column in self.columns.items()}
            self.lines = [self.lines[i] for i in rows]
        return before - len(rows)

    def read_times(self) -> None:
        self.columns["occurred_at"] = self._times("occurred_at")
        ignore = self.spec.received_at == "ignore"
        self.columns["received_at"] = [None] * self.n if ignore else self._times("received_at")

    def _times(self, name: str) -> list[int | None]:
        values = self.get(name)
        if (quick := _uniform(values)) is not None:
            return quick
        found: list[int | None] = []
        for i, value in enumerate(values):
            try:
                found.append(None if value is None or value == "" else micros(value))
            except RowError as bad:
                self.bad.setdefault(i, (bad.reason, name))
                found.append(None)
        return found

    def require(self) -> None:
        """An id, a time, a person; and no event a day ahead of its arrival."""
        cells = zip(
            *(self.get(n) for n in ("event_id", "occurred_at", "received_at", "visitor_id", "lead_id")), strict=True
        )
        for i, (event_id, occurred, received, visitor, lead) in enumerate(cells):
            if event_id is None or occurred is None:
                self.bad.setdefault(i, ("missing_value", "event_id" if event_id is None else "occurred_at"))
            elif visitor is None and lead is None:
                self.bad.setdefault(i, ("no_person", ""))
            elif received is not None and occurred - received > DAY:
                self.bad.setdefault(i, ("ahead_of_arrival", "received_at"))
            elif not 0 <= occurred < 253_402_300_800 * MICROS:
                self.bad.setdefault(i, ("bad_time", "occurred_at"))

    def clean_urls(self) -> None:
        column = self.get("url")
        pages = self._each(column, urls.page, "url")
        self.columns["url"] = [pages[u].url or None if u in pages else None for u in column]
        for name in ("source", "medium", "campaign", "click_id_kind"):
            told = {u: value for u, p in pages.items() if (value := getattr(p, name)) is not None}
            if told:
                own = self.get(name)
                self.columns[name] = [told.get(u) if o is None else o for o, u in zip(own, column, strict=True)]
        hosts = self._each(self.get("referrer"), urls.host, "referrer")
        self.columns["referrer_host"] = [hosts.get(r) or None for r in self.get("referrer")]
        if "credit_url" in self.columns:
            credits = self._each(self.get("credit_url"), urls.page, "credit_url")
            self.columns["credit_url"] = [credits[u].url if u in credits else None for u in self.get("credit_url")]

    def _each(self, column: list[str | None], clean_one: Callable[[str], Any], name: str) -> dict[str | None, Any]:
        """What becomes of each distinct text; rows with one that is refused are bad."""
        found: dict[str | None, Any] = {}
        refused: dict[str | None, str] = {}
        for text in {t for t in column if t}:
            try:
                found[text] = clean_one(text)
            except RowError as bad:
                refused[text] = bad.reason
        if refused:
            for i, text in enumerate(column):
                if text in refused:
                    self.bad.setdefault(i, (refused[text], name))
        return found

    def read_values(self) -> dict[int, float | None]:
        """Row -> value in minor units, for the rows that are conversions."""
        rule = self.spec.converted
        if rule is None:
            return {}
        found: dict[int, float | None] = {}
        names, values, currencies = self.get("name"), self.get("value"), self.get("currency")
        for i, name in enumerate(names):
            if name in rule.events and i not in self.bad:
                try:
                    found[i] = self._minor(values[i], currencies[i], rule.unit)
                except RowError as bad:
                    self.bad[i] = (bad.reason, rule.value or "")
        return {i: v for i, v in found.items() if i not in self.bad}

    def _minor(self, value: Any, currency: str | None, unit: str) -> float | None:
        own = self.file.dataset.currency
        if currency is not None and currency.upper() != own:
            raise RowError("other_currency")
        if value is None or value == "":
            return None
        try:
            minor = Decimal(str(value)).scaleb(exponent_of(own) if unit == "major" else 0)
        except InvalidOperation:
            raise RowError("bad_number") from None
        if not minor.is_finite() or minor < 0:
            raise RowError("negative_value" if minor.is_finite() else "bad_number")
        if minor != minor.to_integral_value():
            raise RowError("fraction_of_minor_unit")
        return float(minor)

    def mark_bots(self) -> int:
        """Flags by user agent and by what the tracker found; how many of the good rows have one."""
        agents = self.get("user_agent")
        crawlers = {agent for agent in set(agents) if bots.is_crawler(agent)}
        flags = [bool(own) or agent in crawlers for own, agent in zip(self.get("bot"), agents, strict=True)]
        self.columns["is_bot"] = flags
        return sum(flag and i not in self.bad for i, flag in enumerate(flags))

    def table(self, good: list[int], first_row: int) -> pa.Table:
        types = self.spec.types
        if types:
            named = zip(self.get("name"), self.get("type"), strict=True)
            self.columns["type"] = [types.get(name, kind) for name, kind in named]
        whole = len(good) == self.n
        arrays = []
        for item in SCHEMA:
            if item.name == "row":
                arrays.append(pa.array(range(first_row, first_row + len(good)), pa.int64()))
                continue
            column = self.get(item.name)
            arrays.append(pa.array(column if whole else [column[i] for i in good], item.type))
        return pa.Table.from_arrays(arrays, schema=SCHEMA)


def seen_from(table: pa.Table) -> Any:
    """When each event was known: its arrival, at the earliest its own time; int64 microseconds."""
    import numpy as np

    received = table["received_at"].fill_null(pa.scalar(NULL_TIME, pa.int64())).to_numpy()
    return np.maximum(table["occurred_at"].to_numpy(), received)
