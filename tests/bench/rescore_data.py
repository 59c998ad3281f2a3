"""What the bench of rescoring works on: a simulated market many times over, each time with leads and visitors of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data import arrow
from data.dataset import DatasetInfo
from data.lake import Lake
from data.lake_write import LakeWriter
from data.records import RECORDS, Coded, Columns, take

OWN = ("lead_id", "visitor_id", "event_id", "session_id", "page_view_id", "account_id", "email_domain", "email_hash")


def many(market: Path, folder: Path, leads: int, events: int, buckets: int = 64) -> Lake:
    """A lake of so many leads, and of all their events `events`, taken evenly."""
    lake = Lake(market)
    records = {name: _columns(lake, name) for name in RECORDS if lake.info.counts.get(name)}
    copies = -(-leads // len(_texts(records["leads"]["lead_id"]).values))
    there = len(records["events"]["occurred_at"])
    some = np.linspace(0, there - 1, min(-(-events // copies), there)).astype(np.int64)
    records["events"] = take(records["events"], some)
    with LakeWriter(folder, DatasetInfo(lake.info.name, buckets)) as writer:
        for copy in range(copies):
            for name, columns in records.items():
                if name != "spend" or not copy:
                    writer.add(name, {n: _own(c, copy) if n in OWN else c for n, c in columns.items()})
        writer.commit(
            {n: t for n, t in (("rules.yaml", lake.rules_text()), ("content.yaml", lake.content_text())) if t}
        )
    return Lake(folder)


def _columns(lake: Lake, name: str) -> Columns:
    return arrow.from_arrow(lake.table(name), RECORDS[name].columns)


def _own(column: object, copy: int) -> Coded:
    """Texts of one copy: nobody else's."""
    texts = _texts(column)
    return Coded(texts.codes, tuple(f"{value}-{copy}" for value in texts.values))


def _texts(column: object) -> Coded:
    assert isinstance(column, Coded)
    return column
