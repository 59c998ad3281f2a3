"""A store's database by URL. Only this file knows SQLite; another database would be a second class with these methods.

`sqlite:///store.db` is a path from the working folder, `sqlite:////var/lib/store.db` one from the root.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from data.errors import InputError, UsageError
from data.files import sync

PREFIX = "sqlite:///"
BUSY_SECONDS = 5.0  # how long a writer waits for another one
READ_BUSY_SECONDS = 0.2
_STEPS = 5_000  # of SQLite's machine, between two looks at the deadline
_PARAMETERS = 500  # in one statement

Error = sqlite3.Error


def is_store(name: object) -> bool:
    """Does this name a store rather than a folder?"""
    return isinstance(name, str) and "://" in name


def path_of(url: str) -> Path:
    """The file of a store.

    Raises
    ------
    UsageError
        for a URL of another kind; the URL is not repeated, for it may hold a password.
    """
    if not url.startswith(PREFIX) or len(url) == len(PREFIX):
        got = url.partition("://")[0]
        raise UsageError(f"store: expected a URL such as sqlite:///store.db, got one of {got}://. Use SQLite.")
    return Path(url.removeprefix(PREFIX))


def url_of(path: Path) -> str:
    """The URL of a file, from the root."""
    return PREFIX + str(path.absolute())


class Database:
    """One connection. Use as a context manager; a thread has its own.

    Parameters
    ----------
    create
        make the file where there is none; else an absent one is an InputError.
    wait
        seconds a statement waits for another process.
    """

    def __init__(self, url: str, create: bool = False, wait: float = BUSY_SECONDS) -> None:
        self.path = path_of(url)
        if create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.is_file():
            raise InputError.of(
                where=str(self.path), expected="a store", got="no file", remedy="Make one with leadlift store migrate."
            )
        self._connection = sqlite3.connect(self.path, timeout=wait, isolation_level=None, check_same_thread=False)
        try:
            # Written ahead, so that readers never wait; synchronous: what was committed survives a power cut.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.DatabaseError as bad:
            self.close()
            raise _unreadable(self.path, bad) from None

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def run(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def rows_among(self, statement: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement with `IN ({})`, asked for so many values at a time."""
        asked, found = list(values), []
        for start in range(0, len(asked), _PARAMETERS):
            some = asked[start : start + _PARAMETERS]
            found += self.rows(statement.format(",".join("?" * len(some))), some)
        return found

    def add(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        places = ",".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({places})", rows)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All of it or nothing; one writer at a time."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[None]:
        """One state of the store, whatever is written meanwhile; after so many seconds a read is an Error."""
        if seconds is not None:
            deadline = time.monotonic() + seconds
            self._connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        self.run("BEGIN")
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)
            self.run("ROLLBACK")

    def tables(self) -> set[str]:
        return {name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def script(self, text: str) -> None:
        """Several statements inside the transaction that is open; comments are whole lines."""
        plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
        for statement in filter(str.strip, plain.split(";")):
            self.run(statement)

    def faults(self) -> list[str]:
        """What SQLite finds broken in the file."""
        try:
            told = [str(text) for (text,) in self.rows("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as bad:
            return [str(bad)]
        return [] if told == ["ok"] else told

    def backup(self, target: Path) -> None:
        """A consistent copy while others read and write; it appears under its name when it is whole."""
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(part)) as copy:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            sync(part)
            part.replace(target)
            sync(target.absolute().parent)
        finally:
            part.unlink(missing_ok=True)


def _unreadable(path: Path, bad: sqlite3.DatabaseError) -> InputError:
    return InputError.of(
        where=str(path), expected="an SQLite file", got=str(bad), remedy="Check the URL, or restore a backup."
    )
