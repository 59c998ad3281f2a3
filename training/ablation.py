"""Ablation by group of features: what held-out log loss loses when a group is left out.

Folds divide leads; the rows are training rows, the recipe is one small fixed LightGBM, the same with and without. What
a group adds is what the other groups cannot say for it: groups that tell the same add little each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureSet
from features.family import GROUPS
from training.calibration import clip, expit
from training.evaluate import Bench, Interval, losses, mean_interval
from training.models import Recipe, Rows
from training.parallel import in_parallel
from training.splits import by_lead

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MOST_ROWS, FOLDS = 12_000, 3
# Extra trees and few rounds: quick, and hard to mislead by columns that tell nothing.
_RECIPE = {
    "learning_rate": 0.1, "min_data_in_leaf": 100, "feature_fraction": 0.3, "lambda_l2": 20.0, "extra_trees": True,
    "rounds": 80,
}  # fmt: skip


@dataclass(frozen=True)
class Ablation:
    """rows, leads: what it was worked out on. base: log loss of the base rate alone, all: of all groups, in nats.

    adds: per group held-out log loss without it minus with all, with its interval by lead.
    """

    rows: int
    leads: int
    base: float
    all: float
    adds: dict[str, Interval]

    def document(self) -> dict[str, Any]:
        """As `train --json` prints it."""
        figures = {"rows": self.rows, "leads": self.leads, "log_loss_base_rate": self.base, "log_loss_all": self.all}
        return figures | {"adds": {group: found.document() for group, found in self.adds.items()}}


def ablation_of(
    rows: Rows, groups: Sequence[str], times: int, seed: int, threads: int = 1, most: int = MOST_ROWS
) -> Ablation | None:
    """What each group adds on (training) rows; `groups[i]` is that of column i. None where no fold can be made."""
    some = rows.take(some_leads(rows.hashes, most))
    folds = by_lead(some.hashes, FOLDS)
    if len(folds) < 2:
        return None
    recipe = Recipe("lightgbm", _RECIPE, seed)
    group_of = np.array(groups)
    names: list[str] = [g for g in GROUPS if g in groups]
    columns = [np.arange(len(group_of)), *(np.flatnonzero(group_of != group) for group in names)]
    every, *left = in_parallel([partial(_held_out, recipe, some, kept, folds) for kept in columns], threads)
    bench = Bench.of(some.label, some.weight, np.unique(some.hashes, return_inverse=True)[1].astype(np.int64))
    draws = bench.draws(times, seed)
    adds = {g: mean_interval(without - every, bench, draws) for g, without in zip(names, left, strict=True)}
    base, whole = (float(np.average(x, weights=some.weight)) for x in (_base(some, folds), every))
    return Ablation(len(some), bench.leads, base, whole, adds)


def groups_of(feature_set: FeatureSet) -> list[str]:
    """The group of each column."""
    return [feature_set.families[i].group for i in feature_set.family_of]


def some_leads(hashes: F64, most: int) -> I64:
    """Positions of all rows of the leads with the smallest hashes, about `most` of them, in their order."""
    if len(hashes) <= most:
        return np.arange(len(hashes))
    return np.flatnonzero(hashes <= np.partition(hashes, most - 1)[most - 1])


def _held_out(recipe: Recipe, rows: Rows, columns: I64, folds: list[tuple[I64, I64]]) -> F64:
    """-log p(label) of each row by what never saw its lead; without columns, by the base rate."""
    if not len(columns):
        return _base(rows, folds)
    part = rows.with_columns(columns)
    p = np.empty(len(rows))
    for train, held_out in folds:
        p[held_out] = clip(expit(recipe.fit(part.take(train)).raw(part.values[held_out])))
    return losses(p, rows.label)


def _base(rows: Rows, folds: list[tuple[I64, I64]]) -> F64:
    """-log p(label) by the training rate of each fold."""
    p = np.empty(len(rows))
    for train, held_out in folds:
        p[held_out] = np.average(rows.label[train], weights=rows.weight[train])
    return losses(clip(p), rows.label)
