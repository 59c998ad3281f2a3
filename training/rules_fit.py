"""Points fitted from data: a logistic regression on the lines of the ledger that never turns a rule round.

    log-odds = intercept + sum over rules of factor * points the rule gave,      factor >= 0

A rule's factor says how much its points are worth; the hand-made file gives all rules the same one. Factors are drawn
towards that common one as strongly as held-out leads ask for (a ridge around the teams' own judgement), so with few
conversions the hand-made points remain and with many the data decide. A rule against which the data speak gets 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.splits import by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
FIT_ROWS = 100_000


@dataclass(frozen=True)
class Fitted:
    """factor (k,) of each rule; `common`: the one factor of the hand-made points; the ridge that was chosen."""

    factor: F64
    common: float
    ridge: float


def fit_factors(entries: NDArray[np.integer], label: F64, weight: F64, hashes: F64) -> Fitted:
    """Factors of the rules from points (n, k), label, weight and lead hash (n,) of training rows."""
    from threadpoolctl import threadpool_limits

    some = hashes <= np.sort(hashes)[min(len(hashes), FIT_ROWS) - 1]  # whole leads
    x, y, w = entries[some].astype(np.float64), label[some], weight[some] / weight[some].sum()
    with threadpool_limits(1):
        total = x.sum(axis=1, keepdims=True)
        common = float(_minimum(total, y, w, np.zeros(1), 0.0)[1])
        start = np.full(x.shape[1], common)
        losses = np.array([_held_out(x, y, w, hashes[some], start, ridge) for ridge in RIDGES])
        ridge = RIDGES[_strongest(losses)]
        return Fitted(_minimum(x, y, w, start, ridge)[1:], common, ridge)


def _strongest(losses: F64) -> int:
    """The strongest ridge whose loss (ridges, folds) is within a standard error of the least (Breiman et al. 1984)."""
    more = losses - losses[int(np.argmin(losses.sum(axis=1)))]
    error = more.std(axis=1, ddof=1) / np.sqrt(losses.shape[1]) if losses.shape[1] > 1 else 0.0
    return int(np.flatnonzero(more.mean(axis=1) <= error)[-1])


def _held_out(x: F64, y: F64, w: F64, hashes: F64, start: F64, ridge: float) -> list[float]:
    """Log loss of leads that a fit with this ridge did not see, by fold."""
    loss = []
    for train, rest in by_lead(hashes):
        found = _minimum(x[train], y[train], w[train] / w[train].sum(), start, ridge)
        z = found[0] + x[rest] @ found[1:]
        loss.append(float(w[rest] @ (np.logaddexp(0.0, z) - y[rest] * z)))
    return loss


def _minimum(x: F64, y: F64, w: F64, start: F64, ridge: float) -> F64:
    """Intercept and factors >= 0 of least log loss plus ridge / 2 * sum of (spread * (factor - start))**2.

    `spread` is the standard deviation of a rule's points: a rule that was never met keeps its start.
    """
    from scipy.optimize import minimize

    spread = x.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    pull = np.where(spread > 0, ridge, 1.0)
    design, centre = x / scale, start * scale

    def loss(theta: F64) -> tuple[float, F64]:
        z = theta[0] + design @ theta[1:]
        residual = w * (1 / (1 + np.exp(-z)) - y)
        away = theta[1:] - centre
        value = float(w @ (np.logaddexp(0.0, z) - y * z)) + 0.5 * float(pull @ away**2)
        return value, np.concatenate([[residual.sum()], residual @ design + pull * away])

    base = float(np.clip(w @ y / w.sum(), 1e-6, 1 - 1e-6))
    first = np.concatenate([[np.log(base / (1 - base))], centre])
    bounds = [(None, None)] + [(0.0, None)] * len(start)
    found = np.asarray(minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x, dtype=np.float64)
    found[1:] /= scale
    return found
