"""Judging: the same measures for points and models on the same matured snapshots, with intervals by lead.

Order (AUC, PR-AUC, lift, capture) uses the raw score, so that a calibrator with steps cannot decide it; log loss,
Brier and ECE use the calibrated probability. Intervals are the 5 % and 95 % quantiles over resampled leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

METRICS = ("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_5", "lift_at_10", "lift_at_20")
ECE_BINS = 10


@dataclass(frozen=True)
class Interval:
    """A figure with its 90 % interval."""

    value: float
    low: float
    high: float

    def document(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Judged:
    """What one candidate said of the judged rows: raw score and probability, (n,)."""

    score: F64
    probability: F64


@dataclass(frozen=True)
class Bench:
    """The judged rows: label, weight and lead number, all (n,)."""

    label: F64
    weight: F64
    lead: I64

    def draws(self, times: int, seed: int) -> F64:
        """Weights of `times` resamplings of leads, (times, n)."""
        leads, place = np.unique(self.lead, return_inverse=True)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(leads), np.full(len(leads), 1 / len(leads)), size=times)
        return np.asarray(drawn[:, place] * self.weight, dtype=np.float64)


def judge(judged: Judged, bench: Bench, draws: F64) -> dict[str, Interval]:
    """All METRICS with intervals."""
    point = measures(judged, bench.label, bench.weight)
    samples = [measures(judged, bench.label, w) for w in draws if _has_both(bench.label, w)]
    spread = {m: np.array([s[m] for s in samples]) for m in METRICS}
    # Resampling adds noise to every bin, so ECE comes out too large: take the mean excess off its interval.
    spread["ece"] = np.maximum(spread["ece"] - (spread["ece"].mean() - point["ece"]), 0.0)
    return {m: Interval(point[m], *map(float, np.quantile(spread[m], [0.05, 0.95]))) for m in METRICS}


def _has_both(label: F64, weight: F64) -> bool:
    return 0.0 < float(weight @ label) < float(weight.sum())


def measures(judged: Judged, label: F64, weight: F64) -> dict[str, float]:
    """All METRICS for one set of weights."""
    order = np.argsort(-judged.score, kind="stable")
    ranked = _Ranking.of(judged.score[order], label[order], weight[order])
    p = judged.probability
    loss = -np.where(label == 1, np.log(p), np.log1p(-p))
    return {
        "auc": ranked.auc(),
        "pr_auc": ranked.average_precision(),
        "log_loss": float(np.average(loss, weights=weight)),
        "brier": float(np.average((p - label) ** 2, weights=weight)),
        "ece": ece(p, label, weight),
        "lift_at_5": ranked.lift(0.05),
        "lift_at_10": ranked.lift(0.10),
        "lift_at_20": ranked.lift(0.20),
    }


@dataclass(frozen=True)
class _Ranking:
    """Cumulated positives and rows at each distinct score, best first: ties are one step."""

    hits: F64
    rows: F64

    @staticmethod
    def of(score: F64, label: F64, weight: F64) -> _Ranking:
        last_of_tie = np.flatnonzero(np.append(score[1:] != score[:-1], True))
        return _Ranking(np.cumsum(weight * label)[last_of_tie], np.cumsum(weight)[last_of_tie])

    def auc(self) -> float:
        """Chance that a converting row ranks above another one; ties count half."""
        hits, misses = self.hits, self.rows - self.hits
        area = np.sum(np.diff(misses, prepend=0.0) * (hits + np.concatenate([[0.0], hits[:-1]])) / 2)
        return float(area / (hits[-1] * misses[-1]))

    def average_precision(self) -> float:
        """Area under precision-recall by steps (as in scikit-learn)."""
        precision = np.divide(self.hits, self.rows, out=np.zeros_like(self.hits), where=self.rows > 0)
        return float(np.sum(np.diff(self.hits, prepend=0.0) * precision) / self.hits[-1])

    def capture(self, share: float) -> float:
        """Share of all conversions among the best `share` of rows; a tie at the border counts in proportion."""
        rows = np.concatenate([[0.0], self.rows])
        hits = np.concatenate([[0.0], self.hits])
        return float(np.interp(share * rows[-1], rows, hits) / hits[-1])

    def lift(self, share: float) -> float:
        return self.capture(share) / share


def ece(probability: F64, label: F64, weight: F64) -> float:
    """Expected calibration error: mean |observed - predicted| over 10 equal-count bins (Naeini et al. 2015)."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, ECE_BINS)
    gaps = [abs(float(weight[p] @ (label[p] - probability[p]))) for p in parts if len(p)]
    return float(np.sum(gaps) / weight.sum())


