"""The order in which records lie, and how often they were delivered, changes no feature."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.build import FeatureSet
from tests.cases import feature_set_on, fitted_feature_set, random_case, table

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


@given(seed=SEEDS)
def test_shuffled_records_change_nothing(feature_set: FeatureSet, seed: int) -> None:
    case = random_case(seed)
    rng = random.Random(seed)
    shuffled = replace(
        case,
        **{
            name: rng.sample(rows, len(rows))
            for name in ("events", "links", "leads", "outcomes", "consents")
            if (rows := vars(case)[name])
        },
    )
    assert table(case, feature_set).tobytes() == table(shuffled, feature_set).tobytes()


@given(seed=SEEDS)
def test_records_delivered_twice_change_nothing(feature_set: FeatureSet, seed: int) -> None:
    case = random_case(seed)
    rng = random.Random(seed)
    again = replace(
        case,
        events=case.events + rng.sample(case.events, len(case.events) // 2),
        links=case.links + rng.sample(case.links, len(case.links) // 2),
        leads=case.leads + rng.sample(case.leads, len(case.leads) // 2),
        consents=case.consents + rng.sample(case.consents, len(case.consents) // 2),
    )
    assert table(case, feature_set).tobytes() == table(again, feature_set).tobytes()


def test_shuffled_training_rows_fit_the_same_vocabularies() -> None:
    case = random_case(5, leads=200, asks=500)
    rng = random.Random(5)
    shuffled = replace(
        case, events=rng.sample(case.events, len(case.events)), asks=rng.sample(case.asks, len(case.asks))
    )
    assert feature_set_on(case).to_json() == feature_set_on(shuffled).to_json()
