"""What an answer is worth, and whether behaviour tells it already; all on leads that a model had not seen.

worth    log loss without the answer less log loss with it, of the leads that gave it. First one model sums up the
         behaviour of a lead in a number; then two see that number and the profile, one of them with the answer hidden:
         so a worth is what neither behaviour nor the other answers say
caught   conversions more among the best fifth, per 1,000 leads, with the answer known
told     share of the base rate's log loss that behaviour takes off a guess at the answer; 1 = it tells all
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import Z95, clip, expit
from training.evaluate import losses
from training.field_looks import Answers, Looks
from training.models import Recipe, Rows
from training.parallel import in_parallel
from training.splits import by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Folds = Sequence[tuple[I64, I64]]

BEST = 0.2  # of the leads; who is worked first
MOST_ANSWERS, BANDS = 8, 4  # answers told apart, the commonest ones; bands of a number
_TREES = {
    "learning_rate": 0.1, "min_data_in_leaf": 100, "feature_fraction": 0.3, "lambda_l2": 20.0, "extra_trees": True,
    "rounds": 80,
}  # fmt: skip
_PARTS = [
    {"kind": "logistic", "settings": {"C": 0.1}},
    {"kind": "lightgbm", "settings": _TREES | {"feature_fraction": 0.5}},
]
_GUESS: dict[str, Any] = {
    "objective": "multiclass", "learning_rate": 0.2, "max_depth": 4, "num_leaves": 15, "min_data_in_leaf": 50,
    "feature_fraction": 0.3, "lambda_l2": 20.0, "extra_trees": True, "deterministic": True, "force_col_wise": True,
    "num_threads": 1, "verbosity": -1,
}  # fmt: skip
_ROUNDS = 30


@dataclass(frozen=True)
class Figure:
    """A mean with its 95 % interval and the p of 0; all NaN where it cannot be worked out."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan

    @staticmethod
    def of(values: F64, weight: F64, scale: float = 1.0) -> Figure:
        """The weighted mean of independent values, times a scale."""
        from scipy.stats import norm

        if len(values) < 2:
            return Figure()
        mean = float(np.average(values, weights=weight))
        error = float(np.sqrt(np.square(weight * (values - mean)).sum()) / weight.sum())
        p = float(2 * norm.sf(abs(mean) / error)) if error > 0 else 1.0
        return Figure(mean * scale, (mean - Z95 * error) * scale, (mean + Z95 * error) * scale, p)


@dataclass(frozen=True)
class Worth:
    """Of one field; worth in nats, see the module."""

    worth: Figure
    caught: Figure
    told: Figure


@dataclass(frozen=True)
class Worths:
    """Of all fields. base, all: log loss of the base rate alone, and with all answers, in nats."""

    base: float
    all: float
    fields: dict[str, Worth]


def worths_of(looks: Looks, seed: int, threads: int, advance: Callable[[int], None]) -> Worths | None:
    """What each answer is worth; `advance` is told of each field. None where no fold can be made."""
    rows, folds = looks.rows, by_lead(looks.rows.hashes)
    if len(folds) < 2:
        return None
    behaved = _behaviour(looks, folds, seed)
    known = _summed(looks, None, behaved, folds, seed)
    tasks = [partial(_worth, looks, f, behaved, known, folds, seed, advance) for f in looks.answers]
    found = in_parallel(tasks, threads)
    base, every = (_mean(losses(p, rows.label), rows.weight) for p in (_base(rows, folds), known))
    return Worths(base, every, dict(zip(looks.answers, found, strict=True)))


def _worth(
    looks: Looks, field: str, behaved: F64, known: F64, folds: Folds, seed: int, advance: Callable[[int], None]
) -> Worth:
    rows, some = looks.rows, looks.known(field)
    hidden = _summed(looks, field, behaved, folds, seed)
    gain = losses(hidden, rows.label) - losses(known, rows.label)
    caught = rows.label * (_best(known, rows.weight) - _best(hidden, rows.weight))
    found = Worth(
        Figure.of(gain[some], rows.weight[some]), Figure.of(caught, rows.weight, 1000.0), _told(looks, field, seed)
    )
    advance(1)
    return found


def _mean(values: F64, weight: F64) -> float:
    return float(np.average(values, weights=weight))


def _best(p: F64, weight: F64) -> F64:
    """1 for the best BEST of all leads, else 0."""
    order = np.argsort(-p, kind="stable")
    best = np.zeros(len(p))
    best[order] = np.cumsum(weight[order]) <= BEST * weight.sum()
    return best


