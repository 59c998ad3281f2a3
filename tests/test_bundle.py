"""A bundle is what its hashes say, or it is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import BundleError
from features.build import FeatureTable
from training.bundle import Bundle, Prediction, make_bundle, read_bundle, write_bundle


@pytest.fixture
def folder(market: Any, tmp_path: Path) -> Path:
    return write_bundle(market.bundle, tmp_path / market.bundle.version)


def test_what_was_written_is_read_back(market: Any, folder: Path) -> None:
    again = read_bundle(folder, market.bundle.name)
    assert again.name == market.bundle.name
    assert dict(again.files) == dict(market.bundle.files)


def test_every_file_is_guarded_by_its_hash(market: Any, folder: Path) -> None:
    for name in market.bundle.files:
        text = (folder / name).read_text(encoding="utf-8")
        for damaged in (text[:-2], text.replace(text[len(text) // 2], "\x07", 1), text + " "):
            (folder / name).write_text(damaged, encoding="utf-8")
            with pytest.raises(BundleError):
                read_bundle(folder, market.bundle.name)
        (folder / name).unlink()
        with pytest.raises(BundleError):
            read_bundle(folder, market.bundle.name)
        (folder / name).write_text(text, encoding="utf-8")


def test_another_bundle_under_the_name_is_refused(market: Any, folder: Path) -> None:
    with pytest.raises(BundleError, match="expected the bundle"):
        read_bundle(folder, "0" * 64)


def _with(bundle: Bundle, **changes: Any) -> Bundle:
    """The same bundle with another manifest, hashed properly."""
    about = {k: v for k, v in bundle.manifest.items() if k not in ("files", "format")}
    texts = {n: t for n, t in bundle.files.items() if n != "manifest.json"}
    texts |= changes.pop("texts", {})
    return make_bundle(texts, about | changes)


def test_a_family_that_is_computed_differently_is_refused(market: Any, tmp_path: Path) -> None:
    families = dict(market.bundle.manifest["families"])
    families[next(iter(families))] = "0" * 12
    folder = write_bundle(_with(market.bundle, families=families), tmp_path / "changed")
    with pytest.raises(BundleError, match="as it was computed in training"):
        read_bundle(folder)


def test_an_unknown_family_is_refused(market: Any, tmp_path: Path) -> None:
    document = json.loads(market.bundle.files["features.json"])
    document["families"].append("shoe_size")
    changed = _with(market.bundle, texts={"features.json": json.dumps(document)})
    with pytest.raises(BundleError, match="shoe_size"):
        read_bundle(write_bundle(changed, tmp_path / "unknown"))


def test_a_model_that_answers_the_canary_rows_differently_is_refused(market: Any, tmp_path: Path) -> None:
    document = json.loads(market.bundle.files["linear.json"])
    document["intercept"] += 0.001
    changed = _with(market.bundle, texts={"linear.json": json.dumps(document)})
    with pytest.raises(BundleError, match="canary"):
        read_bundle(write_bundle(changed, tmp_path / "canary"))


def test_rows_of_other_columns_are_refused(market: Any) -> None:
    columns = market.bundle.feature_set.columns
    values = np.zeros((1, len(columns)))
    with pytest.raises(BundleError, match="feature columns"):
        market.bundle.predict(FeatureTable(columns[::-1], values))


def test_the_expected_value_is_unknown_below_50_values(market: Any) -> None:
    few = replace(market.bundle, files={**market.bundle.files, "value.json": '{"count": 49, "mean_minor": 100.0}'})
    table = FeatureTable(market.bundle.feature_set.columns, np.zeros((1, len(market.bundle.feature_set.columns))))
    said = Prediction(*(np.array([p]) for p in (0.5, 0.4, 0.6, 0.0)))
    assert np.isnan(few.expected_value(table, said).value).all()
    worth = market.bundle.expected_value(table, said)
    assert worth.value.tolist() == [6172.84]
    assert np.isnan([worth.low, worth.high]).all()  # an older bundle does not know how sure it is


def test_nothing_of_the_machine_is_inside(market: Any, folder: Path) -> None:
    text = "".join(market.bundle.files.values())
    assert str(folder.parent) not in text
    assert not list(folder.glob("*.pkl"))
    shutil.rmtree(folder)
