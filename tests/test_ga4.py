"""GA4: the BigQuery export as JSON lines and Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.importers import ga4_rows

SAMPLES = Path(__file__).parent / "samples" / "ga4"
DAY = SAMPLES / "events_20260302.jsonl"


def by_type(found: Any, kind: str) -> list[dict[str, Any]]:
    return [e for e in found.events if e["type"] == kind and not e["event_id"].endswith(":dwell")]


def test_every_row_is_accounted_for_and_an_event_without_id_is_known_again(track: Callable[..., Any]) -> None:
    (tally,) = track("ga4", [DAY]).report.tallies
    assert (tally.read, tally.accepted, tally.rejected, tally.duplicate) == (10, 8, 1, 1)
    assert list(tally.reasons) == [("no_person", "")]


def test_event_names_become_types(track: Callable[..., Any]) -> None:
    found = track("ga4", [DAY])
    kinds = sorted(e["type"] for e in found.events if not e["event_id"].endswith(":dwell"))
    assert kinds == ["custom", "custom", "download", "engagement", "goal", "page_view", "page_view", "video"]


def test_engagement_is_credited_to_the_page_it_was_spent_on(track: Callable[..., Any]) -> None:
    found = track("ga4", [DAY])
    timed = [(f"{e['occurred_at']:%S}", e["url"].rpartition("/")[2] or "demo", e["dwell_seconds"], e["dwell_basis"])
             for e in found.events if e["dwell_seconds"] is not None]  # fmt: skip
    assert timed == [
        ("20", "pricing", 18.5, "measured"), ("30", "demo", 9.0, "measured"), ("35", "demo", 1.0, "measured"),
    ]  # fmt: skip
    assert {e["type"] for e in found.events if e["dwell_seconds"] is not None} == {"engagement"}


def test_the_first_touch_ever_is_not_the_source_of_a_visit(track: Callable[..., Any]) -> None:
    found = track("ga4", [DAY])
    touches = [(e["source"], e["medium"], e["click_id_kind"]) for e in found.events if e["source"]]
    assert touches == [("bing", "organic", None), ("news", "email", "gclid")]


def test_events_of_one_moment_keep_the_order_of_their_batch(track: Callable[..., Any]) -> None:
    first, second, *_ = track("ga4", [DAY]).events
    assert first["occurred_at"] == second["occurred_at"]
    assert (first["type"], second["type"]) == ("custom", "page_view")


def test_a_row_in_a_later_days_table_came_at_the_end_of_that_day(track: Callable[..., Any]) -> None:
    (late,) = track("ga4", [SAMPLES / "events_20260304.jsonl"], late_share_limit=1.0).events
    assert f"{late['received_at']:%Y-%m-%d %H:%M:%S}" == "2026-03-04 23:59:59"
    assert {e["received_at"] for e in track("ga4", [DAY], to="day").events} == {None}


def test_a_restated_day_replaces_its_day(track: Callable[..., Any], tmp_path: Path) -> None:
    track("ga4", [DAY])
    kept = [line for line in DAY.read_text().splitlines() if '"page_view"' in line][:2]
    (tmp_path / DAY.name).write_text("\n".join(kept) + "\n")
    found = track("ga4", [tmp_path / DAY.name])
    assert {e["type"] for e in found.events} == {"page_view", "engagement"}


def test_parquet_and_both_spellings_of_json_name_the_same_events(track: Callable[..., Any], tmp_path: Path) -> None:
    rows = [json.loads(line) for line in DAY.read_text().splitlines()]
    texts = tmp_path / "texts_events_20260302.jsonl"
    texts.write_text("".join(json.dumps(_whole_as_text(r)) + "\n" for r in rows))
    pq.write_table(pa.Table.from_pylist(rows, schema=ga4_rows.SPELLINGS[1]), tmp_path / "events_20260302.parquet")
    mixed = tmp_path / "mixed_events_20260302.jsonl"
    mixed.write_text("no json\n" + DAY.read_text() + "\n[1]\n")
    plain = track("ga4", [DAY]).events
    for number, file in enumerate((texts, tmp_path / "events_20260302.parquet", mixed)):
        assert track("ga4", [file], to=f"again{number}").events == plain
    (tally,) = track("ga4", [mixed], to="mixed").report.tallies
    assert tally.reasons["malformed_json", ""] == 2


def _whole_as_text(cell: Any) -> Any:
    if isinstance(cell, dict):
        return {k: _whole_as_text(v) for k, v in cell.items()}
    if isinstance(cell, list):
        return [_whole_as_text(v) for v in cell]
    return str(cell) if isinstance(cell, int) else cell
