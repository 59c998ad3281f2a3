"""One lead alone, among others, and inside a bucket: the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import take
from features.build import FeatureSet, build_features, features_at, moment_at
from tests.cases import Case, asking, beside, event_columns, fitted_feature_set, lead_columns, random_case, table

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


def _alone(case: Case, ask: tuple[int, int], feature_set: FeatureSet) -> bytes:
    """The features of one question from the records of its lead alone, which then is number 0, and its account."""
    lead, as_of = ask
    zero = np.zeros(1, dtype=np.int64)
    records = []
    around = beside(case)
    for columns in (event_columns(case.events, case.links), lead_columns(case.leads), around.outcomes):
        mine = take(columns, np.flatnonzero(columns["lead"] == lead))
        mine["lead"] = np.zeros(len(mine["lead"]), dtype=np.int64)
        records.append(mine)
    events, leads, outcomes = records
    assert around.person is not None
    own = replace(around, outcomes=outcomes, person=around.person[lead : lead + 1])
    created = np.array([case.created_at[lead]])
    known = moment_at(leads, feature_set.encode(events), zero, created, np.array([as_of]), own)
    return build_features(known.leads, known.journeys, feature_set).values.tobytes()


@given(seed=SEEDS)
def test_one_lead_equals_many(feature_set: FeatureSet, seed: int) -> None:
    case = random_case(seed)
    for row, ask in zip(table(case, feature_set), case.asks, strict=True):
        assert row.tobytes() == _alone(case, ask, feature_set)


def test_a_few_leads_equal_a_bucket(feature_set: FeatureSet) -> None:
    """Long arrays take other paths through NumPy than short ones: the bits must not."""
    case = random_case(77, leads=400, asks=1000)
    together = table(case, feature_set)
    for start in range(0, 1000, 125):
        some = asking(case, case.asks[start : start + 3])
        assert table(some, feature_set).tobytes() == together[start : start + 3].tobytes()
    for i in range(0, 1000, 200):
        assert _alone(case, case.asks[i], feature_set) == together[i].tobytes()


def test_blocks_on_two_threads_give_the_bits_of_all_at_once(
    feature_set: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = random_case(78, leads=100, asks=250)
    monkeypatch.setattr("features.build.BLOCK", 64)
    lead, as_of = (np.array(column, dtype=np.int64) for column in zip(*case.asks, strict=True))
    encoded = feature_set.encode(event_columns(case.events, case.links))
    created = np.array(case.created_at, dtype=np.int64)[lead]
    found = features_at(lead_columns(case.leads), encoded, lead, created, as_of, feature_set, beside(case))
    assert found.columns == feature_set.columns
    assert found.values.tobytes() == table(case, feature_set).tobytes()


def test_nobody_gives_an_empty_table(feature_set: FeatureSet) -> None:
    assert table(asking(random_case(1), []), feature_set).shape == (0, len(feature_set.columns))


def test_a_lead_without_any_record_has_counts_of_zero_and_unknown_times(feature_set: FeatureSet) -> None:
    case = Case([], [], [], [0], [(0, 1)])
    values = dict(zip(feature_set.columns, table(case, feature_set)[0].tolist(), strict=True))
    assert values["sessions"] == values["page_views"] == values["contents_distinct"] == 0.0
    assert all(np.isnan(values[name]) for name in ("dwell_total", "days_since_last", "paid_share", "company_size"))
    assert values["first_channel[missing]"] == values["industry[missing]"] == 1.0
