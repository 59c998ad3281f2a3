"""A table's mapping, bound to the header of one file: cells in, values by target out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import MappingError
from data.importers import values
from data.importers.lookups import Lookups
from data.importers.rejects import RowError
from data.leaks import leak_reason
from data.mapping import MappingFile, Source, TableSpec, nearest
from data.mapping_check import targets
from data.records import Column
from data.times import zone_named

IGNORE = "ignore"  # received_at = "ignore": arrivals are a load time and count as unknown
DERIVED = frozenset({("event", "event_id"), ("outcome", "lead_id"), ("link", "kind")})
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Cell:
    """How one target is read: from the cell at `index`, or the constant of `source`."""

    target: str
    index: int
    source: Source
    nulls: frozenset[str]
    required: bool
    convert: values.Convert

    def read(self, fields: Sequence[str]) -> values.Value:
        text = (fields[self.index] if self.index >= 0 else self.source.value or "").strip()
        if not text or text in self.nulls:
            if self.required:
                raise RowError("missing_value", self.source.column or "")
            return None
        text = text.lower() if self.source.lower else text
        try:
            return self.convert(self.source.values.get(text, text))
        except RowError as bad:
            raise RowError(bad.reason, self.source.column or self.target) from None


@dataclass(frozen=True)
class Plan:
    """How the rows of one file are read. `left_out`: columns on the deny-list that the mapping leaves alone."""

    cells: tuple[Cell, ...]
    currency: tuple[int, str, str] | None  # index, column name, the dataset's currency
    label: int
    header: tuple[str, ...]
    shown: frozenset[int]
    left_out: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]
    where: tuple[tuple[int, frozenset[str]], ...] = ()

    def takes(self, fields: Sequence[str]) -> bool:
        """Is this a row of the record, as `where` says?"""
        cells = ((fields[index].strip().lower(), texts) for index, texts in self.where)
        return all(cell in texts or (cell != "" and "*" in texts) for cell, texts in cells)

    def read(self, fields: Sequence[str]) -> dict[str, values.Value]:
        """Values by target; a RowError with the table's column for what cannot be used."""
        if self.currency is not None:
            index, name, currency = self.currency
            if fields[index].strip().upper() not in ("", currency):
                raise RowError("other_currency", name)
        return {c.target: c.read(fields) for c in self.cells}

    def column_of(self, name: str) -> str:
        """The table's column for a target; a name that is a column already stays."""
        source = next((c.source.column for c in self.cells if c.target == name and name not in self.header), None)
        return source or name

    def payload(self, fields: Sequence[str]) -> str:
        """A rejected row for people to correct: mapped columns only, without anything personal.

        Of a row that does not fit the header nobody knows which field is personal, so only their number is kept
        unless every column of the table may be shown.
        """
        if len(fields) != len(self.header):
            may_show = len(self.shown) == len(self.header) and not any("@" in f for f in fields)
            return json.dumps({"fields": list(fields) if may_show else len(fields)}, ensure_ascii=True)
        cells = {
            name: HIDDEN if i not in self.shown or "@" in field else field
            for i, (name, field) in enumerate(zip(self.header, fields, strict=True))
        }
        return json.dumps(cells, ensure_ascii=True)


def plan(
    path: Path, header: tuple[str, ...], spec: TableSpec, file: MappingFile, lookups: Lookups | None = None
) -> Plan:
    """Bind a table's mapping to a header; a missing column is a MappingError with the nearest existing one."""
    columns, zone = targets(spec.record), zone_named(file.dataset.timezone) if file.dataset.timezone else None
    cells = []
    for target, source in spec.columns.items():
        if target == "received_at" and source.column == IGNORE and IGNORE not in header:
            continue
        convert = values.converter(columns[target], source, zone, file.dataset.currency)
        if source.id is not None:
            convert = values.chained(values.salesforce_id, convert)
        if source.via is not None and lookups is not None:
            convert = values.chained(lookups.reader(source.via, source.id), convert)
            convert = values.chained(values.salesforce_id, convert) if source.id else convert
        cells.append(_cell(path, header, spec, columns[target], source, convert))
    for name, extra in spec.extra.items():
        cells.append(_cell(path, header, spec, Column(name, extra.kind), extra, values.extra_converter(extra)))
    where = tuple(
        (_index(path, header, name, "where"), frozenset(t.lower() for t in texts)) for name, texts in spec.where.items()
    )
    used = {c.index for c in cells if c.index >= 0} | {index for index, _ in where}
    label = _index(path, header, file.label.column, "[label]") if file.label else -1
    currency = _currency(path, header, spec, file)
    used |= {currency[0]} if currency else set()
    rest = [n for i, n in enumerate(header) if i not in used and i != label]
    leaks = [(n, reason) for n in rest if spec.record in ("lead", "labelled_lead", "session")
             and (reason := leak_reason(n)) is not None]  # fmt: skip
    unused = tuple(n for n in rest if n not in dict(leaks))
    shown = frozenset((used | {label}) - {-1} - _personal(cells))
    return Plan(tuple(cells), currency, label, header, shown, tuple(leaks), unused, where)


def _cell(
    path: Path, header: tuple[str, ...], spec: TableSpec, column: Column, source: Source, convert: values.Convert
) -> Cell:
    index = -1 if source.column is None else _index(path, header, source.column, column.name)
    nulls = frozenset(spec.null if source.null is None else source.null)
    required = column.required and (spec.record, column.name) not in DERIVED
    required = required or (spec.record, column.name) == ("lead", "created_at")
    if source.lower:
        source = _lowered(source)
    return Cell(column.name, index, source, nulls, required, convert)


def _lowered(source: Source) -> Source:
    """`values` of a lower-cased column are looked up in lower case."""
    return source.model_copy(update={"values": {k.lower(): v for k, v in source.values.items()}})


def _index(path: Path, header: tuple[str, ...], name: str, target: str) -> int:
    if name not in header:
        raise MappingError(
            f'{path}: expected a column "{name}" (for {target}), got none. {nearest(name, list(header))} '
            "Correct the mapping or the table."
        )
    return header.index(name)


def _currency(path: Path, header: tuple[str, ...], spec: TableSpec, file: MappingFile) -> tuple[int, str, str] | None:
    names: Mapping[str, Source] = {t: s for t, s in spec.columns.items() if s.currency}
    for target, source in names.items():
        assert source.currency is not None
        return (
            _index(path, header, source.currency, f"the currency of {target}"),
            source.currency,
            file.dataset.currency,
        )
    return None


def _personal(cells: Sequence[Cell]) -> set[int]:
    return {c.index for c in cells if c.target in ("email", "email_hash", "url", "referrer")}
