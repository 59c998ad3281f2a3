"""Refits on halves of the leads: how sure a probability is.

A refit learns from half of the leads, and from one part of a blend in turn, so that the refits differ by who was there
and by the kind of model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.calibration import logit
from training.candidates import FittedCandidate
from training.models import Recipe, Rows
from training.parallel import in_parallel

F64 = NDArray[np.float64]


def half(rows: Rows, seed: int) -> Rows:
    """The rows of half of the leads, drawn without replacement.

    The deviation among such halves is that among samples as large as the whole. Source: B. Efron and R. Tibshirani,
    "An Introduction to the Bootstrap" (1993), section 11.5, the delete-d jackknife with d = n / 2.
    """
    leads, place = np.unique(rows.hashes, return_inverse=True)
    drawn = np.zeros(len(leads), dtype=np.bool_)
    drawn[np.random.default_rng(seed).permutation(len(leads))[: (len(leads) + 1) // 2]] = True
    return rows.take(np.flatnonzero(drawn[place]))


def recipes_of(recipe: Recipe, refits: int) -> list[Recipe]:
    """The recipe of each refit: the parts of the model in turn, trees with another seed each time."""
    parts = recipe.parts
    return [replace(parts[i % len(parts)], seed=recipe.seed + i) for i in range(refits)]


def refit_log_odds(
    fitted: FittedCandidate, rows: Rows, values: F64, refits: int, seed: int, threads: int, advance: Callable[[], None]
) -> F64:
    """Calibrated log-odds of `values` (m, k) by models on halves of the leads, (refits, m)."""

    def one(i: int, recipe: Recipe) -> F64:
        raw = recipe.fit(half(rows, seed + 1 + i)).raw(values)
        advance()
        return logit(fitted.calibrator.apply(raw))

    recipes = recipes_of(fitted.recipe, refits)
    return np.array(in_parallel([partial(one, i, recipe) for i, recipe in enumerate(recipes)], threads))
