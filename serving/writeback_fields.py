"""What a CRM is told of a lead, under which names, and when that is news.

A field is a key of the reply: `sales_ready` is `leadlift_sales_ready` in HubSpot and in a CSV, and
`Leadlift_Sales_Ready__c` in Salesforce. Names that begin so are refused as features when they come back with an export.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.errors import CrmError, SettingsError
from serving.reply import KEYS

MAX_TEXT = 255  # characters in a text field of Salesforce
_READ = 10_000  # leads at a time
_DECIDING = ("grade", "sales_ready", "stage", "model_version", "rules_version")
Mark = tuple[float | None, str]  # the probability, and a digest of all else that decides
Outcome = tuple[dict[str, str], CrmError | None]  # a result for each lead; why nothing more should be sent
NoteJob = Callable[[str | None], None]


@dataclass(frozen=True)
class Item:
    """One lead as a CRM is to see it. values: by field, in JSON's kinds; null = not known, which clears the field."""

    lead: str
    values: dict[str, Any]
    mark: Mark


def checked(fields: Sequence[str]) -> tuple[str, ...]:
    """The fields of the settings; a SettingsError for one that no reply has."""
    known = [key for key in KEYS if key not in ("lead_id", "visitor_id")]
    for field in fields:
        if field not in known:
            near = next(iter(difflib.get_close_matches(field, known, n=1)), known[0])
            raise SettingsError(f"writeback.fields: expected keys of the reply, got {field!r}. Did you mean {near}?")
    return tuple(fields)


def hubspot_name(field: str) -> str:
    """`leadlift_sales_ready`; also a CSV's column."""
    return f"leadlift_{field}"


def salesforce_name(field: str) -> str:
    """`Leadlift_Sales_Ready__c`."""
    return f"Leadlift_{field.title()}__c"


@dataclass(frozen=True)
class Group:
    """Some leads of a published set, in its order: their ids and marks. The rest is read of those that are sent."""

    leads: list[str]
    marks: list[Mark]
    rows: pa.RecordBatch
    fields: Sequence[str]

    def items(self, chosen: Sequence[int]) -> list[Item]:
        """The leads in these places."""
        rows = self.rows.select(list(self.fields)).take(pa.array(chosen, pa.int64())).to_pylist()
        values = [{field: _value(field, row[field]) for field in self.fields} for row in rows]
        return [Item(self.leads[i], one, self.marks[i]) for i, one in zip(chosen, values, strict=True)]


def groups(table: pa.Table, fields: Sequence[str]) -> Iterator[Group]:
    """The leads of a published set (its rows without a lead_id left out), ten thousand at a time."""
    named = table.filter(pc.is_valid(table.column("lead_id"))) if table.column("lead_id").null_count else table
    for batch in named.to_batches(max_chunksize=_READ):
        deciding = zip(*(batch.column(key).to_pylist() for key in _DECIDING), strict=True)
        digests = [_digest(tuple(fields), values) for values in deciding]
        marks = list(zip(batch.column("probability").to_pylist(), digests, strict=True))
        yield Group([str(lead) for lead in batch.column("lead_id").to_pylist()], marks, batch, fields)


def moved(then: Mark | None, now: Mark, at_least: float) -> bool:
    """Whether a CRM that accepted `then` (null: nothing yet) should be told `now`."""
    if then is None or then[1] != now[1] or (then[0] is None) != (now[0] is None):
        return True
    return then[0] is not None and now[0] is not None and abs(now[0] - then[0]) > at_least


def in_pieces(some: Iterable[Sequence[Item]], rows: int) -> Iterator[list[Item]]:
    """The same leads, `rows` at a time."""
    waiting: list[Item] = []
    for items in some:
        waiting += items
        while len(waiting) >= rows:
            yield waiting[:rows]
            del waiting[:rows]
    if waiting:
        yield waiting


@lru_cache(maxsize=4096)
def _digest(fields: tuple[str, ...], values: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps([fields, values]).encode()).hexdigest()[:16]


def _value(field: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    if isinstance(value, float):
        return round(value, 4 if field.startswith("probability") else 2)
    return value[:MAX_TEXT] if isinstance(value, str) else value
