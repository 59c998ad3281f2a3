"""The accounts of a dataset: read once for all groups of leads, kept as a few spans for each person who shares one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.accounts import MEMBER_COLUMNS, Accounts, Behaviour, accounts_of, active_spans, shared
from data.records import Columns, concat
from data.spans import Spans

I64 = NDArray[np.int64]
GROUP_COLUMNS = ("lead_id", *MEMBER_COLUMNS, "source_row")


@dataclass(frozen=True)
class Source:
    """How a dataset is read.

    leads: the ids of everybody, and their profile rows (GROUP_COLUMNS without the id) with `lead`, a place among them.
    events, outcomes, consents: what some leads did, numbered as asked.
    """

    leads: Callable[[], tuple[Sequence[str], Columns]]
    events: Callable[[Sequence[str]], Columns]
    outcomes: Callable[[Sequence[str]], Columns]
    consents: Callable[[Sequence[str]], Columns]


def read_accounts(source: Source, chunk: int, only: Sequence[str] | None = None) -> Accounts | None:
    """Who shares an account or an address; None where nobody does.

    Parameters
    ----------
    chunk
        how many people's events are held at once.
    only
        lead ids: what they need alone, for a question about few.
    """
    lead_ids, columns = source.leads()
    member, address = shared(columns)
    if only is not None:
        wanted = set(only)
        asked = np.array([i for i, lead_id in enumerate(lead_ids) if lead_id in wanted], dtype=np.int64)
        member, address = member.around(asked), address.around(asked)
    people = np.union1d(member.spans.owner, address.spans.owner)
    if not len(people):
        return None
    return accounts_of(lead_ids, member, address, _behaviour(source, lead_ids, people, chunk))


def _behaviour(source: Source, lead_ids: Sequence[str], people: I64, chunk: int) -> Behaviour:
    spans, outcomes, consents = [], [], []
    for start in range(0, len(people), chunk):
        some = people[start : start + chunk]
        ids = [lead_ids[i] for i in some.tolist()]
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
