"""Segment and RudderStack: their JSON as the tracker sent it, and their warehouse tables in snake case.

The calls themselves are read by `data/importers/segment_rows.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data.importers.batch import Advance, Batch, batches
from data.importers.segment_rows import tell
from data.importers.tracker_mapping import TrackerSpec

TABLES = (("identif", "identify"), ("page", "page"), ("screen", "screen"), ("group", "group"), ("track", "track"))


def read(path: Path, spec: TrackerSpec, advance: Advance) -> Iterator[Batch]:
    """All calls of a file; a warehouse table without a `type` column says in its name what it holds."""
    stem = path.name.lower()
    table = next((kind for word, kind in TABLES if word in stem), None)
    return batches(path, spec, advance, lambda row, line, s: tell(row, line, s, table))
