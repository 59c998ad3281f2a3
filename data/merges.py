"""Leads that were merged: from the merge on, what one of them did counts for the one that stayed.

A link of kind `merge` names the lead that went (`visitor_id`), the lead that stayed (`lead_id`) and the moment
(`known_from`). Before it nothing changes: an answer for an earlier moment is what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import arrow
from data.records import Columns, concat, take


@dataclass(frozen=True)
class Merge:
    """A lead that went, the one that stayed (of several merges in a row: each one after it), and since when."""

    gone: str
    stayed: str
    at: int


def merges_into(links: pa.Table, lead_ids: pa.Array) -> list[Merge]:
    """The merges, chains included, by which something counts for one of these leads."""
    table = links.filter(pc.equal(links.column("kind").cast(pa.string()), "merge"))
    if not len(table):
        return []
    after: dict[str, list[tuple[str, int]]] = defaultdict(list)
    columns = (table.column("visitor_id").to_pylist(), table.column("lead_id").to_pylist())
    for gone, stayed, at in zip(*columns, arrow.micros(table.column("known_from")).tolist(), strict=True):
        after[gone].append((stayed, at))
    ours = set(lead_ids.to_pylist())
    return [Merge(gone, stayed, at) for gone in sorted(after) for stayed, at in _reached(gone, after) if stayed in ours]


def _reached(gone: str, after: dict[str, list[tuple[str, int]]]) -> list[tuple[str, int]]:
    """All leads a lead went into, each from the earliest moment; a circle ends where it began."""
    since: dict[str, int] = {}
    waiting = list(after[gone])
    while waiting:
        lead, at = waiting.pop()
        if lead != gone and at < since.get(lead, at + 1):
            since[lead] = at
            waiting += [(further, max(at, then)) for further, then in after.get(lead, ())]
    return sorted(since.items())


def with_merged(lead_ids: pa.Array, merges: Sequence[Merge]) -> pa.Array:
    """These leads, then those that went into them and are not among them."""
    known = set(lead_ids.to_pylist())
    more = [gone for gone in dict.fromkeys(m.gone for m in merges) if gone not in known]
    return pa.array([*lead_ids.to_pylist(), *more], pa.string())


def handed_on(events: Columns, ids: pa.Array, merges: Sequence[Merge], n: int) -> Columns:
    """The events of the first `n` of `ids`, with those of merged leads once more for who stayed, known since then."""
    number = {lead_id: i for i, lead_id in enumerate(ids.to_pylist())}
    lead, known_from = (np.asarray(events[c], dtype=np.int64) for c in ("lead", "known_from"))
    order = np.argsort(lead, kind="stable")
    parts = [take(events, np.flatnonzero(lead < n))]
    for merge in merges:
        first, last = np.searchsorted(lead[order], [number[merge.gone], number[merge.gone] + 1])
        rows = order[first:last]
        stayed = np.full(len(rows), number[merge.stayed], dtype=np.int64)
        parts.append({**take(events, rows), "lead": stayed, "known_from": np.maximum(known_from[rows], merge.at)})
    return concat(parts)
