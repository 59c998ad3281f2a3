"""What each CRM last accepted, and what is under way: one SQLite file, `HOME/<market>/<target>/writeback.db`.

    accepted   (lead, probability, digest)   what the CRM said yes to
    closed     (lead, reason)                leads it takes nothing of any more: converted
    batches    what was about to be sent, written before it is sent, gone when its results are in; with a job's id
    results    of the leads of the pass under way; a pass is one published set, and ends when its report is written

Each method is one transaction, so that a process may die between any two of them. What the CRM does meanwhile is asked
when the next run starts.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from data.errors import InputError
from serving.writeback_fields import Item, Mark

SENT, SKIPPED = "sent", "skipped:"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS crms (id INTEGER PRIMARY KEY, name TEXT UNIQUE, scores TEXT);
CREATE TABLE IF NOT EXISTS accepted (crm INTEGER, lead TEXT, probability REAL, digest TEXT,
    PRIMARY KEY (crm, lead)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed (crm INTEGER, lead TEXT, reason TEXT, PRIMARY KEY (crm, lead)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, crm INTEGER, job TEXT);
CREATE TABLE IF NOT EXISTS rows (batch INTEGER, lead TEXT, probability REAL, digest TEXT,
    PRIMARY KEY (batch, lead)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (crm INTEGER, lead TEXT, result TEXT, PRIMARY KEY (crm, lead)) WITHOUT ROWID;
"""
_AMONG = "lead IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True)
class Batch:
    """What is on its way: its number, the job that carries it (null: none that we know of), its leads."""

    id: int
    job: str | None
    leads: tuple[str, ...]


class State:
    """The state of one CRM and object. Only one process at a time may hold it.

    crm: names the CRM, its address and the object. An InputError where another process holds it, or the file is broken.
    """

    def __init__(self, file: Path, crm: str) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = file.with_name(f".{file.name}.lock").open("w")
        except OSError as bad:
            raise InputError.of(
                where=str(file.parent), expected="a home to write in", got=str(bad.strerror), remedy="Set LEADLIFT_HOME.",
            ) from None  # fmt: skip
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise InputError.of(
                where=str(file), expected="one write-back at a time", got="another that runs", remedy="Wait for it.",
            ) from None  # fmt: skip
        self._place = str(file)
        self._db = sqlite3.connect(file, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
            self._db.executescript(_SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO crms (name) VALUES (?)", [crm])
            ((self._crm,),) = self._db.execute("SELECT id FROM crms WHERE name = ?", [crm])
        except sqlite3.DatabaseError as bad:
            self.close()
            raise InputError.of(
                where=str(file), expected="what CRMs accepted", got=str(bad),
                remedy="Move the file away: everything is then sent once more.",
            ) from None  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    # -- passes ------------------------------------------------------------------------------------------------
    def begin(self, scores: str) -> None:
        """Start the pass of a published set, or go on with it; results of another set's pass are dropped."""
        with self._writing() as db:
            ((under_way,),) = db.execute("SELECT scores FROM crms WHERE id = ?", [self._crm])
            if under_way != scores:
                db.execute("DELETE FROM results WHERE crm = ?", [self._crm])
                db.execute("UPDATE crms SET scores = ? WHERE id = ?", [scores, self._crm])

    def finish(self) -> None:
        """The pass is reported."""
        with self._writing() as db:
            db.execute("DELETE FROM results WHERE crm = ?", [self._crm])
            db.execute("UPDATE crms SET scores = NULL WHERE id = ?", [self._crm])

    # -- batches -----------------------------------------------------------------------------------------------
    def intend(self, items: Sequence[Item]) -> Batch:
        """Note what is about to be sent."""
        with self._writing() as db:
            number = db.execute("INSERT INTO batches (crm) VALUES (?)", [self._crm]).lastrowid
            rows = [(number, item.lead, *item.mark) for item in items]
            db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)
        assert number is not None
        return Batch(number, None, tuple(item.lead for item in items))

    def note_job(self, batch: Batch, job: str | None) -> None:
        """Which job carries a batch; null: none does any more."""
        with self._writing() as db:
            db.execute("UPDATE batches SET job = ? WHERE id = ?", [job, batch.id])

    def under_way(self) -> list[Batch]:
        """Batches without results, oldest first."""
        found = self._db.execute("SELECT id, job FROM batches WHERE crm = ? ORDER BY id", [self._crm]).fetchall()
        leads = "SELECT lead FROM rows WHERE batch = ?"
        return [Batch(i, job, tuple(lead for (lead,) in self._db.execute(leads, [i]))) for i, job in found]

    def settle(self, batch: Batch, results: Mapping[str, str]) -> None:
        """Keep the results of a batch's leads (none: `failed:no_answer`).

        What was sent is accepted as it was intended, what is skipped is closed.
        """
        chosen = [(self._crm, lead, results.get(lead, "failed:no_answer")) for lead in batch.leads]
        closed = [row for row in chosen if row[2].startswith(SKIPPED)]
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", chosen)
            db.executemany("INSERT OR REPLACE INTO closed VALUES (?, ?, ?)", closed)
            db.execute(
                "INSERT OR REPLACE INTO accepted SELECT ?, lead, probability, digest FROM rows JOIN results"
                " USING (lead) WHERE batch = ? AND crm = ? AND result = ?",
                [self._crm, batch.id, self._crm, SENT],
            )  # fmt: skip
            self._drop(db, batch)

    def forget(self, batch: Batch) -> None:
        """Nobody can tell what became of a batch: its leads count as never accepted, so that they are sent again."""
        with self._writing() as db:
            sent = "SELECT lead FROM rows WHERE batch = ?"
            db.execute(f"DELETE FROM accepted WHERE crm = ? AND lead IN ({sent})", [self._crm, batch.id])
            self._drop(db, batch)

    @staticmethod
    def _drop(db: sqlite3.Connection, batch: Batch) -> None:
        db.execute("DELETE FROM rows WHERE batch = ?", [batch.id])
        db.execute("DELETE FROM batches WHERE id = ?", [batch.id])

    # -- looking up --------------------------------------------------------------------------------------------
    def accepted(self, leads: Sequence[str]) -> dict[str, Mark]:
        """What the CRM last accepted, for those of the leads of which it accepted anything."""
        return {lead: (p, digest) for lead, p, digest in self._of(leads, "lead, probability, digest", "accepted")}

    def closed(self, leads: Sequence[str]) -> dict[str, str]:
        """Why it takes nothing of some of the leads any more."""
        return dict(self._of(leads, "lead, reason", "closed"))

    def results(self, leads: Sequence[str]) -> dict[str, str]:
        """The results of this pass, for those of the leads that have one."""
        return dict(self._of(leads, "lead, result", "results"))

    def _of(self, leads: Sequence[str], columns: str, table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE crm = ? AND {_AMONG}"
        return self._db.execute(query, [self._crm, json.dumps(leads)]).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._db as db:  # commits, or rolls back
                db.execute("BEGIN IMMEDIATE")
                yield db
        except sqlite3.OperationalError as bad:
            raise InputError.of(
                where=self._place, expected="room to write", got=str(bad),
                remedy="Run the same command again when there is: nothing is lost.",
            ) from None  # fmt: skip
