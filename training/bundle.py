"""The bundle: everything that answers, as a folder of text whose SHA-256 is its name.

    model.txt | linear.json (+ blend.json)   the fitted model         calibrator.json   calibration, points, spread
    features.json                            the feature set          value.json        value of a won lead (+ value_model.txt)
    rules.yaml, content.yaml                 points and content map   card.md           the model card
    canary.json                              rows and what the model answers to them
    manifest.json                            market, target, recipe and the SHA-256 of each file, in name order

No clock, path, user, host or run id is inside, and no pickle. The same seed and data give the same bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.currency import minor_units
from data.errors import BundleError, InputError
from data.files import replace_text, sync
from data.light import light
from features.build import FeatureSet, FeatureTable
from features.golden import DIGESTS
from training import calibration, cold, value
from training.predictors import Predictor, predictor_of
from training.rules import Rules

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FORMAT = 1
MANIFEST = "manifest.json"


@light
class Prediction:
    """Per row: calibrated probability, its 90 % bounds, and `rank_score`, the uncalibrated log-odds that orders lists."""

    probability: F64
    low: F64
    high: F64
    rank_score: F64

    def take(self, rows: NDArray[np.bool_]) -> Prediction:
        """Some of the rows."""
        return Prediction(self.probability[rows], self.low[rows], self.high[rows], self.rank_score[rows])


@light
class ExpectedValue:
    """Per row, in major units rounded to the minor one: what to expect, and its 90 % bounds. NaN = not known.

    bounds: works out the low and the high ones, which only details tell.
    """

    value: F64
    bounds: Callable[[], tuple[F64, F64]] = field(repr=False)

    @cached_property
    def _bounds(self) -> tuple[F64, F64]:
        return self.bounds()

    @property
    def low(self) -> F64:
        return self._bounds[0]

    @property
    def high(self) -> F64:
        return self._bounds[1]


@light
class Explanation:
    """contributions (n, k) of each column to the uncalibrated log-odds, and base (n,); their sum is `rank_score`."""

    contributions: F64
    base: F64


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory. `files` are the texts it is made of; `name` is its SHA-256."""

    files: Mapping[str, str] = field(repr=False)

    @cached_property
    def name(self) -> str:
        return _sha256(self.files[MANIFEST])

    @property
    def version(self) -> str:
        """The first 12 digits of the name: what replies and people use."""
        return self.name[:12]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.files[MANIFEST])
        return document

    @property
    def market(self) -> str:
        return str(self.manifest["market"])

    @property
    def target(self) -> str:
        return str(self.manifest["target"])

    @property
    def horizon_days(self) -> int:
        return int(self.manifest["horizon_days"])

    @property
    def currency(self) -> str:
        return str(self.manifest["currency"])

    @property
    def candidate(self) -> str:
        """Which candidate it is: logistic, lightgbm or blend."""
        return str(self.manifest["candidate"])

    @cached_property
    def feature_set(self) -> FeatureSet:
        return FeatureSet.from_json(self.files["features.json"])

    @cached_property
    def rules(self) -> Rules:
        return Rules.from_yaml(self.files["rules.yaml"])

    @cached_property
    def model(self) -> Predictor:
        return predictor_of(dict(self.files))

    @cached_property
    def _calibration(self) -> tuple[calibration.Calibrator, calibration.Isotonic | None, calibration.Spread | None]:
        return calibration.from_json(self.files["calibrator.json"])

    @property
    def model_weight(self) -> float:
        """How much the model counts against the points, see training.cold; 1 = the model alone."""
        return float(self.manifest.get("model_weight", 1.0))

    def predict(self, table: FeatureTable, points: I64 | None = None) -> Prediction:
        """Probabilities of rows built with this bundle's feature set; other columns are a BundleError.

        points: totals 0-100 of the rows by this bundle's rules, (n,); only a model that leans on the points needs them.
        """
        return self._said(self.model.raw(self._values(table)), points)

    def answer(self, table: FeatureTable, points: I64 | None = None) -> tuple[Prediction, Explanation]:
        """`predict` and `explain`, for who wants both: the way through the model is gone once."""
        raw, parts, base = self.model.explained(self._values(table))
        return self._said(raw, points), self._why(parts, base, points)

    def _said(self, raw: F64, points: I64 | None) -> Prediction:
        calibrator, _, spread = self._calibration
        probability = calibrator.apply(raw)
        if self.model_weight < 1.0:
            raw, probability = cold.leaned(self.model_weight, raw, probability, self._by_points(points))
        low, high = spread.bounds(probability) if spread else (probability, probability)
        return Prediction(probability, low, high, raw)

    def explain(self, table: FeatureTable, points: I64 | None = None) -> Explanation:
        """What each column adds to the uncalibrated log-odds; what the points add is part of the base."""
        return self._why(*self.model.explained(self._values(table))[1:], points)

    def _why(self, parts: F64, base: F64, points: I64 | None) -> Explanation:
        weight = self.model_weight
        if weight < 1.0:
            parts, base = weight * parts, weight * base + (1.0 - weight) * calibration.logit(self._by_points(points))
        return Explanation(parts, base)

    def _by_points(self, points: I64 | None) -> F64:
        if points is None:
            raise BundleError.of(
                where=f"bundle {self.version}", expected="the points of each row, on which this model leans",
                got="none", remedy="Hand them over with the features.",
            )  # fmt: skip
        return self.points_probability(points.astype(np.float64))

    def points_probability(self, total: F64) -> F64:
        """The probability that points of 0-100 stood for in training; NaN where the bundle has no points calibrator."""
        points = self._calibration[1]
        return points.apply(total) if points else np.full(len(total), np.nan)

    def expected_value(self, table: FeatureTable, said: Prediction) -> ExpectedValue:
        """probability x value of a won lead, and its bounds; NaN below 50 known values, bounds also in older bundles.

        The bounds join those of the probability and of the value in quadrature of their logarithms: both are errors of
        the means, of different refits.
        """
        mid, minor = said.probability * self.value.of(self.feature_set.columns, self._values(table)), self._minor
        sure = calibration.Z90 * (np.nan if self.value.log_sd is None else self.value.log_sd)

        def bounds() -> tuple[F64, F64]:
            below, above = np.log(said.probability / said.low), np.log(said.high / said.probability)
            low, high = mid * np.exp(-np.hypot(below, sure)), mid * np.exp(np.hypot(above, sure))
            return low.round() / minor, high.round() / minor

        return ExpectedValue(mid.round() / minor, bounds)

    @cached_property
    def _minor(self) -> int:
        return minor_units(self.currency)

    @cached_property
    def value(self) -> value.Value:
        """What a won lead is worth."""
        return value.value_of(self.files)

    def _values(self, table: FeatureTable) -> F64:
        if table.columns != self.feature_set.columns:
            raise BundleError.of(
                where=f"bundle {self.version}", expected=f"its own {len(self.feature_set.columns)} feature columns",
                got="a table of other columns", remedy="Build the table with the bundle's feature set.",
            )  # fmt: skip
        return table.values


