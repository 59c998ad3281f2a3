"""The reply and its bytes. The only serializer: the service, the command line and a stored row all end here.

One flat object, because CRMs map flat fields: every key is always there, in this order, null = not known. UTF-8, no
spaces, floats in their shortest form that reads back the same, times as `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal

from data.records import NULL_TIME
from data.store.moves import COLUMNS

Kind = Literal["text", "number", "integer", "flag", "time"]

KEYS: dict[str, Kind] = {
    "lead_id": "text",
    "visitor_id": "text",
    "as_of": "time",
    "target": "text",
    "horizon_days": "integer",
    "probability": "number",
    "probability_low": "number",
    "probability_high": "number",
    "expected_value": "number",
    "currency": "text",
    "points": "integer",
    "grade": "text",
    "fit_grade": "text",
    "engagement_level": "integer",
    "stage": "text",
    "sales_ready": "flag",
    "agreement": "text",
    "interest_1": "text",
    "interest_2": "text",
    "reason_1": "text",
    "reason_2": "text",
    "reason_3": "text",
    "data_quality": "text",
    "model_version": "text",
    "rules_version": "text",
    "features_version": "text",
    "scored_at": "time",
}
DETAIL_NUMBERS = ("expected_value_low", "expected_value_high")
DETAIL_LISTS = ("reasons", "ledger", "warnings")
DETAIL_KEYS = (*DETAIL_NUMBERS, *DETAIL_LISTS)
Row = Mapping[str, Any]
MOVE_KEYS: dict[str, Kind] = {name: kind for name, kind in COLUMNS.items() if name != "lead_id"}
_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_CONVERTED = tuple(key for key, kind in KEYS.items() if kind in ("time", "integer"))
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def to_bytes(row: Row, detail: Mapping[str, Any] | None = None) -> bytes:
    """The reply's bytes.

    Parameters
    ----------
    row
        a value for each of KEYS (others, such as rank_score, are left out): text, float, int, bool or None; times as
        int64 microseconds or as datetimes with a zone; NaN and NULL_TIME are null. A row of a rescoring fits.
    detail
        the numbers and lists of DETAIL_KEYS, for `detail=full`.
    """
    document: dict[str, Any] = {
        key: None if value is None or value != value else value for key, value in zip(KEYS, _in_order(row), strict=True)
    }
    for key in _CONVERTED:
        document[key] = _value(KEYS[key], document[key])
    if detail is not None:
        document.update({key: _value("number", detail[key]) for key in DETAIL_NUMBERS})
        document.update({key: list(detail[key]) for key in DETAIL_LISTS})
    return _ENCODER.encode(document).encode("utf-8")


def history_bytes(lead_id: str, rows: Sequence[Row]) -> bytes:
    """`{"lead_id","moves":[...]}`: one object with MOVE_KEYS for each row of a lead's history."""
    moves = [{key: _value(kind, row[key]) for key, kind in MOVE_KEYS.items()} for row in rows]
    return _ENCODER.encode({"lead_id": lead_id, "moves": moves}).encode("utf-8")


def batch_bytes(results: Sequence[tuple[bool, bytes]]) -> bytes:
    """`{"results":[...]}` of (answered, bytes of the reply or of the problem) in order."""
    parts = [
        (b'{"status":"ok","reply":' if answered else b'{"status":"error","error":') + body + b"}"
        for answered, body in results
    ]
    return b'{"results":[' + b",".join(parts) + b"]}"


_in_order = itemgetter(*KEYS)


def _value(kind: Kind, value: Any) -> Any:
    if value is None or value != value:
        return None
    if kind == "time":
        return time_text(value)
    return int(value) if kind == "integer" else value


def time_text(moment: int | datetime) -> str | None:
    """`2026-11-01T09:30:00.000000Z`; None for NULL_TIME. A datetime must have a zone."""
    return _time_text((moment - _EPOCH) // _MICRO if isinstance(moment, datetime) else int(moment))


@lru_cache(maxsize=64)
def _time_text(moment: int) -> str | None:
    """A reply has a moment twice, and a batch one moment throughout."""
    if moment == NULL_TIME:
        return None
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")[:-6] + "Z"
