"""The reply's bytes: order, floats, times, nulls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import NULL_TIME
from serving.reply import DETAIL_KEYS, KEYS, batch_bytes, time_text, to_bytes

ROW = dict.fromkeys(KEYS) | {"as_of": 0, "scored_at": 0}
ORDER = (
    "lead_id, visitor_id, as_of, target, horizon_days, probability, probability_low, probability_high, expected_value, "
    "currency, points, grade, fit_grade, engagement_level, stage, sales_ready, agreement, interest_1, interest_2, "
    "reason_1, reason_2, reason_3, data_quality, model_version, rules_version, features_version, scored_at"
)


def test_all_keys_are_always_there_in_the_agreed_order():
    assert list(json.loads(to_bytes(ROW))) == ORDER.split(", ")


def test_details_follow_the_flat_keys():
    reason = {"family": "f", "text": "größer", "contribution": 0.1}
    worth = {"expected_value_low": 1.5, "expected_value_high": float("nan")}
    detail = {**worth, "reasons": [reason], "ledger": [], "warnings": []}
    document = json.loads(to_bytes(ROW, detail))
    assert list(document) == [*KEYS, *DETAIL_KEYS]
    assert document["reasons"] == detail["reasons"]
    assert (document["expected_value_low"], document["expected_value_high"]) == (1.5, None)


def test_bytes_are_compact_utf_8_with_shortest_floats():
    row = ROW | {"lead_id": "Größe, €", "probability": 0.1, "points": 7, "sales_ready": True}
    text = to_bytes(row).decode("utf-8")
    assert text.startswith(
        '{"lead_id":"Größe, €","visitor_id":null,"as_of":"1970-01-01T00:00:00.000000Z","target":null,'
    )
    assert '"probability":0.1,' in text
    assert '"points":7,' in text
    assert '"sales_ready":true,' in text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back_the_same(value):
    assert json.loads(to_bytes(ROW | {"probability": value}))["probability"] == value


def test_unknown_numbers_are_null_and_infinite_ones_an_error():
    assert json.loads(to_bytes(ROW | {"probability": float("nan")}))["probability"] is None
    with pytest.raises(ValueError, match="JSON"):
        to_bytes(ROW | {"probability": float("inf")})


@given(st.integers(-(10**15), 10**17))
def test_a_time_is_written_alike_from_microseconds_and_from_a_datetime(micros):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    text = time_text(micros)
    assert text == time_text(moment)
    assert datetime.fromisoformat(text) == moment
    assert len(text) == len("2026-11-01T09:30:00.000000Z")


def test_no_time_is_null():
    assert time_text(NULL_TIME) is None


def test_a_batch_keeps_each_reply_byte_for_byte():
    body = batch_bytes([(True, b'{"a":1.0}'), (False, b'{"status":400}')])
    assert body == b'{"results":[{"status":"ok","reply":{"a":1.0}},{"status":"error","error":{"status":400}}]}'
