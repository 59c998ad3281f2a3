"""Where settings require consent, what lacks it is absent as if never recorded; a withdrawal counts at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.consent import consent_spans, contact_unconfirmed, permission_at
from data.dataset import People, consenting
from data.records import DAY, NULL_TIME, Coded, Columns
from features.build import FeatureSet
from serving.champion import champion
from serving.desk import reply_bytes
from serving.known import of_people
from serving.rescore import Job
from serving.scorer import Wants
from tests.cases import Case, fitted_feature_set, random_case, table
from tests.oracle_known import may

SEEDS = st.integers(0, 2**32 - 1)
ALL = ("tracking", "scoring")


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


def _never_recorded(case: Case, lead: int, profile: bool) -> Case:
    """The case without any event of the lead, and, unless `profile`, without the rest of its records."""
    bare = replace(
        case,
        events=[e for e in case.events if e["lead"] != lead and (e["lead"] is not None)],
        links=[],
    )
    if profile:
        return bare
    created = [NULL_TIME if i == lead else at for i, at in enumerate(case.created_at)]
    rows = {name: [r for r in getattr(case, name) if r["lead"] != lead] for name in ("leads", "outcomes", "consents")}
    return replace(bare, created_at=created, **rows)


@given(seed=SEEDS)
def test_unconsented_equals_never_recorded(feature_set: FeatureSet, seed: int) -> None:
    case = replace(random_case(seed, asks=8), require_consent=True)
    for ask, row in zip(case.asks, table(case, feature_set), strict=True):
        lead, as_of = ask
        profile = may(case, lead, "scoring", as_of)
        if profile and may(case, lead, "tracking", as_of):
            continue
        alone = replace(_never_recorded(case, lead, profile), asks=[ask])
        others = _never_recorded(case, lead, profile=True)
        assert profile or table(alone, feature_set).tobytes() == row.tobytes()
        if profile:  # other people of the account keep their events
            own = [c for c in feature_set.columns if not c.startswith("account_active")]
            keep = [feature_set.columns.index(c) for c in own]
            bare = table(replace(others, asks=[ask]), feature_set)[0]
            assert bare[keep].tobytes() == row[keep].tobytes()


@given(seed=SEEDS)
def test_who_has_not_consented_is_no_colleague_either(feature_set: FeatureSet, seed: int) -> None:
    case = random_case(seed, asks=6)
    silent = replace(case, require_consent=True, consents=[c for c in case.consents if c["lead"] != 0])
    gone = replace(silent, leads=[r for r in case.leads if r["lead"] != 0])
    others = [ask for ask in case.asks if ask[0] != 0]
    found, expected = (table(replace(c, asks=others), feature_set) for c in (silent, gone))
    assert found.tobytes() == expected.tobytes()


@given(seed=SEEDS)
def test_with_all_consents_nothing_changes(feature_set: FeatureSet, seed: int) -> None:
    case = random_case(seed)
    early = {"given_at": NULL_TIME + 1, "confirmed_at": NULL_TIME, "withdrawn_at": NULL_TIME}
    consents = [{"lead": i, "purpose": p} | early for i in range(len(case.created_at)) for p in ALL]
    asked = replace(case, require_consent=True, consents=consents)
    assert table(case, feature_set).tobytes() == table(asked, feature_set).tobytes()


# -- one lead --------------------------------------------------------------------------------------------------
def _consents(*rows: tuple[str, int, int | None, int | None], lead: int = 0) -> Columns:
    """(purpose, given, confirmed, withdrawn) of a lead."""
    times = np.array([[NULL_TIME if t is None else t for t in row[1:]] for row in rows], dtype=np.int64).reshape(-1, 3)
    return {
        "purpose": Coded.of([row[0] for row in rows]), "given_at": times[:, 0], "confirmed_at": times[:, 1],
        "withdrawn_at": times[:, 2], "lead": np.full(len(rows), lead, dtype=np.int64),
    }  # fmt: skip


def _allowed(consents: Columns, moments: list[int]) -> list[bool]:
    lead = np.zeros(len(moments), dtype=np.int64)
    return permission_at(consents, lead, np.array(moments)).events.tolist()


def test_a_consent_counts_after_it_is_given_and_a_withdrawal_from_the_next_moment() -> None:
    consents = _consents(("scoring", 10, None, 20), ("tracking", 5, None, None))
    assert _allowed(consents, [10, 11, 20, 21]) == [False, True, True, False]


def test_a_withdrawal_ends_all_that_was_given_before_and_a_new_consent_begins_anew() -> None:
    consents = _consents(
        ("scoring", 10, None, None), ("scoring", 12, None, 20), ("scoring", 30, None, None), ("tracking", 0, None, None)
    )
    assert _allowed(consents, [15, 21, 30, 31]) == [True, False, False, True]


def test_scoring_without_tracking_leaves_the_profile() -> None:
    found = permission_at(_consents(("scoring", 1, None, None)), np.zeros(1, dtype=np.int64), np.array([5]))
    assert (found.profile.tolist(), found.events.tolist()) == ([True], [False])
    only = permission_at(_consents(("tracking", 1, None, None)), np.zeros(1, dtype=np.int64), np.array([5]))
    assert (only.profile.tolist(), only.events.tolist()) == ([False], [False])


def test_contact_is_confirmed_only_by_double_opt_in() -> None:
    lead, at = np.zeros(4, dtype=np.int64), np.array([5, 11, 16, 21])
    found = contact_unconfirmed(_consents(("contact", 10, 15, 20)), lead, at)
    assert found.tolist() == [False, True, False, False]
    assert len(consent_spans({}, "contact")) == 0


# -- the reply -------------------------------------------------------------------------------------------------
def _people(market, consents: Columns) -> People:
    (people,) = market.dataset.people()
    return replace(people, consents=consents, require_consent=True)


def test_a_reply_without_consent_is_that_of_a_stranger(market) -> None:
    scorer = champion(market.settings, market.name)
    people = _people(market, _consents())
    rows = np.arange(len(people))
    unknown = {c: (v.take(np.full(len(v), -1)) if isinstance(v, Coded) else v) for c, v in people.leads.items()}
    numbers = [c for c, v in unknown.items() if not isinstance(v, Coded) and v.dtype == np.float64]
    blank = replace(
        people, require_consent=False, leads=unknown | {c: np.full(len(people.leads["lead"]), np.nan) for c in numbers},
        events={c: v.take(rows[:0]) if isinstance(v, Coded) else v[:0] for c, v in people.events.items()},
        created_at=np.full(len(people), NULL_TIME),
    )  # fmt: skip
    silent = scorer.score(of_people(people, market.as_of), Wants())
    stranger = scorer.score(of_people(blank, market.as_of), Wants())
    assert [reply_bytes(silent, i) for i in rows] == [reply_bytes(stranger, i) for i in rows]
    assert set(silent.columns["data_quality"].texts()) == {"none"}


def test_a_withdrawal_counts_from_the_next_call(market) -> None:
    scorer = champion(market.settings, market.name)
    given = market.as_of - 50 * DAY
    lead = next(i for i in range(40) if i % 7)
    people = _people(
        market, _consents(("scoring", given, None, market.as_of), ("tracking", given, None, None), lead=lead)
    )
    free = scorer.score(of_people(replace(people, require_consent=False), market.as_of), Wants())
    asked = scorer.score(of_people(people, market.as_of), Wants())
    assert reply_bytes(asked, lead) == reply_bytes(free, lead)
    later = scorer.score(of_people(people, market.as_of + 1), Wants())
    assert later.row(lead)["data_quality"] == "none"


def test_unconfirmed_contact_is_a_warning_of_the_reply(market) -> None:
    scorer = champion(market.settings, market.name)
    people = replace(_people(market, _consents(("contact", 1, None, None), lead=2)), require_consent=False)
    scores = scorer.score(of_people(people, market.as_of), Wants(detail=True, lang="de"))
    assert scores.warnings(2) == ("contact_not_confirmed",)
    assert [w["code"] for w in scores.details[2]["warnings"]] == ["contact_not_confirmed"]
    assert scores.warnings(1) == ()


def test_a_rescoring_asks_for_consent_where_settings_do(market) -> None:
    scorer = champion(market.settings, market.name)
    free = Job(market.dataset, scorer, market.as_of, Wants())
    asking = Job(consenting(market.dataset, True), scorer, market.as_of, Wants())
    assert consenting(market.dataset, False) is market.dataset
    assert free.run != asking.run
