"""Records beside profiles and events, and what they say at a moment: consent, deals and losses, the account.

Everybody else counts only as far as it was known at as_of, and, where consent is required, as it had consented then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data.accounts import Accounts, Members, rows_of
from data.consent import SCORING, TRACKING, Permission, consent_spans, permission_at
from data.dataset import People
from data.light import light
from data.outcomes import first_hand_over, times_of, won_spans
from data.records import DAY, NULL_TIME, Columns
from data.spans import Spans, before
from features.arrays import filled
from features.past import Past
from features.titles import DEPARTMENTS, OTHER, department

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
NOBODY = -1
KNOWN_DEPARTMENTS = tuple(d for d in DEPARTMENTS if d != OTHER)


@light
class Beside:
    """Records beside profiles and events; `lead` numbers leads as it does there.

    consents None: consent is not asked for. accounts, person: who belongs together, and the number of each lead there.
    calls False: nobody knows when sales took a lead over, so no call counts.
    """

    outcomes: Columns = field(default_factory=dict)
    consents: Columns | None = None
    accounts: Accounts | None = None
    person: I64 | None = None
    calls: bool = True

    @staticmethod
    def of(people: People) -> Beside:
        """What a dataset knows of its people."""
        person = people.accounts.numbers(people.lead_ids) if people.accounts else None
        consents = people.consents if people.require_consent else None
        return Beside(people.outcomes, consents, people.accounts, person)

    def bare(self) -> Beside:
        """What a caller knows who has a lead's own records only: its consents, no outcomes, nobody else."""
        return Beside(consents=self.consents, calls=False)

    def permission(self, lead: I64, as_of: I64) -> Permission | None:
        """What may be used at each moment; None for everything."""
        return None if self.consents is None else permission_at(rows_of(self.consents, lead), lead, as_of)

    def person_of(self, lead: I64) -> I64:
        """The person number of each lead (-1: nobody), NOBODY where it is not known to share anything."""
        if self.person is None or not len(self.person):
            return filled(len(lead), NOBODY, np.int64)
        return np.where(lead >= 0, self.person[lead], NOBODY)


def past_at(beside: Beside, lead: I64, as_of: I64) -> Past:
    """The past of lead[i] at as_of[i]; a lead of -1 has none."""
    if beside.accounts is None and not beside.outcomes:
        return Past.none(len(lead))
    outcomes = rows_of(beside.outcomes, lead)
    won = won_spans(outcomes).at(lead, as_of)
    lost = before(*times_of(outcomes, "lost"), lead, as_of)
    accounts, person = beside.accounts, beside.person_of(lead)
    if accounts is not None:
        accounts = accounts.around(person)
    if accounts is None or not (person >= 0).any():
        none = Past.none(len(lead))
        return Past(won.astype(np.float64), lost.astype(np.float64), *(getattr(none, n) for n in _OTHERS))
    asked = beside.consents is not None
    same = _Circle.of(accounts.address, accounts, asked).asked(person, as_of)
    account = _Circle.of(accounts.member, accounts, asked).asked(person, as_of)
    return Past(
        (won + same.others(accounts.won)).astype(np.float64),
        (lost + same.others(accounts.lost)).astype(np.float64),
        account.people(), account.active(), account.departments(),
        account.others(accounts.won).astype(np.float64), account.first_contact(),
    )  # fmt: skip


_OTHERS = ("people", "active", "departments", "deals", "first_contact_days")


def hand_over(beside: Beside, lead: I64) -> I64:
    """When sales took each lead over, NULL_TIME where it has not; before everything where nobody can know."""
    if not beside.calls:
        return filled(len(lead), NULL_TIME + 1, np.int64)
    return first_hand_over(rows_of(beside.outcomes, lead), lead)


# -- circles of people -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Circle:
    """The members that count: with their consent, where it is asked for."""

    members: Members
    recorded: Members
    active: Spans

    @staticmethod
    def of(members: Members, accounts: Accounts, asked: bool) -> _Circle:
        if not asked:
            return _Circle(members, members, accounts.active)
        row, spans = members.spans.meet(consent_spans(accounts.consents, SCORING))
        allowed = members.take(row)
        _, active = accounts.active.meet(consent_spans(accounts.consents, TRACKING))
        return _Circle(Members(allowed.group, spans, allowed.title), members, active)

    def asked(self, person: I64, as_of: I64) -> _Asked:
        return _Asked(self, person, as_of, _group_at(self.members, person, as_of))


