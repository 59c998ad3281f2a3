"""While conversions are few the model leans on the points, and what it says still adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.errors import BundleError
from features.build import FeatureTable
from training.bundle import Bundle, make_bundle
from training.calibration import logit
from training.cold import leaned, weight_of


def test_the_model_weighs_n_over_n_plus_100_until_300_conversions() -> None:
    assert [weight_of(n) for n in (0, 100, 299, 300, 5000)] == [0.0, 0.5, 299 / 399, 1.0, 1.0]


def test_without_weight_the_points_decide_and_with_all_of_it_nothing_changes() -> None:
    raw, probability, points = np.array([3.0, -1.0]), np.array([0.9, 0.2]), np.array([0.1, 0.3])
    assert np.allclose(leaned(0.0, raw, probability, points)[1], points, rtol=0, atol=1e-12)
    assert leaned(1.0, raw, probability, points) == (raw, probability)
    between = leaned(0.5, raw, probability, points)[1]
    assert np.allclose(logit(between), (logit(probability) + logit(points)) / 2)


@pytest.fixture
def cold(market: Any) -> Bundle:
    """The bundle of a test, as if it had been trained on few conversions."""
    bundle: Bundle = market.bundle
    texts = {n: t for n, t in bundle.files.items() if n != "manifest.json"}
    about = {k: v for k, v in bundle.manifest.items() if k not in ("files", "format")}
    return make_bundle(texts, about | {"model_weight": 0.25})


def test_parts_and_base_add_up_to_what_ranks(cold: Bundle) -> None:
    columns = cold.feature_set.columns
    table = FeatureTable(columns, np.random.default_rng(1).normal(size=(40, len(columns))))
    points = np.arange(40) * 2
    said, why = cold.answer(table, points)
    assert np.array_equal(said.rank_score, cold.predict(table, points).rank_score)
    assert np.array_equal(why.contributions, cold.explain(table, points).contributions)
    assert np.allclose(why.contributions.sum(axis=1) + why.base, said.rank_score, rtol=0, atol=1e-9)
    assert ((said.low <= said.probability) & (said.probability <= said.high)).all()
    more = cold.predict(table, np.full(40, 100))
    assert (more.probability >= said.probability).all()


def test_points_are_asked_for_in_one_line(cold: Bundle) -> None:
    table = FeatureTable(cold.feature_set.columns, np.zeros((1, len(cold.feature_set.columns))))
    with pytest.raises(BundleError, match="expected the points of each row"):
        cold.predict(table)
