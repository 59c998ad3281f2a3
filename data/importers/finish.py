"""One part of the events, all of each of its persons: rates, credited times and links.

What depends on other events of a person, as its rate or the dwell told by heartbeats, is left to the features: they see
the events of all imports, and only those that were known at the moment asked about. Here a rate is only counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.arrow import coded, micros
from data.bots import too_fast
from data.importers.clean import SCHEMA, TEXTS, seen_from
from data.lake_manifest import DAY_COLUMN
from data.records import EVENT, Coded, Columns, concat

Link = tuple[str, str, int]  # visitor_id, lead_id, known_from


@dataclass(frozen=True)
class Finished:
    """Events as columns of the record; too_fast: how many the rate alone leaves out; bots: how many are left out at all."""

    columns: Columns
    links: list[Link]
    too_fast: int
    bots: int


def finish(part: pa.Table, identified: Iterable[Link]) -> Finished:
    """All rows of a part without the duplicates, in any order."""
    table = part.sort_by([(n, "ascending") for n in ("visitor_id", "lead_id", "occurred_at", "event_id")])
    agent = table["is_bot"].to_numpy()
    fast = np.zeros(len(table), dtype=np.bool_)
    fast[~agent] = too_fast(person(table)[~agent], table["occurred_at"].to_numpy()[~agent])
    found = links(table, identified)
    table = pa.concat_tables([table, credited(table)])
    return Finished(_columns(table), found, int(fast.sum()), int((agent | fast).sum()))


def person(table: pa.Table) -> NDArray[np.int64]:
    """A number for each person: the visitor, else the lead."""
    visitor, lead = coded(table["visitor_id"]), coded(table["lead_id"])
    return np.where(visitor.codes >= 0, visitor.codes, len(visitor.values) + lead.codes).astype(np.int64)


def credited(table: pa.Table) -> pa.Table:
    """Engagement on the page before, told by a later event: known from that event on, so it bears its time."""
    rows = table.filter(pc.and_(pc.is_valid(table["credit_seconds"]), pc.is_valid(table["credit_url"])))
    n = len(rows)
    new = {
        "event_id": pc.binary_join_element_wise(rows["event_id"], ":dwell", ""), "url": rows["credit_url"],
        "type": pa.array(["engagement"] * n, pa.string()), "dwell_basis": pa.array(["measured"] * n, pa.string()),
        "dwell_seconds": rows["credit_seconds"], "credit_seconds": pa.nulls(n, pa.float64()),
        **{c: pa.nulls(n, pa.string())
           for c in ("credit_url", "referrer_host", "source", "medium", "campaign", "click_id_kind", "page_view_id")},
    }  # fmt: skip
    return pa.table([new.get(f.name, rows[f.name]) for f in SCHEMA], schema=SCHEMA)


def links(table: pa.Table, identified: Iterable[Link]) -> list[Link]:
    """Whom each visitor was known as, from when; one link at each change, by the moment it was known."""
    visitor, lead = coded(table["visitor_id"]), coded(table["lead_id"])
    rows = np.flatnonzero((visitor.codes >= 0) & (lead.codes >= 0))
    told = list(identified)
    both = concat([
        {"visitor": visitor.take(rows), "lead": lead.take(rows), "since": seen_from(table)[rows]},
        {"visitor": Coded.of(v for v, _, _ in told), "lead": Coded.of(w for _, w, _ in told),
         "since": np.array([at for _, _, at in told], dtype=np.int64)},
    ])  # fmt: skip
    visitors, leads, since = both["visitor"], both["lead"], np.asarray(both["since"])
    assert isinstance(visitors, Coded)
    assert isinstance(leads, Coded)
    rank = leads.recode({lead_id: i for i, lead_id in enumerate(sorted(leads.values))})
    order = np.lexsort((rank, since, visitors.codes))
    who, whom = visitors.codes[order], leads.codes[order]
    change = np.append(True, (who[1:] != who[:-1]) | (whom[1:] != whom[:-1]))[: len(order)]
    kept = [
        (visitors.values[visitors.codes[r]], leads.values[leads.codes[r]], int(since[r]))
        for r in order[change].tolist()
    ]
    return sorted(kept, key=lambda link: (link[0], link[2], link[1]))


def _columns(table: pa.Table) -> Columns:
    columns: Columns = {n: coded(table[n]) for n in TEXTS if EVENT.column(n) is not None}
    basis = columns["dwell_basis"]
    assert isinstance(basis, Coded)
    if (basis.codes < 0).any():
        columns["dwell_basis"] = coded(table["dwell_basis"].fill_null("none"))
    columns["occurred_at"], columns["received_at"] = micros(table["occurred_at"]), micros(table["received_at"])
    columns["dwell_seconds"] = table["dwell_seconds"].fill_null(float("nan")).to_numpy()
    columns["is_bot"] = table["is_bot"].to_numpy()
    if table["source_day"].null_count < len(table):
        columns[DAY_COLUMN] = table["source_day"].fill_null(0).to_numpy()
    return columns
