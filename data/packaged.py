"""The files that ship with Leadlift: points, content map, table of sources."""

from __future__ import annotations

import csv
from importlib.resources import files


def rules_text() -> str:
    """The packaged points file."""
    return (files("data") / "rules.yaml").read_text(encoding="utf-8")


def content_text() -> str:
    """The packaged content map."""
    return (files("data") / "content.yaml").read_text(encoding="utf-8")


def source_categories() -> dict[str, str]:
    """source or host -> search, social, shopping, video, ai_assistant, email."""
    with (files("data") / "channels" / "sources.csv").open(encoding="utf-8") as rows:
        return {r["source"]: r["category"] for r in csv.DictReader(rows)}


def email_kinds() -> dict[str, str]:
    """domain -> free or disposable, and the part before the @ -> role. A short table: unknown means business."""
    with (files("data") / "channels" / "emails.csv").open(encoding="utf-8") as rows:
        return {r["name"]: r["kind"] for r in csv.DictReader(rows)}
