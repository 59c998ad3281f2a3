"""What is chosen on the page. All of it lives in the URL, so that a link shows others the same view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from training.prepared_names import ATTRIBUTES, BYS

TARGETS = ("won", "accepted", "mql", "lead", "cancelled")
DIRECTIONS = ("backward", "forward")


@dataclass(frozen=True)
class Choice:
    """target; start and end: months such as 2026-03, the end included, empty = no bound; channel: its name; segment:
    `attribute:value`; by: how contents are looked at; direction and page: of the flow; lang. Empty = all."""

    target: str = "won"
    start: str = ""
    end: str = ""
    channel: str = ""
    segment: str = ""
    by: str = "type"
    direction: str = "backward"
    page: str = ""
    lang: str = "en"

    @staticmethod
    def of(query: Mapping[str, str], lang: str) -> Choice:
        """From the parameters of a URL; what is not known there counts as not chosen."""
        given = {f.name: query[n][:200] for f in fields(Choice) if (n := _PARAMETER.get(f.name, f.name)) in query}
        found = Choice(**{"lang": lang, **given})
        attribute = found.segment.partition(":")[0]
        return replace(
            found,
            by=found.by if found.by in BYS else "type",
            direction=found.direction if found.direction in DIRECTIONS else "backward",
            segment=found.segment if attribute in ATTRIBUTES else "",
            lang=found.lang if found.lang in ("en", "de") else lang,
        )

    def url(self, **changes: str) -> str:
        """The query of this choice with some changes, as short as it can be."""
        return "?" + urlencode(replace(self, **changes).parameters())

    def parameters(self) -> list[tuple[str, str]]:
        """Names and values for a URL; the language always, else what is not as usual."""
        plain = Choice()
        return [
            (_PARAMETER.get(f.name, f.name), getattr(self, f.name)) for f in fields(Choice)
            if getattr(self, f.name) != getattr(plain, f.name) or f.name == "lang"
        ]  # fmt: skip

    @property
    def filtered(self) -> bool:
        """Whether these are not all people."""
        return bool(self.start or self.end or self.channel or self.segment)


_PARAMETER = {"start": "from", "end": "to"}
