"""Requests -> columns, exactly as a dataset would hand over the same records."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from pydantic import BaseModel

from data.dataset import ExtraColumn
from data.records import EVENT, LEAD, NULL_TIME, Coded, Columns
from serving.known import Known

_OF_LEAD = [c for c in LEAD.columns if c.name not in ("valid_from", "source_row")]
_OF_EVENT = [c for c in EVENT.columns if c.name not in ("visitor_id", "lead_id")]
_EVENT_CELLS = itemgetter(*(c.name for c in _OF_EVENT))


def gather(leads: Sequence[BaseModel], extra: Sequence[ExtraColumn], now: int) -> Known:
    """Columns of n request objects; `now` (microseconds) stands in where one has no `as_of`.

    A profile counts as known just before its `as_of`, whatever `valid_from` says: the caller knows it.
    """
    given = [dict(lead.__dict__) for lead in leads]
    as_of = [now if g["as_of"] is None else g["as_of"] for g in given]
    for one in given:
        _put_email(one)
    return Known(
        lead_ids=[_blank_is_null(g["lead_id"]) for g in given],
        visitor_ids=[_blank_is_null(g["visitor_id"]) for g in given],
        as_of=np.array(as_of, dtype=np.int64),
        created_at=np.array([NULL_TIME if g["created_at"] is None else g["created_at"] for g in given], dtype=np.int64),
        leads=_lead_columns(given, as_of, extra),
        events=_event_columns(given),
    )


def _put_email(given: dict[str, Any]) -> None:
    """What is kept of an address stands where the caller could have sent it; the address wins over those fields."""
    email = given["email"]
    if email is not None:
        given["email_domain"], given["email_kind"] = email.domain, email.kind
        given["email_hash"] = email.hash or given["email_hash"]


def _lead_columns(given: Sequence[dict[str, Any]], as_of: Sequence[int], extra: Sequence[ExtraColumn]) -> Columns:
    nulls = Coded.nulls(len(given))
    columns = {c.name: _column(c.kind, [g[c.name] for g in given], nulls) for c in _OF_LEAD}
    for i, e in enumerate(extra):
        columns[e.name] = _column(e.kind, [g[f"extra_{i}"] for g in given], nulls)
    columns["valid_from"] = np.array(as_of, dtype=np.int64) - 1
    columns["source_row"] = np.zeros(len(given), dtype=np.int64)
    columns["lead"] = np.arange(len(given), dtype=np.int64)
    return columns


def _event_columns(given: Sequence[dict[str, Any]]) -> Columns:
    counts = [len(g["events"] or ()) for g in given]
    n = sum(counts)
    nulls = Coded.nulls(n)
    rows = zip(*[_EVENT_CELLS(e.__dict__) for g in given for e in g["events"] or ()], strict=True)
    columns: Columns = {c.name: _column(c.kind, next(rows, ()), nulls) for c in _OF_EVENT}
    columns["visitor_id"] = columns["lead_id"] = nulls
    columns["lead"] = np.arange(len(given), dtype=np.int64).repeat(counts)
    columns["known_from"] = np.full(n, NULL_TIME)
    return columns


def _column(kind: str, values: Sequence[Any], nulls: Coded) -> Any:
    """nulls: the column of a text that none of them has."""
    if kind in ("text", "code"):
        if not any(values):
            return nulls
        coded = Coded.of(values)
        return coded if all(map(str.strip, coded.values)) else Coded.of(map(_blank_is_null, values))
    if kind == "time":
        return np.array([NULL_TIME if v is None else v for v in values], dtype=np.int64)
    if kind == "flag":
        return np.array(values, dtype=np.bool_)  # None: false
    return np.array(values, dtype=np.float64)  # None: NaN


def _blank_is_null(text: str | None) -> str | None:
    return text if text is None or text.strip() else None
