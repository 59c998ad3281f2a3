"""Who belongs together: the people of one account, and records of one address.

An account is the CRM's `account_id`, else the business e-mail domain; free mail makes none. Records of one address
share the keyed hash of an e-mail address: a lead that came before, not merged, is an earlier lead of the same person.
Kept are spans of time only, a few for each person, whatever the number of events:

    member    somebody belongs to an account, as a row of its profile says, with the title of that row
    address   the same for addresses
    active    28 days from each event on
    won, lost conversions until they are cancelled; losses for ever
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.outcomes import times_of, won_spans
from data.records import DAY, DIRECTIONS, NULL_TIME, Coded, Columns, take
from data.spans import FOREVER, Spans, among, merged

I64 = NDArray[np.int64]
ACTIVE = 28 * DAY
WORK_MAIL = ("business", "role")
MEMBER_COLUMNS = ("account_id", "email_domain", "email_kind", "email_hash", "title", "created_at", "valid_from")


@dataclass(frozen=True)
class Members:
    """Row i: person `spans.owner[i]` is of `group[i]` in the span, with `title` (null where none is known)."""

    group: I64
    spans: Spans
    title: Coded

    def __len__(self) -> int:
        return len(self.group)

    def take(self, rows: I64) -> Members:
        return Members(self.group[rows], self.spans.take(rows), self.title.take(rows))

    def around(self, people: I64) -> Members:
        """The rows of every group that one of these people was ever in."""
        groups = self.group[among(self.spans.owner, people)]
        return self.take(np.flatnonzero(among(self.group, groups)))


@dataclass(frozen=True)
class Accounts:
    """Everybody who shares an account or address with somebody else. `number` gives a lead's person number."""

    number: Mapping[str, int]
    member: Members
    address: Members
    active: Spans
    won: Spans
    lost: Spans
    consents: Columns

    def numbers(self, lead_ids: Sequence[str | None]) -> I64:
        """The person number of each lead; -1 for who shares nothing with anybody."""
        return np.array([self.number.get(i, -1) if i is not None else -1 for i in lead_ids], dtype=np.int64)

    def around(self, people: I64) -> Accounts:
        """What these people need: everybody who was ever in an account or of an address with one of them."""
        member, address = self.member.around(people), self.address.around(people)
        used = np.concatenate([member.spans.owner, address.spans.owner])
        spans = (s.take(among(s.owner, used)) for s in (self.active, self.won, self.lost))
        return Accounts(self.number, member, address, *spans, rows_of(self.consents, used))


@dataclass(frozen=True)
class Behaviour:
    """What people did: spans of activity, and outcomes and consents with their person in the column `lead`."""

    active: Spans
    outcomes: Columns
    consents: Columns


def shared(leads: Columns) -> tuple[Members, Members]:
    """Members of accounts, and of addresses, that two people or more share; `lead` in `leads` numbers people."""
    lead, since, until = _validity(leads)
    spans = Spans(lead, since, until)
    accounts, addresses = account_codes(leads), _coded(leads, "email_hash").codes.astype(np.int64)
    title = _coded(leads, "title")
    return _shared(accounts, spans, title), _shared(addresses, spans, title)


def account_codes(leads: Columns) -> I64:
    """Account of each profile row as a number, -1 = none."""
    own, domain = _coded(leads, "account_id"), _coded(leads, "email_domain")
    work = _coded(leads, "email_kind").recode(dict.fromkeys(WORK_MAIL, 1), 0) == 1
    folded = {text: i for i, text in enumerate(dict.fromkeys(v.strip().lower() for v in domain.values))}
    table = np.array([folded[v.strip().lower()] for v in domain.values] + [-1], dtype=np.int64)
    by_domain = np.where(work & domain.known(), table[domain.codes] + len(own.values), -1)
    return np.where(own.known(), own.codes.astype(np.int64), by_domain)


