"""What judging says beside the measures: differences to the champion, slices, what each group adds, and for whom it holds.

The judged rows are past looks at some leads; tonight's leads may be of other ages and channels. `mix` lays both beside
each other and says so where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from features.arrays import run_ends
from training.ablation import Ablation, ablation_of, groups_of
from training.evaluate import Interval, slices
from training.judging import Judgement, rows_of
from training.leaks import Scan
from training.slices import NOT_KNOWN, in_order, texts_of
from training.work import Work

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MIXED = ("age_weeks", "channel")
APART = 0.2  # total variation above which judging speaks of other leads than tonight's
SHARES = (5, 10, 20)


@dataclass(frozen=True)
class Mix:
    """Shares of the judged rows and of the leads scored now, by part of one slice; their total variation."""

    slice: str
    judged: dict[str, float]
    now: dict[str, float]

    @property
    def total_variation(self) -> float:
        """Half the sum of differences: the share of rows that would have to move; 0 to 1."""
        return 0.5 * sum(abs(self.judged[p] - self.now[p]) for p in self.judged)

    def document(self) -> dict[str, Any]:
        apart = self.total_variation
        return {"slice": self.slice, "total_variation": apart, "apart": apart > APART, "judged": self.judged,
                "now": self.now}  # fmt: skip

    def line(self) -> str:
        """Whether judging speaks of tonight's leads, and where they differ most."""
        most = max(self.judged, key=lambda p: abs(self.judged[p] - self.now[p]))
        far = f"total variation {self.total_variation:.2f}"
        if self.total_variation <= APART:
            return f"The judged rows are like the leads scored now by {self.slice} ({far})."
        return (f"The judged rows are NOT like the leads scored now by {self.slice} ({far}, limit {APART}): {most} is "
                f"{self.judged[most]:.0%} of the judged and {self.now[most]:.0%} of those scored now.")  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """All of it. differences: per candidate its measures minus the champion's, paired by lead. mix: empty where a table
    has no times, or nobody is open."""

    scan: Scan
    differences: dict[str, dict[str, Interval]]
    slices: list[dict[str, Any]]
    ablation: Ablation | None
    mix: tuple[Mix, ...]
    capture: dict[str, dict[str, dict[str, float]]]

    def document(self) -> dict[str, Any]:
        """Keys of `train --json`."""
        differences = {n: {m: i.document() for m, i in d.items()} for n, d in self.differences.items()}
        return {
            "leaks": self.scan.document(), "differences": differences, "capture": self.capture, "slices": self.slices,
            "ablation": self.ablation.document() if self.ablation else None, "mix": [m.document() for m in self.mix],
        }  # fmt: skip


def evidence_of(work: Work, found: Judgement, scan: Scan) -> Evidence:
    """Everything that is said beside the measures of one training."""
    settings, train = work.settings.training, work.split.turns[0].train
    rows, groups = rows_of(work.frame, work.table, train), groups_of(work.table.feature_set)
    champion = found.sampled[found.champion]
    differences = {n: s.minus(champion) for n, s in found.sampled.items() if n != found.champion}
    parts = slices(found.said[found.champion], found.bench, texts_of(work.table.slices, found.rows))
    ablation = ablation_of(rows, groups, settings.bootstrap, work.request.seed, settings.threads)
    return Evidence(scan, differences, parts, ablation, mixes(work, found, scan), captures(found))


def captures(found: Judgement) -> dict[str, dict[str, dict[str, float]]]:
    """Per candidate the share of all conversions among its best 5, 10 and 20 % of rows: lift times that share."""
    return {
        name: {
            f"capture_at_{k}": {part: figure * k / 100 for part, figure in lifts[f"lift_at_{k}"].document().items()}
            for k in SHARES
        }
        for name, lifts in found.metrics.items()
    }


def mixes(work: Work, found: Judgement, scan: Scan) -> tuple[Mix, ...]:
    """Age and channel of the judged rows against the last look at each open lead."""
    frame = work.frame
    last = run_ends(frame.lead)
    now = last[scan.open[frame.lead[last]]]
    if not len(now):
        return ()
    there = [name for name in MIXED if name in work.table.slices]
    return tuple(mix_of(name, work.table.slices[name], frame.weight, found.rows, now) for name in there)


def mix_of(name: str, part: Coded, weight: F64, judged: I64, now: I64) -> Mix:
    """Shares of each part among some rows and some others, by weight."""
    both = [_shares(part, weight, rows) for rows in (judged, now)]
    names = in_order(set(both[0]) | set(both[1]))
    return Mix(name, *({n: shares.get(n, 0.0) for n in names} for shares in both))


def _shares(part: Coded, weight: F64, rows: I64) -> Mapping[str, float]:
    sums = np.bincount(part.codes[rows] + 1, weights=weight[rows], minlength=len(part.values) + 1)
    names = (NOT_KNOWN, *part.values)
    return {n: float(s / sums.sum()) for n, s in zip(names, sums.tolist(), strict=True) if s}
