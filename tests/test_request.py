"""The request: strict, complete, and silent about what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import ExtraColumn
from data.records import EVENT, LEAD, NULL_TIME
from serving.gather import gather
from serving.problem import RequestError
from serving.request import Event, Lead, lead_model, parse

EXTRA = (ExtraColumn("plan wish", "text", "attribute"), ExtraColumn("visits", "number", "behaviour_total"))
MODEL = lead_model(EXTRA)
VIEW = {"type": "page_view", "occurred_at": "2026-11-01T09:30:00Z"}
SECRET = "jane.doe@example.com"


def refused(document: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(document, MODEL)
    return caught.value


def test_every_lead_and_event_column_can_be_sent():
    asked = set(Lead.model_fields)
    assert asked == {c.name for c in LEAD.columns} - {"source_row"} | {"visitor_id", "email", "as_of", "events"}
    assert set(Event.model_fields) == {c.name for c in EVENT.columns} - {"visitor_id", "lead_id"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"lead_id": 1}, "lead_id: expected a text"),
        ({"employees": "12"}, "employees: expected a number"),
        ({"employees": True}, "employees: expected a number"),
        ({"employees": -1}, "employees: expected 0 or more"),
        ({"employees": float("inf")}, "employees: expected a finite number"),
        ({"employees": 10**400}, "employees: expected a number"),
        ({"visits": "3"}, "visits: expected a number"),
        ({"plan wish": 3}, "plan wish: expected a text"),
        ({"titel": "CEO"}, "nearest known field is title"),
        ({"plan wsh": "x"}, "nearest known field is plan wish"),
        ({"country": "DE", "as_of": "2026-11-01T09:30:00"}, "as_of: expected a time with a zone"),
        ({"country": "DE", "as_of": "2026-11-01"}, "as_of: expected a time such as"),
        ({"country": "DE", "as_of": 1}, "as_of: expected a time such as"),
        ({"email": "no address"}, "email: expected an e-mail address"),
        ({"events": {}}, "events: expected a list"),
        ({"events": [1]}, "events[0]: expected an object"),
        ({"events": [{"type": "page_view"}]}, "events[0].occurred_at: is required"),
        ({"events": [{**VIEW, "type": "pageview"}]}, "events[0].type: expected one of page_view"),
        ({"events": [{**VIEW, "is_bot": 1}]}, "events[0].is_bot: expected true or false"),
        ({"events": [VIEW, {**VIEW, "dwell_second": 1}]}, "events[1]: field 3 of the object is not known; the nearest"),
        ({"title": "x" * 9000}, "title: expected at most"),
        ({}, "at least one of"),
        ({"events": [], "title": " ", "country": None}, "at least one of"),
        ({"as_of": "2026-11-01T09:30:00Z"}, "at least one of"),
        ([], "Expected one JSON object"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(document, message):
    assert message in str(refused(document))


@pytest.mark.parametrize(
    "place", [{SECRET: 1}, {"lead_id": [SECRET]}, {"events": [{SECRET: SECRET}]}, {"type": SECRET}]
)
def test_no_refusal_repeats_a_value_or_an_unknown_key(place):
    error = refused(place)
    assert SECRET not in str(error)
    assert SECRET not in error.problem.body().decode()


def test_null_equals_absent():
    full = dict.fromkeys(Lead.model_fields) | {"plan wish": None, "country": "DE"}
    assert parse(full, MODEL) == parse({"country": "DE"}, MODEL)


def test_too_many_events_are_refused_before_they_are_read():
    with pytest.raises(RequestError) as caught:
        parse({"events": [None] * 11}, MODEL, max_events=10)
    assert caught.value.problem.status == 413


def test_an_address_is_reduced_while_it_is_read(monkeypatch):
    monkeypatch.setenv("LEADLIFT_EMAIL_HASH_KEY", "key")
    lead = parse({"email": " Jane.Doe@Example.com ", "email_domain": "other.org"}, MODEL)
    assert "jane" not in repr(lead).lower()
    known = gather([lead], EXTRA, 5)
    assert known.leads["email_domain"].texts() == ["example.com"]
    assert known.leads["email_kind"].texts() == ["business"]
    assert len(known.leads["email_hash"].texts()[0]) == 64


def test_requests_become_the_columns_of_a_dataset():
    a = parse({"lead_id": "a", "visits": 2, "as_of": "2026-01-01T00:00:00+01:00", "valid_from": None}, MODEL)
    b = parse({"visitor_id": "v", "events": [VIEW, {**VIEW, "dwell_seconds": 3}]}, MODEL)
    known = gather([a, b], EXTRA, 7)
    assert list(known.lead_ids) == ["a", None]
    assert list(known.visitor_ids) == [None, "v"]
    assert known.as_of.tolist() == [1_767_222_000_000_000, 7]
    assert known.leads["valid_from"].tolist() == [known.as_of[0] - 1, 6]
    assert known.leads["visits"].tolist()[0] == 2
    assert np.isnan(known.leads["visits"][1])
    assert known.events["lead"].tolist() == [1, 1]
    assert known.events["known_from"].tolist() == [NULL_TIME] * 2
    assert known.events["received_at"].tolist() == [NULL_TIME] * 2
    assert set(known.events) == {c.name for c in EVENT.columns} | {"lead", "known_from"}
    assert set(known.leads) == {c.name for c in LEAD.columns} | {"lead", "plan wish", "visits"}


texts = st.text("aZ@.é 0:T-\0", max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Lead.model_fields, "plan wish", "visits", "zzz"]), json_values, max_size=6))
def test_any_object_is_either_understood_or_refused(document):
    try:
        gather([parse(document, MODEL)], EXTRA, 0)
    except RequestError as error:
        json.loads(error.problem.body())
