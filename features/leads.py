"""The profile of each lead as it was known at `as_of`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.light import light
from data.records import DAY, NULL_TIME, Array, Coded, Columns, take
from features.arrays import every, nans, rows_where
from features.lazy import cached_property
from features.past import Past

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
_NOT_PROFILE = frozenset({"lead", "valid_from", "created_at", "source_row"})


@light
class Leads:
    """Row i is one (lead, as_of). Columns are those of data.records.LEAD and the declared extra ones.

    as_of, created_at: int64 (n,), NULL_TIME = not known. A column that is not there counts as unknown everywhere.
    past: what came before; None where nothing is known of it.
    """

    as_of: I64
    created_at: I64
    columns: Columns
    past: Past | None = None

    def __len__(self) -> int:
        return len(self.as_of)

    def text(self, name: str) -> Coded:
        """A text column; all null where the dataset has none."""
        column = self.columns.get(name)
        return column if isinstance(column, Coded) else Coded.nulls(len(self))

    def number(self, name: str) -> F64:
        """A number column; all NaN where the dataset has none."""
        column = self.columns.get(name)
        if column is None or isinstance(column, Coded):
            return nans(len(self))
        return column.astype(np.float64, copy=False)

    @cached_property
    def age_days(self) -> F64:
        """Days since each was created; NaN for who is not yet, or has no time of creation."""
        born = (self.created_at < self.as_of) & (self.created_at != NULL_TIME)
        return np.where(born, (self.as_of - self.created_at) / DAY, np.nan)


def leads_at(columns: Columns, lead: I64, created_at: I64, as_of: I64, past: Past | None = None) -> Leads:
    """The profile rows with the latest `valid_from < as_of` (a null valid_from: known from created_at, or always).

    Parameters
    ----------
    columns
        lead rows with an int64 column `lead`, any order.
    lead, created_at, as_of
        int64 (n,): for each answer row its lead number, that lead's creation and the moment. A lead without a row
        at that moment has all columns null.
    past
        what came before, of the same answer rows.
    """
    owner = columns["lead"]
    assert isinstance(owner, np.ndarray)
    valid_from = _valid_from(columns)
    profile: Columns = {name: column for name, column in columns.items() if name not in _NOT_PROFILE}
    if _one_row_each(owner, lead) and every(valid_from < as_of):
        return Leads(as_of, created_at, profile, past)  # every row once, in order: nothing to pick
    rows = _latest_before(owner.astype(np.int64), valid_from, _source_row(columns), lead, as_of)
    unknown = rows_where(rows < 0)
    chosen: Columns = {name: _pick(column, rows, unknown) for name, column in profile.items()}
    return Leads(as_of, created_at, chosen, past)


def _valid_from(columns: Columns) -> I64:
    valid, created = columns["valid_from"], columns["created_at"]
    assert isinstance(valid, np.ndarray)
    assert isinstance(created, np.ndarray)
    return np.where(valid == NULL_TIME, created, valid).astype(np.int64)


def _source_row(columns: Columns) -> I64:
    rows, valid = columns.get("source_row"), columns["valid_from"]
    return rows.astype(np.int64) if isinstance(rows, np.ndarray) else np.arange(len(valid))


def _one_row_each(owner: Array, lead: I64) -> bool:
    """Are the rows those of these leads, one of each, in order?"""
    return len(owner) == len(lead) and every(owner == lead) and every(lead[1:] > lead[:-1])


def _latest_before(owner: I64, valid_from: I64, source_row: I64, lead: I64, as_of: I64) -> I64:
    """Row with the latest valid_from < as_of of each lead, -1 = none. Ties: the later row of the source."""
    if not len(owner):
        return np.full(len(lead), -1, dtype=np.int64)
    if _one_row_each(owner, lead):
        return np.where(valid_from < as_of, np.arange(len(lead)), -1)  # nothing to look for
    order = np.lexsort((source_row, valid_from, owner))
    who = np.concatenate([owner[order], lead])
    when = np.concatenate([valid_from[order], as_of])
    is_row = np.concatenate([np.ones(len(owner), dtype=np.int8), np.zeros(len(lead), dtype=np.int8)])
    merged = np.lexsort((is_row, when, who))  # at equal times the question comes before the row: strictly before
    position = np.empty(len(merged), dtype=np.int64)
    position[merged] = np.cumsum(is_row[merged]) - 1
    found = position[len(owner) :]
    rows = order[np.maximum(found, 0)]
    return np.where((found >= 0) & (owner[rows] == lead), rows, -1)


def _pick(column: Coded | Array, rows: I64, unknown: I64) -> Coded | F64:
    """Rows of a column; null in the `unknown` ones, of which most calls have none."""
    if isinstance(column, Coded):
        return column.take(rows, unknown)
    if not len(column):
        return nans(len(rows))
    values = column[rows].astype(np.float64)
    if len(unknown):
        values[unknown] = np.nan
    return values


def select(leads: Leads, rows: I64) -> Leads:
    """Some rows."""
    past = leads.past.take(rows) if leads.past else None
    return Leads(leads.as_of[rows], leads.created_at[rows], take(leads.columns, rows), past)
