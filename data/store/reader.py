"""What a store knows of a few people, for an answer: the records a dataset folder would hand over, by indices, in NumPy.

Read inside `db.reading()`, so that all is of one state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.accounts import WORK_MAIL, Accounts
from data.dataset import ExtraColumn, People, stored
from data.identity import Links
from data.merges import handed_on, merges_into, with_merged
from data.read_accounts import Source, read_accounts
from data.records import CONSENT, EVENT, LEAD, NULL_TIME, OUTCOME, Column, Columns, filled, take
from data.store.database import Database, Row
from data.store.rows import LEAD_COLUMNS, call_of, columns_of, each_once, history, lead_row, told_rows
from data.store.write import EVENT_COLUMNS, IDENTIFY_COLUMNS, OUTCOME_COLUMNS

I64 = NDArray[np.int64]
_EVENTS = ",".join(EVENT_COLUMNS)
_OUTCOMES = ",".join(OUTCOME_COLUMNS)
_LEADS = ",".join((*LEAD_COLUMNS, "extra"))
_CONSENTS = ",".join(c.name for c in CONSENT.columns)
_CHUNK = 1_000  # people of an account whose events are held at once


@dataclass(frozen=True)
class Reader:
    """Reads people; `extra`: the declared columns wanted."""

    db: Database
    extra: tuple[ExtraColumn, ...] = ()

    def people(self, lead_ids: Sequence[str], accounts: bool = False) -> People:
        """All records of these leads (distinct ids), in their order; who is unknown has none.

        `accounts`: with who shares an account or an address with them.
        """
        rows = [row for lead in self._profiles(lead_ids) for row in lead]
        number = {lead_id: i for i, lead_id in enumerate(lead_ids)}
        leads = self._lead_columns(rows)
        lead = np.array([number[r["lead_id"]] for r in rows], dtype=np.int64)
        created = np.asarray(leads["created_at"], dtype=np.int64)
        return People(
            lead_ids=tuple(lead_ids),
            created_at=_least(created, lead, len(lead_ids)),
            source_row=np.zeros(len(lead_ids), dtype=np.int64),
            labels=np.full(len(lead_ids), np.nan),
            leads={**leads, "lead": lead},
            events=self._events(lead_ids),
            outcomes=self._outcomes(lead_ids),
            consents=self._consents(lead_ids),
            accounts=self._accounts(lead_ids) if accounts else None,
        )

    def visits(self, visitor_ids: Sequence[str]) -> tuple[Columns, set[str]]:
        """The events of these visitors (distinct), `lead` being a place among them; and those known to be some lead."""
        rows = self.db.rows_among(f"SELECT {_EVENTS} FROM events WHERE visitor_id IN ({{}})", visitor_ids)
        linked = self.db.rows_among("SELECT DISTINCT visitor_id FROM known_links WHERE visitor_id IN ({})", visitor_ids)
        number = {v: i for i, v in enumerate(visitor_ids)}
        of = np.array([number[r[EVENT_COLUMNS.index("visitor_id")]] for r in rows], dtype=np.int64)
        columns = columns_of(rows, EVENT.columns)
        return {**columns, "lead": of, "known_from": np.full(len(rows), NULL_TIME)}, {v for (v,) in linked}

    # -- profiles --------------------------------------------------------------------------------------------------
    def _profiles(self, lead_ids: Sequence[str]) -> list[list[dict[str, Any]]]:
        """The profile rows of each lead."""
        told = ",".join(IDENTIFY_COLUMNS)
        whole = self.db.rows_among(f"SELECT {_LEADS} FROM leads WHERE lead_id IN ({{}}) ORDER BY line", lead_ids)
        calls = self.db.rows_among(f"SELECT {told} FROM identifies WHERE lead_id IN ({{}})", lead_ids)
        kept: dict[str, list[dict[str, Any]]] = {lead_id: [] for lead_id in lead_ids}
        for cells in whole:
            kept[cells[0]].append(lead_row(cells, self.extra))
        new = {lead: list(rows) for lead, rows in groupby(told_rows(map(call_of, calls)), key=lambda r: r["lead_id"])}
        names = [c.name for c in self._columns]
        return [history(kept[lead_id], new.get(lead_id, []), names) for lead_id in lead_ids]

    @property
    def _columns(self) -> tuple[Column, ...]:
        return (*LEAD.columns, *(Column(e.name, e.kind) for e in stored(self.extra)))

    def _lead_columns(self, rows: Sequence[dict[str, Any]]) -> Columns:
        return {c.name: filled(c.kind, [r[c.name] for r in rows]) for c in self._columns}

    # -- events and outcomes -----------------------------------------------------------------------------------------
    def _events(self, lead_ids: Sequence[str]) -> Columns:
        merges = merges_into(self._merges(lead_ids), lead_ids)
        ids = with_merged(lead_ids, merges)
        events = self._events_of(ids)
        return handed_on(events, ids, merges, len(lead_ids)) if merges else events

    def _merges(self, lead_ids: Sequence[str]) -> list[tuple[str, str, int]]:
        """The merges that lead to these leads, however many steps away."""
        statement = "SELECT visitor_id, lead_id, known_from FROM links WHERE kind = 'merge' AND lead_id IN ({})"
        found: list[tuple[str, str, int]] = []
        seen, waiting = set(lead_ids), list(lead_ids)
        while waiting:
            step = [(str(g), str(s), int(at)) for g, s, at in self.db.rows_among(statement, waiting)]
            found += step
            waiting = sorted({gone for gone, _, _ in step} - seen)
            seen |= set(waiting)
        return found

    def _events_of(self, lead_ids: Sequence[str]) -> Columns:
        links = _Links.of(self.db, lead_ids)
        rows = self.db.rows_among(f"SELECT {_EVENTS} FROM events WHERE lead_id IN ({{}})", lead_ids)
        rows += self.db.rows_among(
            f"SELECT {_EVENTS} FROM events WHERE lead_id IS NULL AND visitor_id IN ({{}})", links.visitors
        )
        columns = columns_of(rows, EVENT.columns)
        lead, since = links.owners(rows, EVENT_COLUMNS, lead_ids)
        return _kept({**columns, "lead": lead, "known_from": since})

    def _outcomes(self, lead_ids: Sequence[str]) -> Columns:
        links = _Links.of(self.db, lead_ids)
        select = f"SELECT outcome_id, {_OUTCOMES} FROM outcomes WHERE"
        rows = self.db.rows_among(f"{select} lead_id IN ({{}})", lead_ids)
        rows += self.db.rows_among(f"{select} visitor_id IN ({{}})", links.visitors)
        told = each_once(r[1:] for r in sorted(set(rows), key=lambda r: str(r[0])))
        lead, _ = links.owners(told, OUTCOME_COLUMNS, lead_ids)
        return _kept({**columns_of(told, OUTCOME.columns), "lead": lead})

    def _consents(self, lead_ids: Sequence[str]) -> Columns:
        rows = self.db.rows_among(f"SELECT {_CONSENTS} FROM consents WHERE lead_id IN ({{}})", lead_ids)
        number = {lead_id: i for i, lead_id in enumerate(lead_ids)}
        lead = np.array([number[r[0]] for r in rows], dtype=np.int64)
        return {**columns_of(rows, CONSENT.columns), "lead": lead}

    # -- accounts ----------------------------------------------------------------------------------------------------
    def _accounts(self, lead_ids: Sequence[str]) -> Accounts | None:
        source = Source(lambda: self._group(lead_ids), self._events, self._outcomes, self._consents)
        return read_accounts(source, _CHUNK, lead_ids)

    def _group(self, lead_ids: Sequence[str]) -> tuple[Sequence[str], Columns]:
        """These leads and whoever ever had an account, a work address' domain or an address of theirs."""
        own = [row for lead in self._profiles(lead_ids) for row in lead]
        domain_of = {
            str(r["email_domain"]).strip().lower() for r in own if r["email_domain"] and r["email_kind"] in WORK_MAIL
        }
        ids = set(lead_ids)
        for values, *places in (
            ({r["account_id"] for r in own} - {None}, "leads WHERE account_id", "identifies WHERE account_id"),
            (domain_of, "leads WHERE lower(trim(email_domain))", "identifies WHERE email_domain"),
            ({r["email_hash"] for r in own} - {None}, "leads WHERE email_hash", "identifies WHERE email_hash"),
        ):
            for place in places:
                ids |= {i for (i,) in self.db.rows_among(f"SELECT lead_id FROM {place} IN ({{}})", values)}
        everybody = sorted(ids)
        rows = [row for lead in self._profiles(everybody) for row in lead]
        number = {lead_id: i for i, lead_id in enumerate(everybody)}
        lead = np.array([number[r["lead_id"]] for r in rows], dtype=np.int64)
        return everybody, {**self._lead_columns(rows), "lead": lead}


