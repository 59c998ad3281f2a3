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
from typing import Any

import pyarrow as pa

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


def items(table: pa.Table, fields: Sequence[str]) -> Iterator[list[Item]]:
    """The leads of a published set (its rows without a lead_id left out), ten thousand at a time, in its order."""
    columns = list(dict.fromkeys(("lead_id", "probability", *_DECIDING, *fields)))
    for batch in table.select(columns).to_batches(max_chunksize=_READ):
        yield [_item(row, fields) for row in batch.to_pylist() if row["lead_id"]]


def moved(then: Mark | None, now: Mark, at_least: float) -> bool:
    """Whether a CRM that accepted `then` (null: nothing yet) should be told `now`."""
    if then is None or then[1] != now[1] or (then[0] is None) != (now[0] is None):
        return True
    return then[0] is not None and now[0] is not None and abs(now[0] - then[0]) > at_least


def in_pieces(groups: Iterable[Sequence[Item]], rows: int) -> Iterator[list[Item]]:
    """The same leads, `rows` at a time."""
    waiting: list[Item] = []
    for some in groups:
        waiting += some
        while len(waiting) >= rows:
            yield waiting[:rows]
            del waiting[:rows]
    if waiting:
        yield waiting


def _item(row: dict[str, Any], fields: Sequence[str]) -> Item:
    decides = json.dumps([fields, [row[key] for key in _DECIDING]])
    mark = (row["probability"], hashlib.sha256(decides.encode()).hexdigest()[:16])
    return Item(row["lead_id"], {field: _value(field, row[field]) for field in fields}, mark)


def _value(field: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    if isinstance(value, float):
        return round(value, 4 if field.startswith("probability") else 2)
    return value[:MAX_TEXT] if isinstance(value, str) else value
