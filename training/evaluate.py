"""Judging: the same measures for points and models on the same matured snapshots, with intervals by lead.

Order (AUC, PR-AUC, lift, capture) uses the raw score, so that a calibrator with steps cannot decide it; log loss,
Brier and ECE use the calibrated probability. Intervals are the 5 % and 95 % quantiles over resampled leads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.slices import in_order

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

METRICS = ("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_5", "lift_at_10", "lift_at_20")
ECE_BINS = 10
OTHER = "other"


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
    """The judged rows: label, weight and lead number from 0 without gaps, all (n,)."""

    label: F64
    weight: F64
    lead: I64

    @staticmethod
    def of(label: F64, weight: F64, lead: I64) -> Bench:
        """`lead` may be any numbers that tell leads apart."""
        return Bench(label, weight, np.unique(lead, return_inverse=True)[1].astype(np.int64))

    @property
    def leads(self) -> int:
        return int(self.lead.max(initial=-1)) + 1

    def draws(self, times: int, seed: int) -> Draws:
        """`times` resamplings of leads with replacement."""
        share = np.full(self.leads, 1 / self.leads)
        counts = np.random.default_rng(seed).multinomial(self.leads, share, size=times)
        return Draws(counts.astype(np.int16), self)


@dataclass(frozen=True)
class Draws:
    """Resampled leads: how often each was drawn, int16 (times, leads). Weights of rows are made one draw at a time."""

    counts: NDArray[np.int16]
    bench: Bench

    def weights(self) -> Iterator[F64]:
        """Weights (n,) of each draw."""
        for counts in self.counts:
            yield counts[self.bench.lead] * self.bench.weight

    def sums(self, values: F64) -> F64:
        """Weighted sum of `values` (n,) in each draw, (times,)."""
        per_lead = np.bincount(self.bench.lead, weights=self.bench.weight * values, minlength=self.bench.leads)
        return np.asarray(self.counts @ per_lead, dtype=np.float64)


@dataclass(frozen=True)
class Sampled:
    """All METRICS of one candidate: on the judged rows, and in each draw of leads (the same draws for everybody)."""

    point: Mapping[str, float]
    draws: Mapping[str, F64]

    @staticmethod
    def of(judged: Judged, bench: Bench, draws: Draws) -> Sampled:
        orders = _Orders.of(judged)
        each = [measures(judged, bench.label, w, orders) for w in draws.weights() if _has_both(bench.label, w)]
        point = measures(judged, bench.label, bench.weight, orders)
        return Sampled(point, {m: np.array([s[m] for s in each]) for m in METRICS})

    def intervals(self) -> dict[str, Interval]:
        spread = dict(self.draws)
        # Resampling adds noise to every bin, so ECE comes out too large: take the mean excess off its interval.
        spread["ece"] = np.maximum(spread["ece"] - (spread["ece"].mean() - self.point["ece"]), 0.0)
        return {m: Interval(self.point[m], *_bounds(spread[m])) for m in METRICS}

    def minus(self, other: Sampled) -> dict[str, Interval]:
        """This candidate's measures minus another's, paired draw by draw. Without ECE, whose excess differs."""
        paired = {m: self.draws[m] - other.draws[m] for m in METRICS if m != "ece"}
        return {m: Interval(self.point[m] - other.point[m], *_bounds(d)) for m, d in paired.items()}


def judge(judged: Judged, bench: Bench, draws: Draws) -> dict[str, Interval]:
    """All METRICS with intervals."""
    return Sampled.of(judged, bench, draws).intervals()


def _bounds(samples: F64) -> tuple[float, float]:
    low, high = np.quantile(samples, [0.05, 0.95])
    return float(low), float(high)


def _has_both(label: F64, weight: F64) -> bool:
    return 0.0 < float(weight @ label) < float(weight.sum())


@dataclass(frozen=True)
class _Orders:
    """The two sortings every measure needs: by score, best first, and by probability; equal for all draws."""

    by_score: I64
    last_of_tie: I64
    by_probability: I64

    @staticmethod
    def of(judged: Judged) -> _Orders:
        by_score = np.argsort(-judged.score, kind="stable")
        score = judged.score[by_score]
        last_of_tie = np.flatnonzero(np.append(score[1:] != score[:-1], True))
        return _Orders(by_score, last_of_tie, np.argsort(judged.probability, kind="stable"))


def measures(judged: Judged, label: F64, weight: F64, orders: _Orders | None = None) -> dict[str, float]:
    """All METRICS for one set of weights."""
    orders = orders or _Orders.of(judged)
    w = weight[orders.by_score]
    hits, rows = np.cumsum(w * label[orders.by_score]), np.cumsum(w)
    ranked = Ranking(hits[orders.last_of_tie], rows[orders.last_of_tie])
    p = judged.probability
    return {
        "auc": ranked.auc(),
        "pr_auc": ranked.average_precision(),
        "log_loss": float(np.average(losses(p, label), weights=weight)),
        "brier": float(np.average((p - label) ** 2, weights=weight)),
        "ece": ece(p, label, weight, orders.by_probability),
        "lift_at_5": ranked.lift(0.05),
        "lift_at_10": ranked.lift(0.10),
        "lift_at_20": ranked.lift(0.20),
    }


def losses(probability: F64, label: F64) -> F64:
    """-log p(label) of each row, in nats."""
    return np.asarray(-np.where(label == 1, np.log(probability), np.log1p(-probability)), dtype=np.float64)


@dataclass(frozen=True)
class Ranking:
    """Cumulated positives and rows at each distinct score, best first: ties are one step."""

    hits: F64
    rows: F64

    @staticmethod
    def of(score: F64, label: F64, weight: F64) -> Ranking:
        """From scores (n,), higher = better, labels and weights."""
        order = np.argsort(-score, kind="stable")
        last_of_tie = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
        weight = weight[order]
        return Ranking(np.cumsum(weight * label[order])[last_of_tie], np.cumsum(weight)[last_of_tie])

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


def ece(probability: F64, label: F64, weight: F64, order: I64 | None = None) -> float:
    """Expected calibration error: mean |observed - predicted| over 10 equal-count bins (Naeini et al. 2015)."""
    order = np.argsort(probability, kind="stable") if order is None else order
    residual = (weight * (label - probability))[order]
    edges = np.linspace(0, len(order), ECE_BINS + 1).astype(np.int64)[:-1]
    return float(np.abs(np.add.reduceat(residual, np.unique(edges))).sum() / weight.sum())


def ece_limit(probability: F64, bench: Bench, seed: int, times: int = 200) -> float:
    """The 95 % quantile of ECE when outcomes are redrawn from the probabilities: what a perfect model would show.

    The looks at one lead share one draw, as they share one fate: independent draws would make the limit too small.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(probability, kind="stable")
    draws = [
        ece(probability, (rng.random(bench.leads)[bench.lead] < probability).astype(np.float64), bench.weight, order)
        for _ in range(times)
    ]
    return float(np.quantile(draws, 0.95))


