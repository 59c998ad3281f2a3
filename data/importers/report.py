"""What an import did, for people and for `--json`; and the limit of what it may reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.errors import RejectLimitError
from data.importers.rejects import Tally


@dataclass
class ImportReport:
    """What an import did. left_out: (file, column, reason) of columns on the deny-list; unused: (file, columns).

    orphans: outcomes of leads that are not in the data."""

    path: Path
    market: str
    written: bool = False
    tallies: list[Tally] = field(default_factory=list)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    unused: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    orphans: int = 0
    leads: int = 0

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "dataset": str(self.path), "market": self.market, "written": self.written,
            "files": [
                {"file": t.file, "record": t.record, "read": t.read, "accepted": t.accepted, "rejected": t.rejected,
                 "duplicate": t.duplicate, "outside": t.outside,
                 "reasons": [{"reason": r, "column": c, "rows": n} for (r, c), n in sorted(t.reasons.items())]}
                for t in self.tallies
            ],
            "left_out": [{"file": f, "column": c, "reason": r} for f, c, r in self.left_out],
            "unused": [{"file": f, "columns": list(c)} for f, c in self.unused],
            "leads": self.leads,
            "outcomes_without_lead": self.orphans,
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