def make_bundle(texts: Mapping[str, str], about: Mapping[str, Any]) -> Bundle:
    """Add the manifest to the texts. `about` is market, target, horizon_days, currency, candidate, recipe, seed."""
    hashes = {name: _sha256(texts[name]) for name in sorted(texts)}
    manifest = json.dumps({"format": FORMAT, **about, "files": hashes}, indent=1, sort_keys=True)
    return Bundle({**{n: texts[n] for n in sorted(texts)}, MANIFEST: manifest})


def write_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write `folder`, all or nothing. One that holds this bundle is left as it is, a damaged one is written anew."""
    if folder.exists():
        try:
            read_bundle(folder, bundle.name)
            return folder
        except BundleError:
            shutil.rmtree(folder)
    staging = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for name, text in bundle.files.items():
        replace_text(staging / name, text)
    staging.rename(folder)
    sync(folder.parent)
    return folder


def read_bundle(folder: Path, name: str | None = None) -> Bundle:
    """Read a bundle after checking every hash; `name` is the SHA-256 it must have.

    Files that the manifest does not name are not read.

    Raises
    ------
    BundleError
        for a missing or altered file, another name, another format, a family this version does not know or computes
        differently, or canary rows that are answered differently.
    """
    bundle = read_texts(folder, name)
    with _understood(folder):
        _ = bundle._calibration, bundle.value
        check_canary(bundle)
    return bundle


def read_texts(folder: Path, name: str | None = None) -> Bundle:
    """As `read_bundle`, but no model is parsed: nothing in the files can hurt the process. For hashes, points, features."""
    bundle = Bundle(_checked_files(folder, name))
    with _understood(folder):
        if bundle.manifest["format"] != FORMAT:
            raise _broken(folder, f"bundle format {FORMAT}", f"format {bundle.manifest['format']}")
        _ = bundle.feature_set.families, bundle.rules
        check_families(bundle)
    return bundle


@contextmanager
def _understood(folder: Path) -> Iterator[None]:
    try:
        yield
    except BundleError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, InputError) as bad:
        raise _broken(folder, "files this version understands", f"{type(bad).__name__}: {bad}") from None


def _checked_files(folder: Path, name: str | None) -> dict[str, str]:
    try:
        manifest = (folder / MANIFEST).read_text(encoding="utf-8")
        hashes: dict[str, str] = dict(json.loads(manifest)["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise _broken(folder, f"a readable {MANIFEST}", "none") from None
    if name is not None and _sha256(manifest) != name:
        raise _broken(folder, f"the bundle {name[:12]}", f"a manifest of {_sha256(manifest)[:12]}")
    texts = {MANIFEST: manifest}
    for file, expected in hashes.items():
        try:
            content = (folder / file).read_bytes() if Path(file).name == file else b""
        except OSError:
            raise _broken(folder, f"the file {file}", "none") from None
        if hashlib.sha256(content).hexdigest() != expected:
            raise _broken(folder, f"{file} with SHA-256 {expected[:12]}", "other content")
        texts[file] = content.decode("utf-8")
    return texts


def check_families(bundle: Bundle) -> None:
    """Refuse families whose meaning has changed since the bundle was made."""
    for family, digest in bundle.manifest["families"].items():
        if DIGESTS.get(family) != digest:
            raise BundleError.of(
                where=f"bundle {bundle.version}", expected=f"the family {family} as it was computed in training",
                got="another computation", remedy="Retrain, or install the version the bundle was made with.",
            )  # fmt: skip


def canary_text(model: Predictor, values: F64) -> str:
    """`canary.json`: some rows and the model's raw answers, to be asked again wherever the bundle is loaded."""
    rows = [[None if np.isnan(v) else v for v in row] for row in values.tolist()]
    return json.dumps({"rows": rows, "raw": model.raw(values).tolist()})


def check_canary(bundle: Bundle) -> None:
    """Ask the canary rows; another answer than in training is a BundleError."""
    document = json.loads(bundle.files["canary.json"])
    rows = np.array([[np.nan if v is None else v for v in row] for row in document["rows"]], dtype=np.float64)
    answers, _ = bundle.model.raw(rows), bundle.value.of(bundle.feature_set.columns, rows)
    if not np.allclose(answers, document["raw"], rtol=0, atol=1e-9):
        raise BundleError.of(
            where=f"bundle {bundle.version}", expected="the canary rows answered as in training", got="other answers",
            remedy="Retrain on this machine, or roll back.",
        )  # fmt: skip


def _broken(folder: Path, expected: str, got: str) -> BundleError:
    return BundleError.of(
        where=f"bundle {folder.name}", expected=expected, got=got,
        remedy="It is not loaded; promote another version or train again.",
    )  # fmt: skip


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
