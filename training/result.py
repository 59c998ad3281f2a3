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
from training.splits import Split


@dataclass(frozen=True)
class Training:
    """What came out: the bundle, its folder and MLflow number, and everything that was found."""

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
    notes: list[str] = field(default_factory=list)

    def candidates(self) -> list[dict[str, Any]]:
        """Points first, then the candidates of this run."""
        return candidate_rows(self.judgement)

    def serving(self) -> dict[str, Any] | None:
        """The measures of the release that served when this training began, on the same rows."""
        return serving_row(self.judgement)

    def comparators(self) -> list[dict[str, Any]]:
        """The measures of scores the company already has, on the same rows."""
        return comparator_rows(self.judgement)


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
