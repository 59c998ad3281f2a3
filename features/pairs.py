"""Pairs of content types on the path: `a>b` right after each other, and `a>b` somewhere in this order.

Which pairs get a column is fitted: those that enough training rows have. A pair that the rest of the catalogue could
not tell is an order effect, such as prices seen after a customer story.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from features.arrays import F64, I32, I64, filled, rows_where, sorted_distinct
from features.family import Fitted, Moment
from features.journeys import Journeys
from features.onehot import SHARE, enough, list_parts, most_frequent

MOST_PAIRS = 30
_NEVER = np.iinfo(np.int64).max


def has_grams(m: Moment, fitted: Fitted) -> F64:
    """1 where the type path goes from a straight to b, (n, k)."""
    values, pages = list_parts(fitted), m.journeys.pages
    types, segment, k = pages.types, pages.known[1], len(values) + 1
    # Two views in a row of one type are no pair with a column, so they need not be merged into one step.
    place = _places(values, pages.vocabulary.types)[types[:-1] * (len(pages.vocabulary.types) + 1) + types[1:]]
    place[pages.opens[1:]] = 0
    has = np.zeros(len(m) * k)
    has[segment[1:] * k + place] = 1.0
    return has.reshape(len(m), k)[:, 1:]


def fit_grams(m: Moment) -> Fitted:
    """Pairs of types in a row on the paths of enough rows."""
    types = m.journeys.vocabulary.types
    segment, before, after = _steps(m.journeys)
    gram = before.astype(np.int64) * len(types) + after
    width = len(types) ** 2
    once = sorted_distinct(segment * width + gram)[0] % max(width, 1)
    rows = np.bincount(once, minlength=width).tolist()
    counts = {f"{a}>{b}": rows[i * len(types) + k] for i, a in enumerate(types) for k, b in enumerate(types) if i != k}
    return {"values": most_frequent(counts, enough(len(m), SHARE), MOST_PAIRS)}


def has_orders(m: Moment, fitted: Fitted) -> F64:
    """1 where a page of type a was seen before one of type b, (n, k)."""
    values = list_parts(fitted)
    first, last = _first_and_last(m.journeys)
    a, b = _codes(values, m.journeys.vocabulary.types)
    return (first.take(a, axis=1) < last.take(b, axis=1)).astype(np.float64)


def fit_orders(m: Moment) -> Fitted:
    """Ordered pairs of types that enough rows have."""
    types = m.journeys.vocabulary.types
    first, last = _first_and_last(m.journeys)
    least = enough(len(m), SHARE)
    common = [i for i in range(len(types)) if np.count_nonzero(last[:, i] >= 0) >= least]
    counts = {
        f"{types[a]}>{types[b]}": int(np.count_nonzero(first[:, a] < last[:, b]))
        for a in common
        for b in common
        if a != b
    }
    return {"values": most_frequent(counts, least, MOST_PAIRS)}


@lru_cache(maxsize=64)
def _codes(values: tuple[str, ...], types: tuple[str, ...]) -> tuple[I64, I64]:
    """Type numbers of a and b of each `a>b`; the number after the last for a type nobody in these journeys saw."""
    number = {name: i for i, name in enumerate(types)}
    pairs = [value.split(">", 1) for value in values]
    a, b = ([number.get(pair[side], len(types)) for pair in pairs] for side in (0, 1))
    return np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)


@lru_cache(maxsize=64)
def _places(values: tuple[str, ...], types: tuple[str, ...]) -> I64:
    """1 + the position in `values` of `a>b`, by a * (types + 1) + b; 0 = not there."""
    places = np.zeros((len(types) + 1, len(types) + 1), dtype=np.int64)
    places[_codes(values, types)] = np.arange(len(values)) + 1
    return places.ravel()


def _steps(j: Journeys) -> tuple[I64, I32, I32]:
    """(segment, type before, type after) of each step of the type paths."""
    segment, type_ = j.pages.type_path
    same = rows_where(segment[1:] == segment[:-1])
    return segment[1:][same], type_[:-1][same], type_[1:][same]


def _first_and_last(j: Journeys) -> tuple[I64, I64]:
    """Position of the first and last page view of each type, (n, types + 1).

    Types not seen, and the one more at the end, are first at the end of time and last before its beginning.
    """
    rows, segment, _content = j.pages.known
    width = len(j.vocabulary.types) + 1
    cell = segment * width + j.pages.types
    first, last = filled(len(j) * width, _NEVER, np.int64), filled(len(j) * width, -1, np.int64)
    first[cell[::-1]] = rows[::-1]  # of several the last one written stays
    last[cell] = rows
    return first.reshape(len(j), width), last.reshape(len(j), width)
