"""A dataset folder into a store, and a store into a folder, batch by batch. Needs Arrow; the service does not come here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data import arrow, dataset_file
from data.dataset import DatasetInfo, ExtraColumn, stored
from data.errors import InputError
from data.importers.calls import profiles
from data.lake import Lake
from data.lake_merge import TOLD
from data.lake_write import LakeWriter
from data.records import CONSENT, EVENT, LEAD, LINK, OUTCOME, RECORDS, SPEND, Column, Columns, filled
from data.spans import FOREVER
from data.store.database import Database, Row
from data.store.rows import LEAD_COLUMNS, call_of, changes, columns_of, each_once, lead_row
from data.store.texts import DATASET, TRACKER, info_of, put_texts, texts_of
from data.store.transfer import refuse_filled
from data.store.write import EVENT_COLUMNS, IDENTIFY_COLUMNS, OUTCOME_COLUMNS, outcome_id

_BATCH = 50_000
_KNOWN_FROM = {  # by table: a row is known once all of these are past
    "events": ("occurred_at", "received_at"), "known_links": ("known_from",), "outcomes": ("occurred_at",),
    "consents": ("given_at",), "spend": ("date",), "leads": ("coalesce(valid_from, created_at)",),
    "identifies": ("known_from",),
}  # fmt: skip
_FILES = ("mapping.toml", "rules.yaml", "content.yaml")


# -- store -> folder -----------------------------------------------------------------------------------------------
def write_folder(db: Database, target: Path, before: int | None = None) -> bool:
    """The store as it is now, as a dataset folder; False if the same one is there already.

    before: only rows that were known before this moment (microseconds).
    """
    with db.reading():
        info = replace(info_of(db), digest="", counts={}, generation=0, latest_arrival=None)
        with LakeWriter(target, info) as writer:
            writer.begin("store")
            for name, columns in _records(db, info, FOREVER if before is None else before):
                writer.add(name, columns)
            return writer.commit({n: t for n, t in texts_of(db).items() if n in _FILES})


def _records(db: Database, info: DatasetInfo, before: int) -> Iterator[tuple[str, Columns]]:
    events = _select(db, "events", EVENT_COLUMNS, before, "event_id")
    links = _select(db, "known_links", [c.name for c in LINK.columns], before, "visitor_id", "known_from")
    outcomes = each_once(_select(db, "outcomes", OUTCOME_COLUMNS, before, "outcome_id"))
    yield from _batches("events", events, EVENT.columns)
    yield from _batches("links", changes(links), LINK.columns)
    yield from _batches("outcomes", outcomes, OUTCOME.columns)
    for record in (CONSENT, SPEND):
        names = [c.name for c in record.columns]
        yield from _batches(record.name, _select(db, record.name, names, before, names[0]), record.columns)
    yield from _lead_batches(db, info, before)


def _lead_batches(db: Database, info: DatasetInfo, before: int) -> Iterator[tuple[str, Columns]]:
    """Whole rows, then those that tell changes."""
    columns = arrow.columns_of(LEAD, info.extra)
    whole = (lead_row(r, info.extra) for r in _select(db, "leads", (*LEAD_COLUMNS, "extra"), before, "line"))
    calls = _select(db, "identifies", IDENTIFY_COLUMNS, before, "lead_id")
    told = ({**r, TOLD: True} for r in profiles(map(call_of, calls)))
    for some in _chunks(chain(whole, told)):
        cells: Columns = {c.name: filled(c.kind, [r.get(c.name) for r in some]) for c in columns}
        yield "leads", {**cells, TOLD: np.array([TOLD in r for r in some])}


def _select(db: Database, table: str, names: Sequence[str], before: int, *first: str) -> Iterator[Row]:
    """In the order of some columns and then of all, so that it does not matter where the database keeps a row."""
    order = [*first, *(f"{name} NULLS FIRST" for name in names if name not in first)]
    known = " AND ".join(f"({text} IS NULL OR {text} < {before})" for text in _KNOWN_FROM[table])
    return db.stream(f"SELECT {','.join(names)} FROM {table} WHERE {known} ORDER BY {','.join(order)}")


def _batches(record: str, rows: Any, columns: Sequence[Column]) -> Iterator[tuple[str, Columns]]:
    for some in _chunks(iter(rows)):
        yield record, columns_of(some, columns)


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    some: list[Any] = []
    for row in rows:
        some.append(row)
        if len(some) >= _BATCH:
            yield some
            some = []
    if some:
        yield some


# -- folder -> store -----------------------------------------------------------------------------------------------
def read_folder(db: Database, source: Path) -> dict[str, int]:
    """Fill a new store with a dataset folder, in one transaction; rows by record.

    Raises
    ------
    InputError
        for a store that holds rows or another market, or a table without times.
    """
    lake = Lake(source)
    if not lake.info.has_times:
        raise InputError.of(
            where=str(source), expected="a dataset with times", got="a table without times",
            remedy="Train on the folder; a store is for what happens.",
        )  # fmt: skip
    with db.writing():
        refuse_filled(db)
        counts = {name: _fill(db, lake, name, take) for name, take in _TAKES.items()}
        put_texts(db, {DATASET: dataset_file.dump(_bare(lake.info)), **_texts(lake)})
    return counts


def _bare(info: DatasetInfo) -> DatasetInfo:
    return replace(info, digest="", counts={}, generation=0, latest_arrival=None)


def _texts(lake: Lake) -> dict[str, str]:
    """The dataset's texts; a tracker's mapping also says how posted events are read."""
    from data.importers.tracker_mapping import tracker_file

    found = {
        n: (lake.path / lake.manifest.texts[n]).read_text(encoding="utf-8") for n in _FILES if n in lake.manifest.texts
    }
    mapping = found.get("mapping.toml")
    return found | ({TRACKER: mapping} if mapping is not None and tracker_file(mapping, lake.info.name) else {})


Take = Callable[[dict[str, Any], int, Sequence[ExtraColumn]], Mapping[str, Any]]


def _fill(db: Database, lake: Lake, name: str, take: Take) -> int:
    written = 0
    for file in lake.manifest.of(name):
        rows = [take(_plain(r, name), written + i, lake.info.extra) for i, r in enumerate(_rows(lake, file, name))]
        if rows:
            db.add(name, list(rows[0]), [tuple(r.values()) for r in rows])
        written += len(rows)
    return written


def _rows(lake: Lake, file: str, name: str) -> list[dict[str, Any]]:
    from data.lake_parts import read_parts

    columns = arrow.columns_of(RECORDS[name], lake.info.extra)
    table = read_parts([lake.path / file], arrow.schema_of(columns))
    for column in (c.name for c in columns if c.kind == "time"):
        at = table.schema.get_field_index(column)
        table = table.set_column(at, column, table.column(column).cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _plain(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: int(v) if isinstance(v, bool) else v for k, v in row.items()}


def _lead(row: dict[str, Any], line: int, extra: Sequence[ExtraColumn]) -> dict[str, Any]:
    declared = {e.name: row.pop(e.name) for e in stored(extra)}
    return {"line": line, **row, "extra": json.dumps(declared, ensure_ascii=False) if declared else None}


_TAKES: dict[str, Take] = {
    "events": lambda row, line, extra: {**row, "is_bot": row["is_bot"] or 0, "posted": 0},
    "leads": _lead,
    "outcomes": lambda row, line, extra: {"outcome_id": outcome_id(row), **row},
    "links": lambda row, line, extra: row,
    "consents": lambda row, line, extra: row,
    "spend": lambda row, line, extra: {"line": line, **row},
}
