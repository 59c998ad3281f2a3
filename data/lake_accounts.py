"""The accounts of a lake: read once for all groups of leads, kept as a few spans for each person who shares one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data import arrow
from data.accounts import MEMBER_COLUMNS, Accounts, Behaviour, accounts_of, active_spans, shared
from data.records import LEAD, Column, Columns, concat
from data.spans import Spans

I64 = NDArray[np.int64]
GROUP_COLUMNS = ("lead_id", *MEMBER_COLUMNS, "source_row")


@dataclass(frozen=True)
class Source:
    """How a lake is read: profile rows of everybody (GROUP_COLUMNS), and what some leads did, numbered as asked."""

    leads: Callable[[], pa.Table]
    events: Callable[[pa.Array], Columns]
    outcomes: Callable[[pa.Array], Columns]
    consents: Callable[[pa.Array], Columns]


def read_accounts(source: Source, chunk: int, only: Sequence[str] | None = None) -> Accounts | None:
    """Who shares an account or an address; None where nobody does.

    Parameters
    ----------
    chunk
        how many people's events are held at once.
    only
        lead ids: what they need alone, for a question about few.
    """
    table = source.leads()
    lead_ids = pc.unique(table.column("lead_id").combine_chunks())
    columns = arrow.from_arrow(table, tuple(_column(n) for n in GROUP_COLUMNS[1:]))
    columns["lead"] = pc.index_in(table.column("lead_id"), value_set=lead_ids).to_numpy().astype(np.int64)
    member, address = shared(columns)
    if only is not None:
        asked = np.flatnonzero(pc.is_in(lead_ids, value_set=pa.array(only, pa.string())).to_numpy(zero_copy_only=False))
        member, address = member.around(asked), address.around(asked)
    people = np.union1d(member.spans.owner, address.spans.owner)
    if not len(people):
        return None
    return accounts_of(lead_ids.to_pylist(), member, address, _behaviour(source, lead_ids, people, chunk))


def _behaviour(source: Source, lead_ids: pa.Array, people: I64, chunk: int) -> Behaviour:
    spans, outcomes, consents = [], [], []
    for start in range(0, len(people), chunk):
        some = people[start : start + chunk]
        ids = lead_ids.take(pa.array(some))
        active = active_spans(source.events(ids))
        spans.append(Spans(some[active.owner], active.since, active.until))
        outcomes.append(_numbered(source.outcomes(ids), some))
        consents.append(_numbered(source.consents(ids), some))
    active = Spans(*(np.concatenate([getattr(s, n) for s in spans]) for n in ("owner", "since", "until")))
    return Behaviour(active, concat(outcomes), concat(consents))


def _numbered(columns: Columns, people: I64) -> Columns:
    lead = columns["lead"]
    assert isinstance(lead, np.ndarray)
    return {**columns, "lead": people[lead.astype(np.int64)]}


def _column(name: str) -> Column:
    column = LEAD.column(name)
    assert column is not None
    return column
