"""Releases for tests: sound ones that answer differently, and ones broken in all the ways a release can be broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data.files import replace_text
from training.bundle import MANIFEST, Bundle, canary_text, make_bundle, write_bundle
from training.predictors import predictor_of
from training.registry import place


def variant(bundle: Bundle, shift: float) -> Bundle:
    """The same logistic model with another intercept: another version, other probabilities."""
    document = json.loads(bundle.files["linear.json"])
    document["intercept"] += shift
    return with_texts(bundle, {"linear.json": json.dumps(document, indent=1)})


def with_texts(bundle: Bundle, texts: Mapping[str, str], canary: bool = True) -> Bundle:
    """The bundle with some texts anew, all hashes right; `canary`: and what its model answers now."""
    files = {**{name: text for name, text in bundle.files.items() if name != MANIFEST}, **texts}
    if canary:
        rows = json.loads(files["canary.json"])["rows"]
        values = np.array([[np.nan if v is None else v for v in row] for row in rows])
        files["canary.json"] = canary_text(predictor_of(files), values)
    about = {name: value for name, value in bundle.manifest.items() if name not in ("format", "files")}
    return make_bundle(files, about)


def point_to(home: Path, bundle: Bundle) -> Path:
    """Make it the current release, without the questions a promotion asks; its folder."""
    root = place(home, bundle.market, bundle.target)
    folder = root / "releases" / bundle.version
    if not folder.exists():
        write_bundle(bundle, folder)
    replace_text(root / "current.json", json.dumps({"version": bundle.version, "sha256": bundle.name}))
    return folder


def trees(bundle: Bundle, count: int = 20) -> str:
    """A `model.txt` for the bundle's columns, fitted to nothing."""
    import lightgbm

    rng = np.random.default_rng(5)
    values = rng.normal(size=(400, len(bundle.feature_set.columns)))
    parameters = {"objective": "binary", "num_leaves": 8, "verbose": -1, "num_threads": 1, "deterministic": True}
    data = lightgbm.Dataset(values, values[:, 0] > rng.normal(size=400))
    return str(lightgbm.train(parameters, data, count).model_to_string())


def broken(bundle: Bundle, model: str, shift: float) -> Iterator[Bundle]:
    """Three bundles whose hashes are right: wrong canary answers, a model text cut off in its middle, no model.

    model: a `model.txt`. shift: makes each call's bundles new ones.
    """
    sound = variant(bundle, shift)
    document = json.loads(sound.files["canary.json"])
    document["raw"][0] += 1e-6
    yield with_texts(sound, {"canary.json": json.dumps(document)}, canary=False)
    yield with_texts(sound, {"model.txt": model[: len(model) // 2]}, canary=False)
    yield with_texts(sound, {"linear.json": "{}"}, canary=False)


def flip(file: Path, at: int, bit: int) -> None:
    """Change one bit of a file."""
    content = bytearray(file.read_bytes())
    content[at % len(content)] ^= 1 << bit
    file.write_bytes(bytes(content))
