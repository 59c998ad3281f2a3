"""Choosing on training rows: settings by cross-validation that never divides a lead, calibrators on what it held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import calibrators
from training.calibration import Calibrator, fit_sigmoid
from training.models import Recipe, Rows, rounds_and_predictions
from training.predictors import Predictor
from training.splits import by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Advance = Callable[[], None]
Folds = list[tuple[I64, I64]]

_PICKS, _WORTH, _SEEDS = 5, 1e-4, 2
_LOGISTIC_C = (0.001, 0.03, 0.5)
# `trials` takes the first ones: extra trees resist noise where conversions are few, plain ones suit larger tables.
_EXTRA: dict[str, Any] = {"extra_trees": True, "feature_fraction": 0.5}
_TREES: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.08, "min_data_in_leaf": 100, "lambda_l2": 20.0} | _EXTRA,
    {"learning_rate": 0.03, "min_data_in_leaf": 20, "feature_fraction": 0.3, "lambda_l2": 5.0},
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
    folds = by_lead(rows.hashes)
    logistic = _best([_logistic(rows, folds, c, seed, threads, advance) for c in _LOGISTIC_C])
    trees = [_trees(rows, folds, t, seed, threads, advance) for t in _TREES[: tried(trials)]]
    candidates = sorted([logistic, _best(trees), _blend(rows, [logistic, *trees])], key=lambda c: c.loss)
    return [replace(c, calibrator=calibrators.chosen(c.held_out, rows.label, rows.weight, rows.hashes))
            for c in candidates]  # fmt: skip


def steps(trials: int) -> int:
    """How often `choose` advances."""
    return len(_LOGISTIC_C) + tried(trials)


def tried(trials: int) -> int:
    """How many settings of LightGBM are tried when `trials` are asked for."""
    return min(max(1, trials), MAX_TRIALS)


def fit(candidate: Candidate, rows: Rows) -> FittedCandidate:
    """The candidate on all training rows; its calibrator comes from held-out rows and is not refitted."""
    return FittedCandidate(candidate.name, candidate.recipe, candidate.recipe.fit(rows), candidate.calibrator)


def again(recipe: Recipe, rows: Rows) -> FittedCandidate:
    """A recipe chosen earlier, fitted and calibrated on these rows."""
    found = _candidate(recipe.kind, recipe, _held_out(recipe, rows, by_lead(rows.hashes)), rows)
    return fit(found, rows)


def _held_out(recipe: Recipe, rows: Rows, folds: Folds) -> F64:
    raw = np.full(len(rows), np.nan)
    for train, held_out in folds:
        raw[held_out] = recipe.fit(rows.take(train)).raw(rows.values[held_out])
    return raw


def _logistic(rows: Rows, folds: Folds, c: float, seed: int, threads: int, advance: Advance) -> Candidate:
    recipe = Recipe("logistic", {"C": c}, seed, threads)
    raw = _held_out(recipe, rows, folds)
    advance()
    return _candidate("logistic", recipe, raw, rows)


def _trees(rows: Rows, folds: Folds, settings: dict[str, Any], seed: int, threads: int, advance: Advance) -> Candidate:
    rounds, raw = rounds_and_predictions(Recipe("lightgbm", settings, seed, threads), rows, folds, advance)
    return _candidate("lightgbm", Recipe("lightgbm", settings | {"rounds": rounds}, seed, threads), raw, rows)


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
        seeds = range(_SEEDS if parts[i].recipe.kind == "lightgbm" else 1)
        chosen += [{"kind": parts[i].recipe.kind, "settings": dict(parts[i].recipe.settings), "seed": s} for s in seeds]
        weights += [n / len(picked) / len(seeds) for _ in seeds]
    return Recipe("blend", {"parts": chosen, "weights": weights}, parts[0].recipe.seed, parts[0].recipe.threads)


def _candidate(name: str, recipe: Recipe, raw: F64, rows: Rows) -> Candidate:
    calibrator = fit_sigmoid(raw, rows.label, rows.weight)
    return Candidate(name, recipe, raw, calibrator, log_loss(calibrator.apply(raw), rows.label, rows.weight))


def _best(candidates: list[Candidate]) -> Candidate:
    return min(candidates, key=lambda c: c.loss)


def log_loss(probability: F64, label: F64, weight: F64) -> float:
    """Weighted mean of -log p(label), in nats."""
    loss = -np.where(label == 1, np.log(probability), np.log1p(-probability))
    return float(np.average(loss, weights=weight))


def resampled(rows: Rows, seed: int) -> Rows:
    """Leads drawn with replacement: each row weighs as often as its lead was drawn; leads not drawn are left out."""
    leads, place = np.unique(rows.hashes, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(leads), np.full(len(leads), 1 / len(leads)))
    weight = rows.weight * drawn[place]
    keep = np.flatnonzero(weight > 0)
    return Rows(rows.columns, rows.values[keep], rows.label[keep], weight[keep], rows.hashes[keep])


def _one_seed(recipe: Recipe) -> Recipe:
    """A recipe whose trees are fitted once: resampling varies them anyway."""
    parts = list(zip(recipe.settings.get("parts", ()), recipe.settings.get("weights", ()), strict=True))
    first = [(p, w) for p, w in parts if not p.get("seed")]
    if not first:
        return recipe
    whole = sum(w for _, w in first)
    settings = {"parts": [p for p, _ in first], "weights": [w / whole for _, w in first]}
    return Recipe(recipe.kind, settings, recipe.seed, recipe.threads)


def refit_log_odds(fitted: FittedCandidate, rows: Rows, values: F64, refits: int, seed: int, advance: Advance) -> F64:
    """Calibrated log-odds of `values` (m, k) by `refits` models on resampled leads, (refits, m)."""
    out, recipe = np.empty((refits, len(values))), _one_seed(fitted.recipe)
    for i in range(refits):
        model = recipe.fit(resampled(rows, seed + 1 + i))
        p = fitted.calibrator.apply(model.raw(values))
        out[i] = np.log(p / (1 - p))
        advance()
    return out
