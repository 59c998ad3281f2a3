"""The match rate: which share of the leads did anything before they became leads, and where the join breaks if few."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.dataset import People
from data.identity import by_the_lead
from data.lake import Lake
from data.records import NULL_TIME, Coded
from data.times import EPOCH

WEAK = 0.30  # below, behaviour is missing for most leads and a model can learn little but profile
OWN = "lead_id on the event"
NO_SOURCE = "(no lead source)"
SHAPES = 3
Counts = dict[str, list[int]]  # name -> [leads, matched]


@dataclass
class MatchRate:
    """Leads with a creation time, and those of them with an event of their own before it (no bots, not ours).

    by_month: of creation, UTC. by_source: the latest lead_source. by_kind: leads with such a link, and those of them
    whose earlier events came through it. breaks: where the join loses most, in words.
    """

    leads: int = 0
    matched: int = 0
    by_month: Counts = field(default_factory=dict)
    by_source: Counts = field(default_factory=dict)
    by_kind: Counts = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        """None without leads that have a creation time."""
        return self.matched / self.leads if self.leads else None

    @property
    def weak(self) -> bool:
        return self.leads > 0 and self.matched < WEAK * self.leads

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        parts = {
            name: [{"name": k, "leads": n, "matched": m} for k, (n, m) in getattr(self, name).items()]
            for name in ("by_month", "by_source", "by_kind")
        }
        return {"leads": self.leads, "matched": self.matched, "share": self.share, "weak": self.weak, **parts,
                "breaks": self.breaks}  # fmt: skip


def match_rate(lake: Lake) -> MatchRate:
    """The match rate of a dataset; reads all its records once, in bounded groups."""
    rate, kinds = MatchRate(), _link_kinds(lake)
    for people in lake.people():
        _count(people, kinds, rate)
    rate.by_month = dict(sorted(rate.by_month.items()))
    rate.by_source = dict(sorted(rate.by_source.items(), key=lambda item: (-item[1][0], item[0])))
    if rate.weak:
        rate.breaks = list(_breaks(lake))
    return rate


def _count(people: People, kinds: dict[tuple[str, str], str], rate: MatchRate) -> None:
    timed = people.created_at != NULL_TIME
    through = _through(people, kinds)
    linked: dict[str, set[str]] = defaultdict(set)
    for (_, lead_id), kind in kinds.items():
        linked[lead_id].add(kind)
    sources = _last_sources(people)
    for i in np.flatnonzero(timed).tolist():
        hit = bool(through[i])
        rate.leads += 1
        rate.matched += hit
        month = (EPOCH + timedelta(microseconds=int(people.created_at[i]))).strftime("%Y-%m")
        for counts, name in ((rate.by_month, month), (rate.by_source, sources[i])):
            _add(counts, name, hit)
        for kind in sorted(linked[people.lead_ids[i]] | through[i]):
            _add(rate.by_kind, kind, kind in through[i])


def _add(counts: Counts, name: str, hit: bool) -> None:
    found = counts.setdefault(name, [0, 0])
    found[0] += 1
    found[1] += hit


def _through(people: People, kinds: dict[tuple[str, str], str]) -> list[set[str]]:
    """By which links each lead's events before its creation came."""
    lead, at, since = (np.asarray(people.events[n]) for n in ("lead", "occurred_at", "known_from"))
    before = (at < people.created_at[lead]) & by_the_lead(people.events)
    visitor = people.events["visitor_id"]
    assert isinstance(visitor, Coded)
    found: list[set[str]] = [set() for _ in people.lead_ids]
    own = since == NULL_TIME
    pairs = np.unique(np.stack([lead, visitor.codes, own])[:, before], axis=1)
    for i, code, is_own in pairs.T.tolist():
        name = OWN if is_own else kinds.get((visitor.values[code], people.lead_ids[i]), OWN)
        found[i].add(name)
    return found


def _last_sources(people: People) -> list[str]:
    names = [NO_SOURCE] * len(people)
    source = people.leads["lead_source"]
    assert isinstance(source, Coded)
    for i, name in zip(np.asarray(people.leads["lead"]).tolist(), source.texts(), strict=True):
        names[int(i)] = name if name is not None else names[int(i)]
    return names


def _link_kinds(lake: Lake) -> dict[tuple[str, str], str]:
    """The kind of the first link of each visitor and lead."""
    table = _rows(lake, "links")
    table = table.take(pc.sort_indices(table, sort_keys=[("known_from", "ascending"), ("kind", "ascending")]))
    kinds: dict[tuple[str, str], str] = {}
    for visitor, lead, kind in zip(
        *(table.column(n).to_pylist() for n in ("visitor_id", "lead_id", "kind")), strict=True
    ):
        kinds.setdefault((visitor, lead), kind)
    return kinds


def _rows(lake: Lake, name: str) -> pa.Table:
    from data import arrow
    from data.records import RECORDS

    return lake.table(name) if lake.manifest.of(name) else arrow.schema_of(RECORDS[name].columns).empty_table()


# -- where the join breaks ---------------------------------------------------------------------------------------
def _breaks(lake: Lake) -> Iterator[str]:
    links = _rows(lake, "links")
    linked = pc.unique(links.filter(pc.not_equal(links.column("kind"), "merge")).column("visitor_id").combine_chunks())
    visitors, hits, named, events, shapes = 0, 0, 0, 0, Counter[str]()
    for ids, own, n in _visitors(lake):
        visitors += len(ids)
        hits += pc.sum(pc.is_in(ids, value_set=linked)).as_py() or 0
        named, events = named + own, events + n
        shapes.update(map(_shape, ids.slice(0, 200).to_pylist()))
    if not events:
        yield "there are no events: import the tracker's export into this dataset"
        return
    if not len(linked) and not named:
        yield "no links: no event names a lead and nothing links a visitor to one; send the visitor's id with the form"
        return
    ours = Counter(map(_shape, linked.slice(0, 5000).to_pylist()))
    if len(linked) and visitors and not set(ours) & set(shapes):
        yield f"visitor id formats do not overlap: links have {_list(ours)}, events have {_list(shapes)}"
    if len(linked):
        yield f"links without events: {len(linked) - hits:,} of {len(linked):,} linked visitors have no event"
    if visitors:
        yield f"events without links: {visitors - hits:,} of {visitors:,} visitors are linked to no lead"


def _visitors(lake: Lake) -> Iterator[tuple[pa.Array, int, int]]:
    """Of each bucket its distinct visitors, the events that name a lead, and all events."""
    for bucket in range(lake.info.buckets):
        table = lake.bucket("events", bucket)
        visitor = pc.unique(table.column("visitor_id").combine_chunks()).drop_null()
        yield visitor, len(table) - table.column("lead_id").null_count, len(table)


def _shape(text: str) -> str:
    """The form of an id without the id: 9 for digits, a for letters, repeats counted."""
    plain = re.sub(r"[A-Za-z]", "a", re.sub(r"[0-9]", "9", text))
    if re.fullmatch(r"[a9]{12,}", plain):
        return f"{len(plain)} letters and digits"
    return re.sub(r"([^\W_])\1{2,}", lambda run: f"{run[1]}{{{len(run[0])}}}", plain)


def _list(shapes: Counter[str]) -> str:
    return ", ".join(name for name, _ in shapes.most_common(SHAPES))
