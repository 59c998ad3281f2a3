"""Choosing on training rows: settings by cross-validation that never divides a lead, calibrators on what it held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import calibrators
from training.calibration import Calibrator, fit_sigmoid, logit
from training.models import Recipe, Rows, fit_all, linear_models, rounds_and_predictions
from training.parallel import in_parallel
from training.predictors import Predictor
from training.splits import FOLDS, by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Advance = Callable[[], None]
Folds = list[tuple[I64, I64]]

_PICKS, _WORTH = 5, 1e-4
_SEEDS, _MANY = 2, 20_000  # trees of a blend are fitted with several seeds, unless rows are many
_LOGISTIC_C = (0.001, 0.03, 0.5)
# `trials` takes the first ones: extra trees resist noise where conversions are few, plain ones suit larger tables.
_EXTRA: dict[str, Any] = {"extra_trees": True, "feature_fraction": 0.5}
_TREES: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.08, "min_data_in_leaf": 100, "lambda_l2": 20.0} | _EXTRA,
    {"learning_rate": 0.06, "min_data_in_leaf": 20, "feature_fraction": 0.3, "lambda_l2": 5.0},
    {"learning_rate": 0.06, "min_data_in_leaf": 20, "lambda_l2": 1.0} | _EXTRA,
    {"learning_rate": 0.04, "min_data_in_leaf": 100, "feature_fraction": 0.3, "lambda_l2": 20.0},
    {"learning_rate": 0.05, "min_data_in_leaf": 20, "lambda_l2": 1.0, "max_depth": 6, "num_leaves": 20} | _EXTRA,
    {
        "learning_rate": 0.02,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.3,
        "lambda_l2": 5.0,
        "max_depth": 6,
        "num_leaves": 20,
    },
    {"learning_rate": 0.1, "min_data_in_leaf": 10, "lambda_l2": 1.0} | _EXTRA,
    {"learning_rate": 0.03, "min_data_in_leaf": 50, "feature_fraction": 0.7, "lambda_l2": 10.0},
)
MAX_TRIALS = len(_TREES)


@dataclass(frozen=True)
class Candidate:
    """A recipe with the settings chosen for it and its held-out log-odds (n,) on the training rows."""

    name: str
    recipe: Recipe
    held_out: F64
    calibrator: Calibrator
    loss: float


@dataclass(frozen=True)
class FittedCandidate:
    """A candidate fitted on all training rows."""

    name: str
    recipe: Recipe
    model: Predictor
    calibrator: Calibrator

    def probability(self, values: F64) -> F64:
        return self.calibrator.apply(self.model.raw(values))


def choose(rows: Rows, trials: int, seed: int, threads: int, advance: Advance) -> list[Candidate]:
    """The best settings of each family of candidates by held-out log loss, best candidate first.

    Never sees a judging row. A tie goes to the plainer candidate.
    """
    folds, kept = by_lead(rows.hashes), [np.full(len(rows), np.nan) for _ in _LOGISTIC_C]
    _ = rows.design  # once, before the fits that share it
    tasks: list[Callable[[], Candidate | None]] = [
        partial(_trees, rows, folds, Recipe("lightgbm", t, seed), advance) for t in _TREES[: tried(trials)]
    ]
    tasks += [partial(_lines, rows, fold, kept, advance) for fold in folds]
    trees = [found for found in in_parallel(tasks, threads) if found]
    logistic = _best([
        _candidate("logistic", Recipe("logistic", {"C": c}, seed), raw, rows)
        for c, raw in zip(_LOGISTIC_C, kept, strict=True)
    ])  # fmt: skip
    candidates = [logistic, _best(trees), _blend(rows, [logistic, *trees])]
    return [
        replace(c, calibrator=calibrators.chosen(c.held_out, rows.label, rows.weight, rows.hashes))
        for c in sorted(candidates, key=lambda c: c.loss)
    ]


def steps(trials: int) -> int:
    """How often `choose` advances."""
    return FOLDS + tried(trials)


def tried(trials: int) -> int:
    """How many settings of LightGBM are tried when `trials` are asked for."""
    return min(max(1, trials), MAX_TRIALS)


def fit(candidates: Sequence[Candidate], rows: Rows, threads: int) -> list[FittedCandidate]:
    """Candidates on all training rows; a calibrator comes from held-out rows and is not refitted."""
    models = fit_all([c.recipe for c in candidates], rows, threads)
    return [FittedCandidate(c.name, c.recipe, m, c.calibrator) for c, m in zip(candidates, models, strict=True)]


def again(recipe: Recipe, rows: Rows, threads: int) -> FittedCandidate:
    """A recipe chosen earlier, fitted and calibrated on these rows."""
    raw = np.full(len(rows), np.nan)
    for train, held_out in by_lead(rows.hashes):
        raw[held_out] = recipe.fit(rows.take(train), threads).raw(rows.values[held_out])
    return fit([_candidate(recipe.kind, recipe, raw, rows)], rows, threads)[0]


def _lines(rows: Rows, fold: tuple[I64, I64], kept: list[F64], advance: Advance) -> None:
    """The logistic regressions of one fold; what they say of the rows held out goes to `kept`."""
    train, held_out = fold
    for raw, model in zip(kept, linear_models(rows.take(train), _LOGISTIC_C), strict=True):
        raw[held_out] = model.raw(rows.values[held_out])
    advance()


def _trees(rows: Rows, folds: Folds, recipe: Recipe, advance: Advance) -> Candidate:
    rounds, raw = rounds_and_predictions(recipe, rows, folds, advance)
    return _candidate("lightgbm", replace(recipe, settings={**recipe.settings, "rounds": rounds}), raw, rows)


def _blend(rows: Rows, parts: list[Candidate]) -> Candidate:
    """The best two in log-odds, then again and again the one that lowers the held-out loss most.

    What is picked twice weighs twice. Source: R. Caruana et al., "Ensemble selection from libraries of models" (2004).
    """
    first = min(range(len(parts)), key=lambda i: parts[i].loss)
    picked = [first]
    found = _candidate("blend", parts[first].recipe, parts[first].held_out, rows)
    while len(picked) < _PICKS:
        others = [i for i in range(len(parts)) if len(picked) > 1 or i != first]
        tries = [_candidate("blend", _mixed(parts, [*picked, i]), _mean_of(parts, [*picked, i]), rows) for i in others]
        best = min(range(len(others)), key=lambda n: tries[n].loss)
        if len(picked) > 1 and tries[best].loss >= found.loss - _WORTH:
            break
        found, picked = tries[best], [*picked, others[best]]
    return found


def _mean_of(parts: list[Candidate], picked: list[int]) -> F64:
    mean: F64 = np.mean([parts[i].held_out for i in picked], axis=0)
    return mean


def _mixed(parts: list[Candidate], picked: list[int]) -> Recipe:
    """The blend of these parts; trees, which draw features by chance, are fitted with several seeds each."""
    chosen, weights = [], []
    for i, n in sorted(Counter(picked).items()):
        few = parts[i].recipe.kind == "lightgbm" and len(parts[i].held_out) < _MANY
        seeds = range(_SEEDS if few else 1)
        chosen += [{"kind": parts[i].recipe.kind, "settings": dict(parts[i].recipe.settings), "seed": s} for s in seeds]
        weights += [n / len(picked) / len(seeds) for _ in seeds]
    return Recipe("blend", {"parts": chosen, "weights": weights}, parts[0].recipe.seed)


def _candidate(name: str, recipe: Recipe, raw: F64, rows: Rows) -> Candidate:
    calibrator = fit_sigmoid(raw, rows.label, rows.weight)
    return Candidate(name, recipe, raw, calibrator, log_loss(calibrator.apply(raw), rows.label, rows.weight))


def _best(candidates: list[Candidate]) -> Candidate:
    return min(candidates, key=lambda c: c.loss)


def log_loss(probability: F64, label: F64, weight: F64) -> float:
    """Weighted mean of -log p(label), in nats."""
    loss = -np.where(label == 1, np.log(probability), np.log1p(-probability))
    return float(np.average(loss, weights=weight))


def half(rows: Rows, seed: int) -> Rows:
    """The rows of half of the leads, drawn without replacement.

    The deviation among such halves is that among samples as large as the whole. Source: B. Efron and R. Tibshirani,
    "An Introduction to the Bootstrap" (1993), section 11.5, the delete-d jackknife with d = n / 2.
    """
    leads, place = np.unique(rows.hashes, return_inverse=True)
    drawn = np.zeros(len(leads), dtype=np.bool_)
    drawn[np.random.default_rng(seed).permutation(len(leads))[: (len(leads) + 1) // 2]] = True
    return rows.take(np.flatnonzero(drawn[place]))


def _one_seed(recipe: Recipe) -> Recipe:
    """A recipe whose trees are fitted once: resampling varies them anyway."""
    if recipe.kind != "blend":
        return recipe
    parts, weights = recipe.settings["parts"], recipe.settings["weights"]
    first = [p for p in parts if not p.get("seed")]
    whole = [sum(w for p, w in zip(parts, weights, strict=True) if p | {"seed": 0} == f | {"seed": 0}) for f in first]
    return replace(recipe, settings={"parts": first, "weights": whole})


def refit_log_odds(
    fitted: FittedCandidate, rows: Rows, values: F64, refits: int, seed: int, threads: int, advance: Advance
) -> F64:
    """Calibrated log-odds of `values` (m, k) by `refits` models on halves of the leads, (refits, m)."""
    recipe = _one_seed(fitted.recipe)
    _ = rows.design

    def one(i: int) -> F64:
        raw = recipe.fit(half(rows, seed + 1 + i)).raw(values)
        advance()
        return logit(fitted.calibrator.apply(raw))

    return np.array(in_parallel([partial(one, i) for i in range(refits)], threads))
