"""A score is made once: columns, agreement, interests, data quality, whose reasons."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data.settings import ServingSettings
from serving.champion import champion
from serving.desk import Desk
from serving.known import of_people
from serving.reply import KEYS
from serving.scorer import Wants

DAY = "2026-11-0{}T10:00:00Z"
VIEWS = [
    {"type": "page_view", "occurred_at": DAY.format(1), "url": "https://www.example.com/blog/security/a", "dwell_seconds": 5},
    {"type": "page_view", "occurred_at": DAY.format(2), "url": "https://www.example.com/blog/security/b"},
    {"type": "page_view", "occurred_at": DAY.format(3), "url": "https://www.example.com/product/analytics",
     "dwell_seconds": 90},
    {"type": "page_view", "occurred_at": DAY.format(4), "url": "https://www.example.com/product/automation"},
]  # fmt: skip


@pytest.fixture(scope="module")
def scorer(market):
    return champion(market.settings, market.name)


@pytest.fixture(scope="module")
def everyone(market, scorer):
    (people,) = market.dataset.people()
    return scorer.score(of_people(people, market.as_of), Wants())


def ask(scorer, document, **wants):
    document = {"as_of": "2026-11-09T00:00:00Z", **document}
    return json.loads(Desk(scorer, ServingSettings()).score(document, Wants(**wants), 0).body)


def test_columns_are_the_replys_keys_in_order(everyone):
    assert list(everyone.columns) == list(KEYS)
    assert all(len(c) == len(everyone) for c in everyone.columns.values())


def test_probabilities_lie_within_their_bounds_and_the_limits(everyone):
    low, p, high = (everyone.columns[k] for k in ("probability_low", "probability", "probability_high"))
    assert ((low >= 1e-4) & (low <= p) & (p <= high) & (high <= 1 - 1e-4)).all()
    assert np.array_equal(np.argsort(everyone.rank_score, kind="stable"), np.argsort(p, kind="stable"))


def test_agreement_says_who_is_hot(scorer, everyone):
    hot_model = everyone.columns["probability"] >= scorer.rules.hot_probability
    hot_points = everyone.columns["points"] >= scorer.rules.hot_points
    names = {(0, 0): "both_cold", (0, 1): "points_only", (1, 0): "model_only", (1, 1): "both_hot"}
    wanted = [names[int(m), int(p)] for m, p in zip(hot_model, hot_points, strict=True)]
    assert everyone.columns["agreement"].texts() == wanted
    assert len(set(wanted)) >= 3


def test_grade_letter_and_level_are_its_parts(everyone):
    for grade, letter, level in zip(
        *(everyone.columns[k].texts() for k in ("grade", "fit_grade")),
        everyone.columns["engagement_level"].tolist(), strict=True,
    ):  # fmt: skip
        assert grade == f"{letter}{level}"


def test_interests_are_topics_by_time_then_by_views(scorer):
    reply = ask(scorer, {"events": VIEWS})
    assert (reply["interest_1"], reply["interest_2"]) == ("analytics", "security")
    untimed = [{k: v for k, v in view.items() if k != "dwell_seconds"} for view in VIEWS]
    reply = ask(scorer, {"events": untimed})
    assert (reply["interest_1"], reply["interest_2"]) == ("security", "analytics")
    assert ask(scorer, {"title": "CEO"})["interest_1"] is None


@pytest.mark.parametrize(
    ("document", "quality"),
    [
        ({"title": "CEO", "events": VIEWS}, "full"), ({"title": "CEO"}, "profile_only"), ({"events": VIEWS}, "partial"),
        ({"lead_id": "x"}, "none"), ({"trial_seconds": 5}, "partial"), ({"plan wish": "basic"}, "profile_only"),
        ({"lead_id": "x", "old_score": 5}, "none"), ({"visitor_id": "v", "events": VIEWS[:1]}, "partial"),
    ],
)  # fmt: skip
def test_data_quality_says_what_is_known(scorer, document, quality):
    assert ask(scorer, document)["data_quality"] == quality


def test_ids_are_given_back(scorer):
    reply = ask(scorer, {"lead_id": "L", "visitor_id": "V", "title": "CEO"})
    assert (reply["lead_id"], reply["visitor_id"], reply["target"], reply["currency"]) == ("L", "V", "converted", "EUR")


def test_reasons_are_for_whom_they_are_wanted(market, scorer, everyone):
    (people,) = market.dataset.people()
    known = of_people(people, market.as_of)
    none = scorer.score(known, Wants(reasons="none", detail=True))
    ready = scorer.score(known, Wants(reasons="ready", detail=True))
    assert set(none.columns["reason_1"].texts()) == {None}
    assert all(d["reasons"] == [] for d in none.details)
    is_ready = everyone.columns["sales_ready"]
    assert 0 < is_ready.sum() < len(is_ready)
    for i, wanted in enumerate(is_ready.tolist()):
        assert ready.columns["reason_1"].texts()[i] == (everyone.columns["reason_1"].texts()[i] if wanted else None)
        assert bool(ready.details[i]["reasons"]) == wanted


def test_the_ledger_adds_up_to_the_points(market, scorer):
    (people,) = market.dataset.people()
    scores = scorer.score(of_people(people, market.as_of), Wants(detail=True, lang="de"))
    for i, detail in enumerate(scores.details):
        assert sum(e["points"] for e in detail["ledger"]) == scores.columns["points"][i]


def test_leads_that_were_not_created_yet_are_left_out(market, scorer):
    (people,) = market.dataset.people()
    middle = int(np.median(people.created_at))
    known = of_people(people, middle)
    assert len(known) == int((people.created_at < middle).sum())
    assert (known.created_at < middle).all()
    scores = scorer.score(known, Wants())
    for i in (0, len(known) // 2, len(known) - 1):
        one = scorer.score(of_people(people.select(known.lead_ids[i]), middle), Wants())
        assert one.row(0) == scores.row(i)
    assert len(of_people(people, int(people.created_at.min()))) == 0


def test_the_expected_value_is_in_major_units_rounded_to_the_minor_one(scorer, everyone):
    p, value = everyone.columns["probability"], everyone.columns["expected_value"]
    assert np.array_equal(value, np.round(p * 1234567.0) / 100)
