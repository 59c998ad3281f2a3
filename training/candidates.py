"""Choosing on training rows: settings by cross-validation that never divides a lead, calibrators on what it held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training import calibrators, search
from training.calibration import Calibrator, fit_sigmoid
from training.models import Recipe, Rows, fit_all, linear_models, rounds_and_predictions
from training.parallel import in_parallel
from training.predictors import Predictor
from training.search import Trees
from training.splits import FOLDS, Validation

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Advance = Callable[[], None]

_PICKS, _WORTH = 5, 1e-4
_LOGISTIC_C = (0.001, 0.03, 0.5)


@dataclass(frozen=True)
class HeldOut:
    """The training rows that are held out once, (n,): their places, labels, weights and lead hashes."""

    rows: I64
    label: F64
    weight: F64
    hashes: F64

    @staticmethod
    def of(rows: Rows, validation: Validation) -> HeldOut:
        at = validation.held_out
        return HeldOut(at, rows.label[at], rows.weight[at], rows.hashes[at])


@dataclass(frozen=True)
class Candidate:
    """A recipe with the settings chosen for it and its log-odds (n,) on the training rows that were held out."""

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


def choose(
    rows: Rows, validation: Validation, trials: int, seed: int, threads: int, advance: Advance
) -> list[Candidate]:
    """The best settings of each family of candidates by held-out log loss, best candidate first.

    Never sees a judging row. A tie goes to the plainer candidate.
    """
    known = HeldOut.of(rows, validation)
    lines, trees = _tried(rows, validation, known, trials, seed, threads, advance)
    candidates = [_best(lines), _best(trees), _blend(known, [*lines, *trees])]
    return [
        replace(c, calibrator=calibrators.chosen(c.held_out, known.label, known.weight, known.hashes))
        for c in sorted(candidates, key=lambda c: c.loss)
    ]


def steps(trials: int) -> int:
    """How often `choose` advances."""
    return FOLDS + trials


def _tried(
    rows: Rows, validation: Validation, known: HeldOut, trials: int, seed: int, threads: int, advance: Advance
) -> tuple[list[Candidate], list[Candidate]]:
    """Every setting of the logistic regression, and of LightGBM."""
    kept = [np.full(len(rows), np.nan) for _ in _LOGISTIC_C]
    task = partial(_trees, rows, validation, known, seed, advance)
    fixed = search.FIXED[:trials]
    tasks: list[Callable[[], Candidate | None]] = [partial(task, settings) for settings in fixed]
    tasks += [partial(_lines, rows, fold, kept, advance) for fold in validation.folds]
    trees = [found for found in in_parallel(tasks, threads) if found]
    if trials > len(fixed):
        proposals = search.Proposals(seed, [(t, c.loss) for t, c in zip(fixed, trees, strict=True)])
        while len(trees) < trials:
            asked = proposals.ask(min(search.TOGETHER, trials - len(trees)))
            found = in_parallel([partial(task, settings) for settings in asked], threads)
            proposals.tell([c.loss for c in found])
            trees += found
    recipes = [Recipe("logistic", {"C": c}, seed) for c in _LOGISTIC_C]
    lines = [_candidate("logistic", r, raw[known.rows], known) for r, raw in zip(recipes, kept, strict=True)]
    return lines, trees


def fit(candidates: Sequence[Candidate], rows: Rows, threads: int) -> list[FittedCandidate]:
    """Candidates on all training rows; a calibrator comes from held-out rows and is not refitted."""
    models = fit_all([c.recipe for c in candidates], rows, threads)
    return [FittedCandidate(c.name, c.recipe, m, c.calibrator) for c, m in zip(candidates, models, strict=True)]


def again(recipe: Recipe, rows: Rows, searched: tuple[Rows, Validation], threads: int) -> FittedCandidate:
    """A recipe chosen earlier, fitted on these rows and calibrated as in a search."""
    some, validation = searched
    raw = np.full(len(some), np.nan)
    for train, held_out in validation.folds:
        raw[held_out] = recipe.fit(some.take(train), threads).raw(some.values[held_out])
    known = HeldOut.of(some, validation)
    return fit([_candidate(recipe.kind, recipe, raw[known.rows], known)], rows, threads)[0]


def _lines(rows: Rows, fold: tuple[I64, I64], kept: list[F64], advance: Advance) -> None:
    """The logistic regressions of one fold; what they say of the rows held out goes to `kept`."""
    train, held_out = fold
    for raw, model in zip(kept, linear_models(rows.take(train), _LOGISTIC_C), strict=True):
        raw[held_out] = model.raw(rows.values[held_out])
    advance()


def _trees(rows: Rows, validation: Validation, known: HeldOut, seed: int, advance: Advance, trees: Trees) -> Candidate:
    settings = trees.parameters()
    rounds, raw = rounds_and_predictions(Recipe("lightgbm", settings, seed), rows, validation.folds, advance)
    return _candidate("lightgbm", Recipe("lightgbm", settings | {"rounds": rounds}, seed), raw[known.rows], known)


def _blend(known: HeldOut, parts: list[Candidate]) -> Candidate:
    """The best two in log-odds, then again and again the one that lowers the held-out loss most.

    What is picked twice weighs twice. Source: R. Caruana et al., "Ensemble selection from libraries of models" (2004).
    """
    first = min(range(len(parts)), key=lambda i: parts[i].loss)
    picked = [first]
    found = _candidate("blend", parts[first].recipe, parts[first].held_out, known)
    while len(picked) < _PICKS:
        others = [i for i in range(len(parts)) if len(picked) > 1 or i != first]
        tries = [_candidate("blend", _mixed(parts, [*picked, i]), _mean_of(parts, [*picked, i]), known) for i in others]
        best = min(range(len(others)), key=lambda n: tries[n].loss)
        if len(picked) > 1 and tries[best].loss >= found.loss - _WORTH:
            break
        found, picked = tries[best], [*picked, others[best]]
    return found


def _mean_of(parts: list[Candidate], picked: list[int]) -> F64:
    mean: F64 = np.mean([parts[i].held_out for i in picked], axis=0)
    return mean


def _mixed(parts: list[Candidate], picked: list[int]) -> Recipe:
    counts = sorted(Counter(picked).items())
    chosen = [{"kind": parts[i].recipe.kind, "settings": dict(parts[i].recipe.settings)} for i, _ in counts]
    weights = [n / len(picked) for _, n in counts]
    return Recipe("blend", {"parts": chosen, "weights": weights}, parts[0].recipe.seed)


def _candidate(name: str, recipe: Recipe, raw: F64, known: HeldOut) -> Candidate:
    calibrator = fit_sigmoid(raw, known.label, known.weight)
    return Candidate(name, recipe, raw, calibrator, log_loss(calibrator.apply(raw), known.label, known.weight))


def _best(candidates: list[Candidate]) -> Candidate:
    return min(candidates, key=lambda c: c.loss)


def log_loss(probability: F64, label: F64, weight: F64) -> float:
    """Weighted mean of -log p(label), in nats."""
    loss = -np.where(label == 1, np.log(probability), np.log1p(-probability))
    return float(np.average(loss, weights=weight))
