"""Which lead an event belongs to, and from which moment that was known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.records import NULL_TIME, Coded, Columns

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Links:
    """The links of visitors, by visitor and time. Row i of the first three is a link, of the others a visitor; the last
    one, with the number -1, has no link: lead -1, NULL_TIME."""

    visitor: I64
    known_from: I64
    lead: I64
    first: I64
    first_lead: I64
    first_known: I64
    several: NDArray[np.bool_]

    @staticmethod
    def of(visitor: I64, lead: I64, known_from: I64) -> Links:
        """visitor, lead, known_from: int64 (n_links,), in any order; visitors are numbered from 0 without large gaps."""
        order = np.lexsort((lead, known_from, visitor))
        count = np.append(np.bincount(visitor), 0)
        first = np.cumsum(count) - count
        lead, known_from, there = lead[order], known_from[order], count > 0
        first_lead, first_known = np.full(len(count), -1), np.full(len(count), NULL_TIME)
        first_lead[there], first_known[there] = lead[first[there]], known_from[first[there]]
        return Links(visitor[order], known_from, lead, first, first_lead, first_known, count > 1)

    def assign(self, visitor: I64, occurred_at: I64) -> tuple[I64, I64]:
        """Join events to leads through the links of their visitor.

        An event belongs to the link with the latest `known_from` at or before its time, else to the visitor's first
        link; it is known to belong there from that link's `known_from` on. A later link never moves an earlier event,
        so the answer for one `as_of` does not depend on links made after it.

        Parameters
        ----------
        visitor, occurred_at
            int64 (n_events,): visitor number (-1 = none) and event time.

        Returns
        -------
        lead, known_from
            int64 (n_events,): -1 and NULL_TIME where the visitor has no link.
        """
        visitor = np.where(visitor < len(self.first) - 1, visitor, -1)
        lead, known_from = self.first_lead[visitor], self.first_known[visitor]
        rows = np.flatnonzero(self.several[visitor])  # most visitors have one link: nothing to look for
        if len(rows):
            links = np.flatnonzero(self.several[self.visitor])
            latest = _latest_at_or_before(self.visitor[links], self.known_from[links], visitor[rows], occurred_at[rows])
            chosen = np.maximum(links[np.maximum(latest, 0)], self.first[visitor[rows]])
            lead[rows], known_from[rows] = self.lead[chosen], self.known_from[chosen]
        return lead, known_from


def _latest_at_or_before(
    by_visitor: NDArray[np.int64], by_time: NDArray[np.int64], visitor: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Position of the last (visitor, time) pair not after each (visitor, at): one merge sort of both lists."""
    n = len(by_visitor)
    who = np.concatenate([by_visitor, visitor])
    when = np.concatenate([by_time, at])
    is_query = np.concatenate([np.zeros(n, dtype=np.int8), np.ones(len(visitor), dtype=np.int8)])
    order = np.lexsort((is_query, when, who))
    links_so_far = np.cumsum(is_query[order] == 0) - 1
    answer = np.empty(len(order), dtype=np.int64)
    answer[order] = links_so_far
    return answer[n:]


def by_the_lead(events: Columns) -> NDArray[np.bool_]:
    """What people did themselves: inbound events that are no bot's, bool (n,)."""
    direction = events["direction"]
    assert isinstance(direction, Coded)
    inbound: NDArray[np.bool_] = direction.recode({"outbound": 1}, 0) == 0
    return inbound & ~np.asarray(events["is_bot"], dtype=np.bool_)
