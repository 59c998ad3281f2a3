"""Fitted models as the service meets them: text in, log-odds and contributions out. Nothing here can fit.

`LinearModel` is `linear.json`, `TreeModel` is `model.txt` (`model-2.txt` ... in a blend), `BlendModel` is several of
them averaged in log-odds.
All give the same bits for one row and for many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.booster import Booster

F64 = NDArray[np.float64]
_OF_COLUMN = ("centre", "scale", "coefficient", "missing", "offset")
PLAIN = re.compile(r"-\d+\.")  # what tells a blend's files of one kind apart


class Predictor(Protocol):
    """Log-odds and their parts, before calibration."""

    def raw(self, values: F64) -> F64:
        """Features (n, k) -> uncalibrated log-odds (n,)."""
        ...

    def explained(self, values: F64) -> tuple[F64, F64, F64]:
        """Features (n, k) -> what `raw` gives, bit for bit, parts (n, k) and base (n,); base + sum of parts equals `raw`
        within 1e-9."""
        ...

    def files(self) -> dict[str, str]:
        """File name -> text, as kept in a bundle."""
        ...


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression on standardised features, each a line that may bend at some knots.

    A feature is squeezed by sign(x) log(1 + |x|), centred and scaled; from each of its `knots` on (q, k; squeezed, inf =
    none) its slope changes by `bends` (q, k). `offset` centres the bends. An unknown feature has the effect `missing`
    alone. Arrays are (k,) unless said otherwise.
    """

    columns: tuple[str, ...]
    centre: F64
    scale: F64
    coefficient: F64
    missing: F64
    knots: F64
    bends: F64
    offset: F64
    intercept: float

    def _parts(self, values: F64) -> F64:
        unknown, squeezed = np.isnan(values), squeeze(values)
        parts = (squeezed - self.centre) / self.scale * self.coefficient
        columns, knots, bends, each = self._bent
        bent = np.maximum(squeezed.take(columns, axis=1) - knots, 0.0) * bends
        for one in each:  # a column may bend at several knots
            parts[:, columns[one]] += bent[:, one]
        return np.ascontiguousarray(np.where(unknown, self.missing, parts + self.offset))

    @cached_property
    def _bent(self) -> tuple[NDArray[np.int64], F64, F64, list[slice]]:
        """Which columns bend, where and by how much, row by row of the knots, and what belongs to each row."""
        row, column = self.bends.nonzero()
        ends = np.searchsorted(row, np.arange(len(self.bends)), side="right").tolist()
        each = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        return column, self.knots[row, column], self.bends[row, column], each

    def raw(self, values: F64) -> F64:
        return self._summed(self._parts(values))

    def explained(self, values: F64) -> tuple[F64, F64, F64]:
        parts = self._parts(values)
        return self._summed(parts), parts, np.full(len(values), self.intercept)

    def _summed(self, parts: F64) -> F64:
        # einsum adds in one order for any number of rows; `@` does not.
        return np.asarray(np.einsum("ij,j->i", parts, self._ones) + self.intercept, dtype=np.float64)

    @cached_property
    def _ones(self) -> F64:
        return np.ones(len(self.columns))

    def files(self) -> dict[str, str]:
        rows = []
        for i, column in enumerate(self.columns):
            bent = self.bends[:, i].nonzero()[0]
            rows.append(
                {"column": column, "knots": self.knots[bent, i].tolist(), "bends": self.bends[bent, i].tolist()}
            )
            rows[-1] |= {name: float(getattr(self, name)[i]) for name in _OF_COLUMN}
        return {"linear.json": json.dumps({"intercept": self.intercept, "features": rows}, indent=1)}

    @staticmethod
    def of(text: str) -> LinearModel:
        document = json.loads(text)
        rows = document["features"]
        most = max((len(r["knots"]) for r in rows), default=0)
        knots, bends = np.full((most, len(rows)), np.inf), np.zeros((most, len(rows)))
        for i, r in enumerate(rows):
            knots[: len(r["knots"]), i], bends[: len(r["bends"]), i] = r["knots"], r["bends"]
        own = {name: np.array([r[name] for r in rows], dtype=np.float64) for name in _OF_COLUMN}
        columns = tuple(r["column"] for r in rows)
        return LinearModel(columns, **own, knots=knots, bends=bends, intercept=float(document["intercept"]))


def squeeze(values: F64) -> F64:
    """sign(x) log(1 + |x|): counts and seconds have long tails, a straight line has none."""
    return np.sign(values) * np.log1p(np.abs(values))


@dataclass(frozen=True)
class TreeModel:
    """Gradient-boosted trees."""

    text: str
    threads: int = 1

    @cached_property
    def booster(self) -> Booster:
        return Booster(self.text, self.threads)

    def raw(self, values: F64) -> F64:
        return self.booster.raw(values)

    def explained(self, values: F64) -> tuple[F64, F64, F64]:
        return self.booster.explained(values)

    def files(self) -> dict[str, str]:
        return {"model.txt": self.text}


@dataclass(frozen=True)
class BlendModel:
    """A mean of models in log-odds; `weights` sum to 1."""

    models: Sequence[Predictor]
    weights: Sequence[float]

    def raw(self, values: F64) -> F64:
        out = np.zeros(len(values))
        for weight, model in zip(self.weights, self.models, strict=True):
            out = out + weight * model.raw(values)
        return out

    def explained(self, values: F64) -> tuple[F64, F64, F64]:
        raw, parts, base = np.zeros(len(values)), np.zeros(values.shape), np.zeros(len(values))
        for weight, model in zip(self.weights, self.models, strict=True):
            one, one_parts, one_base = model.explained(values)
            raw, parts, base = raw + weight * one, parts + weight * one_parts, base + weight * one_base
        return raw, parts, base

    def files(self) -> dict[str, str]:
        files: dict[str, str] = {}
        for model in self.models:
            for name, text in model.files().items():
                again = sum(PLAIN.sub(".", n) == name for n in files)
                files[name.replace(".", f"-{again + 1}.") if again else name] = text
        files["blend.json"] = json.dumps({"weights": list(self.weights), "files": list(files)}, indent=1)
        return files


def predictor_of(files: dict[str, str], threads: int = 1) -> Predictor:
    """The model that these bundle files hold.

    Raises
    ------
    ValueError
        where there is no model among them.
    """
    if "blend.json" in files:
        document = json.loads(files["blend.json"])
        parts = [predictor_of({PLAIN.sub(".", n): files[n]}, threads) for n in document["files"]]
        return BlendModel(parts, document["weights"])
    if "model.txt" in files:
        return TreeModel(files["model.txt"], threads)
    if "linear.json" in files:
        return LinearModel.of(files["linear.json"])
    raise ValueError("expected model.txt or linear.json, got neither")
