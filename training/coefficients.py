"""What the logistic regression says, column by column, in words that can be read without the formula.

Its lines may bend, so that one coefficient does not tell a column's effect: what counts is how far the log-odds move
from a low value of the column to a high one, all else equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.predictors import Predictor

F64 = NDArray[np.float64]
LOW, HIGH, SHOWN = 0.1, 0.9, 15


@dataclass(frozen=True)
class Effect:
    """One column: a low and a high value of it, and the change of the log-odds from the one to the other."""

    column: str
    low: float
    high: float
    change: float

    def line(self) -> str:
        return f"| `{self.column}` | {self.low:.4g} | {self.high:.4g} | {self.change:+.3f} |"


def effects(model: Predictor, columns: tuple[str, ...], values: F64) -> list[Effect]:
    """The effect of every column of features (n, k) that varies, largest first.

    Low and high are the 10 % and 90 % quantiles of the known values; their least and greatest where these are equal.
    """
    least, low, high, most = known_quantiles(values, (0.0, LOW, HIGH, 1.0), "nearest")
    same = low == high
    low, high = np.where(same, least, low), np.where(same, most, high)
    _, parts, _ = model.explained(np.vstack([low, high]))
    change = parts[1] - parts[0]
    order = [i for i in np.argsort(-np.abs(change), kind="stable").tolist() if low[i] < high[i]]
    return [Effect(columns[i], float(low[i]), float(high[i]), float(change[i])) for i in order]


def table(found: list[Effect]) -> str:
    """The largest effects, for the model card."""
    head = "| column | low | high | log-odds from low to high |\n|---|---|---|---|\n"
    return head + "\n".join(e.line() for e in found[:SHOWN])


def known_quantiles(values: F64, at: Sequence[float], method: Literal["linear", "nearest"] = "linear") -> F64:
    """Quantiles of each column's known values, (quantiles, k); 0 where none is known."""
    nothing = np.isnan(values).all(axis=0)
    return np.asarray(np.nanquantile(np.where(nothing, 0.0, values), at, axis=0, method=method), dtype=np.float64)
