"""Which families stay: those that earn their place on held-out leads.

Most families tell what others tell already. A model without them is no worse, easier to read, and quicker to answer.
Families are ordered by the gain of their splits; of the sets of the first ones the smallest is taken whose held-out log
loss is not worse than that of the best by more than noise, at level 5 %. Source of the idea: L. Breiman et al.,
"Classification and Regression Trees" (1984), section 3.4.3, where one standard error is the limit.
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
from training.calibration import Z90, clip, expit
from training.evaluate import losses
from training.models import Recipe, Rows, booster
from training.parallel import in_parallel
from training.splits import by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SHARES = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # of the gain of all families
MOST_ROWS, FOLDS = 40_000, 3
SEEDS = 2  # boosters averaged: what one of them says of a set depends on its draws of columns
_RECIPE = {"learning_rate": 0.1, "min_data_in_leaf": 100, "feature_fraction": 0.3, "lambda_l2": 20.0, "rounds": 150}


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
    if len(folds) < 2 or not len(feature_set.names):
        return Selection()
    recipes = [Recipe("lightgbm", _RECIPE, seed + i) for i in range(SEEDS)]
    gain, every = _gain_and_losses(recipes, some, folds, threads)
    tried = [*_sets(feature_set, gain), np.ones(len(feature_set.names), dtype=np.bool_)]
    columns = [np.flatnonzero(kept[feature_set.family_of]) for kept in tried[:-1]]
    tasks = [partial(_held_out, recipes, some, folds, c) for c in columns]
    lost = [*in_parallel(tasks, threads), every]
    chosen = tried[_smallest(lost, some)]
    names = np.array(feature_set.names)
    figures = [(int(t.sum()), float(np.average(x, weights=some.weight))) for t, x in zip(tried, lost, strict=True)]
    return Selection(tuple(names[chosen].tolist()), tuple(names[~chosen].tolist()), tuple(figures))


def _sets(feature_set: FeatureSet, gain: F64) -> list[NDArray[np.bool_]]:
    """Which families are in each set: the first ones by gain, and the first of each group."""
    of_family = np.bincount(feature_set.family_of, weights=gain, minlength=len(feature_set.names))
    order = np.argsort(-of_family, kind="stable")
    groups = [feature_set.families[i].group for i in order.tolist()]
    best = order[[groups.index(group) for group in GROUPS if group in groups]]
    reached = np.cumsum(of_family[order]) / max(float(of_family.sum()), 1e-12)
    found: dict[bytes, NDArray[np.bool_]] = {}
    for share in SHARES:
        kept = np.zeros(len(order), dtype=np.bool_)
        kept[order[: int(np.searchsorted(reached, share)) + 1]] = True
        kept[best] = True
        if not kept.all():
            found[kept.tobytes()] = kept
    return list(found.values())


def _smallest(lost: Sequence[F64], rows: Rows) -> int:
    """The first, sets growing, that is not significantly worse than the best: one-sided, by leads, level 5 %."""
    best = min(lost, key=lambda x: float(np.average(x, weights=rows.weight)))
    lead = np.unique(rows.hashes, return_inverse=True)[1]
    for i, x in enumerate(lost):
        more = np.bincount(lead, weights=(x - best) * rows.weight)
        if more.sum() <= Z90 * more.std() * np.sqrt(len(more)):
            return i
    raise AssertionError("the best is no worse than itself")


def _gain_and_losses(
    recipes: Sequence[Recipe], rows: Rows, folds: Sequence[tuple[I64, I64]], threads: int
) -> tuple[F64, F64]:
    """Gain of each column summed over folds and recipes (k,), and held-out -log p(label) of their mean (n,)."""

    def one(recipe: Recipe, at: int, train: I64, held_out: I64) -> F64:
        model = booster(recipe, rows.take(train))
        raw[at, held_out] = model.predict(rows.values[held_out], raw_score=True)
        gain: F64 = model.feature_importance("gain")
        return gain

    raw = np.empty((len(recipes), len(rows)))
    gains = in_parallel([partial(one, r, i, *fold) for i, r in enumerate(recipes) for fold in folds], threads)
    return np.sum(gains, axis=0), losses(clip(expit(raw.mean(axis=0))), rows.label)


def _held_out(recipes: Sequence[Recipe], rows: Rows, folds: Sequence[tuple[I64, I64]], columns: I64) -> F64:
    """Held-out -log p(label) with some columns, (n,)."""
    names = tuple(rows.columns[i] for i in columns.tolist())
    part = Rows(names, np.ascontiguousarray(rows.values[:, columns]), rows.label, rows.weight, rows.hashes)
    return _gain_and_losses(recipes, part, folds, 1)[1]
