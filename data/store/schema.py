"""The schema and its versions: `schema/v1.sql` makes version 1, `schema/v2.sql` would turn version 1 into 2.

A new version also keeps a store of its own for the tests: `python -m tests.kept_store`.
"""

from __future__ import annotations

import re
from importlib.resources import files

from data.errors import InputError
from data.store.database import Database

VERSION = 1
OWN = "store_schema"  # the table that says which version it is
SCORES = "score"  # how tables of scores begin, which may lie beside a store's


def version_of(db: Database) -> int:
    """The version of a database; 0 where it is empty.

    Raises
    ------
    InputError
        for a database of something else.
    """
    tables = {name for name in db.tables() if not name.startswith(SCORES)}
    if not tables:
        return 0
    if OWN not in tables:
        raise InputError.of(
            where=db.place, expected="a store", got="a database of something else", remedy="Check the URL."
        )
    ((version,),) = db.rows("SELECT version FROM store_schema")
    return int(version)


def migrate(db: Database, to: int = VERSION) -> tuple[int, int]:
    """Bring a database to a version, in one transaction; the versions before and after. The latest one stays as it is.

    Raises
    ------
    InputError
        for a database of a later version than this program knows.
    """
    with db.writing():
        before = version_of(db)
        if before > VERSION:
            raise _other(db, before)
        for version in range(before + 1, to + 1):
            db.script(_sql(version))
            db.run("DELETE FROM store_schema")
            db.run("INSERT INTO store_schema (version) VALUES (?)", [version])
    return before, max(before, to)


def refuse_other(db: Database) -> None:
    """Refuse a store of another version."""
    found = version_of(db)
    if found != VERSION:
        raise _other(db, found)


def missing(db: Database) -> list[str]:
    """Tables that a store of this version has and this one has not."""
    there = db.tables()
    return [name for name in names() if name not in there]


def names() -> list[str]:
    """The tables of this version."""
    return [name for v in range(1, VERSION + 1) for name in re.findall(r"CREATE TABLE (\w+)", _sql(v))]


def _sql(version: int) -> str:
    return files("data.store").joinpath(f"schema/v{version}.sql").read_text(encoding="utf-8")


def _other(db: Database, found: int) -> InputError:
    remedy = "Run leadlift store migrate on it." if found < VERSION else "Use the program that made it, or a newer one."
    return InputError.of(
        where=db.place, expected=f"a store of version {VERSION}", got=f"one of version {found}", remedy=remedy
    )