@dataclass(frozen=True)
class _Asked:
    """A circle and n questions: `group` is the person's own group at as_of, -1 = none."""

    circle: _Circle
    person: I64
    as_of: I64
    group: I64

    def people(self) -> F64:
        """Others of the group."""
        members = self.circle.members
        return self._count(members.group, members.spans).astype(np.float64)

    def active(self) -> F64:
        """Others of the group who did something in the last 28 days."""
        row, spans = self.circle.members.spans.meet(self.circle.active)
        return self._count(self.circle.members.group[row], spans).astype(np.float64)

    def others(self, things: Spans) -> I64:
        """Things (deals, losses) that others of the group had."""
        row, spans = self.circle.members.spans.meet(things)
        return self._count(self.circle.members.group[row], spans)

    def departments(self) -> F64:
        """Different departments of others of the group, by their titles."""
        members = self.circle.members
        of_title = {t: department(t) for t in members.title.values}
        code = members.title.recode({t: KNOWN_DEPARTMENTS.index(d) for t, d in of_title.items() if d != OTHER})
        found = np.zeros(len(self.person))
        for i in range(len(KNOWN_DEPARTMENTS)):
            rows = np.flatnonzero(code == i)
            if len(rows):
                found += self._count(members.group[rows], members.spans.take(rows)) > 0
        return found

    def first_contact(self) -> F64:
        """Days since the first of the others, as the group is at as_of, was known in it; NaN where there is none."""
        days = np.full(len(self.person), np.nan)
        rows, contact = _by_contact(self.circle)
        group = self.circle.members.group[rows]
        spans = self.circle.members.spans.take(rows)
        pending = np.flatnonzero(self.group >= 0)
        at = np.searchsorted(group, self.group[pending], side="left")
        while len(pending):
            # One step along each list of members, oldest contact first; most questions end at the first or second.
            there = at < len(rows)
            pending, at = pending[there], at[there]
            there = (group[at] == self.group[pending]) & (contact[at] < self.as_of[pending])
            pending, at = pending[there], at[there]
            holds = (spans.since[at] < self.as_of[pending]) & (self.as_of[pending] <= spans.until[at])
            holds &= spans.owner[at] != self.person[pending]
            days[pending[holds]] = (self.as_of[pending[holds]] - contact[at[holds]]) / DAY
            pending, at = pending[~holds], at[~holds] + 1
        return days

    def _count(self, group: I64, spans: Spans) -> I64:
        """Spans of the asked group that hold at as_of, without the person's own."""
        everybody = Spans(group, spans.since, spans.until).at(self.group, self.as_of)
        width = int(max(spans.owner.max(initial=0), self.person.max(initial=0))) + 1
        own = Spans(group * width + spans.owner, spans.since, spans.until)
        mine = own.at(np.where(self.group >= 0, self.group * width + self.person, NOBODY), self.as_of)
        return np.where(self.group >= 0, everybody - mine, 0)


def _group_at(members: Members, person: I64, as_of: I64) -> I64:
    """The group of each person at each moment, -1 where it is in none."""
    order = np.lexsort((members.spans.since, members.spans.owner))
    spans = members.spans.take(order)
    if not len(order):
        return np.full(len(person), NOBODY, dtype=np.int64)
    begun = before(spans.owner, spans.since, person, as_of)
    at = np.searchsorted(spans.owner, person, side="left") + begun - 1
    safe = np.clip(at, 0, len(order) - 1)
    holds = (begun > 0) & (as_of <= spans.until[safe])
    return np.where(holds, members.group[order][safe], NOBODY).astype(np.int64)


def _by_contact(circle: _Circle) -> tuple[I64, I64]:
    """(row, since when the person has been known in the group) of the members, by group and that time.

    Rows that always held, as in a table without times, say nothing about when.
    """
    members, recorded = circle.members, circle.recorded
    width = int(recorded.spans.owner.max(initial=0)) + 1
    key = recorded.group * width + recorded.spans.owner
    order = np.lexsort((recorded.spans.since, key))
    first = np.searchsorted(key[order], members.group * width + members.spans.owner, side="left")
    contact = recorded.spans.since[order[first]] if len(members) else np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(contact != NULL_TIME)
    by = np.lexsort((members.spans.owner[rows], contact[rows], members.group[rows]))
    return rows[by], contact[rows][by]
