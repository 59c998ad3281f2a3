"""What comes out of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.bundle import Bundle
from training.calendar import Slice
from training.clusters import Clustering
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
    notes: list[str] = field(default_factory=list)

    def candidates(self) -> list[dict[str, Any]]:
        """Points first, then the candidates of this run."""
        return candidate_rows(self.judgement)

    def serving(self) -> dict[str, Any] | None:
        """The measures of the release that served when this training began, on the same rows."""
        return serving_row(self.judgement)


def candidate_rows(found: Judgement) -> list[dict[str, Any]]:
    """name and metrics of points and candidates, as `train --json` prints them."""
    return [
        {"name": name, "metrics": {m: i.document() for m, i in metrics.items()}}
        for name, metrics in found.metrics.items()
        if name != SERVING
    ]


def serving_row(found: Judgement) -> dict[str, Any] | None:
    metrics = found.metrics.get(SERVING)
    return {m: i.document() for m, i in metrics.items()} if metrics else None
