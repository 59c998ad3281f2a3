"""PostHog: rows of a batch export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parent / "samples" / "posthog" / "events.jsonl"


def test_every_row_is_accounted_for(track: Callable[..., Any]) -> None:
    found = track("posthog", [SAMPLE])
    assert [(t.record, t.read, t.accepted, t.rejected) for t in found.report.tallies] == [
        ("event", 8, 6, 2), ("link", 1, 1, 0),
    ]  # fmt: skip
    assert sorted(found.report.tallies[0].reasons) == [("bad_text", "$current_url"), ("bad_url", "url")]


def test_time_on_the_page_before_is_credited_to_that_page(track: Callable[..., Any]) -> None:
    timed = [e for e in track("posthog", [SAMPLE]).events if e["dwell_seconds"] is not None]
    assert [(e["event_id"], e["type"], e["url"], e["dwell_seconds"], e["dwell_basis"]) for e in timed] == [
        ("2:dwell", "engagement", "https://www.example.com/pricing", 29.5, "measured"),
        ("3", "engagement", "https://www.example.com/demo", 20.0, "measured"),
    ]


def test_only_who_is_identified_is_a_lead(track: Callable[..., Any]) -> None:
    found = track("posthog", [SAMPLE])
    assert {e["event_id"] for e in found.events if e["lead_id"]} == {"6"}
    assert [(k["visitor_id"], k["lead_id"], f"{k['known_from']:%H:%M:%S}") for k in found.links] == [
        ("d1", "per-1", "10:00:51")
    ]


def test_the_leads_id_may_be_the_distinct_id(track: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('[dataset]\nname = "p"\n[tracker]\nlead_id = "distinct_id"\n')
    found = track("posthog", [SAMPLE], tmp_path / "m.toml")
    assert ("d1", "user-1") in {(k["visitor_id"], k["lead_id"]) for k in found.links}


def test_both_spellings_of_campaign_tags_and_no_referrer(track: Callable[..., Any]) -> None:
    first = track("posthog", [SAMPLE]).event("1")
    assert (first["source"], first["referrer_host"]) == ("news", None)