def active_spans(events: Columns) -> Spans:
    """28 days from every moment at which an event of people themselves came to be known, joined where they meet.

    Of rows with one `event_id` the one known first counts, as in features.
    """
    lead, direction = _times(events, "lead"), _coded(events, "direction")
    theirs = (lead >= 0) & (direction.recode({DIRECTIONS[1]: 1}, 0) == 0) & ~np.asarray(events["is_bot"], np.bool_)
    seen = np.maximum(_times(events, "occurred_at"), _times(events, "received_at"))
    seen = np.maximum(seen, _times(events, "known_from"))
    rows = _first_known(lead, _coded(events, "event_id").codes, seen, np.flatnonzero(theirs))
    return merged(Spans(lead[rows], seen[rows], seen[rows] + ACTIVE))


def _first_known(lead: I64, identity: NDArray[np.int32], seen: I64, rows: I64) -> I64:
    """`rows` with one row per lead and event_id; those without an id all stay."""
    ids = identity[rows]
    at = np.flatnonzero((np.bincount(ids + 1, minlength=1)[ids + 1] > 1) & (ids >= 0))
    order = at[np.lexsort((seen[rows[at]], ids[at], lead[rows[at]]))]
    again = np.zeros(len(rows), dtype=np.bool_)
    who, what = lead[rows[order]], ids[order]
    again[order[1:]] = (who[1:] == who[:-1]) & (what[1:] == what[:-1])
    return rows[~again]


def accounts_of(lead_ids: Sequence[str], member: Members, address: Members, behaviour: Behaviour) -> Accounts:
    """Put together what `shared` and `Behaviour` say of the same people; lead_ids[i] is person i."""
    used = np.union1d(member.spans.owner, address.spans.owner)
    lost, at = times_of(behaviour.outcomes, "lost")
    return Accounts(
        {lead_ids[i]: i for i in used.tolist()}, member, address, behaviour.active, won_spans(behaviour.outcomes),
        Spans(lost, at, np.full(len(at), FOREVER, dtype=np.int64)), behaviour.consents,
    )  # fmt: skip


def _validity(leads: Columns) -> tuple[I64, I64, I64]:
    """(person, since, until) of each profile row: until the next row of the lead holds; null is the far past."""
    lead, valid, created = (_times(leads, n) for n in ("lead", "valid_from", "created_at"))
    since = np.where(valid == NULL_TIME, created, valid)
    source = leads.get("source_row")
    row = source.astype(np.int64) if isinstance(source, np.ndarray) else np.arange(len(lead))
    order = np.lexsort((row, since, lead))
    until = np.full(len(lead), FOREVER, dtype=np.int64)
    same = lead[order][1:] == lead[order][:-1]
    until[order[:-1][same]] = since[order[1:][same]]
    return lead, since, until


def _shared(group: I64, spans: Spans, title: Coded) -> Members:
    """Rows of groups (>= 0) that have two people or more."""
    rows = np.flatnonzero((group >= 0) & (spans.since < spans.until))
    pairs = np.unique(np.stack([group[rows], spans.owner[rows]]), axis=1)
    people = np.bincount(pairs[0], minlength=1) if pairs.size else np.zeros(1, dtype=np.int64)
    rows = rows[people[group[rows]] > 1] if len(rows) else rows
    return Members(group[rows], spans.take(rows), title.take(rows))


def rows_of(columns: Columns, leads: I64) -> Columns:
    """The rows of some leads, who keep their numbers."""
    return take(columns, np.flatnonzero(among(_times(columns, "lead"), leads))) if "lead" in columns else columns


def _coded(columns: Columns, name: str) -> Coded:
    column = columns.get(name)
    return column if isinstance(column, Coded) else Coded.nulls(len(_times(columns, "lead")))


def _times(columns: Columns, name: str) -> I64:
    column = columns[name]
    assert isinstance(column, np.ndarray)
    return column.astype(np.int64, copy=False)
