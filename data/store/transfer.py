"""A store into another one, whatever the two are kept in: everything as it was told, at one moment."""

from __future__ import annotations

import tempfile
from pathlib import Path

from data.errors import InputError
from data.store import schema
from data.store.database import Database, connect, url_of
from data.store.sqlite import Sqlite

_FILLED = ("events", "leads", "identifies", "outcomes")


def copy_store(source: Database, target: Database) -> dict[str, int]:
    """Fill a new store of this version with all of another; rows by table.

    Raises
    ------
    InputError
        for a target that holds rows, or a source of another version.
    """
    schema.refuse_other(source)
    with source.reading(), target.writing():
        refuse_filled(target)
        target.run("DELETE FROM texts")
        return {name: _copy_table(source, target, name) for name in schema.names() if name != schema.OWN}


def refuse_filled(db: Database) -> None:
    """Refuse a store that holds rows."""
    filled_with = next((t for t in _FILLED if db.rows(f"SELECT 1 FROM {t} LIMIT 1")), None)
    if filled_with is not None:
        raise InputError.of(
            where=db.place, expected="a store without rows", got=f"one with {filled_with}",
            remedy="Import into a new store; what comes later comes by POST /v1/events.",
        )  # fmt: skip


def backup_store(source: Database, target: Path) -> None:
    """A consistent copy in a new file of SQLite while others read and write; it appears under its name when it is
    whole."""
    if isinstance(source, Sqlite):
        source.backup(target)
        return
    beside = tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.absolute().parent)
    with beside as folder, connect(url_of(Path(folder) / "store.db"), create=True) as copy:
        schema.migrate(copy)
        copy_store(source, copy)
        backup_store(copy, target)


def _copy_table(source: Database, target: Database, table: str) -> int:
    columns = source.columns(table)
    target.add(table, columns, source.stream(f"SELECT {','.join(columns)} FROM {table}"))
    ((count,),) = target.rows(f"SELECT count(*) FROM {table}")
    return int(count)
