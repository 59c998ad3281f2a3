"""One event cleaned by itself, as the service does, is what an import makes of it in a column of many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from data.importers.batch import batches
from data.importers.clean import clean
from data.importers.clean_row import clean_event
from data.importers.rejects import RowError
from data.importers.segment_rows import tell
from data.importers.tracker_mapping import tracker_file
from data.records import EVENT

MAPPING = """
[tracker]
apps = ["shop"]
types = { Demo = "form" }
[tracker.converted]
events = ["Order"]
value = "revenue"
currency = "currency"
"""
FILE = tracker_file(MAPPING, "m")
TIMES = ("2026-03-02T10:00:00Z", "2026-03-02T10:00:00.123+02:00", "2026-03-02 10:00:00", "2026-03-04T10:00:00Z", "soon",
         "", None, "2026-13-02T10:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T10:00:00Z")  # fmt: skip
URLS = ("https://www.example.com/pricing?utm_source=x&gclid=1#a", "https://[bad", "/only/path", "", None,
        "https://example.com/a@b.c/d", 7)  # fmt: skip
CALLS = st.fixed_dictionaries({
    "type": st.sampled_from(["page", "track", "screen", "group", None]),
    "messageId": st.sampled_from(["a", "b", None, 7]),
    "anonymousId": st.sampled_from(["v", " ", None, ["v"]]),
    "userId": st.sampled_from(["L", None]),
    "event": st.sampled_from(["Order", "Demo", "Other"]),
    "timestamp": st.sampled_from(TIMES),
    "receivedAt": st.sampled_from(TIMES),
    "properties": st.fixed_dictionaries({
        "url": st.sampled_from(URLS), "revenue": st.sampled_from([1, 1.5, "2.25", -1, "x", 0.001, None, 1e300, "NaN"]),
        "currency": st.sampled_from(["EUR", "eur", "USD", None]),
    }),
    "context": st.fixed_dictionaries({
        "app": st.fixed_dictionaries({"name": st.sampled_from(["shop", "blog"])}),
        "page": st.fixed_dictionaries({"referrer": st.sampled_from(["https://www.google.com/x", "//[", None, "a.b"])}),
        "campaign": st.fixed_dictionaries({"source": st.sampled_from(["own", None])}),
        "userAgent": st.sampled_from(["Googlebot/2.1 (+http://www.google.com/bot.html)", "Mozilla/5.0", None]),
    }),
})  # fmt: skip


def by_columns(calls: list[dict[str, Any]], file: Path) -> list[tuple[Any, ...]]:
    """What the import makes of each call: (line, reason, column), or (line, values of the record, value)."""
    assert FILE is not None
    file.write_text("".join(json.dumps(c) + "\n" for c in calls), encoding="utf-8")
    (batch,) = batches(file, FILE.tracker, lambda n: None, lambda row, line, s: tell(row, line, s, None))
    cleaned = clean(batch, FILE, 0)
    worth = {c.row: (True, c.value) for c in cleaned.conversions}
    lines = _lines_of_the_good(batch.lines, batch.columns, {b.line for b in cleaned.rejects})
    rows = [(line, *_values(row), *worth.get(row["row"], (False, None)))
            for line, row in zip(lines, cleaned.table.to_pylist(), strict=True)]  # fmt: skip
    return sorted([*((b.line, b.reason, b.column) for b in cleaned.rejects), *rows], key=lambda r: r[0])


def _lines_of_the_good(lines: Any, columns: Any, bad: set[int]) -> list[int]:
    apps = columns.get("app", [])
    told = apps.to_pylist() if isinstance(apps, pa.Array) else apps
    return [line for line, app in zip(lines, told, strict=True) if app == "shop" and line not in bad]


def by_rows(calls: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    assert FILE is not None
    found: list[tuple[Any, ...]] = []
    for line, call in enumerate(calls, 1):
        try:
            for cells in tell(json.loads(json.dumps(call)), line, FILE.tracker, None).events:
                event = clean_event(cells, FILE)
                if event is not None:
                    found.append((line, *_values(event.row), event.converted, event.value))
        except RowError as bad:
            found.append((line, bad.reason, bad.column))
    return found


def _values(row: dict[str, Any]) -> tuple[Any, ...]:
    defaults = {"dwell_basis": "none"}
    return tuple(row.get(c.name) or defaults.get(c.name) for c in EVENT.columns)


@settings(max_examples=300)
@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_a_row_by_itself_is_cleaned_as_in_a_column(calls: list[dict[str, Any]], tmp_path_factory: Any) -> None:
    assert by_rows(calls) == by_columns(calls, tmp_path_factory.getbasetemp() / "calls.jsonl")
