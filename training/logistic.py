"""Logistic regression on squeezed, standardised features that may bend, with indicators of the unknown.

The columns of the regression depend on features alone, so one design serves every fold, penalty and resample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.predictors import LinearModel, squeeze

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
MAX_KNOTS, MAX_BENDS = 9, 150  # of a feature, and of all together: a fit's time grows with their square


@dataclass(frozen=True)
class Standard:
    """Centre and scale of each column, (k,); a constant one gets scale 1."""

    centre: F64
    scale: F64


@dataclass(frozen=True)
class Design:
    """What the regression sees of n rows: `whole` is (n, features + indicators + bends).

    indicator: the indicator of each feature's unknown values, -1 = always known; features that are unknown together
    share one. knots: (q, k) of squeezed values, inf = none.
    """

    columns: tuple[str, ...]
    whole: F64
    lines: Standard
    indicator: I64
    knots: F64
    hinges: Standard

    @staticmethod
    def of(columns: tuple[str, ...], values: F64) -> Design:
        """The design of features (n, k)."""
        squeezed = squeeze(values)
        knots = _knots(squeezed)
        q, column = np.nonzero(np.isfinite(knots))
        bent = np.maximum(squeezed[:, column] - knots[q, column], 0.0)
        lines, hinges = _standard(squeezed), _standard(bent)
        indicators, indicator = _indicators(np.isnan(values))
        whole = np.hstack([_applied(squeezed, lines), indicators, _applied(bent, hinges)])
        return Design(columns, whole, lines, indicator, knots, hinges)

    def take(self, rows: I64) -> Design:
        return replace(self, whole=self.whole[rows])

    def fits(self, label: F64, weight: F64, penalties: Sequence[float]) -> Iterator[LinearModel]:
        """A model for each inverse penalty C, the next fit beginning where the last one ended."""
        from sklearn.linear_model import LogisticRegression

        # On one core: sums over rows must not depend on how many there are.
        model = LogisticRegression(solver="newton-cholesky", max_iter=100, warm_start=True)
        for c in penalties:
            model.set_params(C=c).fit(self.whole, label, sample_weight=weight)
            yield self._model(model.coef_[0], float(model.intercept_[0]))

    def _model(self, coefficient: F64, intercept: float) -> LinearModel:
        k = len(self.columns)
        shared = np.bincount(self.indicator[self.indicator >= 0])
        missing = np.zeros(k)
        has = np.flatnonzero(self.indicator >= 0)
        missing[has] = (coefficient[k : k + len(shared)] / np.sqrt(shared))[self.indicator[has]]
        q, column = np.nonzero(np.isfinite(self.knots))
        bends, offset = np.zeros(self.knots.shape), np.zeros(k)
        bends[q, column] = coefficient[k + len(shared) :] / self.hinges.scale
        np.subtract.at(offset, column, bends[q, column] * self.hinges.centre)
        return LinearModel(
            self.columns, self.lines.centre, self.lines.scale, coefficient[:k].copy(), missing, self.knots, bends,
            offset, intercept,
        )  # fmt: skip


def _indicators(unknown: NDArray[np.bool_]) -> tuple[F64, I64]:
    """The different columns of `unknown` (n, k) that are not empty, and which one each feature has, -1 = none.

    A column that m features share counts sqrt(m): the penalty then is that of m columns of their own.
    """
    indicator = np.full(unknown.shape[1], -1, dtype=np.int64)
    numbers: dict[bytes, int] = {}
    for i in np.flatnonzero(unknown.any(axis=0)).tolist():
        indicator[i] = numbers.setdefault(unknown[:, i].tobytes(), len(numbers))
    has = np.flatnonzero(indicator >= 0)
    first = has[np.unique(indicator[has], return_index=True)[1]]
    shared = np.bincount(indicator[has], minlength=len(first)).astype(np.float64)
    return unknown[:, first].astype(np.float64) * np.sqrt(shared), indicator


def _knots(squeezed: F64) -> F64:
    """Where each feature's line may bend, (q, k): quantiles of its squeezed known values, inf = nowhere.

    As many as MAX_BENDS in all allows; two values make no curve, and a knot below all values but the least is a step.
    """
    known = [np.sort(c[~np.isnan(c)]) for c in squeezed.T]
    curved = [i for i, c in enumerate(known) if len(c) and ((c > c[0]) & (c < c[-1])).any()]
    count = min(MAX_KNOTS, MAX_BENDS // max(len(curved), 1))
    knots = np.full((count, squeezed.shape[1]), np.inf)
    for i in curved:
        at = np.unique(np.quantile(known[i], np.linspace(0, 1, count + 2)[1:-1]))
        at = at[at < known[i][-1]]
        knots[: len(at), i] = at
    return knots


def _standard(values: F64) -> Standard:
    known = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    centre = np.nansum(values, axis=0) / known
    scale = np.sqrt(np.nansum((values - centre) ** 2, axis=0) / known)
    return Standard(centre, np.where(scale > 1e-9, scale, 1.0))


def _applied(values: F64, standard: Standard) -> F64:
    """Standardised columns, 0 for the unknown; a constant feature stays 0."""
    return np.nan_to_num((values - standard.centre) / standard.scale, nan=0.0)
