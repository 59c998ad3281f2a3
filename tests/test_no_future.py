"""Nothing at or after `as_of` reaches a feature: not what happens then, not what arrives then, not what is learnt then."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import DAY, NULL_TIME
from features.build import FeatureSet
from tests.cases import LEADS, Case, Row, asking, fitted_feature_set, random_case, table

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


def _later(event: Row, as_of: int) -> bool:
    return event["occurred_at"] >= as_of or event["received_at"] >= as_of


def _since(row: Row) -> int:
    return row["created_at"] if row["valid_from"] == NULL_TIME else row["valid_from"]


def _same(case: Case, other: Case, feature_set: FeatureSet) -> None:
    assert table(case, feature_set).tobytes() == table(other, feature_set).tobytes()


def _one_ask(seed: int) -> tuple[Case, int]:
    case = random_case(seed, asks=1)
    return replace(case, require_consent=seed % 3 == 0), case.asks[0][1]


def _consents_known(consents: list[Row], as_of: int) -> list[Row]:
    """What had been given before as_of, and confirmed or withdrawn if that was before it too."""
    known = [c for c in consents if c["given_at"] < as_of]
    return [c | {k: c[k] if c[k] < as_of else NULL_TIME for k in ("confirmed_at", "withdrawn_at")} for c in known]


@given(seed=SEEDS)
def test_deleting_what_happens_or_arrives_later_changes_nothing(feature_set: FeatureSet, seed: int) -> None:
    case, as_of = _one_ask(seed)
    known = replace(
        case,
        events=[e for e in case.events if not _later(e, as_of)],
        links=[k for k in case.links if k["known_from"] < as_of],
        leads=[r for r in case.leads if _since(r) < as_of],
        outcomes=[o for o in case.outcomes if o["occurred_at"] < as_of],
        consents=_consents_known(case.consents, as_of),
    )
    _same(case, known, feature_set)


@given(seed=SEEDS)
def test_changing_what_happens_or_arrives_later_changes_nothing(feature_set: FeatureSet, seed: int) -> None:
    case, as_of = _one_ask(seed)
    other = random_case(seed + 1)
    rng = random.Random(seed)
    times = ("occurred_at", "received_at", "event_id")
    events = [
        rng.choice(other.events or [e]) | {k: e[k] for k in times} if _later(e, as_of) else e for e in case.events
    ]
    links = [k | {"lead": rng.randrange(LEADS)} if k["known_from"] >= as_of else k for k in case.links]
    leads = [r | {"title": "CEO", "employees": 7.0} if _since(r) >= as_of else r for r in case.leads]
    created = [c + DAY if c >= as_of else c for c in case.created_at]
    changed = replace(case, events=events, links=links, leads=leads, created_at=created)
    kinds = ("converted", "lost", "cancelled", "accepted")
    outcomes = [o | {"kind": rng.choice(kinds)} if o["occurred_at"] >= as_of else o for o in case.outcomes]
    consents = [c | {"purpose": "scoring"} if c["given_at"] >= as_of else c for c in case.consents]
    _same(case, replace(changed, outcomes=outcomes, consents=consents), feature_set)


@given(seed=SEEDS)
def test_adding_what_happens_or_arrives_later_changes_nothing(feature_set: FeatureSet, seed: int) -> None:
    case, as_of = _one_ask(seed)
    rng = random.Random(seed)
    strangers = random_case(seed + 1)
    late = [
        e | rng.choice(({"occurred_at": as_of + rng.choice((0, DAY))}, {"received_at": as_of + rng.choice((0, DAY))}))
        for e in strangers.events
    ]
    links = [k | {"known_from": as_of + rng.choice((0, 1, DAY))} for k in strangers.links]
    leads = [r | {"valid_from": as_of + rng.choice((0, 1, DAY))} for r in strangers.leads]
    more = replace(case, events=late + case.events, links=links + case.links, leads=leads + case.leads)
    outcomes = [o | {"occurred_at": as_of + rng.choice((0, 1, DAY))} for o in strangers.outcomes]
    given = {"given_at": as_of, "confirmed_at": as_of, "withdrawn_at": as_of + DAY}
    consents = [c | given for c in strangers.consents] + [
        c | {"withdrawn_at": as_of + rng.choice((0, DAY)) if c["withdrawn_at"] == NULL_TIME else c["withdrawn_at"]}
        for c in case.consents
    ]
    _same(case, replace(more, outcomes=outcomes + case.outcomes, consents=consents), feature_set)


@given(seed=SEEDS)
def test_the_past_does_matter(feature_set: FeatureSet, seed: int) -> None:
    """The tests above would pass on features that see nothing."""
    case = asking(random_case(seed), [(lead, 2**62) for lead in range(LEADS)])
    seen = [e for e in case.events if e["lead"] is not None and e["direction"] != "outbound" and not e["is_bot"]]
    if seen:
        assert table(case, feature_set).tobytes() != table(replace(case, events=[]), feature_set).tobytes()
