"""The arrays and a slow plain-Python reading of the definitions agree on every feature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.build import FeatureSet
from tests.cases import fitted_feature_set, random_case, table
from tests.oracle import answers

CASES, AT_ONCE, ASKS = 1000, 50, 6


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


def test_the_oracle_answers_every_column(feature_set: FeatureSet) -> None:
    case = random_case(1)
    assert set(answers(case, case.asks[0], feature_set)) == set(feature_set.columns)


@pytest.mark.parametrize("first", range(0, CASES, AT_ONCE))
def test_arrays_agree_with_the_oracle(feature_set: FeatureSet, first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        case = replace(random_case(seed, asks=ASKS), require_consent=seed % 2 == 1)
        found = table(case, feature_set)
        for row, ask in zip(found, case.asks, strict=True):
            expected = answers(case, ask, feature_set)
            slow = np.array([float(expected[name]) for name in feature_set.columns])
            wrong = ~np.isclose(row, slow, rtol=1e-12, atol=1e-12, equal_nan=True)
            assert not wrong.any(), (seed, ask, [feature_set.columns[i] for i in np.flatnonzero(wrong)])
