"""How the path speaks for a conversion: the mean log-odds of its steps, learned from labels.

A step is a pair of content types in a row, the beginning and the end of the path included. Each step's conversion
rate is shrunk towards the base rate by PRIOR rows, so that rare steps say little; its weight is the difference of
their log-odds. Training rows must be computed with parts that never saw their lead: `cross_fitted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import F64, I64, per_segment, ratio, rows_where, run_ends, run_starts
from features.family import Family, Fitted, Labels, Moment
from features.journeys import Journeys

PRIOR = 50.0
LEAST_ROWS = 20
EDGE = "|"


def path_log_odds(m: Moment, fitted: Fitted) -> F64:
    """Mean weight of the different steps of the path; a step without a weight counts as 0."""
    j = m.journeys
    weight = _weights(j.vocabulary.types, tuple(fitted.get("values", ())), tuple(fitted.get("weights", ())))
    segment, step_ = _steps(j)
    total = np.bincount(segment, weights=weight[step_], minlength=len(j)).astype(np.float64)
    return ratio(total, per_segment(segment, len(j)))


def learn_path_log_odds(m: Moment, labels: Labels) -> Fitted:
    """The steps that enough rows have, with their weights."""
    names = (*m.journeys.vocabulary.types, EDGE)
    segment, step = _steps(m.journeys)
    width = len(names) ** 2
    rows = np.bincount(step, minlength=width)
    whole = np.bincount(step, weights=labels.weight[segment], minlength=width)
    won = np.bincount(step, weights=(labels.weight * labels.label)[segment], minlength=width)
    base = base_rate(labels)
    if not 0 < base < 1:
        return {"values": [], "weights": []}
    weight = against(shrunk_rate(won, whole, base), base)
    kept = rows_where(rows >= LEAST_ROWS).tolist()
    found = sorted((f"{names[i // len(names)]}>{names[i % len(names)]}", float(weight[i])) for i in kept)
    return {"values": [name for name, _ in found], "weights": [value for _, value in found]}


def base_rate(labels: Labels) -> float:
    """The weighted share of conversions; 0 where no row weighs anything."""
    return float(np.average(labels.label, weights=labels.weight)) if labels.weight.any() else 0.0


def shrunk_rate(won: NDArray[Any], whole: NDArray[Any], base: float) -> F64:
    """Conversion rates won / whole, pulled to the base rate by PRIOR rows."""
    rate: F64 = (won + PRIOR * base) / (whole + PRIOR)
    return rate


def against(rate: F64, base: float) -> F64:
    """How far the log-odds of some rates lie above those of the base rate."""
    weight: F64 = np.log(rate / (1 - rate)) - np.log(base / (1 - base))
    return weight


def cross_fitted(family: Family, m: Moment, parts: Sequence[Fitted], fold: I64) -> F64:
    """The family's values with part fold[i] for row i: a part that was learned without this row's lead."""
    values = family.compute(m, parts[0])
    for number, part in enumerate(parts[1:], start=1):
        values = np.where((fold == number).reshape((-1,) + (1,) * (values.ndim - 1)), family.compute(m, part), values)
    return values


@lru_cache(maxsize=64)
def _weights(types: tuple[str, ...], steps: tuple[str, ...], values: tuple[float, ...]) -> F64:
    """Weight of each step by its number, 0 for steps without one."""
    names = (*types, EDGE)
    number = {name: i for i, name in enumerate(names)}
    weight = np.zeros(len(names) ** 2)
    for step, value in zip(steps, values, strict=True):
        a, b = step.split(">")
        if a in number and b in number:
            weight[number[a] * len(names) + number[b]] = value
    return weight


def _steps(j: Journeys) -> tuple[I64, I64]:
    """(segment, number of the step) of the different steps of each path, ascending."""
    segment, type_ = j.pages.type_path
    edge, width = len(j.vocabulary.types), len(j.vocabulary.types) + 1
    closes = run_ends(segment)
    steps = np.empty(len(segment) + len(closes), dtype=np.int64)
    into, out = steps[: len(segment)], steps[len(segment) :]
    into[1:] = type_[:-1]
    into[run_starts(segment)] = edge
    into *= width
    into += type_ + segment * (width * width)
    out[:] = type_[closes] * width + (edge + segment[closes] * (width * width))
    steps.sort()
    distinct = steps[run_starts(steps)]
    owner = distinct // (width * width)
    return owner, distinct - owner * (width * width)


FAMILIES: tuple[Family, ...] = (
    Family("path_log_odds", "path", "log-odds", "", "no page view",
           "Path so far speaks for a deal by {value}", "Bisheriger Pfad spricht mit {value} für einen Abschluss",
           "No page view on record", "Kein Seitenaufruf bekannt", path_log_odds, learn=learn_path_log_odds),
)  # fmt: skip
