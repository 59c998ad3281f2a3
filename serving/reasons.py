"""Why the model says what it says: contributions summed per family, the strongest three in words.

Contributions are of the uncalibrated log-odds. For every row

    base + shown reasons + all others + calibration == logit(probability)      within 1e-9

where `calibration` is what calibrating moved, and `base` where the model starts before it looks at the lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data.light import light
from features.arrays import filled
from features.build import FeatureSet, FeatureTable
from features.family import Family
from features.onehot import MISSING
from serving.part_words import OF_CONTENT, content_text, part_text
from serving.wording import value_text
from training.bundle import Explanation, Prediction
from training.calibration import logit

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Lang = Literal["en", "de"]

SHOWN = 3
OTHER_WORDS = {
    "others": ("All other signals together", "Alle übrigen Signale zusammen"),
    "base": ("Where every lead starts", "Ausgangswert jedes Leads"),
    "calibration": ("Calibration to observed rates", "Kalibrierung an beobachtete Quoten"),
}


@light
class Reasons:
    """The reasons of n rows.

    family int64 (n, 3): position in the feature set's families, -1 = none; contribution float64 (n, 3), 0 where none;
    others, base, calibration float64 (n,), the first and the last worked out when first asked for: only details tell
    them. sums float64 (n, families); texts: three lists of n texts or None.
    """

    family: I64
    contribution: F64
    sums: F64
    base: F64
    prediction: Prediction
    texts: tuple[list[str | None], ...]

    @cached_property
    def others(self) -> F64:
        """What all families add that are not shown."""
        rest = self.sums.copy()
        rows, slots = (self.family >= 0).nonzero()
        rest[rows, self.family[rows, slots]] = 0.0
        return _row_sums(rest)

    @cached_property
    def calibration(self) -> F64:
        """What calibrating moved."""
        return logit(self.prediction.probability) - self.prediction.rank_score

    def entries(self, row: int, families: Sequence[Family], lang: Lang) -> list[dict[str, Any]]:
        """`reasons[]` of one reply: {family, text, contribution}, the shown ones first."""
        shown = [
            {"family": families[f].name, "text": self.texts[i][row], "contribution": float(self.contribution[row, i])}
            for i, f in enumerate(self.family[row].tolist())
            if f >= 0
        ]
        rest = {"others": self.others, "base": self.base, "calibration": self.calibration}
        return shown + [
            {"family": name, "text": OTHER_WORDS[name][lang == "de"], "contribution": float(values[row])}
            for name, values in rest.items()
        ]


def reasons_of(words: Words, table: FeatureTable, explanation: Explanation, prediction: Prediction) -> Reasons:
    """The reasons of n explained rows. Row i depends on row i alone."""
    feature_set = words.feature_set
    sums = family_sums(explanation.contributions, feature_set.family_of, len(feature_set.families))
    family, contribution = _strongest(sums)
    return Reasons(
        family=family,
        contribution=contribution,
        sums=sums,
        base=explanation.base,
        prediction=prediction,
        texts=texts_of(words, table, explanation.contributions, family),
    )


def family_sums(contributions: F64, family_of: I64, families: int) -> F64:
    """(n, columns) -> (n, families); added column by column, so the same bits for one row and for many."""
    n, k = contributions.shape
    cell = (np.arange(n)[:, None] * families + family_of).reshape(-1)
    flat = np.ascontiguousarray(contributions).reshape(-1)
    if not n or not k:
        return np.zeros((n, families))
    return np.bincount(cell, flat, n * families).reshape(n, families)


def _row_sums(values: F64) -> F64:
    n, k = values.shape
    if not n or not k:
        return np.zeros(n)
    return np.bincount(np.arange(n).repeat(k), values.reshape(-1), n)


def _strongest(sums: F64) -> tuple[I64, F64]:
    """The families with the largest |sum|, ties in catalogue order; families that add nothing are no reason."""
    order = (-np.abs(sums)).argsort(axis=1, kind="stable")[:, :SHOWN]
    there = order.shape[1]
    family, contribution = filled((len(sums), SHOWN), -1, np.int64), np.zeros((len(sums), SHOWN))
    contribution[:, :there] = found = sums[np.arange(len(sums))[:, np.newaxis], order]
    family[:, :there] = np.where(found != 0, order, -1)
    return family, contribution


def texts_of(words: Words, table: FeatureTable, contributions: F64, family: I64) -> tuple[list[str | None], ...]:
    """The words of the families at these positions, (n, 3), -1 = none: three lists of n texts."""
    feature_set = words.feature_set
    texts: list[list[str | None]] = [[None] * len(family) for _ in range(SHOWN)]
    for f in set(family.ravel().tolist()) - {-1}:
        rows, slots = (family == f).nonzero()
        columns = feature_set.columns_of[f]
        part = _telling_part(feature_set.families[f], table.values, contributions, rows, columns)
        told = table.values[rows, columns.start + part]
        for row, slot, p, value in zip(rows.tolist(), slots.tolist(), part.tolist(), told.tolist(), strict=True):
            texts[slot][row] = words.of(f, p, None if value != value else value)
    return tuple(texts)


def _telling_part(family: Family, values: F64, contributions: F64, rows: I64, columns: slice) -> I64:
    """Which part of a family the words are about: what a lead *is* of a category, else what contributed most."""
    if columns.stop == columns.start + 1:
        return np.zeros(len(rows), dtype=np.int64)
    if family.unit == "category":
        return values[rows, columns].argmax(axis=1)
    return np.abs(contributions[rows, columns]).argmax(axis=1)


class Words:
    """The words of a feature set in one language; the last ones are remembered.

    of: (position of the family, its part, value or None) -> text.
    """

    def __init__(self, feature_set: FeatureSet, lang: Lang) -> None:
        self.feature_set = feature_set
        self._lang = lang
        self._parts = cache(self._parts_of)
        self.of = lru_cache(maxsize=4_000)(self._rendered)

    def _parts_of(self, position: int) -> tuple[str, ...]:
        family = self.feature_set.families[position]
        return family.parts(self.feature_set.fitted.get(family.name, {})) if family.parts else ("",)

    def _rendered(self, position: int, part: int, value: float | None) -> str:
        family, name = self.feature_set.families[position], self._parts(position)[part]
        if family.name in OF_CONTENT and name != MISSING:
            name = content_text(self.feature_set.content_map, name, self._lang)
        return render(family, name, np.nan if value is None else value, self._lang)


def render(family: Family, part: str, value: float, lang: Lang) -> str:
    """The family's words for one part and value; an unknown value has words of its own."""
    german = lang == "de"
    if value != value or (family.unit == "category" and part == MISSING):
        return (family.missing_de if german else family.missing_en).format(part="", value="")
    words = family.words_de if german else family.words_en
    text = words.format(part=part_text(family.name, part, lang), value=value_text(value, family.unit, lang))
    if family.unit == "flags" and value == 0:
        return ("Nicht zutreffend: " if german else "Not the case: ") + text
    return text
