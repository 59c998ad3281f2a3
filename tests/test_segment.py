"""Segment and RudderStack: calls become events, identities, profiles and conversions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset import People
from data.lake import Lake
from data.records import Coded

SAMPLES = Path(__file__).parent / "samples" / "segment"


def test_every_call_is_accounted_for(track: Callable[..., Any]) -> None:
    found = track("segment", [SAMPLES / "calls.jsonl"], SAMPLES / "segment.toml")
    counts = [(t.record, t.read, t.accepted, t.rejected, t.duplicate) for t in found.report.tallies]
    assert counts == [("event", 8, 4, 3, 1), ("lead", 3, 3, 0, 0)]
    assert sorted(found.report.tallies[0].reasons) == [
        ("bad_time", "occurred_at"), ("malformed_json", ""), ("no_person", ""),
    ]  # fmt: skip


def test_of_a_call_told_twice_the_one_stays_that_came_first(track: Callable[..., Any]) -> None:
    found = track("segment", [SAMPLES / "calls.jsonl"], SAMPLES / "segment.toml")
    assert f"{found.event('b')['received_at']:%H:%M:%S}" == "10:01:30"


def test_no_dwell_is_made_up_where_the_tracker_tells_none(track: Callable[..., Any]) -> None:
    found = track("segment", [SAMPLES / "calls.jsonl"], SAMPLES / "segment.toml")
    assert {(e["dwell_seconds"], e["dwell_basis"]) for e in found.events} == {(None, "none")}


def kinds(people: People) -> list[str | None]:
    kind = people.outcomes["kind"]
    assert isinstance(kind, Coded)
    return kind.texts()


def test_a_conversion_belongs_to_the_lead_its_visitor_is_linked_to_later(track: Callable[..., Any]) -> None:
    found = track("segment", [SAMPLES / "calls.jsonl"], SAMPLES / "segment.toml")
    people = Lake(found.path).people_of("L1").select("L1")
    assert (kinds(people), np.asarray(people.outcomes["value"]).tolist()) == (["converted"], [12_050])
    assert found.report.orphans == 0


def test_a_profile_gets_a_new_row_only_when_a_trait_changed_and_keeps_the_others(track: Callable[..., Any]) -> None:
    rows = sorted(track("segment", [SAMPLES / "calls.jsonl"]).leads, key=lambda r: r["valid_from"])
    told = [(f"{r['valid_from']:%H:%M:%S}", r["title"], r["company"], r["employees"], r["email_kind"]) for r in rows]
    assert told == [("12:01:40", "CTO", None, None, "business"), ("12:05:00", "CTO", "Example", 51, "business")]
    assert {f"{r['created_at']:%Y-%m-%d}" for r in rows} == {"2026-03-01"}


def test_a_crawler_is_kept_and_marked(track: Callable[..., Any]) -> None:
    found = track("segment", [SAMPLES / "calls.jsonl"])
    assert [e["event_id"] for e in found.events if e["is_bot"]] == ["d"]
    assert (found.report.tracker.bots_by_agent, found.report.tracker.document()["events_without_bots"]) == (1, 3)


def test_warehouse_tables_are_read_too(track: Callable[..., Any], tmp_path: Path) -> None:
    import pyarrow.csv as pcsv
    import pyarrow.parquet as pq

    for name in ("pages", "identifies"):
        pq.write_table(pcsv.read_csv(SAMPLES / f"{name}.csv"), tmp_path / f"{name}.parquet")
    found = track("segment", [tmp_path])
    (view,) = found.events
    assert (view["event_id"], view["visitor_id"], view["type"]) == ("w1", "v9", "page_view")
    assert (view["url"], view["source"], view["medium"]) == ("https://www.example.com/pricing", "newsletter", "email")
    assert [(r["lead_id"], r["email_domain"], r["company"]) for r in found.leads] == [("L9", "example.com", "Example")]
    assert [(k["visitor_id"], k["lead_id"], k["kind"]) for k in found.links] == [("v9", "L9", "identify")]


def test_a_visitor_who_is_somebody_else_for_a_while_is_the_first_again(
    track: Callable[..., Any], tmp_path: Path
) -> None:
    """Events name L1 at 10 and 12 o'clock, an identify call in between names L2."""
    view = {"type": "page", "anonymousId": "v", "userId": "L1"}
    calls = [{**view, "messageId": f"m{hour}", "timestamp": f"2026-03-02T{hour}:00:00Z"} for hour in (10, 12)]
    calls.append({"type": "identify", "messageId": "i", "anonymousId": "v", "userId": "L2",
                  "timestamp": "2026-03-02T11:00:00Z"})  # fmt: skip
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(c) + "\n" for c in calls), encoding="utf-8")
    links = track("segment", [tmp_path / "calls.jsonl"]).links
    assert sorted((f"{k['known_from']:%H}", k["lead_id"]) for k in links) == [("10", "L1"), ("11", "L2"), ("12", "L1")]
