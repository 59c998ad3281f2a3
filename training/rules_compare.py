"""Points against points, and against a model, on the same judged looks: by order and thresholds, without calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluate import Bench, Draws, Interval, Ranking
from training.judging import POINTS, Judgement
from training.rules import MQL, SALES_READY, Rules
from training.rules_backtest import Group, Past

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I8 = NDArray[np.int8]

SHARES = {"capture_at_5": 0.05, "capture_at_10": 0.10, "capture_at_20": 0.20}
STANDINGS = {"mql": MQL, "sales_ready": SALES_READY}
CURVE = tuple(float(s) for s in np.linspace(0, 1, 41))


@dataclass(frozen=True)
class Pair:
    """One measure of both on the same judged looks, and the difference with its 90 % interval, paired by lead."""

    hand_made: float
    suggested: float
    difference: Interval

    def document(self) -> dict[str, Any]:
        return {**vars(self), "difference": self.difference.document()}


@dataclass(frozen=True)
class Compared:
    """Hand-made and suggested points on the judged looks, in this order: totals and standings, (n,) each."""

    rows: I64
    bench: Bench
    totals: tuple[F64, F64]
    standing: tuple[I8, I8]

    def measures(self, draws: Draws) -> dict[str, Pair]:
        """auc, capture at 5, 10 and 20 % of the looks, and rate and capture of those who are MQL and sales-ready."""
        label = self.bench.label
        point = self._all(self.bench.weight)
        samples = [self._all(w) for w in draws.weights() if 0 < float(w @ label) < float(w.sum())]
        return {name: _pair(point[name], [s[name] for s in samples]) for name in point}

    def _all(self, weight: F64) -> dict[str, tuple[float, float]]:
        label = self.bench.label
        old, new = (Ranking.of(t, label, weight) for t in self.totals)
        found = {"auc": (old.auc(), new.auc())}
        found |= {name: (old.capture(s), new.capture(s)) for name, s in SHARES.items()}
        won = weight * label
        for name, least in STANDINGS.items():
            a, b = ((s >= least).astype(np.float64) for s in self.standing)
            found[f"{name}_rate"] = _share(won, a, float(weight @ a)), _share(won, b, float(weight @ b))
            found[f"{name}_capture"] = _share(won, a, float(won.sum())), _share(won, b, float(won.sum()))
        return found

    def ready(self) -> dict[str, dict[str, int]]:
        """Judged looks that are MQL and sales-ready, by file."""
        return ready_looks(*self.standing)


def ready_looks(hand_made: I8, suggested: I8) -> dict[str, dict[str, int]]:
    """How many looks are MQL and sales-ready by the standings (n,) of each file."""
    sides = {"hand_made": hand_made, "suggested": suggested}
    return {side: {n: int((s >= least).sum()) for n, least in STANDINGS.items()} for side, s in sides.items()}


def _share(won: F64, inside: F64, whole: float) -> float:
    return float(won @ inside) / whole if whole > 0 else 0.0


def _pair(point: tuple[float, float], samples: list[tuple[float, float]]) -> Pair:
    low, high = np.quantile([b - a for a, b in samples], [0.05, 0.95])
    return Pair(*point, Interval(point[1] - point[0], float(low), float(high)))


# -- points against a model --------------------------------------------------------------------------------------
def capture_curve(score: F64, bench: Bench) -> list[tuple[float, float]]:
    """(share of the looks, best first; share of all conversions among them), at 41 shares from 0 to 1."""
    ranked = Ranking.of(score, bench.label, bench.weight)
    return [(share, ranked.capture(share)) for share in CURVE]


def disagreement(judgement: Judgement, rules: Rules) -> Mapping[str, Group]:
    """What became of the judged looks by who calls them hot, the points or the chosen model: both, one or neither.

    The points are hot from the sales-ready total on, the model from `hot_probability`, as `agreement` of a reply says.
    """
    points = judgement.said[POINTS].score >= rules.hot_points
    model = judgement.said[judgement.champion].probability >= rules.hot_probability
    past = Past(judgement.bench.label, judgement.bench.weight, judgement.bench.lead)
    sides = {
        "both_hot": points & model, "model_only": model & ~points, "points_only": points & ~model,
        "both_cold": ~points & ~model,
    }  # fmt: skip
    return {name: past.group(name, inside) for name, inside in sides.items()}
