"""One story told by five trackers is one story."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parent / "samples" / "story"
FILES = {
    "segment": "segment.jsonl", "snowplow": "snowplow.csv", "ga4": "ga4.jsonl", "matomo": "matomo.json",
    "posthog": "posthog.jsonl",
}  # fmt: skip
SITE = "https://www.example.com"
TOUCH = ("google", "cpc", "spring", "gclid")
NO_TOUCH = (None,) * 4
STORY = [
    ("10:00:00", "page_view", f"{SITE}/blog/crm", "www.google.com", TOUCH),
    ("10:01:00", "page_view", f"{SITE}/pricing", "www.example.com", NO_TOUCH),
    ("10:01:40", "page_view", f"{SITE}/demo", "www.example.com", NO_TOUCH),
    ("10:02:40", "form", f"{SITE}/demo", "www.example.com", NO_TOUCH),
    ("10:03:20", "page_view", f"{SITE}/pricing", "www.example.com", NO_TOUCH),
]


def told(events: list[dict[str, Any]], referrers: bool) -> list[tuple[Any, ...]]:
    return [
        (
            f"{e['occurred_at']:%H:%M:%S}", e["type"], e["url"], e["referrer_host"] if referrers or i == 0 else None,
            tuple(e[c] for c in ("source", "medium", "campaign", "click_id_kind")),
        )
        for i, e in enumerate(events)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_the_same_story_gives_the_same_events_and_the_same_lead(kind: str, track: Callable[..., Any]) -> None:
    found = track(kind, [SAMPLES / FILES[kind]], SAMPLES / "story.toml")
    internal = kind != "matomo"  # Matomo says once a visit where it came from, not which page led to which
    expected = [(*s[:3], s[3] if internal or i == 0 else None, s[4]) for i, s in enumerate(STORY)]
    assert told(found.events, internal) == expected
    assert {link["lead_id"] for link in found.links} == {"L1"}
    assert [link["visitor_id"] for link in found.links] == ["v1"]
    assert not any(e["is_bot"] for e in found.events)
    assert found.report.tracker.document()["events_without_bots"] == 5


@pytest.mark.parametrize("kind", FILES)
def test_what_is_personal_is_kept_nowhere(kind: str, track: Callable[..., Any]) -> None:
    found = track(kind, [SAMPLES / FILES[kind]], SAMPLES / "story.toml")
    kept = "".join(p.read_bytes().decode("latin-1") for p in found.path.rglob("*") if p.is_file())
    rows = repr((found.events, found.leads, found.links, found.outcomes))
    for secret in ("203.0.113", "Firefox", "abc123", "ann%40", "ann.lee", "Ann.Lee", "+49 30"):
        assert secret not in kept + rows


@pytest.mark.parametrize("kind", FILES)
def test_gzip_and_a_glob_change_nothing_and_the_same_again_is_no_import(
    kind: str, track: Callable[..., Any], tmp_path: Path
) -> None:
    plain = track(kind, [SAMPLES / FILES[kind]], SAMPLES / "story.toml")
    packed = tmp_path / f"{FILES[kind]}.gz"
    packed.write_bytes(gzip.compress((SAMPLES / FILES[kind]).read_bytes()))
    other = track(kind, [tmp_path / "*.gz"], SAMPLES / "story.toml", to="packed")
    assert (other.events, other.links, other.leads) == (plain.events, plain.links, plain.leads)
    again = track(kind, [packed], SAMPLES / "story.toml", to="packed")
    assert not again.report.written
    assert again.report.skipped == [packed.name]
    assert again.events == plain.events
