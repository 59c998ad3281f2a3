"""Recipes: how a candidate is fitted. A recipe is a name and plain settings; fitting it gives a Predictor.

logistic    logistic regression on squeezed, standardised features that may bend, with missing indicators
lightgbm    depth-limited gradient boosting; its size is bounded so that an explanation stays cheap
blend       the weighted mean of several of them in log-odds
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.blend import blended
from training.logistic import Design
from training.parallel import in_parallel
from training.predictors import LinearModel, Predictor, TreeModel

if TYPE_CHECKING:
    import lightgbm

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Kind = Literal["logistic", "lightgbm", "blend"]

# The table that bounds the trees: with as many as these an explanation of one row stays within 0.8 ms.
MAX_TREES, MAX_LEAVES, MAX_DEPTH = 3000, 31, 8
_ONE_DESIGN = RLock()  # fits beside each other wait for the design that they share
_ROUNDS, _PATIENCE = 1000, 2.4  # rounds without gain: as many as this divided by the learning rate


@dataclass(frozen=True)
class Rows:
    """What a recipe learns from: values (n, k), label, weight and fold-giving lead hash (n,).

    part_of: the rows that these were taken from, and which ones they are.
    """

    columns: tuple[str, ...]
    values: F64
    label: F64
    weight: F64
    hashes: F64
    part_of: tuple[Rows, I64] | None = field(default=None, repr=False)

    def take(self, rows: I64) -> Rows:
        own = (self.values[rows], self.label[rows], self.weight[rows], self.hashes[rows])
        return Rows(self.columns, *own, part_of=(self, rows))

    def with_columns(self, columns: I64) -> Rows:
        """All rows with some of the columns, by position."""
        names = tuple(self.columns[i] for i in columns.tolist())
        return Rows(names, np.ascontiguousarray(self.values[:, columns]), self.label, self.weight, self.hashes)

    @property
    def design(self) -> Design:
        """The columns of the logistic regression; parts share the standardisation of the whole, which knows no label."""
        with _ONE_DESIGN:
            return self._design

    @cached_property
    def _design(self) -> Design:
        if self.part_of:
            whole, rows = self.part_of
            return whole.design.take(rows)
        return Design.of(self.columns, self.values)

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class Recipe:
    """A candidate's name and settings; two equal recipes fit equal models on equal rows."""

    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def parts(self) -> list[Recipe]:
        """The models that it is made of."""
        if self.kind != "blend":
            return [self]
        return [Recipe(p["kind"], p["settings"], self.seed) for p in self.settings["parts"]]

    def fit(self, rows: Rows, threads: int = 1) -> Predictor:
        return fit_all([self], rows, threads)[0]

    def __str__(self) -> str:
        return json.dumps([self.kind, self.seed, self.settings], sort_keys=True)


def fit_all(recipes: Sequence[Recipe], rows: Rows, threads: int) -> list[Predictor]:
    """The recipes fitted on the same rows; a part that several of them share is fitted once."""
    parts = {str(part): part for recipe in recipes for part in recipe.parts}
    tasks = [partial(_FIT[part.kind], part, rows) for part in parts.values()]
    fitted = dict(zip(parts, in_parallel(tasks, threads), strict=True))
    return [_assembled(recipe, [fitted[str(part)] for part in recipe.parts]) for recipe in recipes]


def _assembled(recipe: Recipe, parts: list[Predictor]) -> Predictor:
    return blended(parts, recipe.settings["weights"]) if recipe.kind == "blend" else parts[0]


# -- logistic --------------------------------------------------------------------------------------------------
def _fit_logistic(recipe: Recipe, rows: Rows) -> LinearModel:
    return linear_models(rows, [recipe.settings.get("C", 0.1)])[0]


def linear_models(rows: Rows, penalties: Sequence[float]) -> list[LinearModel]:
    """A logistic regression for each inverse penalty C, ascending."""
    return list(rows.design.fits(rows.label, rows.weight, penalties))


# -- lightgbm --------------------------------------------------------------------------------------------------
def booster_parameters(recipe: Recipe) -> dict[str, Any]:
    """LightGBM's parameters of a recipe; text of the model is reproducible with them."""
    fixed = {
        "objective": "binary", "max_depth": 4, "num_leaves": 15, "deterministic": True,
        "force_col_wise": True, "seed": recipe.seed, "num_threads": 1, "verbosity": -1,
        "feature_pre_filter": False, "max_bin": 127,
    }  # fmt: skip
    return fixed | {k: v for k, v in recipe.settings.items() if k != "rounds"}


def booster(recipe: Recipe, rows: Rows) -> lightgbm.Booster:
    """The trees of a recipe of LightGBM, as its library has them."""
    import lightgbm as lgb

    data = lgb.Dataset(rows.values, rows.label, weight=rows.weight, free_raw_data=True)
    return lgb.train(booster_parameters(recipe), data, num_boost_round=int(recipe.settings.get("rounds", 200)))


def raw_of(booster: lightgbm.Booster, values: F64, rounds: int | None = None) -> F64:
    """Log-odds of rows, (n,), by the first `rounds` trees, None = all.

    On one thread: their number is the library's, not the call's, and what another thread fits meanwhile has room for one.
    """
    raw: F64 = booster.predict(values, num_iteration=rounds, raw_score=True, num_threads=1)
    return raw


def _fit_lightgbm(recipe: Recipe, rows: Rows) -> TreeModel:
    return TreeModel(booster(recipe, rows).model_to_string())


def rounds_and_predictions(
    recipe: Recipe, rows: Rows, folds: Sequence[tuple[I64, I64]], advance: Callable[[], None]
) -> tuple[int, F64]:
    """The number of rounds with the least held-out log loss, and the held-out log-odds at it, (n,); NaN = never held out."""
    import lightgbm as lgb

    # Folds share the bins; a copy of their raw values (free_raw_data=False) would be five tables more.
    data = lgb.Dataset(rows.values, rows.label, weight=rows.weight, free_raw_data=True)
    patience = round(_PATIENCE / recipe.settings["learning_rate"])
    result = lgb.cv(
        booster_parameters(recipe), data, num_boost_round=_ROUNDS, folds=list(folds), metrics="binary_logloss",
        callbacks=[lgb.early_stopping(patience, verbose=False)], return_cvbooster=True,
    )  # fmt: skip
    boosters = result["cvbooster"]
    rounds = int(boosters.best_iteration)
    raw = np.full(len(rows), np.nan)
    for (_, held_out), booster in zip(folds, boosters.boosters, strict=True):
        raw[held_out] = raw_of(booster, rows.values[held_out], rounds)
    advance()
    return rounds, raw


_FIT: dict[str, Callable[[Recipe, Rows], Predictor]] = {"logistic": _fit_logistic, "lightgbm": _fit_lightgbm}
