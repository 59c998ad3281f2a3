"""Rows of the store's tables as columns of the records, and what is worked out while they are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from data.dataset import ExtraColumn, stored
from data.importers.calls import Call, profiles
from data.records import LEAD, Column, Columns, filled
from data.store.database import Row

LEAD_COLUMNS = tuple(c.name for c in LEAD.columns)
_NEVER = -(1 << 63)  # since when a row holds that has no time


def columns_of(rows: Sequence[Row], columns: Sequence[Column]) -> Columns:
    """Rows whose cells are in the order of `columns`."""
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return {c.name: filled(c.kind, cells[i]) for i, c in enumerate(columns)}


def lead_row(cells: Row, extra: Iterable[ExtraColumn]) -> dict[str, Any]:
    """A profile row of the table `leads`, whose last cell is the JSON of its declared columns."""
    more = json.loads(cells[-1]) if cells[-1] else {}
    return dict(zip(LEAD_COLUMNS, cells[:-1], strict=True)) | {e.name: more.get(e.name) for e in stored(extra)}


def call_of(cells: Row) -> Call:
    """A row of the table `identifies`."""
    message_id, visitor_id, lead_id, known_from, traits = cells
    return Call(known_from, message_id, visitor_id, lead_id, None if traits is None else json.loads(traits))


def told_rows(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """The profile rows that some calls tell; null where they do not say anything."""
    return [dict(row) for row in profiles(calls)]


def history(
    whole: Sequence[dict[str, Any]], told: Sequence[dict[str, Any]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """The profile rows of one lead as a dataset folder would keep them (`data/lake_merge.py`): what a told row does not
    say is as in the row before, and it counts only where something changed. `names`: all columns."""
    rows = [({n: r.get(n) for n in names}, False) for r in whole] + [({n: r.get(n) for n in names}, True) for r in told]
    rows.sort(key=lambda r: _since(r[0]))
    content = [n for n in names if n not in ("lead_id", "created_at", "valid_from", "source_row")]
    completed: list[tuple[dict[str, Any], bool]] = []
    for row, tells in rows:
        if tells and completed:
            before = completed[-1][0]
            row |= {n: before[n] for n in content if row[n] is None} | {"created_at": before["created_at"]}
        completed.append((row, tells))
    kept: list[dict[str, Any]] = []
    for _, together in groupby(completed, key=lambda r: _since(r[0])):
        row, tells = next(together)
        if not (tells and kept and all(row[n] == kept[-1][n] for n in content)):
            kept.append(row)
    return kept


def _since(row: dict[str, Any]) -> int:
    since = row["valid_from"] if row["valid_from"] is not None else row["created_at"]
    return _NEVER if since is None else int(since)


def changes(links: Iterable[Row]) -> Iterable[Row]:
    """Links (visitor, lead, known_from, kind) in the order of visitor, moment and lead, without those of `identify`
    that only say again what the one before said."""
    last: Row = ()
    for link in links:
        if link[3] != "identify" or link[:2] != last:
            yield link
        last = link[:2] if link[3] == "identify" else ()


def each_once(outcomes: Iterable[Row]) -> list[Row]:
    """Outcomes (lead, visitor, moment, kind, value, reason), the first of each person, moment, kind and value."""
    found: dict[Row, Row] = {}
    for lead, visitor, *rest in outcomes:
        person = ("v", visitor) if visitor is not None else ("l", lead)
        found.setdefault((person, *rest[:3]), (lead, visitor, *rest))
    return list(found.values())