class _Links:
    """The links of the visitors of some leads, all their other leads included: these decide with them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.visitors = sorted({r[0] for r in rows})
        self._number = {v: i for i, v in enumerate(self.visitors)}
        # Leads are numbered in the order of their ids, so that a tie in time is decided alike in every group.
        self._leads = sorted({r[1] for r in rows})
        rank = {lead: i for i, lead in enumerate(self._leads)}
        numbers = np.array([(self._number[r[0]], rank[r[1]], r[2]) for r in rows], dtype=np.int64).reshape(-1, 3)
        self._links = Links.of(*numbers.T)

    @staticmethod
    def of(db: Database, lead_ids: Sequence[str]) -> _Links:
        ours = db.rows_among("SELECT DISTINCT visitor_id FROM known_links WHERE lead_id IN ({})", lead_ids)
        visitors = sorted({v for (v,) in ours})
        select = "SELECT visitor_id, lead_id, known_from FROM known_links WHERE visitor_id IN ({})"
        return _Links(db.rows_among(select, visitors))

    def owners(self, rows: Sequence[Row], names: Sequence[str], lead_ids: Sequence[str]) -> tuple[I64, I64]:
        """The lead of each row (a place in `lead_ids`, -1 = none of them), and since when that is known."""
        place = {lead_id: i for i, lead_id in enumerate(lead_ids)}
        at, who, whom = (names.index(n) for n in ("occurred_at", "visitor_id", "lead_id"))
        named = np.array([r[whom] is not None for r in rows], dtype=np.bool_)
        own = np.array([place.get(r[whom], -1) for r in rows], dtype=np.int64)
        visitor = np.array([self._number.get(r[who], -1) for r in rows], dtype=np.int64)
        occurred = np.array([r[at] for r in rows], dtype=np.int64)
        found, since = self._links.assign(np.where(named, -1, visitor), occurred)
        of_rank = np.array([place.get(lead, -1) for lead in self._leads] + [-1], dtype=np.int64)
        return np.where(named, own, of_rank[found]), np.where(named, NULL_TIME, since)


def _kept(columns: Columns) -> Columns:
    """The rows that are of one of the leads."""
    return take(columns, np.flatnonzero(np.asarray(columns["lead"]) >= 0))


def _least(created: I64, lead: I64, n: int) -> I64:
    """The earliest creation of each lead, NULL_TIME where none is known."""
    least = np.full(n, np.iinfo(np.int64).max)
    known = created != NULL_TIME
    np.minimum.at(least, lead[known], created[known])
    return np.where(least == np.iinfo(np.int64).max, NULL_TIME, least)
