"""What a tracker's reader hands over: columns of raw cells, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.importers.cells import Broken, Identified, Told
from data.importers.json_lines import objects
from data.importers.rejects import RowError
from data.importers.tracker_mapping import TrackerSpec

ROWS = 50_000
Advance = Callable[[int], None]
Reader = Callable[[Path, TrackerSpec, Advance], Iterator["Batch"]]
Cells = list[Any] | pa.Array


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
