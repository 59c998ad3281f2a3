"""Which lead an event belongs to, and from which moment that was known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import NULL_TIME, Coded, Columns


def assign(
    visitor: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    link_visitor: NDArray[np.int64],
    link_lead: NDArray[np.int64],
    link_known_from: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join events to leads through the links of their visitor.

    An event belongs to the link with the latest `known_from` at or before its time, else to the visitor's
    first link; it is known to belong there from that link's `known_from` on. A later link never moves an
    earlier event, so the answer for one `as_of` does not depend on links made after it.

    Parameters
    ----------
    visitor, occurred_at
        int64 (n_events,): visitor number (-1 = none) and event time.
    link_visitor, link_lead, link_known_from
        int64 (n_links,): in any order.

    Returns
    -------
    lead, known_from
        int64 (n_events,): -1 and NULL_TIME where the visitor has no link.
    """
    if not len(link_visitor):
        return np.full(len(visitor), -1, dtype=np.int64), np.full(len(visitor), NULL_TIME, dtype=np.int64)
    order = np.lexsort((link_lead, link_known_from, link_visitor))
    by_visitor, by_time = link_visitor[order], link_known_from[order]
    first = np.searchsorted(by_visitor, visitor, side="left")
    count = np.searchsorted(by_visitor, visitor, side="right") - first
    chosen = np.minimum(first, len(order) - 1)
    several = np.flatnonzero(count > 1)  # most visitors have one link: nothing to look for
    if len(several):
        of = np.flatnonzero(np.append(by_visitor[1:] == by_visitor[:-1], False) | np.append(False, by_visitor[1:] == by_visitor[:-1]))
        latest = _latest_at_or_before(by_visitor[of], by_time[of], visitor[several], occurred_at[several])
        chosen[several] = np.maximum(of[np.maximum(latest, 0)], first[several])
    linked = (count > 0) & (visitor >= 0)
    lead = np.where(linked, link_lead[order][chosen], -1)
    return lead.astype(np.int64), np.where(linked, by_time[chosen], NULL_TIME).astype(np.int64)


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
