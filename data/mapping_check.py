"""Does a mapping make sense? Names, units, zones, leaks; everything that needs no data."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from data.errors import MappingError
from data.leaks import leak_reason
from data.mapping import Extra, MappingFile, Source, TableSpec, nearest
from data.records import CONSENT, EVENT, LEAD, LINK, OUTCOME, PROFILE_NUMBER, SPEND, Column, Record
from data.times import EPOCH_UNITS, zone_named

SECONDS = {"s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0, "d": 86_400.0}
MONEY = ("major", "minor")
# Words for counts and shares; they are shown to people and convert nothing.
WORDS = (
    "count",
    "visits",
    "pages",
    "events",
    "people",
    "days",
    "years",
    "share",
    "percent",
    "points",
    "major",
    "minor",
)
EXTRA_UNITS = (*SECONDS, *WORDS)

SESSION = Record(
    "sessions",
    (
        Column("session_id", "text", required=True),
        Column("visitor_id", "text"),
        Column("lead_id", "text"),
        Column("started_at", "time", required=True),
        *(Column(n, "text") for n in ("source", "medium", "campaign", "referrer_host")),
    ),
)
# The history of lead columns: what a profile row was before it was what the lead table says.
CHANGE = Record(
    "changes",
    (
        Column("lead_id", "text", required=True),
        Column("changed_at", "time", required=True),
        Column("field", "text", required=True),
        *(Column(n, "text") for n in ("old", "new")),
    ),
)
RECORD_OF = {
    "lead": LEAD, "labelled_lead": LEAD, "event": EVENT, "session": SESSION, "outcome": OUTCOME, "link": LINK,
    "consent": CONSENT, "spend": SPEND, "change": CHANGE,
}  # fmt: skip
# Targets that are reduced to columns of the record when they are read.
FURTHER = {
    "lead": (Column("email", "text"), Column("visitor_id", "text")),
    "labelled_lead": (Column("email", "text"),),
    "event": (Column("referrer", "text"),),
    "session": (Column("referrer", "text"),),
    "outcome": (Column("session_id", "text"),),
}
INTERNAL = ("source_row",)
# At least one target of each group must be mapped.
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "lead": (("created_at",),),
    "labelled_lead": (),
    "event": (("occurred_at",), ("type",), ("visitor_id", "lead_id", "session_id")),
    "session": (("session_id",), ("started_at",), ("visitor_id", "lead_id")),
    "outcome": (("lead_id", "session_id", "visitor_id"), ("occurred_at",), ("kind",)),
    "link": (("visitor_id",), ("lead_id",), ("known_from",)),
    "consent": (("lead_id",), ("purpose",), ("given_at",)),
    "spend": (("date",), ("channel",), ("amount",)),
    "change": (("lead_id",), ("changed_at",), ("field",), ("new",)),
}
NOT_PROFILE = ("lead_id", "account_id", "created_at", "valid_from", "email", "email_hash", "visitor_id")


def targets(record: str) -> dict[str, Column]:
    """The targets a table of this record may name."""
    columns = (*RECORD_OF[record].columns, *FURTHER.get(record, ()))
    return {c.name: c for c in columns if c.name not in INTERNAL}


def check(path: Path, file: MappingFile) -> None:
    """Raise a MappingError for the first thing in the mapping that cannot work."""
    _check_zone(f"{path}, dataset.timezone", file.dataset.timezone)
    _check_closed_at(f"{path}, dataset.closed_at", file)
    for i, table in enumerate(file.table):
        _check_table(f"{path}, [[table]] {i + 1}", table)
    _check_label(path, file)
    _check_extras_agree(path, file)
    _check_changes(path, file)
    _check_order(path, file)
    _check_derived(path, file)


def profile_sources(table: TableSpec) -> Iterator[tuple[str, Source]]:
    """The (target, source) pairs of a table that could become features."""
    if table.record in ("lead", "labelled_lead"):
        yield from ((t, s) for t, s in table.columns.items() if t not in NOT_PROFILE)
    yield from ((n, e) for n, e in table.extra.items() if e.role != "comparator")


def _check_table(where: str, table: TableSpec) -> None:
    known = targets(table.record)
    for target, source in table.columns.items():
        if target not in known:
            raise MappingError(f"{where}, columns: {table.record} has no column {target}. {nearest(target, [*known])}")
        _check_source(f"{where}, columns.{target}", known[target], source)
    for group in NEEDED[table.record]:
        if not any(target in table.columns for target in group):
            raise MappingError(
                f"{where}: a {table.record} table needs {' or '.join(group)}. Map it in [table.columns]."
            )
    _check_format(f"{where}, exported", table.exported)
    for key, records in (("exported", ("lead",)), ("restates", ("event", "spend"))):
        if getattr(table, key) is not None and table.record not in records:
            raise MappingError(f"{where}: {key} is for {' and '.join(records)} tables. Leave it out.")
    for name, extra in table.extra.items():
        _check_extra(f"{where}, extra.{name}", name, extra, table)
    for target, source in profile_sources(table):
        _refuse_leak(f"{where}, {target}", target, source)


def _check_source(where: str, column: Column, source: Source) -> None:
    if source.kind is not None and source.kind != column.kind:
        raise MappingError(f"{where}: expected kind {column.kind}, got {source.kind}. Leave kind out.")
    if source.value is not None and column.choices and source.value not in column.choices:
        raise MappingError(f"{where}: no such value {source.value}. {nearest(source.value, [*column.choices])}")
    units = _units(column)
    if column.kind == "money" and source.unit is None:
        raise MappingError(f'{where}: money needs a unit. Add unit = "major" (12.50) or unit = "minor" (1250).')
    _check_unit(where, source.unit, units)
    for key, kind in (("fold", "time"), ("timezone", "time"), ("format", "time"), ("currency", "money")):
        if getattr(source, key) is not None and column.kind != kind:
            raise MappingError(f"{where}: {key} is for {kind} columns, {column.name} is {column.kind}. Leave it out.")
    if source.cut_over is not None and column.name != "received_at":
        raise MappingError(f"{where}: cut_over is for received_at only. Leave it out.")
    if source.id is not None and not column.name.endswith("_id"):
        raise MappingError(f"{where}: id is for ids, {column.name} is none. Leave it out.")
    _check_zone(where, source.timezone)
    _check_format(where, source.format)


def _units(column: Column) -> tuple[str, ...]:
    if column.kind == "time":
        return tuple(EPOCH_UNITS)
    if column.kind == "money":
        return MONEY
    return tuple(SECONDS) if column.unit == "s" else (column.unit,) if column.unit else ()


def _check_unit(where: str, unit: str | None, units: tuple[str, ...]) -> None:
    if unit is None or unit in units:
        return
    if not units:
        raise MappingError(f"{where}: this column has no unit, got {unit}. Leave unit out.")
    raise MappingError(f"{where}: unknown unit {unit}. Expected one of {', '.join(units)}.")


def _check_extra(where: str, name: str, extra: Extra, table: TableSpec) -> None:
    if table.record not in ("lead", "labelled_lead", "session"):
        raise MappingError(f"{where}: extra columns belong to leads, not to {table.record} tables. Leave them out.")
    if not name.isidentifier() or name != name.lower() or LEAD.column(name) or name in ("lead", "email"):
        raise MappingError(f"{where}: expected a new name in snake_case, got {name}. Rename it.")
    if extra.kind == "text" and extra.unit is not None:
        raise MappingError(f'{where}: a text has no unit, got {extra.unit}. Add kind = "number" or leave unit out.')
    if extra.kind == "text" and extra.role == "behaviour_total":
        raise MappingError(f'{where}: a behaviour_total is a number. Add kind = "number", or use role = "attribute".')
    _check_unit(where, extra.unit, EXTRA_UNITS)
    for key in ("fold", "timezone", "format", "currency", "cut_over", "id", "via"):
        if getattr(extra, key) is not None:
            raise MappingError(f"{where}: {key} is not for extra columns. Leave it out.")


def _refuse_leak(where: str, target: str, source: Source) -> None:
    name = source.column if source.column and leak_reason(source.column) else target
    reason = leak_reason(name)
    if reason is not None:
        raise MappingError(
            f"{where}: column {name} is refused as a feature: {reason}. Leave it out, or declare it as an extra column "
            'with role = "comparator".'
        )


def _check_zone(where: str, name: str | None) -> None:
    if name is None:
        return
    try:
        zone_named(name)
    except ValueError:
        near = nearest(name, sorted(zoneinfo.available_timezones()))
        hint = near if near.startswith("Did") else "Use an IANA name such as Europe/Berlin."
        raise MappingError(f"{where}: unknown time zone {name}. {hint}") from None


def _check_format(where: str, pattern: str | None) -> None:
    try:
        if pattern is not None:
            datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(pattern), pattern)
    except ValueError:
        raise MappingError(f"{where}: expected a pattern such as %d.%m.%Y %H:%M, got {pattern}. Correct it.") from None


def _check_closed_at(where: str, file: MappingFile) -> None:
    from data.times import TimeError

    try:
        closed_at(file)
    except TimeError as bad:
        raise MappingError(
            f"{where}: expected a time such as 2012-04-04T20:00:00Z, got {file.dataset.closed_at} "
            f"({bad.reason.replace('_', ' ')}). Correct it."
        ) from None


def closed_at(file: MappingFile) -> int | None:
    """The end of the closed window in microseconds; a date alone is the start of that day."""
    from data.times import TimeRule, parse

    if file.dataset.closed_at is None:
        return None
    zone = zone_named(file.dataset.timezone) if file.dataset.timezone else None
    return parse(file.dataset.closed_at, TimeRule(zone))


def _check_label(path: Path, file: MappingFile) -> None:
    labelled = [t.record == "labelled_lead" for t in file.table]
    if any(labelled) and file.label is None:
        raise MappingError(f"{path}: a labelled_lead table needs [label] with column and true. Add it.")
    if file.label is not None and not any(labelled):
        raise MappingError(f"{path}: [label] is for labelled_lead tables. Leave it out, or change record.")
    if any(labelled) and not all(labelled):
        raise MappingError(f"{path}: labelled_lead tables have no times and cannot be mixed with other records.")
    if file.label is None:
        return
    if both := sorted(set(file.label.true) & set(file.label.false)):
        raise MappingError(f"{path}, label: {', '.join(both)} is both true and false. Keep it in one list.")
    for table in file.table:
        for target, source in (*table.columns.items(), *table.extra.items()):
            if source.column == file.label.column:
                raise MappingError(f"{path}, {target}: column {source.column} is the label. Leave it out.")


def _check_extras_agree(path: Path, file: MappingFile) -> None:
    seen: dict[str, Mapping[str, object]] = {}
    for table in file.table:
        for name, extra in table.extra.items():
            said = extra.model_dump(include={"kind", "role", "unit", "label_en", "label_de"})
            if seen.setdefault(name, said) != said:
                raise MappingError(
                    f"{path}, extra.{name}: declared twice and differently. Declare it alike in each table."
                )


def _check_derived(path: Path, file: MappingFile) -> None:
    """A derived column is a sum or a product of number columns that a model may see."""
    extras = {n: e for t in file.table for n, e in t.extra.items()}
    known = [*PROFILE_NUMBER, *(n for n, e in extras.items() if e.kind == "number" and e.role != "comparator")]
    for name, derived in file.derived.items():
        parts, where = derived.sum + derived.product, f"{path}, derived.{name}"
        if bool(derived.sum) == bool(derived.product) or len(parts) < 2:
            raise MappingError(f"{where}: expected sum or product, of two columns or more. Give one of the two.")
        if name in extras or name in {c.name for c in LEAD.columns}:
            raise MappingError(f"{where}: there is a column {name} already. Choose another name.")
        for part in parts:
            if part not in known:
                raise MappingError(
                    f"{where}: expected a number column declared before, got {part}. {nearest(part, known)}"
                )
        known.append(name)


def _check_changes(path: Path, file: MappingFile) -> None:
    """A history needs leads that it is of, and these get their valid_from from it."""
    leads = [t for t in file.table if t.record == "lead"]
    if not any(t.record == "change" for t in file.table):
        return
    if not leads:
        raise MappingError(f"{path}: a change table needs a lead table whose columns it is the history of. Add it.")
    for table in leads:
        if "lead_id" not in table.columns:
            raise MappingError(f"{path}: leads with a change table need an id. Map lead_id.")
        if "valid_from" in table.columns:
            raise MappingError(f"{path}: valid_from comes from the change table. Leave it out of the lead table.")


def _check_order(path: Path, file: MappingFile) -> None:
    numbers = [n for t in file.table for n, e in t.extra.items() if e.kind == "number"]
    known = ["source_row", "created_at", "employees", *numbers]
    if file.split.order_by and file.split.order_by not in known:
        raise MappingError(f"{path}, split.order_by: no such column {file.split.order_by}. "
                           f"{nearest(file.split.order_by, known)}")  # fmt: skip
