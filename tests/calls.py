"""Segment calls drawn at random: visitors who browse, say who they are, change their minds, order; late and twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
MAPPING = """\
[dataset]
name = "calls"

[tracker]
types = { "Demo Requested" = "form" }

[tracker.converted]
events = ["Order Completed"]
value = "revenue"
currency = "currency"
"""
PAGES = (
    "/",
    "/pricing?utm_source=news&utm_medium=email",
    "/blog/automation/x",
    "/product/analytics",
    "/guides/security",
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def drawn_calls(seed: int, n: int = 300) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    calls = [_call(rng, i) for i in range(n)]
    again = [{**calls[i], "receivedAt": _text(rng.uniform(0, 80))} for i in rng.integers(0, n, n // 20).tolist()]
    return calls + again


def _call(rng: np.random.Generator, i: int) -> dict[str, Any]:
    day = float(rng.uniform(0, 60))
    person = int(rng.integers(0, 12))
    call: dict[str, Any] = {
        "messageId": f"m{i}", "anonymousId": f"v{person}", "timestamp": _text(day),
        "context": {"page": {"referrer": "https://www.google.com/"}, "campaign": {"source": ["ads", None][i % 2]}},
    }  # fmt: skip
    if i % 3:
        call["receivedAt"] = _text(day + float(rng.choice([0.0, 0.001, 3.0])))
    if i % 11 == 0:
        call["context"]["userAgent"] = BOT
    kind = rng.choice(["page", "page", "page", "page", "track", "order", "identify", "named"])
    lead = f"L{int(rng.integers(0, 9))}"
    if kind == "identify":
        traits = {"title": ["CTO", "CEO", None][i % 3], "company": {"employee_count": "51-200"} if i % 2 else {},
                  "email": f"p{person}@{'example.org' if person % 2 else 'gmail.com'}",
                  "createdAt": _text(day - 9) if i % 4 else None}  # fmt: skip
        return {**call, "type": "identify", "userId": lead, "traits": traits}
    if kind == "named":
        call["userId"] = lead
    if kind == "order":
        order = {"revenue": 10.5 * (i % 3), "currency": "EUR"}
        return {**call, "type": "track", "event": "Order Completed", "properties": order}
    if kind == "track":
        return {
            **call,
            "type": "track",
            "event": "Demo Requested",
            "properties": {"url": "https://www.example.com/demo"},
        }
    return {**call, "type": "page", "properties": {"url": f"https://www.example.com{PAGES[i % len(PAGES)]}"}}


def _text(day: float) -> str:
    return (START + timedelta(days=day)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_calls(folder: Path, calls: list[dict[str, Any]]) -> tuple[Path, Path]:
    """A file of calls and its mapping."""
    (folder / "calls.jsonl").write_text("".join(json.dumps(c) + "\n" for c in calls), encoding="utf-8")
    (folder / "calls.toml").write_text(MAPPING, encoding="utf-8")
    return folder / "calls.jsonl", folder / "calls.toml"
