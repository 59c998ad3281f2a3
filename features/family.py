"""What a family of features is. The list of all families is `features/catalog.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data.light import light
from features.journeys import Journeys
from features.lazy import cached_property
from features.leads import Leads
from features.past import Past

F64 = NDArray[np.float64]
Fitted = Mapping[str, Any]
Group = Literal["profile", "source", "dwell", "rhythm", "path"]
GROUPS: tuple[Group, ...] = ("profile", "source", "dwell", "rhythm", "path")


@light
class Moment:
    """Everything known about n (lead, as_of) pairs: row i of `leads` and segment i of `journeys` belong together."""

    leads: Leads
    journeys: Journeys

    def __len__(self) -> int:
        return len(self.leads)

    @cached_property
    def past(self) -> Past:
        """Earlier deals and losses, and the account."""
        return self.leads.past or Past.none(len(self))


@dataclass(frozen=True)
class Labels:
    """What became of the rows of a moment, (n,): label 0 or 1, and weight."""

    label: F64
    weight: F64

    def take(self, rows: NDArray[np.int64]) -> Labels:
        return Labels(self.label[rows], self.weight[rows])


Compute = Callable[[Moment, Fitted], F64]
Fit = Callable[[Moment], Fitted]


@dataclass(frozen=True)
class Family:
    """Features that belong together and are explained together.

    Attributes
    ----------
    name
        Column name of a family of one; else columns are `name[part]`.
    unit, window, null
        For people: "views", "28 days" ("" = the whole journey), "no event" ... Some units are read by the words and
        reasons too: "s" is shown as a duration, "share" in per cent, "flag" as yes or no; of a "category" exactly one
        part is 1, of "flags" each part is 0 or 1.
    words_en, words_de
        The reason shown to sales; `{value}` is the value of the column that contributed most, `{part}` its part.
    missing_en, missing_de
        The words where the value is unknown.
    compute
        (moment, fitted) -> float64 (n,) or (n, k); NaN = unknown. Pure; row i depends on row i alone.
    fit
        moment of the training rows -> plain JSON, or None where there is nothing to fit.
    learn
        (moment of the training rows, their labels) -> plain JSON, for a fitted part that uses the label; training
        rows then get values of parts that never saw their lead.
    parts
        fitted -> the k names between the brackets; None for a family of one column.
    """

    name: str
    group: Group
    unit: str
    window: str
    null: str
    words_en: str
    words_de: str
    missing_en: str
    missing_de: str
    compute: Compute
    fit: Fit | None = None
    parts: Callable[[Fitted], tuple[str, ...]] | None = None
    learn: Callable[[Moment, Labels], Fitted] | None = None

    def columns(self, fitted: Fitted) -> tuple[str, ...]:
        if self.parts is None:
            return (self.name,)
        return tuple(f"{self.name}[{p}]" for p in self.parts(fitted))
