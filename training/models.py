"""Recipes: how a candidate is fitted. A recipe is a name and plain settings; fitting it gives a Predictor.

logistic    logistic regression on squeezed, standardised features that may bend, with missing indicators
lightgbm    depth-limited gradient boosting; its size is bounded so that an explanation stays cheap
blend       the weighted mean of several of them in log-odds
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.predictors import BlendModel, LinearModel, Predictor, TreeModel, squeeze

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Kind = Literal["logistic", "lightgbm", "blend"]

# The table that bounds the trees: with as many as these an explanation of one row stays within 0.8 ms.
MAX_TREES, MAX_LEAVES, MAX_DEPTH = 3000, 31, 8
MAX_KNOTS, MAX_BENDS = 9, 150  # of a feature, and of all together: a fit's time grows with their square
_ROUNDS, _PATIENCE = 1000, 60


@dataclass(frozen=True)
class Rows:
    """What a recipe learns from: values (n, k), label, weight and fold-giving lead hash (n,)."""

    columns: tuple[str, ...]
    values: F64
    label: F64
    weight: F64
    hashes: F64

    def take(self, rows: I64) -> Rows:
        return Rows(self.columns, self.values[rows], self.label[rows], self.weight[rows], self.hashes[rows])

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class Recipe:
    """A candidate's name and settings; two equal recipes fit equal models on equal rows."""

    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    threads: int = 2

    def fit(self, rows: Rows) -> Predictor:
        return _FIT[self.kind](self, rows)


# -- logistic --------------------------------------------------------------------------------------------------
def _fit_logistic(recipe: Recipe, rows: Rows) -> LinearModel:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    design, centre, scale, unknown = _standardise(squeeze(rows.values))
    knots = _knots(rows.values)
    q, column = np.nonzero(np.isfinite(knots))
    bent = np.maximum(squeeze(rows.values[:, column]) - knots[q, column], 0.0)
    hinges, hinge_centre, hinge_scale, _ = _standardise(bent)
    has_unknown = np.flatnonzero(unknown.any(axis=0))
    whole = np.hstack([design, unknown[:, has_unknown].astype(np.float64), hinges])
    with threadpool_limits(1):
        model = LogisticRegression(C=recipe.settings.get("C", 0.1), solver="newton-cholesky", max_iter=100)
        model.fit(whole, rows.label, sample_weight=rows.weight)
    k, coefficient = rows.values.shape[1], model.coef_[0]
    missing, bends, offset = np.zeros(k), np.zeros(knots.shape), np.zeros(k)
    missing[has_unknown] = coefficient[k : k + len(has_unknown)]
    bends[q, column] = coefficient[k + len(has_unknown) :] / hinge_scale
    np.subtract.at(offset, column, bends[q, column] * hinge_centre)
    return LinearModel(
        rows.columns, centre, scale, coefficient[:k].copy(), missing, knots, bends, offset, float(model.intercept_[0])
    )


def _knots(values: F64) -> F64:
    """Where each feature's line may bend, (q, k): quantiles of its squeezed known values, inf = nowhere.

    As many as MAX_BENDS in all allows; two values make no curve, and a knot below all values but the least is a step.
    """
    known = [np.unique(squeeze(c[~np.isnan(c)])) for c in values.T]
    curved = [i for i, c in enumerate(known) if len(c) > 2]
    count = min(MAX_KNOTS, MAX_BENDS // max(len(curved), 1))
    knots = np.full((count, values.shape[1]), np.inf)
    for i in curved:
        column = squeeze(values[~np.isnan(values[:, i]), i])
        at = np.unique(np.quantile(column, np.linspace(0, 1, count + 2)[1:-1]))
        at = at[at < known[i][-1]]
        knots[: len(at), i] = at
    return knots


def _standardise(values: F64) -> tuple[F64, F64, F64, NDArray[np.bool_]]:
    """Standardised features with 0 for unknown; a constant feature gets scale 1 and so stays 0."""
    unknown = np.isnan(values)
    plain = np.where(unknown, 0.0, values)
    known = np.maximum((~unknown).sum(axis=0), 1)
    centre = plain.sum(axis=0) / known
    centred = np.where(unknown, 0.0, plain - centre)
    scale = np.sqrt((centred**2).sum(axis=0) / known)
    scale = np.where(scale > 1e-9, scale, 1.0)
    return centred / scale, centre, scale, unknown


# -- lightgbm --------------------------------------------------------------------------------------------------
def booster_parameters(recipe: Recipe) -> dict[str, Any]:
    """LightGBM's parameters of a recipe; text of the model is reproducible with them."""
    fixed = {
        "objective": "binary", "max_depth": 4, "num_leaves": 15, "deterministic": True,
        "force_row_wise": True, "seed": recipe.seed, "num_threads": recipe.threads, "verbosity": -1,
        "feature_pre_filter": False, "max_bin": 127,
    }  # fmt: skip
    return fixed | {k: v for k, v in recipe.settings.items() if k != "rounds"}


def _fit_lightgbm(recipe: Recipe, rows: Rows) -> TreeModel:
    import lightgbm as lgb

    data = lgb.Dataset(rows.values, rows.label, weight=rows.weight, free_raw_data=True)
    model = lgb.train(booster_parameters(recipe), data, num_boost_round=int(recipe.settings.get("rounds", 200)))
    return TreeModel(model.model_to_string(), recipe.threads)


def rounds_and_predictions(
    recipe: Recipe, rows: Rows, folds: Sequence[tuple[I64, I64]], advance: Callable[[], None]
) -> tuple[int, F64]:
    """The number of rounds with the least held-out log loss, and the held-out log-odds at it, (n,)."""
    import lightgbm as lgb

    data = lgb.Dataset(rows.values, rows.label, weight=rows.weight, free_raw_data=False)
    result = lgb.cv(
        booster_parameters(recipe), data, num_boost_round=_ROUNDS, folds=list(folds), metrics="binary_logloss",
        callbacks=[lgb.early_stopping(_PATIENCE, verbose=False)], return_cvbooster=True,
    )  # fmt: skip
    boosters = result["cvbooster"]
    rounds = int(boosters.best_iteration)
    raw = np.empty(len(rows))
    for (_, held_out), booster in zip(folds, boosters.boosters, strict=True):
        raw[held_out] = booster.predict(rows.values[held_out], num_iteration=rounds, raw_score=True)
    advance()
    return rounds, raw


# -- blend -----------------------------------------------------------------------------------------------------
def _fit_blend(recipe: Recipe, rows: Rows) -> BlendModel:
    parts = [
        Recipe(p["kind"], p["settings"], recipe.seed + p.get("seed", 0), recipe.threads)
        for p in recipe.settings["parts"]
    ]
    return BlendModel(tuple(p.fit(rows) for p in parts), tuple(recipe.settings["weights"]))


_FIT: dict[str, Callable[[Recipe, Rows], Predictor]] = {
    "logistic": _fit_logistic,
    "lightgbm": _fit_lightgbm,
    "blend": _fit_blend,
}