def log_loss_gain(worse: Judged, better: Judged, bench: Bench, draws: Draws) -> Interval:
    """Mean log loss of `worse` minus `better`, paired on the same resampled leads; above 0 means better wins."""
    gain = losses(worse.probability, bench.label) - losses(better.probability, bench.label)
    return mean_interval(gain, bench, draws)


def mean_interval(values: F64, bench: Bench, draws: Draws) -> Interval:
    """The weighted mean of some values of the rows, with its interval by lead."""
    samples = draws.sums(values) / draws.sums(np.ones(len(values)))
    return Interval(float(np.average(values, weights=bench.weight)), *_bounds(samples))


def reliability(judged: Judged, bench: Bench, draws: Draws) -> list[dict[str, float]]:
    """Predicted against observed in 10 equal-count bins, observed with its interval by lead: the reliability figure."""
    parts = np.array_split(np.argsort(judged.probability, kind="stable"), ECE_BINS)
    return [_bin(judged, bench, draws, part) for part in parts if len(part)]


def _bin(judged: Judged, bench: Bench, draws: Draws, part: I64) -> dict[str, float]:
    inside = np.zeros(len(bench.label))
    inside[part] = 1.0
    total = draws.sums(inside)
    observed = draws.sums(inside * bench.label)[total > 0] / total[total > 0]
    low, high = np.quantile(observed, [0.05, 0.95])
    return {
        "predicted": float(np.average(judged.probability[part], weights=bench.weight[part])),
        "observed": float(np.average(bench.label[part], weights=bench.weight[part])),
        "low": float(low), "high": float(high), "rows": float(len(part)),
    }  # fmt: skip


def slices(
    judged: Judged, bench: Bench, names: Mapping[str, NDArray[np.str_]], least: int = 200
) -> list[dict[str, Any]]:
    """Predicted and observed rate of each part of each slice: `z` is the gap in standard errors.

    Parts with fewer than `least` rows are put together as OTHER, so that every slice adds up to all rows. Where a part
    has one kind of answer only its `auc` is null.
    """
    out: list[dict[str, Any]] = []
    for name, values in names.items():
        found, counts = np.unique(values, return_counts=True)
        large = set(found[counts >= least].tolist())
        for value in in_order(large):
            out.append(_part(judged, bench, values == value, name, value))
        rest = ~np.isin(values, list(large))
        if large and rest.any():
            out.append(_part(judged, bench, rest, name, OTHER))
    return out


def _part(judged: Judged, bench: Bench, part: NDArray[np.bool_], name: str, value: str) -> dict[str, Any]:
    p, label, w = judged.probability[part], bench.label[part], bench.weight[part]
    gap = float(w @ (label - p)) / float(w.sum())
    error = _clustered_error(label - p, w, bench.lead[part])
    ranked = measures(Judged(judged.score[part], p), label, w)["auc"] if _has_both(label, w) else None
    return {
        "slice": name, "value": value, "rows": int(part.sum()), "positives": int((label == 1).sum()),
        "predicted": float(np.average(p, weights=w)), "observed": float(np.average(label, weights=w)),
        "z": gap / error if error > 0 else 0.0, "auc": ranked,
        "log_loss": float(np.average(losses(p, label), weights=w)),
    }  # fmt: skip


def _clustered_error(residual: F64, weight: F64, lead: I64) -> float:
    """Standard error of the weighted mean residual when rows of one lead move together."""
    _, place = np.unique(lead, return_inverse=True)
    sums = np.bincount(place, weights=weight * residual)
    return float(np.sqrt(np.sum(sums**2)) / weight.sum())
