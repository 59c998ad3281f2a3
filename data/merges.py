"""Leads that were merged: from the merge on, what one of them did counts for the one that stayed.

A link of kind `merge` names the lead that went (`visitor_id`), the lead that stayed (`lead_id`) and the moment
(`known_from`). Before it nothing changes: an answer for an earlier moment is what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.records import Columns, concat, take


@dataclass(frozen=True)
class Merge:
    """A lead that went, the one that stayed (of several merges in a row: each one after it), and since when."""

    gone: str
    stayed: str
    at: int


def merges_into(told: Iterable[tuple[str, str, int]], lead_ids: Collection[str]) -> list[Merge]:
    """The merges, chains included, by which something counts for one of these leads.

    told: (lead that went, lead that stayed, moment) of each link of kind `merge`.
    """
    after: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for gone, stayed, at in told:
        after[gone].append((stayed, at))
    ours = set(lead_ids) if after else set()
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


def with_merged(lead_ids: Sequence[str], merges: Sequence[Merge]) -> list[str]:
    """These leads, then those that went into them and are not among them."""
    known = set(lead_ids)
    return [*lead_ids, *(gone for gone in dict.fromkeys(m.gone for m in merges) if gone not in known)]


def handed_on(events: Columns, ids: Sequence[str], merges: Sequence[Merge], n: int) -> Columns:
    """The events of the first `n` of `ids`, with those of merged leads once more for who stayed, known since then."""
    number = {lead_id: i for i, lead_id in enumerate(ids)}
    lead, known_from = (np.asarray(events[c], dtype=np.int64) for c in ("lead", "known_from"))
    order = np.argsort(lead, kind="stable")
    parts = [take(events, np.flatnonzero(lead < n))]
    for merge in merges:
        first, last = np.searchsorted(lead[order], [number[merge.gone], number[merge.gone] + 1])
        rows = order[first:last]
        stayed = np.full(len(rows), number[merge.stayed], dtype=np.int64)
        parts.append({**take(events, rows), "lead": stayed, "known_from": np.maximum(known_from[rows], merge.at)})
    return concat(parts)
