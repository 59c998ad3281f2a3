"""A lake of page views alone: leads that all came at one moment, what they saw and when they converted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.dataset import DatasetInfo
from data.lake import write_lake
from data.records import NULL_TIME, Coded

Seen = tuple[int, str, int]  # lead, path on the site, microseconds
Won = tuple[int, int]  # lead, microseconds


def write_visits(path: Path, leads: int, came: int, seen: Sequence[Seen], won: Sequence[Won]) -> Path:
    """The lake of leads `l0` to `l<leads - 1>`, all created at `came`."""
    records = {
        "leads": {
            "lead_id": Coded.of([f"l{i}" for i in range(leads)]), "created_at": np.full(leads, came),
            "valid_from": np.full(leads, came), "source_row": np.arange(1, leads + 1),
        },
        "events": {
            "event_id": Coded.of([f"e{i}-{at}" for i, _, at in seen]),
            "lead_id": Coded.of([f"l{i}" for i, _, _ in seen]),
            "occurred_at": np.array([at for _, _, at in seen]),
            "received_at": np.full(len(seen), NULL_TIME),
            "type": Coded.of(["page_view"] * len(seen)),
            "url": Coded.of([f"https://www.example.com{page}" for _, page, _ in seen]),
            "is_bot": np.zeros(len(seen), dtype=bool),
        },
        "outcomes": {
            "lead_id": Coded.of([f"l{i}" for i, _ in won]),
            "occurred_at": np.array([at for _, at in won]),
            "kind": Coded.of(["converted"] * len(won)),
        },
    }  # fmt: skip
    write_lake(path, DatasetInfo(name="visits", buckets=4), records, {})
    return path
