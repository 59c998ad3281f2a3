"""One part of the events, all of each of its persons: rates, dwell times, credited times and links."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.arrow import coded, micros
from data.bots import too_fast
from data.importers import dwell
from data.importers.clean import SCHEMA, TEXTS, seen_from
from data.lake_manifest import DAY_COLUMN
from data.records import EVENT, Coded, Columns

Link = tuple[str, str, int]  # visitor_id, lead_id, known_from
Dwell = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Finished:
    """Events as columns of the record; too_fast: how many the rate alone marks; marked: how many are marked at all."""

    columns: Columns
    links: list[Link]
    too_fast: int
    marked: int


def finish(part: pa.Table, per_minute: int, add_dwell: Dwell, identified: Iterable[Link]) -> Finished:
    """All rows of a part without the duplicates, in any order."""
    table = part.sort_by([(n, "ascending") for n in ("visitor_id", "lead_id", "occurred_at", "event_id")])
    agent = table["is_bot"].to_numpy()
    fast = too_fast(person(table), table["occurred_at"].to_numpy(), per_minute)
    table = _set(table, "is_bot", pa.array(agent | fast))
    found = links(table, identified)
    table = pa.concat_tables([table, credited(table)])
    table = add_dwell(table)
    return Finished(_columns(table), found, int((fast & ~agent).sum()), int((agent | fast).sum()))


def person(table: pa.Table) -> NDArray[np.int64]:
    """A number for each person: the visitor, else the lead."""
    visitor, lead = coded(table["visitor_id"]), coded(table["lead_id"])
    return np.where(visitor.codes >= 0, visitor.codes, len(visitor.values) + lead.codes).astype(np.int64)


def no_dwell(table: pa.Table) -> pa.Table:
    """Nothing to add: the tracker's rows say it themselves."""
    return table


def heartbeat_dwell(table: pa.Table) -> pa.Table:
    """Page pings: see `dwell.heartbeats`."""
    ping = np.asarray(pc.equal(table["type"], "engagement"))
    views = coded(table["page_view_id"]).codes.astype(np.int64)
    return _with_dwell(table, dwell.heartbeats(views, table["occurred_at"].to_numpy(), ping), "measured")


def gap_dwell(table: pa.Table) -> pa.Table:
    """Page views: see `dwell.gaps`."""
    seconds = dwell.gaps(
        person(table), coded(table["session_id"]).codes.astype(np.int64), table["occurred_at"].to_numpy()
    )
    view = np.asarray(pc.equal(table["type"], "page_view"))
    return _with_dwell(table, np.where(view, seconds, np.nan), "gap")


def _with_dwell(table: pa.Table, seconds: NDArray[np.float64], basis: str) -> pa.Table:
    known = ~np.isnan(seconds)
    table = _set(table, "dwell_seconds", pc.if_else(pa.array(known), pa.array(seconds), table["dwell_seconds"]))
    return _set(table, "dwell_basis", pc.if_else(pa.array(known), basis, table["dwell_basis"]))


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
    seen = seen_from(table)
    rows = rows[np.lexsort((lead.codes[rows], seen[rows], visitor.codes[rows]))]
    who, whom = visitor.codes[rows], lead.codes[rows]
    change = np.append(True, (who[1:] != who[:-1]) | (whom[1:] != whom[:-1]))[: len(rows)]
    told = [(visitor.values[visitor.codes[r]], lead.values[lead.codes[r]], int(seen[r])) for r in rows[change].tolist()]
    kept: list[Link] = []
    for link in sorted({*told, *identified}, key=lambda x: (x[0], x[2], x[1])):
        if not kept or kept[-1][:2] != link[:2]:
            kept.append(link)
    return kept


def _set(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), column)


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
