"""New rows against those a bucket holds: what is added, what was there already, what takes another's place.

    events      an event_id counts once
    leads       a row per lead and valid_from; a row of an export only where something changed since the row before;
                what a row that tells only changes does not say is as in the row before
    outcomes    one per visitor, else lead, moment, kind and value
    links       one per visitor, lead, moment and kind; a link told again later changes no feature and may stay
    consents    one per lead, purpose and moment given: confirmed and withdrawn at the earliest moments told

The answer depends on the rows alone, not on the imports they came in, as long as rows come in the order of their
exports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

EXPORTED = "exported"  # on new lead rows: valid_from is the moment of the export, not of the change
TOLD = "told"  # on new lead rows: they tell what changed; null = not said
MARKS = (EXPORTED, TOLD)
SETTLED = ("leads", "outcomes", "links", "consents")
NOT_CONTENT = ("lead_id", "created_at", "valid_from", "source_row", *MARKS)
_KEYS = {
    "outcomes": ("person", "occurred_at", "kind", "value"),
    "links": ("visitor_id", "lead_id", "known_from", "kind"),
}  # fmt: skip
_CONSENT_KEY = ("lead_id", "purpose", "given_at")


@dataclass(frozen=True)
class Merged:
    """What becomes of one bucket. added: new rows to keep; whole: all rows anew, where held ones change, else None.

    known: new rows that were there already. restated: those of them, without a moment of their own, that say
    something else than the row that is there.
    """

    added: pa.Table
    whole: pa.Table | None = None
    known: int = 0
    restated: int = 0


def merge(name: str, held: pa.Table, new: pa.Table) -> Merged:
    """Merge the new rows of one bucket of a record. Both tables have the record's columns, as strings and numbers."""
    if name == "events":
        kept = new.filter(pc.invert(pc.is_in(new.column("event_id"), value_set=_values(held, "event_id"))))
        return Merged(kept, known=len(new) - len(kept))
    if name == "leads":
        return _leads(held, new)
    if name == "consents":
        return _consents(held, new)
    return _first_of_each(held, new, _KEYS[name])


def _values(table: pa.Table, column: str) -> pa.Array:
    return table.column(column).combine_chunks() if len(table) else pa.array([], pa.string())


def _codes(table: pa.Table, column: str) -> NDArray[np.int64]:
    """Equal numbers for equal values, -1 for null."""
    whole = pa.chunked_array([table.column(column).combine_chunks()], table.schema.field(column).type)
    if not len(whole):
        return np.zeros(0, dtype=np.int64)
    encoded = pc.dictionary_encode(whole).chunk(0)
    return pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)


def _starts(columns: list[NDArray[np.int64]], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows, in this order, differ from the one before in any of the columns."""
    new = np.ones(len(order), dtype=np.bool_)
    if len(order):
        new[1:] = np.any([c[order][1:] != c[order][:-1] for c in columns], axis=0)
    return new


# -- outcomes and links: the first row of each key ---------------------------------------------------------------
def _first_of_each(held: pa.Table, new: pa.Table, key: Sequence[str]) -> Merged:
    both = pa.concat_tables([held, new])
    codes = [_persons(both) if name == "person" else _codes(both, name) for name in key]
    order = np.lexsort((np.arange(len(both)), *reversed(codes)))
    kept = np.sort(order[_starts(codes, order)])
    added = both.take(pa.array(kept[kept >= len(held)]))
    return Merged(added, known=len(new) - len(added))


def _persons(table: pa.Table) -> NDArray[np.int64]:
    """Numbers of visitors, and others of the leads of rows without one."""
    visitor, lead = _codes(table, "visitor_id"), _codes(table, "lead_id")
    return np.where(visitor >= 0, visitor, visitor.max(initial=-1) + 1 + lead)


# -- leads ---------------------------------------------------------------------------------------------------------
def _leads(held: pa.Table, new: pa.Table) -> Merged:
    exported, told = _flags(EXPORTED, held, new), _flags(TOLD, held, new)
    names = held.schema.names
    both = pa.concat_tables([held, new.select(names)])
    since = _micros(pc.coalesce(both.column("valid_from"), both.column("created_at")))
    lead, row = _codes(both, "lead_id"), np.arange(len(both))
    order = np.lexsort((row, since, lead))
    if told.any():
        both = _as_before(both, order, _starts([lead], order), told)
    first = _starts([lead, since], order)
    content = [_codes(both, n) for n in names if n not in NOT_CONTENT]
    restated = _restated(both, order, first, content, len(held), exported)
    order = order[first]
    repeats = ~_starts([lead, *content], order) & (exported | told)[order]
    kept = np.sort(order[~repeats])
    added = both.take(pa.array(kept[kept >= len(held)]))
    return Merged(added, known=len(new) - len(added), restated=restated)


def _as_before(both: pa.Table, order: NDArray[np.int64], opens: NDArray[np.bool_], told: NDArray[np.bool_]) -> pa.Table:
    """Rows that tell changes alone, completed from the row before of the same lead; its creation is the first one told."""
    place, tells = np.arange(len(order)), told[order] & ~opens
    for name in (n for n in both.schema.names if n not in ("lead_id", "valid_from", "source_row")):
        column = both.column(name).combine_chunks()
        says = (
            np.zeros(len(order), dtype=np.bool_) if name == "created_at" else column.is_valid().to_numpy(False)[order]
        )
        source = np.empty(len(order), dtype=np.int64)
        source[order] = order[np.maximum.accumulate(np.where(says | ~tells, place, 0))]
        index = both.schema.get_field_index(name)
        both = both.set_column(index, both.schema.field(index), column.take(pa.array(source)))
    return both


def _restated(
    both: pa.Table, order: NDArray[np.int64], first: NDArray[np.bool_], content: list[NDArray[np.int64]], held: int,
    exported: NDArray[np.bool_],
) -> int:  # fmt: skip
    """New rows without a valid_from of their own that come again with other values for a held row."""
    original = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    again = ~first & (order >= held) & (original < held)
    no_moment = (pc.is_null(both.column("valid_from")).to_numpy() | exported)[order]
    other = np.zeros(len(order), dtype=np.bool_)
    for column in content:
        other |= column[order] != column[original]
    return int((again & no_moment & other).sum())


def _flags(mark: str, held: pa.Table, new: pa.Table) -> NDArray[np.bool_]:
    own = pc.fill_null(new.column(mark), False).to_numpy() if mark in new.schema.names else np.zeros(len(new))
    return np.concatenate([np.zeros(len(held)), own]).astype(np.bool_)


def _micros(times: pa.ChunkedArray) -> NDArray[np.int64]:
    return pc.fill_null(times.cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()


# -- consents --------------------------------------------------------------------------------------------------------
def _consents(held: pa.Table, new: pa.Table) -> Merged:
    both = pa.concat_tables([held, new])
    rest = [n for n in both.schema.names if n not in _CONSENT_KEY]
    grouped = both.group_by([*_CONSENT_KEY], use_threads=False).aggregate([(n, "min") for n in rest])
    grouped = grouped.rename_columns([n.removesuffix("_min") for n in grouped.schema.names])
    settled = grouped.select(both.schema.names).cast(both.schema)
    if settled.slice(0, len(held)).equals(held):  # groups come in the order of their first rows
        added = settled.slice(len(held))
        return Merged(added, known=len(new) - len(added))
    return Merged(settled.slice(0, 0), settled, known=len(both) - len(settled))
