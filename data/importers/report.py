"""What an import did, for people and for `--json`; and the limit of what it may reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.errors import RejectLimitError
from data.importers.rejects import Tally
from data.lake_write import LakeWriter


@dataclass(frozen=True)
class TrackerFacts:
    """What was seen in a tracker's events: all accepted ones, those a user agent or the rate marks as bots, those that
    came more than a day after they happened, and links from visitors to leads."""

    events: int
    bots_by_agent: int
    bots_by_rate: int
    bots: int
    late: int
    links: int

    def document(self) -> dict[str, int]:
        return {
            "events": self.events, "bots_by_agent": self.bots_by_agent, "bots_by_rate": self.bots_by_rate,
            "events_without_bots": self.events - self.bots, "late": self.late, "links": self.links,
        }  # fmt: skip


@dataclass
class ImportReport:
    """What an import did. left_out: (file, column, reason) of columns on the deny-list; unused: (file, columns).

    leads: profile rows the dataset holds now. orphans: outcomes of leads that are not in the data. appended: there was
    a dataset already; then `added` and `known` count accepted rows by record that are new to it or were there,
    `replaced` the events that restated days have ousted. skipped: files whose very content was imported before. notes:
    sentences for people."""

    path: Path
    market: str
    written: bool = False
    tallies: list[Tally] = field(default_factory=list)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    unused: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    orphans: int = 0
    notes: list[str] = field(default_factory=list)
    leads: int = 0
    appended: bool = False
    skipped: list[str] = field(default_factory=list)
    added: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    replaced: int = 0
    complete_through: dict[str, str | None] = field(default_factory=dict)
    tracker: TrackerFacts | None = None

    def note_outcome(self, writer: LakeWriter) -> None:
        """What the dataset made of the accepted rows."""
        self.leads = writer.manifest.rows("leads")
        self.complete_through = {name: s.complete_through for name, s in writer.manifest.sources.items()}
        if (outcome := writer.outcome) is not None:
            self.added, self.known, self.replaced = dict(outcome.added), dict(outcome.known), outcome.replaced

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "dataset": str(self.path), "market": self.market, "written": self.written,
            "files": [
                {"file": t.file, "record": t.record, "read": t.read, "accepted": t.accepted, "rejected": t.rejected,
                 "duplicate": t.duplicate, "outside": t.outside, "passed_over": t.passed_over,
                 "reasons": [{"reason": r, "column": c, "rows": n} for (r, c), n in sorted(t.reasons.items())]}
                for t in self.tallies
            ],
            "left_out": [{"file": f, "column": c, "reason": r} for f, c, r in self.left_out],
            "unused": [{"file": f, "columns": list(c)} for f, c in self.unused],
            "leads": self.leads,
            "outcomes_without_lead": self.orphans,
            "notes": self.notes,
            "appended": self.appended, "skipped": self.skipped, "added": self.added, "known": self.known,
            "replaced": self.replaced, "complete_through": self.complete_through,
            **({"tracker": self.tracker.document()} if self.tracker else {}),
        }  # fmt: skip


def check_limit(tallies: Sequence[Tally], limit: float) -> None:
    """More rejects in one table than the limit allows stop the import; nothing is changed."""
    read, rejected = sum(t.read for t in tallies), sum(t.rejected for t in tallies)
    if rejected > limit * read:
        worst = max(tallies, key=lambda t: t.rejected)
        raise RejectLimitError(
            f"{worst.file}: expected at most {limit:.0%} rejected rows, got {rejected} of {read}, most of them "
            f"{worst.worst()}. {worst.remedy()}; nothing was imported."
        )
