"""A lake as decoded tables in memory, those of each bucket by themselves: what features are computed from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import arrow
from data.lake import Lake
from data.lake_arrange import AllLinks, Owners
from data.lake_tables import Tables


class Decoded(Tables):
    """Tables as `Lake` reads them from files: nothing is left to be decoded."""

    def _read(
        self, name: str, buckets: Iterable[int], only: Collection[str] | None = None,
        plain: Collection[str] = arrow.MANY_VALUED,
    ) -> pa.Table:  # fmt: skip
        return self._tables[name] if name in self._tables else arrow.empty(self._columns(name))


def decoded(lake: Lake) -> Iterator[Decoded]:
    """The profile rows of each bucket, the events of its leads, and all links of those who did them."""
    buckets, links = range(lake.info.buckets), lake.links
    for bucket, events in zip(buckets, _events(lake), strict=True):
        own = pc.is_in(links.column("lead_id"), value_set=lake.texts("leads", "lead_id", [bucket]).combine_chunks())
        visitors = pc.unique(links.column("visitor_id").filter(own))
        theirs = links.filter(pc.is_in(links.column("visitor_id"), value_set=visitors))
        tables = {"leads": lake.bucket("leads", bucket), "events": events, "links": theirs}
        yield Decoded(lake.info, {name: table.combine_chunks() for name, table in tables.items()}, lake.place)


def _events(lake: Lake) -> list[pa.Table]:
    """The events of the leads of each bucket, of the whole lake at once; dictionaries hold what a bucket has."""
    owners = Owners.of(lake, [[bucket] for bucket in range(lake.info.buckets)])
    links = AllLinks.of(lake, owners.ids)
    parts: list[list[pa.Table]] = [[] for _ in range(lake.info.buckets)]
    for chunk in lake.event_chunks:
        _, lead = links.join(lake.events_with_shared_ids(chunk, arrow.MANY_VALUED.difference({"visitor_id", "lead_id"})))
        events = lake.events_in(chunk)
        order, starts = owners.in_groups(lead)
        for bucket, part in enumerate(parts):
            part.append(events.take(np.sort(order[starts[bucket] : starts[bucket + 1]])))
    return [_short(pa.concat_tables(part).unify_dictionaries()) for part in parts]


def _short(table: pa.Table) -> pa.Table:
    """Each text once in a dictionary, and none that no row has."""
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field, table.column(at).cast(pa.string()).dictionary_encode())
    return table
