"""Which families stay: those that earn their place on held-out leads.

Most families tell what others tell already. A model without them is no worse, easier to read, and quicker to answer.
The families of the least gain are left out again and again; of all sets so tried the smallest is taken whose held-out log
loss is within one standard error of the best. Sources: I. Guyon et al., "Gene selection for cancer classification using
support vector machines" (2002), recursive feature elimination; L. Breiman et al., "Classification and Regression Trees"
(1984), section 3.4.3, the 1 SE rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureSet
from features.family import GROUPS
from training.ablation import some_leads
from training.assemble import Table
from training.calibration import clip, expit
from training.evaluate import losses
from training.models import Recipe, Rows, booster, raw_of
from training.parallel import in_parallel
from training.splits import by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_ROWS, FOLDS = 24_000, 3
SEEDS = 2  # boosters averaged: what one of them says of a set depends on its draws of columns
LEFT_OUT, LEAST = 0.25, 8  # of the families in each step; no set is smaller
HOPELESS = 3.0  # standard errors behind the best: smaller sets are not tried
_RECIPE = {"learning_rate": 0.1, "min_data_in_leaf": 100, "feature_fraction": 0.3, "lambda_l2": 20.0, "rounds": 120}


@dataclass(frozen=True)
class Selection:
    """The families that stay, those left out, and per number of families the held-out log loss; all empty where nothing
    was selected."""

    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    losses: tuple[tuple[int, float], ...] = ()

    def text(self) -> str:
        """For the card."""
        if not self.losses:
            return "No family was left out."
        tried = ", ".join(f"{n} families {loss:.4f}" for n, loss in self.losses)
        return (
            f"{len(self.left_out)} of {len(self.kept) + len(self.left_out)} families tell what these tell already and "
            f"are left out: {', '.join(self.left_out)}. Log loss on held-out training leads: {tried}."
        )


def selected(table: Table, rows: Rows, seed: int, threads: int) -> tuple[Table, Selection]:
    """The table with the families that stay. `rows` are (training) rows of it; a judging row must not be among them."""
    found = selection_of(table.feature_set, rows, seed, threads)
    if not found.left_out:
        return table, found
    feature_set = table.feature_set
    fitted = {name: part for name, part in feature_set.fitted.items() if name in found.kept}
    kept = np.isin(feature_set.names, found.kept)[feature_set.family_of]
    fewer = replace(feature_set, names=found.kept, fitted=fitted)
    return replace(table, feature_set=fewer, values=np.ascontiguousarray(table.values[:, kept])), found


def selection_of(feature_set: FeatureSet, rows: Rows, seed: int, threads: int) -> Selection:
    """Nothing is selected where no fold of leads can be made."""
    some = rows.take(some_leads(rows.hashes, MOST_ROWS))
    folds = by_lead(some.hashes, FOLDS)
    if len(folds) < 2 or len(feature_set.names) <= LEAST:
        return Selection()
    recipes = [Recipe("lightgbm", _RECIPE, seed + i) for i in range(SEEDS)]
    tried: list[tuple[Mask, F64]] = []
    kept = np.ones(len(feature_set.names), dtype=np.bool_)
    while len(tried) < 2 or kept.sum() < tried[-1][0].sum():
        gain, lost = _asked(recipes, some, folds, np.flatnonzero(kept[feature_set.family_of]), threads)
        tried.append((kept, lost))
        if _errors_behind(lost, _best(tried, some), some) > HOPELESS:
            break
        kept = _fewer(feature_set, kept, gain)
    chosen = next(k for k, lost in reversed(tried) if _errors_behind(lost, _best(tried, some), some) <= 1.0)
    names = np.array(feature_set.names)
    figures = tuple((int(k.sum()), float(np.average(lost, weights=some.weight))) for k, lost in tried)
    return Selection(tuple(names[chosen].tolist()), tuple(names[~chosen].tolist()), figures)


def _fewer(feature_set: FeatureSet, kept: Mask, gain: F64) -> Mask:
    """The set without the families of the least gain; the best of each group stays. `gain`: of the columns of the set."""
    columns = feature_set.family_of[kept[feature_set.family_of]]
    of_family = np.bincount(columns, weights=gain, minlength=len(kept))
    order = [i for i in np.argsort(-of_family, kind="stable").tolist() if kept[i]]
    groups = [feature_set.families[i].group for i in order]
    best = [order[groups.index(group)] for group in GROUPS if group in groups]
    fewer = np.zeros_like(kept)
    fewer[order[: max(LEAST, len(order) - round(LEFT_OUT * len(order)))]] = True
    fewer[best] = True
    return fewer


def _best(tried: Sequence[tuple[Mask, F64]], rows: Rows) -> F64:
    return min((lost for _, lost in tried), key=lambda lost: float(np.average(lost, weights=rows.weight)))


def _errors_behind(lost: F64, best: F64, rows: Rows) -> float:
    """How much worse than the best, in standard errors of the difference by leads."""
    more = np.bincount(np.unique(rows.hashes, return_inverse=True)[1], weights=(lost - best) * rows.weight)
    error = float(more.std() * np.sqrt(len(more)))
    return float(more.sum()) / error if error else 0.0


def _asked(
    recipes: Sequence[Recipe], rows: Rows, folds: Sequence[tuple[I64, I64]], columns: I64, threads: int
) -> tuple[F64, F64]:
    """Gain of some columns over folds and recipes (k,), and -log p(label) of all rows (n,) by the mean of the recipes'
    models that never saw their lead."""
    part = rows.with_columns(columns)

    def one(recipe: Recipe, at: int, train: I64, held_out: I64) -> F64:
        model = booster(recipe, part.take(train))
        raw[at, held_out] = raw_of(model, part.values[held_out])
        gain: F64 = model.feature_importance("gain")
        return gain

    raw = np.empty((len(recipes), len(rows)))
    gains = in_parallel([partial(one, r, i, *fold) for i, r in enumerate(recipes) for fold in folds], threads)
    return np.sum(gains, axis=0), losses(clip(expit(raw.mean(axis=0))), rows.label)
