"""Parts of the judged rows: by channel, country, company size, age of the lead, activity, and what the gate looks at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data.records import Coded
from features.family import Moment
from features.profile import company_size, lead_age_days
from features.source import first_channel

I64 = NDArray[np.int64]
Texts = NDArray[np.str_]

JUDGED = ("channel", "country", "company_size", "age_weeks", "cold")
NOT_KNOWN = "not known"
_SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1001-5000", "5001-10000", "10001+")
_FIRST_WEEK = (0, 1, 2, 4, 8, 13, 26)
_WEEKS = ("0", "1", "2-3", "4-7", "8-12", "13-25", "26+")
_COLD_DAYS = 28


def slices_at(moment: Moment, has_times: bool) -> dict[str, Coded]:
    """Which part each row of a moment belongs to, by slice; null = not known. Behaviour only where there are times."""
    found = {name: moment.leads.text(name) for name in ("lead_source", "country", "industry")}
    found["company_size"] = _of_numbers(company_size(moment, {}) - 1, _SIZES)
    if not has_times:
        return found
    weeks = lead_age_days(moment, {}) // 7
    band = np.searchsorted(_FIRST_WEEK, weeks, side="right") - 1.0
    idle = moment.journeys.count(moment.journeys.within(_COLD_DAYS)) == 0
    return found | {
        "channel": first_channel(moment),
        "age_weeks": _of_numbers(np.where(np.isnan(weeks), np.nan, band), _WEEKS),
        "cold": Coded(idle.astype(np.int32), ("no", "yes")),
    }


def _of_numbers(numbers: NDArray[np.float64], names: tuple[str, ...]) -> Coded:
    return Coded(np.where(np.isnan(numbers), -1, numbers).astype(np.int32), names)


class Collector:
    """Slices of all rows, filled in piece by piece; one small number per row, whatever the texts are."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._codes: dict[str, NDArray[np.int32]] = {}
        self._numbers: dict[str, dict[str, int]] = {}

    def put(self, rows: I64, parts: Mapping[str, Coded]) -> None:
        for name, part in parts.items():
            codes = self._codes.setdefault(name, np.full(self._rows, -1, dtype=np.int32))
            numbers = self._numbers.setdefault(name, {})
            used = np.unique(part.codes[part.codes >= 0]).tolist()
            codes[rows] = part.recode({part.values[c]: numbers.setdefault(part.values[c], len(numbers)) for c in used})

    def found(self) -> dict[str, Coded]:
        """Slices in which something is known."""
        return {n: Coded(self._codes[n], tuple(numbers)) for n, numbers in self._numbers.items() if numbers}


def texts_of(parts: Mapping[str, Coded], rows: I64) -> dict[str, Texts]:
    """The names of the parts of some rows, by slice."""
    return {name: _texts(part, rows) for name, part in parts.items()}


def _texts(part: Coded, rows: I64) -> Texts:
    names: Texts = np.array([*part.values, NOT_KNOWN], dtype=np.str_)
    return names[part.codes[rows]]


def in_order(names: set[str]) -> list[str]:
    """Bands by their first number, then names; what is not known last."""

    def key(name: str) -> tuple[int, int, str]:
        first = name.split("-")[0].rstrip("+")
        return (2, 0, name) if name == NOT_KNOWN else (0, int(first), name) if first.isdigit() else (1, 0, name)

    return sorted(names, key=key)
