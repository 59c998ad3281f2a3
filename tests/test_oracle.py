"""The arrays and a slow plain-Python reading of the definitions agree on every feature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.build import FeatureSet
from tests.cases import fitted_feature_set, random_case, table
from tests.oracle import answers

CASES, ASKS = 50, 20


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


def test_the_oracle_answers_every_column(feature_set: FeatureSet) -> None:
    case = random_case(1)
    assert set(answers(case, case.asks[0], feature_set)) == set(feature_set.columns)


@pytest.mark.parametrize("seed", range(CASES))
@pytest.mark.parametrize("require_consent", [False, True], ids=["", "consent"])
def test_arrays_agree_with_the_oracle(feature_set: FeatureSet, seed: int, require_consent: bool) -> None:
    case = replace(random_case(seed, asks=ASKS), require_consent=require_consent)
    found = table(case, feature_set)
    for row, ask in zip(found, case.asks, strict=True):
        expected = answers(case, ask, feature_set)
        slow = np.array([float(expected[name]) for name in feature_set.columns])
        wrong = ~np.isclose(row, slow, rtol=1e-12, atol=1e-12, equal_nan=True)
        assert not wrong.any(), (ask, [feature_set.columns[i] for i in np.flatnonzero(wrong)])
