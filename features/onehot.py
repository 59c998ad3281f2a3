"""Texts as columns of 0 and 1, over a vocabulary fitted on training rows.

A vocabulary is `{"values": [...]}`: the texts frequent enough, most frequent first, then by name. Capitals and blanks
make no other text; the spelling kept is the most frequent one. Two parts follow the values: `other` (known, but not
in the vocabulary) and `missing`, so that exactly one part is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from features.arrays import rows_where
from features.family import F64, Fitted

OTHER, MISSING = "other", "missing"
SHARE = 0.01
MIN_ROWS = 20
MOST = 40
FEW = 64


def fold(text: str) -> str:
    """The form in which texts are compared: no capitals, single blanks, none around."""
    return " ".join(text.split()).casefold()


def enough(rows: int, share: float) -> float:
    """Rows a text, pair or page needs to get a column of its own: `share` of the training rows, at least MIN_ROWS."""
    return max(MIN_ROWS, share * rows)


def fit_texts(texts: Coded, share: float = SHARE, most: int = MOST) -> Fitted:
    """The vocabulary of a text column of the training rows."""
    counts = np.bincount(texts.codes + 1, minlength=len(texts.values) + 1)[1:].tolist()
    spelled = sorted(zip(counts, texts.values, strict=True), key=lambda cv: (-cv[0], cv[1]))
    total: dict[str, int] = {}
    spelling: dict[str, str] = {}
    for count, value in spelled:
        total[fold(value)] = total.get(fold(value), 0) + count
        spelling.setdefault(fold(value), " ".join(value.split()))
    kept = most_frequent(total, enough(len(texts), share), most)
    return {"values": [spelling[key] for key in kept if key not in ("", OTHER, MISSING)]}


def most_frequent(counts: dict[str, int], at_least: float, most: int = MOST) -> list[str]:
    """Names by count, most frequent first, then by name; those below `at_least` and beyond `most` left out."""
    kept = sorted((-count, name) for name, count in counts.items() if count >= at_least)
    return [name for _, name in kept[:most]]


def text_parts(fitted: Fitted) -> tuple[str, ...]:
    """The parts of a family of texts."""
    return (*fitted.get("values", ()), OTHER, MISSING)


def one_hot_texts(texts: Coded, fitted: Fitted) -> F64:
    """float64 (n, k): 1 in the part of each row's text, never null."""
    # One lead has one of many channels, campaigns or contents: only that is looked up.
    return one_hot_listed(texts.compact(), fitted)


def one_hot_listed(texts: Coded, fitted: Fitted) -> F64:
    """`one_hot_texts` for values that are the same for most leads, such as types of content: they are remembered."""
    rows_of = _row_of_each if len(texts.values) <= FEW else _row_of_each.__wrapped__
    values: F64 = rows_of(texts.values, tuple(fitted.get("values", ())))[texts.codes]
    return values


def one_hot(position: NDArray[np.integer], width: int) -> F64:
    """float64 (n, width): 1 at each row's position, all 0 where it is -1."""
    values: F64 = _unit_rows(width)[position]
    return values


def multi_hot(rows: NDArray[np.int64], positions: NDArray[np.integer], n: int, width: int) -> F64:
    """float64 (n, width): 1 at each (row, position); a position of -1 says nothing."""
    values = np.zeros((n, width))
    hit = rows_where(positions >= 0)
    values[rows[hit], positions[hit]] = 1.0
    return values


def list_parts(fitted: Fitted) -> tuple[str, ...]:
    """The parts of a family whose columns are its fitted values and nothing else."""
    return tuple(fitted.get("values", ()))


@lru_cache(maxsize=256)
def numbers_in(values: tuple[str, ...], vocabulary: tuple[str, ...]) -> NDArray[np.int64]:
    """Position in `values` of each word of a journey's vocabulary, -1 = not there; one more entry for code -1."""
    number = {value: i for i, value in enumerate(values)}
    return np.array([*(number.get(word, -1) for word in vocabulary), -1], dtype=np.int64)


def numbers_of(values: tuple[str, ...], names: Iterable[str | None]) -> NDArray[np.int64]:
    """Position in `values` of each of some names, -1 = not there; one more entry for code -1.

    As `numbers_in`, but nothing is remembered: for names that are others for each lead, such as the contents it saw.
    """
    number = _positions(values)
    return np.array([*(number.get(name, -1) for name in names), -1], dtype=np.int64)


@lru_cache(maxsize=256)
def _positions(values: tuple[str, ...]) -> Mapping[str | None, int]:
    return {value: i for i, value in enumerate(values)}


@cache
def _unit_rows(width: int) -> F64:
    """The row of each position, and at the end that of -1, for the few widths there are."""
    return np.vstack([np.eye(width), np.zeros(width)])


@lru_cache(maxsize=256)
def _row_of_each(values: tuple[str, ...], vocabulary: tuple[str, ...]) -> F64:
    """The row of each value, and at the end that of code -1: looked up, not made anew for each lead."""
    number = _numbers(vocabulary)
    other, missing = len(vocabulary), len(vocabulary) + 1
    of_value = [number.get(fold(v), other) if v and not v.isspace() else missing for v in values]
    return one_hot(np.array([*of_value, missing]), len(vocabulary) + 2)


@lru_cache(maxsize=256)
def _numbers(vocabulary: tuple[str, ...]) -> Mapping[str, int]:
    """Position of each word, in the form in which texts are compared."""
    return {fold(word): i for i, word in enumerate(vocabulary)}
