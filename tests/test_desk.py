"""The desk: query parameters, languages, warnings, and batches in which one bad lead stops nobody."""

from __future__ import annotations

import json

import pytest

from data.settings import ServingSettings
from serving.champion import champion, load_scorer
from serving.desk import Desk, preferred_language, wants_of
from serving.problem import RequestError
from serving.scorer import Wants

NOW = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def desk(market):
    return Desk(champion(market.settings, market.name), ServingSettings(max_batch=5))


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("en-GB,de", "en"), ("fr,de;q=0.5", "de"),
        ("de;q=0.2,en;q=0.3", "en"), ("*", "en"), ("de;q=0", "en"), ("de;q=x", "en"), ("," * 5000, "en"),
    ],
)  # fmt: skip
def test_the_best_known_language_is_chosen(header, lang):
    assert preferred_language(header) == lang


def test_the_query_wins_over_the_header():
    assert wants_of({"lang": "en", "detail": "full", "reasons": "ready"}, "de") == Wants("ready", "en", True)
    assert wants_of({}, "de") == Wants("all", "de", False)


@pytest.mark.parametrize("query", [{"lang": "fr"}, {"detail": "jane"}, {"reason": "none"}, {"x@example.com": "jane"}])
def test_unknown_parameters_are_refused_without_repeating_them(query):
    with pytest.raises(RequestError) as caught:
        wants_of(query)
    assert not any(text in str(caught.value) for text in ("fr,", "jane", "x@example.com"))


def test_reasons_are_said_in_the_chosen_language(desk):
    texts = [json.loads(desk.score({"title": "CEO"}, Wants(lang=lang), NOW).body)["reason_1"] for lang in ("en", "de")]
    assert texts[0] != texts[1]


def test_now_stands_in_for_as_of(desk):
    answer = json.loads(desk.score({"title": "CEO"}, Wants(), NOW).body)
    assert answer["as_of"] == answer["scored_at"] == "2026-09-21T14:13:20.000000Z"


def test_what_was_not_used_is_warned_of_in_header_or_body(desk):
    late = {"events": [{"type": "form", "occurred_at": "2027-01-01T00:00:00Z"}], "as_of": "2026-12-31T00:00:00Z"}
    flat = desk.score(late, Wants(), NOW)
    assert flat.headers["Leadlift-Warnings"] == "events_not_before_as_of"
    full = desk.score(late, Wants(detail=True, lang="de"), NOW)
    assert "Leadlift-Warnings" not in full.headers
    assert [w["code"] for w in json.loads(full.body)["warnings"]] == ["events_not_before_as_of"]
    assert "Leadlift-Warnings" not in desk.score({"title": "CEO"}, Wants(), NOW).headers


def test_one_bad_lead_stops_nobody(desk):
    leads = [{"lead_id": "a"}, {"lead_idd": "b"}, 3, {}, {"lead_id": "c"}]
    results = json.loads(desk.score_batch({"leads": leads}, Wants(), NOW).body)["results"]
    assert [r["status"] for r in results] == ["ok", "error", "error", "error", "ok"]
    assert [r["reply"]["lead_id"] for r in results if r["status"] == "ok"] == ["a", "c"]
    assert all(r["error"]["status"] == 400 for r in results if r["status"] == "error")


@pytest.mark.parametrize("document", [[], {}, {"leads": {}}, {"leads": [], "x": 1}, {"lead": []}])
def test_a_batch_of_another_shape_is_refused(desk, document):
    with pytest.raises(RequestError):
        desk.score_batch(document, Wants(), NOW)


def test_a_batch_that_is_too_large_is_refused(desk):
    with pytest.raises(RequestError) as caught:
        desk.score_batch({"leads": [{"lead_id": "a"}] * 6}, Wants(), NOW)
    assert caught.value.problem.status == 413


def test_an_empty_batch_has_no_results(desk):
    assert desk.score_batch({"leads": []}, Wants(), NOW).body == b'{"results":[]}'


def test_the_desk_says_what_it_answers_with(desk, market, tmp_path):
    assert desk.state()["status"] == "ready"
    assert desk.state()["model_version"] == market.bundle.version
    bare = Desk(load_scorer(market.settings.model_copy(update={"home": tmp_path}), "nobody"))
    assert (bare.state()["status"], bare.state()["warnings"]) == ("degraded", ["no_model", "rules_packaged"])
