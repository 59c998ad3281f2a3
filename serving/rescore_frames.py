"""Scores of records that come as one Arrow table: what each task of Spark does where records exist only there.

The table has a row for each record; `record` names it, and its columns are called `<record>_<number>`, because Spark takes
not every name. Times are int64 microseconds. All that counts for one lead must be in one table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from data import arrow
from data.dataset import DatasetInfo, ExtraColumn, consenting
from data.lake_tables import Tables
from data.records import CONSENT, EVENT, LEAD, LINK, OUTCOME, Column
from serving.champion import scorer_of
from serving.known import of_people
from serving.rescore_columns import SCHEMA
from serving.rescore_job import Job
from serving.rescore_parts import scored
from serving.scorer import Scorer, Wants
from training.bundle import Bundle

ASKED_FOR = {r.name: r for r in (LEAD, EVENT, LINK, OUTCOME, CONSENT)}
RESULT = SCHEMA.append(pa.field("quarantine", pa.string()))
"""Columns of the result: those of a set of scores, and why a lead has none (null: it has)."""


@dataclass(frozen=True)
class Question:
    """What is asked of every table. files: the bundle's texts by name. merges: (lead that went, lead that stayed,
    moment), all of them, because they may be told of leads of other tables."""

    files: tuple[tuple[str, str], ...]
    as_of: int
    wants: Wants
    require_consent: bool
    merges: tuple[tuple[str, str, int], ...] = ()


def record_columns(name: str, extra: tuple[ExtraColumn, ...]) -> tuple[tuple[str, Column], ...]:
    """The columns of a record under the names they have in such a table."""
    return tuple((f"{name}_{i}", c) for i, c in enumerate(arrow.columns_of(ASKED_FOR[name], extra)))


def score_table(question: Question, table: pa.Table) -> pa.Table:
    """The scores of the leads of a table that were created before `as_of`, as RESULT says."""
    scorer = _scorer(question.files)
    extra = scorer.feature_set.extra
    records = {name: _record(name, table, extra) for name in ASKED_FOR}
    records["links"] = pa.concat_tables([records["links"], _merged(question)])
    unnamed = pc.is_null(records["leads"].column("lead_id"))
    nobody = pc.sum(unnamed).as_py() or 0
    records["leads"] = records["leads"].filter(pc.invert(unnamed))
    lake = Tables(DatasetInfo(scorer.market or "", extra=extra), records, "a table of Spark")
    job = Job(consenting(lake, question.require_consent), scorer, question.as_of, question.wants)
    tables, refused = scored(job, of_people(job.dataset.people_in([0], accounts=False), job.as_of))
    bad = [(r.lead_id, r.reason) for r in refused] + [(None, "lead_id_missing")] * nobody
    return pa.concat_tables([*(_result(t) for t in tables), *_quarantined(bad)] or [RESULT.empty_table()])


@lru_cache(maxsize=1)
def _scorer(files: tuple[tuple[str, str], ...]) -> Scorer:
    """Once for each process of Python, which does many tables."""
    return scorer_of(Bundle(dict(files)))


def _record(name: str, table: pa.Table, extra: tuple[ExtraColumn, ...]) -> pa.Table:
    rows = table.filter(pc.equal(table.column("record"), name))
    columns = record_columns(name, extra)
    arrays = [rows.column(n).cast(arrow.TYPES[c.kind]) for n, c in columns]
    return pa.Table.from_arrays(arrays, schema=_nullable([c for _, c in columns]))


def _nullable(columns: list[Column]) -> pa.Schema:
    return pa.schema([(c.name, arrow.TYPES[c.kind]) for c in columns])


def _merged(question: Question) -> pa.Table:
    gone, stayed, at = zip(*question.merges, strict=True) if question.merges else ((), (), ())
    kinds = ["merge"] * len(gone)
    arrays = [
        pa.array(v).cast(arrow.TYPES[c.kind]) for v, c in zip((gone, stayed, at, kinds), LINK.columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=_nullable(list(LINK.columns)))


def _result(table: pa.Table) -> pa.Table:
    return table.append_column("quarantine", pa.nulls(len(table), pa.string()))


def _quarantined(bad: list[tuple[str | None, str]]) -> Iterator[pa.Table]:
    if bad:
        yield pa.Table.from_pylist([{"lead_id": lead, "quarantine": reason} for lead, reason in bad], RESULT)
