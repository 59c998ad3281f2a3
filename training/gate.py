"""The promotion gate: closed unless nothing speaks against a model. Each reason says what was found and the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.settings import GateSettings
from training.evaluate import Interval
from training.models import MAX_DEPTH, MAX_LEAVES, MAX_TREES
from training.predictors import Predictor

F64 = NDArray[np.float64]
SLICE_Z = 4.0


@dataclass(frozen=True)
class Findings:
    """What judging found about the chosen candidate.

    gain_over_points, gain_over_champion: log loss saved, paired by lead. suspects: columns that alone rank better
    than the limit allows, with their AUC. size: trees, leaves and depth of the model. leaks: what else was found of
    columns and feeds that hold the answer, in words.
    """

    conversions: int
    gain_over_points: Interval
    gain_over_champion: Interval | None
    ece: float
    ece_limit: float
    slices: Sequence[Mapping[str, Any]]
    suspects: Mapping[str, float]
    size: tuple[int, int, int] | None
    rules_approved: bool = True
    leaks: Sequence[str] = ()


@dataclass(frozen=True)
class GateVerdict:
    """Open where there are no reasons against. ece_limit: what the ECE was held against."""

    reasons: tuple[str, ...]
    ece_limit: float

    @property
    def open(self) -> bool:
        return not self.reasons

    def document(self) -> dict[str, Any]:
        return {"open": self.open, "reasons": list(self.reasons), "ece_limit": self.ece_limit}


def verdict(found: Findings, settings: GateSettings) -> GateVerdict:
    """All reasons against promotion, most telling first."""
    checks = (_leaks(found), _points(found, settings), _champion(found), _calibration(found, settings),
              _slices(found, settings), _size(found), _approval(found))  # fmt: skip
    return GateVerdict(tuple(reason for reasons in checks for reason in reasons), _ece_limit(found, settings))


def _points(found: Findings, settings: GateSettings) -> list[str]:
    gain = found.gain_over_points
    if found.conversions >= settings.min_conversions and gain.low <= 0:
        return [
            f"does not beat the points: log loss saved {gain.value:.4f}, interval {gain.low:.4f} to {gain.high:.4f}"
        ]
    if found.conversions < settings.min_conversions and gain.high < 0:
        return [f"worse than the points: log loss saved {gain.value:.4f}, interval up to {gain.high:.4f}"]
    return []


def _champion(found: Findings) -> list[str]:
    gain = found.gain_over_champion
    if gain is None or gain.high >= 0:
        return []
    return [f"worse than the champion: log loss saved {gain.value:.4f}, interval up to {gain.high:.4f}"]


def _calibration(found: Findings, settings: GateSettings) -> list[str]:
    limit = _ece_limit(found, settings)
    return [f"not calibrated: ECE {found.ece:.4f}, limit {limit:.4f}"] if found.ece > limit else []


def _ece_limit(found: Findings, settings: GateSettings) -> float:
    """The tolerance, or what a perfect model would show on these rows where that is more."""
    return max(settings.ece_tolerance, found.ece_limit)


def _slices(found: Findings, settings: GateSettings) -> list[str]:
    """A slice is off where the gap is both large and far beyond noise."""
    off = [s for s in found.slices
           if abs(float(s["observed"]) - float(s["predicted"])) > settings.slice_tolerance
           and abs(float(s["z"])) > SLICE_Z]  # fmt: skip
    return [
        f"off for {s['slice']} {s['value']}: predicted {s['predicted']:.3f}, observed {s['observed']:.3f}" for s in off
    ]


def _leaks(found: Findings) -> list[str]:
    alone = [f"{name} alone ranks with AUC {auc:.3f}; check when it is filled" for name, auc in found.suspects.items()]
    return [f"possible leak: {reason}" for reason in (*alone, *found.leaks)]


def _size(found: Findings) -> list[str]:
    if found.size is None:
        return []
    trees, leaves, depth = found.size
    if trees <= MAX_TREES and leaves <= MAX_LEAVES and depth <= MAX_DEPTH:
        return []
    return [f"too large to explain in time: {trees} trees x {leaves} leaves, depth {depth}; "
            f"limit {MAX_TREES} x {MAX_LEAVES}, {MAX_DEPTH}"]  # fmt: skip


def _approval(found: Findings) -> list[str]:
    return [] if found.rules_approved else ["the points file is not approved by marketing and sales"]


def suspects(values: F64, label: F64, columns: Sequence[str], limit: float) -> dict[str, float]:
    """Columns whose value or absence alone ranks the label better than `limit` (AUC, either direction)."""
    found = {}
    for i, name in enumerate(columns):
        unknown = np.isnan(values[:, i])
        ranks = (single_auc(np.where(unknown, -np.inf, values[:, i]), label), single_auc(unknown.astype(float), label))
        best = max(max(a, 1 - a) for a in ranks)
        if best > limit:
            found[name] = best
    return found


def single_auc(score: F64, label: F64) -> float:
    """AUC by mean ranks (Mann-Whitney); ties count half."""
    values, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    del values
    rank = np.cumsum(counts) - (counts - 1) / 2.0
    positives = float((label == 1).sum())
    negatives = len(label) - positives
    return float((rank[place][label == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def size_of(model: Predictor) -> tuple[int, int, int] | None:
    """(trees, most leaves, deepest) of the trees in a model; None where it has none."""
    texts = [text for name, text in model.files().items() if name.endswith(".txt")]
    if not texts:
        return None
    lines = [line for text in texts for line in text.splitlines()]
    leaves = [int(line.split("=")[1]) for line in lines if line.startswith("num_leaves=")]
    depths = [int(line.split(":")[1].strip(" ]")) for line in lines if line.startswith("[max_depth:")]
    return len(leaves), max(leaves, default=0), max(depths, default=0)
