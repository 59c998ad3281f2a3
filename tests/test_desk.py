"""The desk: query parameters, languages, warnings, and batches in which one bad lead stops nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from data.settings import ApiSettings, ServingSettings, Settings
from serving.champion import champion, load_scorer
from serving.counter import desk_with_store
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


# -- as_of ---------------------------------------------------------------------------------------------------------
def _view(occurred_at: str, **more: Any) -> dict[str, Any]:
    return {"type": "page_view", "url": "https://www.example.com/pricing", "occurred_at": occurred_at, **more}


EARLY, LATE = _view("2026-05-01T00:00:00Z"), _view("2026-07-01T00:00:00Z")


@pytest.mark.parametrize(
    "unseen", [LATE, _view("2026-06-01T00:00:00Z"), _view("2026-05-01T00:00:00Z", received_at="2026-06-02T00:00:00Z")]
)
def test_what_was_not_known_before_as_of_does_not_count(desk, unseen):
    asked = {"title": "CEO", "as_of": "2026-06-01T00:00:00Z"}
    without = desk.score(asked | {"events": [EARLY]}, Wants(), NOW)
    assert desk.score(asked | {"events": [EARLY, unseen]}, Wants(), NOW).body == without.body
    assert desk.score(asked | {"events": [unseen]}, Wants(), NOW).body == desk.score(asked, Wants(), NOW).body
    assert desk.score(asked, Wants(), NOW).body != without.body


@pytest.mark.parametrize("as_of", ["2026-06-01T00:00:00Z", "2026-06-01T02:00:00+02:00", "2030-06-01T00:00:00Z"])
def test_the_past_and_the_future_can_be_asked_about(desk, as_of):
    asked = {"title": "CEO", "events": [EARLY], "as_of": as_of}
    reply = json.loads(desk.score(asked, Wants(), NOW).body)
    assert reply["as_of"] == reply["scored_at"] == f"{as_of[:4]}-06-01T00:00:00.000000Z"
    assert desk.score(asked, Wants(), NOW).body == desk.score(asked, Wants(), NOW + 10**12).body


def test_each_lead_of_a_batch_has_its_own_as_of(desk):
    leads = [{"title": "CEO", "events": [EARLY, LATE], "as_of": m} for m in ("2026-06-01T00:00:00Z", None)]
    results = json.loads(desk.score_batch({"leads": leads}, Wants(), NOW).body)["results"]
    alone = [json.loads(desk.score(lead, Wants(), NOW).body) for lead in leads]
    assert [r["reply"] for r in results] == alone
    assert alone[0]["as_of"] < alone[1]["as_of"]


def test_null_equals_absent(desk):
    known = {"title": "CEO", "events": [EARLY]}
    nulls = dict.fromkeys(("lead_id", "visitor_id", "as_of", "employees", "email", "plan wish", "created_at")) | known
    nulls["events"] = [dict.fromkeys(("content_id", "dwell_seconds", "received_at", "is_bot")) | EARLY]
    assert desk.score(nulls, Wants(), NOW).body == desk.score(known, Wants(), NOW).body
    batches = [desk.score_batch({"leads": [lead]}, Wants(), NOW).body for lead in (nulls, known)]
    assert batches[0] == batches[1]


# -- unknown fields --------------------------------------------------------------------------------------------------
SECRET = "jane.doe@example.com"
ODD = {
    "titel": SECRET,
    "title": "CEO",
    SECRET: 1,
    "events": [EARLY | {"dwell_secs": 9, SECRET: SECRET}],
    "plan wishh": "x",
}
CLEAN = {"title": "CEO", "events": [EARLY]}


@pytest.fixture(scope="module")
def lenient(desk):
    return replace(desk, api=ApiSettings(unknown_fields="warn"))


def test_an_unknown_field_is_refused_by_default(desk):
    with pytest.raises(RequestError) as caught:
        desk.score(ODD, Wants(), NOW)
    assert caught.value.problem.status == 400
    assert {"title", "plan wish", "dwell_seconds"} <= {
        f.message.rpartition("nearest known field is ")[2] for f in caught.value.problem.faults
    }


def test_an_unknown_field_may_be_left_out_with_a_warning_that_names_the_nearest(lenient):
    flat = lenient.score(ODD, Wants(), NOW)
    clean = lenient.score(CLEAN, Wants(), NOW)
    assert flat.body == clean.body
    assert "Leadlift-Warnings" not in clean.headers
    codes = flat.headers["Leadlift-Warnings"].split(",")
    near = {"unknown_field:title", "unknown_field", "unknown_field:dwell_seconds", "unknown_field:plan%20wish"}
    assert set(codes) == near
    full = lenient.score(ODD, Wants(detail=True, lang="de"), NOW)
    assert "Leadlift-Warnings" not in full.headers
    warnings = json.loads(full.body)["warnings"]
    assert {w["code"] for w in warnings} == {"unknown_field"}
    assert "Ein Feld ist nicht bekannt und wurde ausgelassen; das nächste bekannte Feld ist title" in [
        w["text"] for w in warnings
    ]
    assert SECRET not in str(flat.headers) + str(full.headers) + full.body.decode() + flat.body.decode()


def test_the_service_reads_the_setting(tmp_path):
    settings = Settings(home=tmp_path, api=ApiSettings(unknown_fields="warn"))
    assert desk_with_store(load_scorer(settings, None), settings).api.unknown_fields == "warn"


def test_what_is_known_stays_strict_and_something_must_be_said(lenient):
    for wrong in ({"title": 1, "x": 2}, {"x": 1}, [], {"events": [{"x": 1}], "title": "CEO"}, {"events": [3], "x": 1}):
        with pytest.raises(RequestError):
            lenient.score(wrong, Wants(), NOW)


def test_in_a_batch_each_reply_has_its_own_warnings(lenient):
    batch = {"leads": [CLEAN, {"x": 1}, ODD, CLEAN | {"cuntry": "DE"}]}
    full = lenient.score_batch(batch, Wants(detail=True), NOW)
    results = json.loads(full.body)["results"]
    assert [r["status"] for r in results] == ["ok", "error", "ok", "ok"]
    texts = [[w["text"].rpartition(" is ")[2] for w in r["reply"]["warnings"]] for r in results if "reply" in r]
    assert texts[0] == []
    assert texts[2] == ["country"]
    assert len(texts[1]) == 4
    header = lenient.score_batch(batch, Wants(), NOW).headers["Leadlift-Warnings"]
    assert "unknown_field:country" in header.split(",")


def test_a_hundred_thousand_unknown_fields_are_compared_with_few_names(lenient, desk, monkeypatch):
    compared: list[str] = []

    def nearest(name: str, *given: Any, **more: Any) -> list[str]:
        compared.append(name)
        return []

    monkeypatch.setattr("serving.request.get_close_matches", nearest)
    many = {"title": "CEO"} | {f"x{i}" * 50: 1 for i in range(5000)}
    assert lenient.score(many, Wants(), NOW).headers["Leadlift-Warnings"] == "unknown_field"
    with pytest.raises(RequestError):
        desk.score(many, Wants(), NOW)
    assert 0 < len(compared) <= 40
    assert max(map(len, compared)) <= 100


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