def ece_limit(probability: F64, weight: F64, seed: int, times: int = 200) -> float:
    """The 95 % quantile of ECE when outcomes are redrawn from the probabilities: what a perfect model would show."""
    rng = np.random.default_rng(seed)
    draws = [ece(probability, (rng.random(len(probability)) < probability).astype(np.float64), weight)
             for _ in range(times)]  # fmt: skip
    return float(np.quantile(draws, 0.95))


def log_loss_gain(worse: Judged, better: Judged, bench: Bench, draws: F64) -> Interval:
    """Mean log loss of `worse` minus `better`, paired on the same resampled leads; above 0 means better wins."""

    def loss(j: Judged) -> F64:
        return -np.where(bench.label == 1, np.log(j.probability), np.log1p(-j.probability))

    gain = loss(worse) - loss(better)
    samples = (draws @ gain) / draws.sum(axis=1)
    low, high = np.quantile(samples, [0.05, 0.95])
    return Interval(float(np.average(gain, weights=bench.weight)), float(low), float(high))


def reliability(judged: Judged, bench: Bench, draws: F64) -> list[dict[str, float]]:
    """Predicted against observed in 10 equal-count bins, observed with its interval by lead: the reliability figure."""
    rows = []
    for part in np.array_split(np.argsort(judged.probability, kind="stable"), ECE_BINS):
        if not len(part):
            continue
        weights = draws[:, part]
        total = weights.sum(axis=1)
        seen = total > 0
        observed = (weights[seen] @ bench.label[part]) / total[seen]
        low, high = np.quantile(observed, [0.05, 0.95])
        rows.append({
            "predicted": float(np.average(judged.probability[part], weights=bench.weight[part])),
            "observed": float(np.average(bench.label[part], weights=bench.weight[part])),
            "low": float(low), "high": float(high), "rows": float(len(part)),
        })  # fmt: skip
    return rows


def slices(
    judged: Judged, bench: Bench, names: Mapping[str, NDArray[np.str_]], least: int = 200
) -> list[dict[str, float | str]]:
    """Predicted and observed rate per slice with at least `least` rows: `z` is the gap in standard errors."""
    out: list[dict[str, float | str]] = []
    for name, values in names.items():
        for value in sorted(set(values.tolist())):
            part = values == value
            if int(part.sum()) < least:
                continue
            p, w = judged.probability[part], bench.weight[part]
            gap = float(w @ (bench.label[part] - p)) / float(w.sum())
            error = _clustered_error(bench.label[part] - p, w, bench.lead[part])
            out.append({
                "slice": name, "value": value, "rows": int(part.sum()), "predicted": float(np.average(p, weights=w)),
                "observed": float(np.average(bench.label[part], weights=w)), "z": gap / error if error > 0 else 0.0,
            })  # fmt: skip
    return out


def _clustered_error(residual: F64, weight: F64, lead: I64) -> float:
    """Standard error of the weighted mean residual when rows of one lead move together."""
    _, place = np.unique(lead, return_inverse=True)
    sums = np.bincount(place, weights=weight * residual)
    return float(np.sqrt(np.sum(sums**2)) / weight.sum())
