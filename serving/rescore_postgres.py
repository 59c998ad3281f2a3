"""Scores on PostgreSQL: each set a table of its own, filled by COPY; the view `scores` shows the last one.

    scores                        view: the columns of a set
    score_sets                    a row for each publication, in order: number, run, held_in, manifest
    scores_<run>_<token>          the rows of a set; dropped when it is not kept any more

Nothing is ever updated or deleted, so no dead rows are left. Readers and writers of a store in the same schema wait for
the short swap of the view alone. Sets are made in a folder (the workshop) first, so that a killed run resumes.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from data.errors import StoreError
from data.store import postgres
from data.store.database import BUSY_SECONDS, Database, place_of
from serving.rescore_claim import Claim, ClaimLost
from serving.rescore_columns import SCHEMA, csv_of
from serving.rescore_parts import Part
from serving.rescore_sets import MANIFEST
from serving.rescore_targets import Target, read_part

SWAP_SECONDS = 2.0
PAUSES = (1, 5, 15, 60)  # seconds between tries of the swap
_TYPES = {
    pa.string(): "TEXT", pa.float64(): "DOUBLE PRECISION", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}  # fmt: skip
_SETS = "CREATE TABLE IF NOT EXISTS score_sets (number BIGINT PRIMARY KEY, run TEXT, held_in TEXT, manifest TEXT)"
_OURS = re.compile(r"scores_[0-9a-f]{16}_[0-9a-f]{8}")


class Postgres(Target):
    """A database, by its URL."""

    keeps = False

    def __init__(self, url: str, workshop: Path) -> None:
        super().__init__(workshop)
        self.url = url

    @property
    def shown(self) -> str:
        return f"{place_of(self.url)}, view scores"

    def told(self, run: str) -> str:
        return f"{self.shown}, has the scores; table score_sets says what they are made of."

    def refuse(self) -> None:
        """Raise a StoreError where the database does not answer, before anything is scored for it."""
        with self._connected():
            pass

    def put(self, claim: Claim, run: str, parts: Sequence[Part], keep: int) -> None:
        with self._connected() as db:
            number, last = _last(db)
            claim.check()
            if last == run:
                return
            held_in = f"scores_{run}_{secrets.token_hex(4)}"
            _fill(db, held_in, (read_part(claim.work / run, part) for part in parts))
        manifest = (claim.work / run / MANIFEST).read_text(encoding="utf-8")
        self._swap((number + 1, run, held_in, manifest))
        with self._connected() as db:
            _drop_others(db, keep)

    def _swap(self, row: tuple[int, str, str, str]) -> None:
        """Tried again for a while: somebody may be reading the view, and others must not queue up behind the swap."""
        for pause in PAUSES:
            with suppress(StoreError), self._connected() as db:
                return _swap(db, row)
            time.sleep(pause)
        with self._connected() as db:
            _swap(db, row)

    def holds(self, run: str, current: bool) -> bool:
        with self._connected() as db:
            return not current or _last(db)[1] == run

    def _connected(self) -> postgres.Postgres:
        return postgres.Postgres(self.url, BUSY_SECONDS)


def _last(db: Database) -> tuple[int, str | None]:
    """Number and run of the last publication; 0 and None before the first."""
    if "score_sets" not in db.tables():
        return 0, None
    rows = db.rows("SELECT number, run FROM score_sets ORDER BY number DESC LIMIT 1")
    return (int(rows[0][0]), str(rows[0][1])) if rows else (0, None)


def _fill(db: postgres.Postgres, table: str, parts: Iterable[pa.Table]) -> None:
    columns = ",".join(f"{f.name} {_TYPES[f.type]}" for f in SCHEMA)
    db.run(f"CREATE TABLE {table} ({columns})")
    db.add_csv(table, SCHEMA.names, (csv_of(part) for part in parts))
    db.run(f"ALTER TABLE {table} ADD PRIMARY KEY (lead_id)")
    db.run(f"ANALYZE {table}")


def _swap(db: Database, row: tuple[int, str, str, str]) -> None:
    """The view shows the new table, in one transaction; a publication that came between makes it a ClaimLost.

    row: number, run, held_in, manifest.
    """
    with db.writing(SWAP_SECONDS):
        db.run(_SETS)
        last = _last(db)
        if last == row[:2]:
            return  # the try before did it, and nobody could say so any more
        if last[0] != row[0] - 1:
            raise ClaimLost(
                f"{db.place}: expected publication {row[0] - 1} to be the last one, got a later one. Nothing was changed."
            )
        db.add("score_sets", ("number", "run", "held_in", "manifest"), [row])
        _show(db, row[2])


def _show(db: Database, table: str) -> None:
    """The view in its place: who may read it still may, and views on it stay. One with other columns has to go."""
    columns = db.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 'scores'"
        " ORDER BY ordinal_position"
    )
    if columns and [name for (name,) in columns] != SCHEMA.names:
        db.run("DROP VIEW scores")
    db.run(f"CREATE OR REPLACE VIEW scores AS SELECT * FROM {table}")


def _drop_others(db: Database, keep: int) -> None:
    """Tables of old sets go, and of processes that were killed; one that is being read goes the next time."""
    rows = db.rows("SELECT held_in FROM score_sets ORDER BY number DESC LIMIT ?", [keep])
    kept = {held_in for (held_in,) in rows}
    for table in sorted(t for t in db.tables() if _OURS.fullmatch(t) and t not in kept):
        with suppress(StoreError), db.writing(SWAP_SECONDS):
            db.run(f"DROP TABLE {table}")
