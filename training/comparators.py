"""Comparators: scores a company already has, judged beside ours and never features.

Each is ranked as it is (higher is better, unknown last) and gets its own monotone calibrator on the training rows, as
the points do. Unknown scores share the rate of the training rows that have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.calibration import Isotonic, clip, fit_isotonic
from training.evaluate import Judged
from training.splits import Turn

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

PREFIX = "comparator "  # no candidate's name begins so
_MOST_STEPS, _ROWS_A_STEP, _PRIOR = 100, 100, 20.0


@dataclass(frozen=True)
class ComparatorCalibrator:
    """Score -> probability; `unknown` is said of rows without a score."""

    known: Isotonic | None
    unknown: float

    def apply(self, score: F64) -> F64:
        there = ~np.isnan(score)
        probability = np.full(len(score), self.unknown)
        if self.known is not None:
            probability[there] = self.known.apply(score[there])
        return clip(probability)


def fit_comparator(score: F64, label: F64, weight: F64) -> ComparatorCalibrator:
    """The monotone calibrator of one comparator on training rows, (n,); NaN = no score.

    Scores of many values are put into steps of about 100 rows first: a step of one row would tell nothing.
    """
    there = ~np.isnan(score)
    base = float(np.average(label, weights=weight))
    missing = (float(weight[~there] @ label[~there]) + _PRIOR * base) / (float(weight[~there].sum()) + _PRIOR)
    if not there.any():
        return ComparatorCalibrator(None, missing)
    return ComparatorCalibrator(fit_isotonic(_stepped(score[there]), label[there], weight[there]), missing)


def _stepped(score: F64) -> F64:
    """Each score as the mean of its step; as it is where there are few values."""
    steps = int(np.clip(len(score) // _ROWS_A_STEP, 5, _MOST_STEPS))
    if len(np.unique(score)) <= steps:
        return score
    edges = np.unique(np.quantile(score, np.linspace(0, 1, steps + 1)[1:-1]))
    step = np.searchsorted(edges, score, side="left")
    rows = np.bincount(step)
    return np.asarray((np.bincount(step, weights=score) / np.maximum(rows, 1))[step], dtype=np.float64)


def judged(columns: Mapping[str, F64], label: F64, weight: F64, turn: Turn) -> dict[str, Judged]:
    """What each comparator says of a turn's judged rows, by PREFIX and its name."""
    said = {}
    for name, score in columns.items():
        fitted = fit_comparator(score[turn.train], label[turn.train], weight[turn.train])
        there = score[turn.judge]
        last = np.where(np.isnan(score), 0.0, score).min(initial=0.0) - 1.0  # below every score of every turn
        said[PREFIX + name] = Judged(np.where(np.isnan(there), last, there), fitted.apply(there))
    return said
