"""What is known of n people and the moment each of them is asked about: the hand-over from a request, or from a
dataset, to the scorer. Both callers make one of these; from here on there is one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from data.consent import contact_unconfirmed
from data.dataset import People
from data.light import light
from data.records import NULL_TIME, Columns, take
from features.beside import Beside
from features.build import FeatureSet, moment_at
from features.family import Moment

I64 = NDArray[np.int64]


@light
class Known:
    """Records of n people.

    lead_ids, visitor_ids: n texts or None. as_of, created_at: int64 (n,) microseconds; NULL_TIME = not known.
    leads, events, consents: columns as in data.dataset.People; their `lead` counts the n people from 0.
    beside: outcomes, accounts and, where consent is required, the consents that decide what may be used.
    """

    lead_ids: Sequence[str | None]
    visitor_ids: Sequence[str | None]
    as_of: I64
    created_at: I64
    leads: Columns
    events: Columns
    consents: Columns = field(default_factory=dict)
    beside: Beside = field(default_factory=Beside)

    def __len__(self) -> int:
        return len(self.as_of)

    def moment(self, feature_set: FeatureSet) -> Moment:
        """The n moments, events encoded with this set's content map and channel rules."""
        encoded = feature_set.encode(self.events)
        beside = self.beside if feature_set.context else self.beside.bare()
        return moment_at(self.leads, encoded, self.everyone, self.created_at, self.as_of, beside)

    @property
    def everyone(self) -> I64:
        return np.arange(len(self), dtype=np.int64)

    def take(self, rows: I64) -> Known:
        """The same records for some of the people (distinct rows), counted anew."""
        number = np.full(len(self), -1, dtype=np.int64)
        number[rows] = np.arange(len(rows))
        return Known(
            [self.lead_ids[i] for i in rows.tolist()], [self.visitor_ids[i] for i in rows.tolist()],
            self.as_of[rows], self.created_at[rows], _of(self.leads, number), _of(self.events, number),
            _of(self.consents, number), _beside(self.beside, rows, number),
        )  # fmt: skip

    def events_late(self) -> NDArray[np.bool_]:
        """Whose records hold events that had not happened, or not arrived, before `as_of`; these are not used."""
        lead = self._times("lead")
        if not len(lead):
            return np.zeros(len(self), dtype=np.bool_)
        late = np.maximum(self._times("occurred_at"), self._times("received_at")) >= self.as_of[lead]
        found: NDArray[np.bool_] = np.bincount(lead[late & (lead >= 0)], minlength=len(self)) > 0
        permission = self.beside.permission(self.everyone, self.as_of)
        return found if permission is None else found & permission.events

    def contact_unconfirmed(self) -> NDArray[np.bool_]:
        """Who agreed to be contacted and has not confirmed it (double opt-in) before `as_of`."""
        if not self.consents:
            return np.zeros(len(self), dtype=np.bool_)
        return contact_unconfirmed(self.consents, self.everyone, self.as_of)

    def _times(self, name: str) -> I64:
        column = self.events[name]
        assert isinstance(column, np.ndarray)
        return column.astype(np.int64, copy=False)


def of_people(people: People, as_of: int) -> Known:
    """Leads of a dataset, all at one moment. Leads created at or after it are not there yet and are left out."""
    everyone = Known(
        lead_ids=people.lead_ids,
        visitor_ids=[None] * len(people),
        as_of=np.full(len(people), as_of, dtype=np.int64),
        created_at=people.created_at,
        leads=people.leads,
        events=people.events,
        consents=people.consents,
        beside=Beside.of(people),
    )
    return everyone.take(np.flatnonzero((people.created_at == NULL_TIME) | (people.created_at < as_of)))


def _beside(beside: Beside, rows: I64, number: I64) -> Beside:
    return Beside(
        _of(beside.outcomes, number),
        None if beside.consents is None else _of(beside.consents, number),
        beside.accounts,
        None if beside.person is None else beside.person[rows],
    )


def _of(columns: Columns, number: I64) -> Columns:
    """The rows of leads that have a number, with that number as their `lead`."""
    if "lead" not in columns:
        return columns
    owner = columns["lead"]
    assert isinstance(owner, np.ndarray)
    lead = number[owner.astype(np.int64)] if len(number) else np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(lead >= 0)
    part = take(columns, rows) if len(rows) < len(lead) else dict(columns)
    part["lead"] = lead[rows]
    return part
