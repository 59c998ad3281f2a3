"""What a won lead is worth: the mean of all, of its segment, or of a boosted model. Text in, minor units out.

`value.json` holds the kind, how many values it was learned from, and how far refits on resampled leads disagree; the
trees of a boosted model are `value_model.txt`. Nothing here can fit. All kinds give the same bits for one row and many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.booster import Booster

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Kind = Literal["mean", "segments", "boosted"]

FILE, TREES = "value.json", "value_model.txt"
ENOUGH = 50


@dataclass(frozen=True)
class Value:
    """The expected value of a won lead, minor units.

    count: known values it was learned from; below 50 nothing is answered. mean: of all of them. log_sd: standard
    deviation of the logarithm of an answer over refits on resampled leads, None = not known. column, edges, means: of
    `segments`, the bands of one feature (n edges, n + 1 bands and one more for unknown). text, smearing: of `boosted`,
    trees of the log value and the factor that brings their exponentials back to the mean. errors: mean Poisson deviance
    of each kind on the later slice of the training leads.
    """

    kind: Kind
    count: int
    mean: float
    log_sd: float | None = None
    column: str | None = None
    edges: Sequence[float] = ()
    means: Sequence[float] = ()
    text: str | None = None
    smearing: float = 1.0
    errors: Mapping[str, float] | None = None

    @cached_property
    def _booster(self) -> Booster:
        assert self.text is not None
        return Booster(self.text)

    def of(self, columns: Sequence[str], values: F64) -> F64:
        """Features (n, k) -> minor units (n,); NaN where too few values are known."""
        if self.count < ENOUGH:
            return np.full(len(values), np.nan)
        if self.kind == "segments":
            if self.column not in columns:
                raise ValueError(f"expected the value's feature {self.column} among the columns, got none")
            return np.asarray(self.means)[bands(values[:, columns.index(self.column)], np.asarray(self.edges))]
        if self.kind == "boosted":
            return np.asarray(np.exp(self._booster.raw(values)) * self.smearing, dtype=np.float64)
        return np.full(len(values), self.mean)

    def files(self) -> dict[str, str]:
        """As kept in a bundle."""
        document = {
            "kind": self.kind, "count": self.count, "mean_minor": self.mean, "log_sd": self.log_sd,
            "column": self.column, "edges": list(self.edges), "means_minor": list(self.means),
            "smearing": self.smearing, "errors": dict(self.errors or {}),
        }  # fmt: skip
        trees = {} if self.text is None else {TREES: self.text}
        return {FILE: json.dumps(document, indent=1)} | trees


def bands(values: F64, edges: F64) -> I64:
    """The band of each value, (n,): 0 up to len(edges), and one more for unknown."""
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right")).astype(np.int64)


def value_of(files: Mapping[str, str]) -> Value:
    """The value model of bundle files; a missing or unreadable one is a KeyError, ValueError or TypeError."""
    d = json.loads(files[FILE])
    kind: Kind = d.get("kind", "mean")
    if kind not in ("mean", "segments", "boosted"):
        raise ValueError(f"expected a value model of a known kind, got {kind}")
    return Value(
        kind, int(d["count"]), float(d["mean_minor"]), d.get("log_sd"), d.get("column"), tuple(d.get("edges", ())),
        tuple(d.get("means_minor", ())), files[TREES] if kind == "boosted" else None, float(d.get("smearing", 1.0)),
        d.get("errors"),
    )  # fmt: skip
