"""An alarm: one sentence that names the cause, where, since when, the numbers and what to do; never who."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any

from training.periods import day

SHOWN = 40
_PERSONAL = re.compile(r"@|\d{6,}")


@dataclass(frozen=True)
class Alarm:
    """kind: the cause's name. source: the feed, record or model; field: the column; one of them may be null.

    since: microseconds, None = not known. numbers: what the sentence says, for machines. p: how likely noise alone does it.
    """

    kind: str
    says: str
    remedy: str
    source: str | None = None
    field: str | None = None
    since: int | None = None
    numbers: dict[str, Any] = made(default_factory=dict)
    p: float = 0.0

    @property
    def sentence(self) -> str:
        return f"{self.says}: {self.remedy}"

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        since = None if self.since is None else day(self.since)
        return {"kind": self.kind, "source": self.source, "field": self.field, "since": since,
                "numbers": self.numbers, "sentence": self.sentence}  # fmt: skip


def shown(value: str) -> str:
    """A tag or an answer of a form as it may be shown: what could be an address or a number of somebody is not."""
    if _PERSONAL.search(value):
        return "(not shown)"
    plain = "".join(c if c.isprintable() else " " for c in value)
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"


def figure(value: float) -> str:
    """A number as people write it: three digits below a hundred, else whole."""
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share as people write it."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
