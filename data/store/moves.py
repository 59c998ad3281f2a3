"""The history of scores: each lead's published scores that said something new, and why. A small database of its own, so
that neither ingest nor answers wait for a rescoring.

    HOME/<market>/<target>/history.db     one row per lead and moment, written by leadlift rescore --changes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from data.store.database import READ_BUSY_SECONDS, Database, connect, url_of

Kind = Literal["text", "number", "integer", "flag", "time"]
FILE = "history.db"
STEPS = ("rules", "model", "profile", "links", "events", "time")  # from one scoring to the next, in this order
PARTS = ("restated", *STEPS)  # restated: what was published says something else today
_BOTH: dict[str, Kind] = {
    "as_of": "time", "probability": "number", "points": "integer", "grade": "text", "sales_ready": "flag",
    "model_version": "text", "rules_version": "text",
}  # fmt: skip
COLUMNS: dict[str, Kind] = {
    "lead_id": "text", **_BOTH, **{f"{name}_old": kind for name, kind in _BOTH.items()}, "cause": "text",
    **{f"log_odds_{part}": "number" for part in PARTS}, **{f"points_{part}": "integer" for part in PARTS},
}  # fmt: skip
_TYPES = {"text": "TEXT", "number": "REAL", "integer": "INTEGER", "flag": "INTEGER", "time": "INTEGER"}
_KEPT = 100  # rows shown of one lead, the latest


class History:
    """The history of one market and target in its folder of the home."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def add(self, as_of: int, parts: Iterable[Sequence[Sequence[Any]]]) -> None:
        """The rows of one moment, in parts, each a sequence of rows in the order of COLUMNS; what was told of this
        moment before is replaced. All of it or nothing."""
        with connect(url_of(self._file), create=True) as db, db.writing():
            self._prepare(db)
            db.run("DELETE FROM moves WHERE as_of = ?", [as_of])
            for rows in parts:
                db.add("moves", list(COLUMNS), rows)

    def of(self, lead_id: str) -> list[dict[str, Any]]:
        """The rows of one lead, latest first: texts, numbers, bools, times in microseconds; null = not known.

        Raises
        ------
        LeadliftError
            where the file is there and cannot be read in time.
        """
        if not self._file.is_file():
            return []
        with connect(url_of(self._file), wait=READ_BUSY_SECONDS) as db, db.reading():
            if "moves" not in db.tables():
                return []
            rows = db.rows(
                f"SELECT {','.join(COLUMNS)} FROM moves WHERE lead_id = ? ORDER BY as_of DESC LIMIT {_KEPT}", [lead_id]
            )
        return [{n: _value(k, v) for (n, k), v in zip(COLUMNS.items(), row, strict=True)} for row in rows]

    def _prepare(self, db: Database) -> None:
        columns = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in COLUMNS.items())
        db.run(f"CREATE TABLE IF NOT EXISTS moves ({columns}, PRIMARY KEY (lead_id, as_of)) WITHOUT ROWID")
        db.run("CREATE INDEX IF NOT EXISTS moves_by_moment ON moves (as_of)")


def _value(kind: Kind, value: Any) -> Any:
    return bool(value) if kind == "flag" and value is not None else value