# -- held-out answers ------------------------------------------------------------------------------------------------
def _held_out(recipe: Recipe, rows: Rows, folds: Folds) -> F64:
    """Log-odds of each row by what never saw its lead."""
    raw = np.empty(len(rows))
    for train, out in folds:
        raw[out] = recipe.fit(rows.take(train)).raw(np.ascontiguousarray(rows.values[out]))
    return raw


def _behaviour(looks: Looks, folds: Folds, seed: int) -> F64:
    """What the behaviour of each lead says in one number; 0 where there is none."""
    if not len(looks.behaviour):
        return np.zeros(len(looks))
    return _held_out(Recipe("lightgbm", _TREES, seed), looks.rows.with_columns(looks.behaviour), folds)


def _summed(looks: Looks, hidden: str | None, behaved: F64, folds: Folds, seed: int) -> F64:
    """Probabilities from the profile, the answers as they were given, and that number; one field may be hidden.

    The answers themselves, because a field that no feature reads may still say something.
    """
    rows = looks.without(hidden) if hidden else looks.rows
    profile = np.setdiff1d(np.arange(len(rows.columns)), looks.behaviour)
    given = [_one_hot(looks, f, f == hidden) for f in looks.answers]
    values = np.column_stack([rows.values[:, profile], *given, behaved])
    both = replace(rows, columns=tuple(f"c{i}" for i in range(len(values.T))), values=values)
    return clip(expit(_held_out(Recipe("blend", {"parts": _PARTS, "weights": [0.5, 0.5]}, seed), both, folds)))


def _one_hot(looks: Looks, field: str, hidden: bool) -> F64:
    """The kind of each answer, (n, kinds); zeros where it is not known, or hidden."""
    some = np.flatnonzero(looks.known(field))
    kind, kinds = kinds_of(looks.answers[field][some])
    table = np.zeros((len(looks), kinds))
    if not hidden:
        table[some, kind] = 1.0
    return table


def _base(rows: Rows, folds: Folds) -> F64:
    p = np.empty(len(rows))
    for train, out in folds:
        p[out] = np.average(rows.label[train], weights=rows.weight[train])
    return clip(p)


# -- a guess at the answer -------------------------------------------------------------------------------------------
def _told(looks: Looks, field: str, seed: int) -> Figure:
    """How much of an answer behaviour tells; NaN where there is no behaviour or hardly two answers to tell apart."""
    some = np.flatnonzero(looks.known(field))
    kind, kinds = kinds_of(looks.answers[field][some])
    folds = by_lead(looks.rows.hashes[some], 2)
    if kinds < 2 or len(folds) < 2 or not len(looks.behaviour):
        return Figure()
    values, weight = looks.rows.values[np.ix_(some, looks.behaviour)], looks.rows.weight[some]
    base, guess = np.empty(len(some)), np.empty(len(some))
    for train, out in folds:
        share = (np.bincount(kind[train], weight[train], kinds) + 1) / (weight[train].sum() + kinds)
        base[out] = -np.log(share[kind[out]])
        guess[out] = -np.log(np.maximum(_guessed(values, kind, kinds, train, out, seed), 1e-9))
    mean = _mean(base, weight)
    return Figure.of(base - guess, weight, 1 / mean)


def _guessed(values: F64, kind: I64, kinds: int, train: I64, out: I64, seed: int) -> F64:
    """The probability of the answer that was given, of each row held out."""
    import lightgbm as lgb

    data = lgb.Dataset(np.ascontiguousarray(values[train]), kind[train], free_raw_data=True)
    model = lgb.train(_GUESS | {"num_class": kinds, "seed": seed}, data, num_boost_round=_ROUNDS)
    p = np.asarray(model.predict(np.ascontiguousarray(values[out]), num_threads=1))
    return np.asarray(p[np.arange(len(out)), kind[out]])


def kinds_of(answers: Answers) -> tuple[I64, int]:
    """The kind of each known answer and how many there are: the commonest texts and the others, or bands of numbers.
    Where hardly any answer is common (names of companies) there is nothing to tell apart: one kind."""
    if all(isinstance(a, float) for a in answers):
        numbers = answers.astype(np.float64)
        edges = np.unique(np.quantile(numbers, np.arange(1, BANDS) / BANDS)) if len(numbers) else numbers
        return np.searchsorted(edges, numbers, side="left").astype(np.int64), len(edges) + 1
    texts, kind, count = np.unique(answers.astype(str), return_inverse=True, return_counts=True)
    common = np.argsort(-count, kind="stable")[: MOST_ANSWERS - 1]
    if count[common].sum() < len(answers) / 4:
        return np.zeros(len(answers), dtype=np.int64), 1
    number = np.full(len(texts), len(common), dtype=np.int64)
    number[common] = np.arange(len(common))
    return number[kind], len(common) + (len(texts) > len(common))
