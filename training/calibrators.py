"""Which calibrator a candidate gets: a sigmoid, unless isotonic regression or Venn-Abers is clearly better.

All are fitted on held-out predictions of training rows; which is better is asked of leads that the fit did not see.
Judging rows have no part in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.calibration import Calibrator, Isotonic, fit_sigmoid
from training.splits import by_lead

F64 = NDArray[np.float64]
BINS, KNOTS = 400, 60
CLEARLY = 2.0  # standard errors


def fit_stepped(raw: F64, label: F64, weight: F64) -> Isotonic:
    """Isotonic regression of the label on held-out log-odds, in equal-count bins."""
    from sklearn.isotonic import IsotonicRegression

    x, y, rows = _binned(raw, label, weight)
    model = IsotonicRegression(out_of_bounds="clip").fit(x, y, rows)
    return Isotonic(tuple(model.X_thresholds_.tolist()), tuple(model.y_thresholds_.tolist()))


def fit_venn_abers(raw: F64, label: F64, weight: F64) -> Isotonic:
    """Venn-Abers: at each log-odds the fit with one more 0 there and the one with one more 1, merged for log loss.

    p = p1 / (1 - p0 + p1). Source: V. Vovk, I. Petej, "Venn-Abers predictors" (2014). Kept as knots.
    """
    from sklearn.isotonic import IsotonicRegression

    x, y, rows = _binned(raw, label, weight)
    knots = np.unique(np.quantile(x, np.linspace(0, 1, KNOTS)))

    def at(knot: float, more: float) -> float:
        model = IsotonicRegression(out_of_bounds="clip")
        return float(model.fit(np.append(x, knot), np.append(y, more), np.append(rows, 1.0)).predict([knot])[0])

    ends = [(at(k, 0.0), at(k, 1.0)) for k in knots.tolist()]
    merged = np.maximum.accumulate([p1 / (1.0 - p0 + p1) for p0, p1 in ends])
    return Isotonic(tuple(knots.tolist()), tuple(merged.tolist()), "venn_abers")


FITS: dict[str, Callable[[F64, F64, F64], Calibrator]] = {
    "sigmoid": fit_sigmoid,
    "isotonic": fit_stepped,
    "venn_abers": fit_venn_abers,
}


def chosen(raw: F64, label: F64, weight: F64, hashes: F64) -> Calibrator:
    """The calibrator of these held-out log-odds, (n,) each; hashes say which rows are of one lead."""
    folds = by_lead(hashes)
    losses = {kind: np.zeros(len(raw)) for kind in FITS}
    for train, held_out in folds:
        for kind, fit in FITS.items():
            p = fit(raw[train], label[train], weight[train]).apply(raw[held_out])
            losses[kind][held_out] = -np.where(label[held_out] == 1, np.log(p), np.log1p(-p))
    gains = {kind: _gain(losses["sigmoid"] - loss, weight, hashes) for kind, loss in losses.items()}
    best = max(FITS, key=lambda kind: gains[kind][0])
    return FITS[best if gains[best][0] > CLEARLY * gains[best][1] else "sigmoid"](raw, label, weight)


def _gain(saved: F64, weight: F64, hashes: F64) -> tuple[float, float]:
    """Weighted mean of the loss saved, and its standard error by lead."""
    mean = float(np.average(saved, weights=weight))
    _, lead = np.unique(hashes, return_inverse=True)
    by = np.bincount(lead, weights=weight * (saved - mean))
    return mean, float(np.sqrt((by**2).sum()) / weight.sum())


def _binned(raw: F64, label: F64, weight: F64) -> tuple[F64, F64, F64]:
    """Mean log-odds, mean label and weight of at most BINS equal-count bins, ascending."""
    order = np.argsort(raw, kind="stable")
    bin_ = np.arange(len(raw)) * min(BINS, len(raw)) // len(raw)
    rows, x, y = (
        np.bincount(bin_, weights=w[order]).astype(np.float64) for w in (weight, weight * raw, weight * label)
    )
    return x / rows, y / rows, rows
