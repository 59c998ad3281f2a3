"""Who was in an experiment: people who came to its first content in a window before they had seen the second.

Everything is settled when they come: which arm, that they have not converted, and what counts as their answer: a
conversion in the horizon from then on. The view itself says whose id the page hashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.identity import by_the_lead
from data.records import Coded, Columns
from data.spans import FOREVER
from features.arrays import filled, rows_where
from features.content import Content, ContentMap
from training.assemble import content_map
from training.assignment import arms_of
from training.experiments import Plan
from training.path_targets import Crowd, crowds_of
from training.rules import Rules
from training.snapshots import Policy, labels_of
from training.trails import refuse_without_times

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I8 = NDArray[np.int8]
Mask = NDArray[np.bool_]
Window = tuple[int, int]


@dataclass(frozen=True)
class Exposed:
    """n people: arm (n,) as in ARMS; at (n,), us, when they came; label (n,) 1 or 0, NaN = not final yet."""

    arm: I8
    at: I64
    label: F64

    def __len__(self) -> int:
        return len(self.arm)

    def take(self, rows: I64) -> Exposed:
        return Exposed(self.arm[rows], self.at[rows], self.label[rows])

    @property
    def final(self) -> Exposed:
        """Those whose answers are final."""
        return self.take(rows_where(~np.isnan(self.label)))

    def people(self) -> I64:
        """Of each arm, (2,)."""
        return np.bincount(self.arm, minlength=2).astype(np.int64)

    def conversions(self) -> I64:
        """Of each arm, (2,)."""
        return np.bincount(self.arm, self.label, 2).astype(np.int64)


def exposed_in(
    dataset: Dataset, plan: Plan, policy: Policy, now: int, windows: Sequence[Window], rules: Rules | None = None,
    threads: int = 1,
) -> list[Exposed]:  # fmt: skip
    """Who came in each of the windows [from, to), us; a person counts once in each.

    Raises
    ------
    InputError
        for a table without times; for visitors of a dataset that asks for consent.
    """
    refuse_without_times(dataset)
    contents = content_map(dataset)
    parts: list[list[Exposed]] = [[] for _ in windows]
    for crowd in crowds_of(dataset, plan.target, policy, now, rules, threads=threads, ids=True):
        seen = [_seen(crowd.events, contents, plan.by, name) for name in (plan.first, plan.then)]
        for window, found in zip(windows, parts, strict=True):
            found.append(_exposed(crowd, plan, policy, now, window, seen))
    return [Exposed(*(np.concatenate([getattr(p, f.name) for p in found]) for f in fields(Exposed))) for found in parts]


def _seen(events: Columns, contents: ContentMap, by: str, name: str) -> I64:
    """Views of pages of this name that people made themselves: their rows."""
    ids, urls, kind = (_texts(events[n]) for n in ("content_id", "url", "type"))
    named = {i: 1 for i in ids.values if name_of(contents.by_id(i), by) == name}
    addressed = {u: 1 for u in urls.values if name_of(contents.content(u), by) == name}
    hit = np.where(ids.known(), ids.recode(named, 0), urls.recode(addressed, 0)) == 1
    return rows_where(hit & by_the_lead(events) & kind.equals("page_view"))


def name_of(content: Content, by: str) -> str | None:
    """What a content is called by content, type, topic or stage."""
    found: str | None = getattr(content, "content_id" if by == "content" else by)
    return found


def _exposed(crowd: Crowd, plan: Plan, policy: Policy, now: int, window: Window, seen: Sequence[I64]) -> Exposed:
    row, lead, at = _came(crowd, seen[0], min(window[1], now), window[0])
    as_of = filled(len(crowd), FOREVER, np.int64)
    as_of[lead] = at
    crowd = crowd.watched(as_of, policy)
    allowed = crowd.beside.permission(lead, at)
    fresh = (at <= _first(crowd, seen[1])[lead]) & crowd.is_open(lead, at)
    open_ = rows_where(fresh if allowed is None else fresh & allowed.events)
    row, lead, at = row[open_], lead[open_], at[open_]
    label, _ = labels_of(crowd.conversions, lead, at, policy)
    label[at + policy.maturity > now] = np.nan
    return Exposed(arms_of(plan.name, ids_of(crowd, plan.unit, row, lead)), at, label)


def _came(crowd: Crowd, seen: I64, until: int, since: int) -> tuple[I64, I64, I64]:
    """(row, person, moment) of the first view of each person whose clock runs, by person."""
    lead, time = (np.asarray(crowd.events[n], dtype=np.int64) for n in ("lead", "occurred_at"))
    lead, time = lead[seen], time[seen]
    rows = rows_where((lead >= 0) & (time >= since) & (time < until) & (time >= crowd.start[lead]))
    rows = rows[np.lexsort((time[rows], lead[rows]))]
    _, first = np.unique(lead[rows], return_index=True)
    rows = rows[first]
    return seen[rows], lead[rows], time[rows]


def _first(crowd: Crowd, seen: I64) -> I64:
    """When each person first saw it, FOREVER = never, (people,)."""
    lead, time = (np.asarray(crowd.events[n], dtype=np.int64)[seen] for n in ("lead", "occurred_at"))
    first = filled(len(crowd) + 1, FOREVER, np.int64)  # the last one is nobody's
    np.minimum.at(first, lead, time)
    return first[:-1]


def ids_of(crowd: Crowd, unit: str, row: I64, lead: I64) -> list[str]:
    """The id of each person that is hashed: of its view in that row the visitor's, else the lead's."""
    leads = [None] * len(lead) if crowd.leads is None else [crowd.leads.lead_ids[i] for i in lead.tolist()]
    if unit == "lead" and crowd.leads is not None:
        return [str(i) for i in leads]
    visitors = _texts(crowd.events["visitor_id"])
    codes = visitors.codes[row].tolist()
    return [str(visitors.values[c] if c >= 0 else i) for c, i in zip(codes, leads, strict=True)]


def _texts(column: object) -> Coded:
    assert isinstance(column, Coded)
    return column
