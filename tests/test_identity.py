"""Which lead an event belongs to: the array code against the rule, spelt out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data.identity import Links
from data.records import NULL_TIME

Link = tuple[int, int, int]  # visitor, lead, known_from


def spelt_out(visitor: int, at: int, links: list[Link]) -> tuple[int, int]:
    own = sorted((known, lead) for v, lead, known in links if v == visitor and visitor >= 0)
    if not own:
        return -1, NULL_TIME
    known, lead = max((o for o in own if o[0] <= at), default=own[0])
    return lead, known


links_of = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 20)), max_size=8, unique=True)
events_of = st.lists(st.tuples(st.integers(-1, 5), st.integers(-2, 22)), max_size=12)


@given(links_of, events_of)
def test_an_event_belongs_to_the_latest_link_before_it_else_to_the_first(
    links: list[Link], events: list[tuple[int, int]]
) -> None:
    columns = [np.array([row[i] for row in links], dtype=np.int64) for i in range(3)]
    visitor, at = (np.array([e[i] for e in events], dtype=np.int64) for i in (0, 1))
    lead, known = Links.of(*columns).assign(visitor, at)
    assert list(zip(lead.tolist(), known.tolist(), strict=True)) == [spelt_out(v, t, links) for v, t in events]


@given(links_of, events_of, st.integers(0, 20))
def test_links_made_later_change_nothing_before(links: list[Link], events: list[tuple[int, int]], as_of: int) -> None:
    known_then = [k for k in links if k[2] < as_of]
    for visitor, at in events:
        now = spelt_out(visitor, at, links)
        if at < as_of and now[1] != NULL_TIME and now[1] < as_of:
            assert now == spelt_out(visitor, at, known_then)
