"""What comes out of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.bundle import Bundle
from training.calendar import Slice
from training.clusters import Clustering
from training.comparators import PREFIX
from training.evidence import Evidence
from training.gate import GateVerdict
from training.judging import SERVING, Judgement
from training.periods import day
from training.splits import Split


@dataclass(frozen=True)
class Training:
    """What came out: the bundle, its folder and MLflow number, and everything that was found.

    mean_width: of the 90 % intervals of the judged rows, in probability, by so many refits.
    """

    bundle: Bundle
    folder: Path
    number: int
    judgement: Judgement
    calendar: list[Slice]
    split: Split
    verdict: GateVerdict
    counts: dict[str, int]
    clusters: Clustering
    trouble: str | None
    evidence: Evidence
    refits: int
    mean_width: float
    notes: list[str] = field(default_factory=list)

    def document(self, seed: int) -> dict[str, Any]:
        """What `train --json` prints and the home and MLflow keep; each of them adds what it alone knows."""
        found = self.judgement
        return {
            "market": self.bundle.market, "target": self.bundle.target, "seed": seed,
            "champion": found.champion, "candidates": candidate_rows(found), "serving": serving_row(found),
            "comparators": comparator_rows(found), "counts": self.counts, "clusters": self.clusters.document(),
            "split": {"kind": self.split.kind, "slices": [vars(s) for s in self.calendar], "notes": self.notes},
            "bundle": {"sha256": self.bundle.name}, "gate": self.verdict.document(),
            **self._choice(), **self.evidence.document(),
        }  # fmt: skip

    def _choice(self) -> dict[str, Any]:
        """What the candidates were chosen on, and how sure the chosen one is."""
        since = self.judgement.validation.since
        return {
            "validation": {"by": "lead" if since is None else "time", "since": None if since is None else day(since)},
            "interval": {"refits": self.refits, "mean_width": self.mean_width},
        }

    def choice_lines(self) -> list[str]:
        """The same in words."""
        since = self.judgement.validation.since
        how = (
            "leads in turn"
            if since is None
            else f"looks from {day(since)} on, from answers final before, of other leads"
        )
        return [
            f"Chosen on training rows, held out {how}: {self.judgement.champion}.",
            f"90 % intervals from {self.refits} refits on halves of the leads: mean width {self.mean_width:.3f} on the judged rows.",
        ]


def candidate_rows(found: Judgement) -> list[dict[str, Any]]:
    """name and metrics of points and candidates, as `train --json` prints them."""
    return [_row(found, name, name) for name in found.metrics if name != SERVING and not name.startswith(PREFIX)]


def comparator_rows(found: Judgement) -> list[dict[str, Any]]:
    """The same of the comparators, under the names of their columns."""
    return [_row(found, name, name.removeprefix(PREFIX)) for name in found.metrics if name.startswith(PREFIX)]


def _row(found: Judgement, name: str, shown: str) -> dict[str, Any]:
    return {"name": shown, "metrics": {m: i.document() for m, i in found.metrics[name].items()}}


def serving_row(found: Judgement) -> dict[str, Any] | None:
    metrics = found.metrics.get(SERVING)
    return {m: i.document() for m, i in metrics.items()} if metrics else None
