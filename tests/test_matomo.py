"""Matomo: visits of the Live API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parent / "samples" / "matomo" / "visits.json"


def test_each_action_is_an_event_and_a_visit_without_actions_is_rejected(track: Callable[..., Any]) -> None:
    found = track("matomo", [SAMPLE])
    (tally,) = found.report.tallies
    assert (tally.read, tally.accepted, tally.rejected) == (6, 5, 1)
    assert [(e["event_id"], e["type"]) for e in found.events if e["session_id"] == "5"] == [
        ("5-1", "page_view"), ("5-2", "page_view"), ("5-3", "download"), ("5-goal-3", "goal"),
    ]  # fmt: skip


def test_where_a_visit_came_from_goes_to_its_earliest_action_only(track: Callable[..., Any]) -> None:
    found = track("matomo", [SAMPLE])
    assert [(e["event_id"], e["source"], e["medium"]) for e in found.events if e["source"]] == [
        ("5-1", "google", "organic")
    ]


def test_time_by_the_clock_is_named_so(track: Callable[..., Any]) -> None:
    found = track("matomo", [SAMPLE])
    assert (found.event("5-1")["dwell_seconds"], found.event("5-1")["dwell_basis"]) == (30, "timespent")
    assert (found.event("5-2")["dwell_seconds"], found.event("5-2")["dwell_basis"]) == (None, "none")


def test_other_sites_are_skipped_and_counted(track: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[dataset]\nname = "m"\n[tracker]\napps = ["1"]\n[tracker.types]\nDemo = "form"\n'
    )
    found = track("matomo", [SAMPLE], tmp_path / "own.toml")
    assert found.report.tallies[0].passed_over == 1
    assert found.event("5-goal-3")["type"] == "form"
