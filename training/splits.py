"""Who trains and who judges: by time with a gap, and by lead.

time_split    judging leads after the cut; the other leads before it, a horizon away       (500 conversions or more)
fold_turns    five hash folds of leads take turns                                          (fewer)
declared      the train and test part that a table without times declares
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.dataset import SplitSpec
from data.errors import InputError

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOLDS = 5
ENOUGH_CONVERSIONS, ENOUGH_TO_VALIDATE = 500, 100
JUDGING_TIME_SHARE = 0.35


@dataclass(frozen=True)
class Turn:
    """One round of judging: rows to learn from and rows to be judged, as positions."""

    train: I64
    judge: I64


@dataclass(frozen=True)
class Split:
    """kind: time, folds, or the declared kind; `cut` is NaN-free microseconds or None; `refit` are the rows the
    released model learns from after judging (the same object as `turns[0].train` where there is no refit)."""

    kind: str
    turns: tuple[Turn, ...]
    refit: I64
    cut: int | None


def lead_hash(lead_ids: Iterable[str], salt: str) -> F64:
    """A stable number in [0, 1) for each lead: first 8 bytes of blake2b(lead_id, key = salt) over 2**64."""
    key = salt.encode()[:64]
    digests = (hashlib.blake2b(i.encode(), key=key, digest_size=8).digest() for i in lead_ids)
    return np.array([int.from_bytes(d, "big") / 2.0**64 for d in digests])


def folds_of(hashes: F64, folds: int = FOLDS) -> I64:
    """Fold of each lead, 0..folds-1. Uses other digits of the hash than the judging share, so both are independent."""
    return (np.floor(hashes * 2.0**32) % folds).astype(np.int64)


def split_of(as_of: I64, label: F64, hashes: F64, horizon: int, judging_share: float, conversions: int) -> Split:
    """The split of a dataset with times.

    Parameters
    ----------
    as_of, label, hashes
        (n,): moment, label (NaN = censored) and lead hash of each snapshot.
    conversions
        Converted leads among the matured snapshots; below 500 five folds take turns.
    """
    matured = ~np.isnan(label)
    if conversions < ENOUGH_CONVERSIONS:
        return fold_turns(matured, hashes)
    judging = hashes < judging_share
    cut = _cut(as_of[matured])
    train = np.flatnonzero(matured & ~judging & (as_of + horizon <= cut))
    judge = np.flatnonzero(matured & judging & (as_of >= cut))
    if not len(train) or not len(judge) or not label[train].any() or not label[judge].any():
        return fold_turns(matured, hashes)
    refit = np.flatnonzero(matured & ~judging)
    return Split("time", (Turn(train, judge),), refit, cut)


def _cut(as_of: I64) -> int:
    """The moment after which judging happens: the last 35 % of the matured time line, at a whole day, UTC."""
    day = 86_400_000_000
    start, end = int(as_of.min()), int(as_of.max())
    return (end - round(JUDGING_TIME_SHARE * (end - start))) // day * day


def fold_turns(matured: Mask, hashes: F64) -> Split:
    """Each fold of leads is judged once by what the other four taught."""
    fold = folds_of(hashes)
    turns = tuple(
        Turn(np.flatnonzero(matured & (fold != f)), np.flatnonzero(matured & (fold == f))) for f in range(FOLDS)
    )
    return Split("folds", turns, np.flatnonzero(matured), None)


def declared_split(spec: SplitSpec, source_row: I64, order: F64 | None) -> Split:
    """The split of a table without times.

    `shuffled`: numpy.random.default_rng(seed).permutation(n) over the rows in `source_row` order, the first
    int(train * n) train. `ordered` and `time`: by `order` ascending (the `order_by` column), else by source row.

    Raises
    ------
    InputError
        where one of the two parts is empty.
    """
    n = len(source_row)
    by_row = np.argsort(source_row, kind="stable")
    if spec.kind == "shuffled":
        ordered = by_row[np.random.default_rng(spec.seed).permutation(n)]
    else:
        ordered = by_row if order is None else by_row[np.argsort(order[by_row], kind="stable")]
    k = int(spec.train * n)
    if not 0 < k < n:
        raise InputError.of(
            where="[split] train", expected="a share that leaves rows on both sides", got=f"{spec.train} of {n} rows",
            remedy="Set it between 0 and 1.",
        )  # fmt: skip
    train, judge = np.sort(ordered[:k]), np.sort(ordered[k:])
    return Split(spec.kind, (Turn(train, judge),), train, None)


@dataclass(frozen=True)
class Validation:
    """How a search is validated: (rows to learn from, rows held out), no lead on both sides.

    since: where rows are held out by time, the moment from which they are; what is learned from was final before it.
    """

    folds: list[tuple[I64, I64]]
    since: int | None = None

    @property
    def held_out(self) -> I64:
        """All rows that are held out once, ascending."""
        return np.sort(np.concatenate([held_out for _, held_out in self.folds]))


def validation_of(split: Split, as_of: I64, label: F64, hashes: F64, horizon: int) -> Validation:
    """Of training rows: later looks held out from earlier ones of other leads, where both have conversions enough.

    Else, and where there are no times or the split takes turns, folds of leads alone.
    """
    folds = by_lead(hashes)
    if split.kind != "time":
        return Validation(folds)
    cut = _cut(as_of)
    early, late = as_of + horizon <= cut, as_of >= cut
    if min(len(np.unique(hashes[side & (label == 1)])) for side in (early, late)) < ENOUGH_TO_VALIDATE:
        return Validation(folds)
    forward = [(train[early[train]], held_out[late[held_out]]) for train, held_out in folds]
    return Validation([(train, held_out) for train, held_out in forward if len(train) and len(held_out)], cut)


def by_lead(hashes: F64, folds: int = FOLDS) -> list[tuple[I64, I64]]:
    """Cross-validation folds that never divide a lead: (train rows, held-out rows) for rows of these lead hashes.

    Cut from other digits than the turns of judging, so that there are five folds inside each turn. A fold that is
    empty or would leave nothing to learn from is left out.
    """
    fold = fold_of(hashes, folds)
    pairs = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(folds)]
    return [(train, held_out) for train, held_out in pairs if len(train) and len(held_out)]


def fold_of(hashes: F64, folds: int = FOLDS) -> I64:
    """The fold of cross-validation of each lead, 0..folds-1."""
    return (np.floor(hashes * 2.0**20) % folds).astype(np.int64)
